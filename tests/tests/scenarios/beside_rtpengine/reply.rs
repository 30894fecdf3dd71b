//! Replies of two relays, as they can be compared: ports by the order in which they came up, lines of a section sorted
//! (rtpengine's order changed between 10.5 and what came after), c= in every section.

use std::fmt;

use serde_json::Value;

/// The RTP ports that a relay gave a call, in order of appearance.
#[derive(Debug, Default)]
pub(super) struct Ports(Vec<u16>);

impl Ports {
    fn name(&mut self, port: u16) -> String {
        if port == 0 {
            return "0".to_owned();
        }
        let known = self.0.iter().position(|known| *known == port);
        let index = known.unwrap_or_else(|| {
            self.0.push(port);
            self.0.len() - 1
        });
        format!("P{index}")
    }
}

/// What a reply says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Body {
    /// `result`, and `error-reason` if there is one.
    pub(super) outcome: String,
    pub(super) session: Vec<String>,
    pub(super) sections: Vec<Section>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) media: String,
    pub(super) lines: Vec<String>,
}

impl Body {
    pub(super) fn lines_mut(&mut self) -> impl Iterator<Item = &mut Vec<String>> {
        std::iter::once(&mut self.session)
            .chain(self.sections.iter_mut().map(|section| &mut section.lines))
    }
}

impl fmt::Display for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.outcome)?;
        self.session
            .iter()
            .try_for_each(|line| writeln!(f, "  {line}"))?;
        for section in &self.sections {
            writeln!(f, "  {}", section.media)?;
            section
                .lines
                .iter()
                .try_for_each(|line| writeln!(f, "    {line}"))?;
        }
        Ok(())
    }
}

/// Reads a reply.
pub(super) fn read(reply: &Value, ports: &mut Ports) -> Body {
    let text = |key: &str| reply[key].as_str().unwrap_or_default().to_owned();
    let mut body = Body {
        outcome: format!("{} {}", text("result"), text("error-reason"))
            .trim()
            .to_owned(),
        session: Vec::new(),
        sections: Vec::new(),
    };
    let mut rtp = 0;
    for line in text("sdp").lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let mut words: Vec<String> = media.split(' ').map(str::to_owned).collect();
            rtp = words[1].parse().unwrap_or_default();
            words[1] = ports.name(rtp);
            body.sections.push(Section {
                media: format!("m={}", words.join(" ")),
                lines: Vec::new(),
            });
            continue;
        }
        let line = match line.strip_prefix("a=rtcp:") {
            Some(rtcp) => format!("a=rtcp:{}", relative(rtcp, rtp)),
            None => line.to_owned(),
        };
        match body.sections.last_mut() {
            Some(section) => section.lines.push(line),
            None => body.session.push(line),
        }
    }
    spread_connection(&mut body);
    body.lines_mut().for_each(|lines| lines.sort());
    body
}

/// An `a=rtcp` by its distance from RTP.
fn relative(rtcp: &str, rtp: u16) -> String {
    let (port, rest) = rtcp.split_once(' ').unwrap_or((rtcp, ""));
    let port = match port.parse::<u16>() {
        Ok(port) if port == rtp => "same".to_owned(),
        Ok(port) if port == rtp + 1 => "next".to_owned(),
        _ => port.to_owned(),
    };
    format!("{port} {rest}")
}

fn spread_connection(body: &mut Body) {
    let Some(position) = body.session.iter().position(|line| line.starts_with("c=")) else {
        return;
    };
    let connection = body.session.remove(position);
    for section in &mut body.sections {
        if !section.lines.iter().any(|line| line.starts_with("c=")) {
            section.lines.push(connection.clone());
        }
    }
}

/// A command as a reader wants to see it.
pub(super) fn show(command: &Value) -> String {
    let mut rest = command.clone();
    let sdp = rest
        .as_object_mut()
        .and_then(|command| command.remove("sdp"));
    let sdp = sdp.as_ref().and_then(Value::as_str).unwrap_or_default();
    let lines: String = sdp.lines().map(|line| format!("  | {line}\n")).collect();
    format!("{rest}\n{lines}")
}
