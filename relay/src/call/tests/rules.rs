//! SDP in and out: one file per rule in `rules/`, many calls in each.
//!
//! A call is a heading (`## what it shows`), then what is said and what comes of it:
//! `a offers OPTIONS` (or `b answers`, `b offers`, `a answers`), the SDP behind `|`, what the other party is sent behind `>`. The
//! options are those of `rtpp-flags`; an SDP without a `v=` line has the usual ones before it. Of what is sent, session
//! lines that say what these say are left out. `(same)` stands for all lines after them, as they came.
//!
//! `UPDATE_RULES=1 cargo test` writes what comes of it into the files, to be read before it is believed.

use std::fmt::Write;
use std::path::Path;

use super::world::*;

/// Calls of one file.
struct Rule {
    /// All before the first call.
    head: String,
    calls: Vec<Call>,
}

struct Call {
    name: String,
    steps: Vec<Step>,
}

struct Step {
    /// `a offers`, …
    who: String,
    options: String,
    body: Vec<String>,
    sent: Vec<String>,
}

impl Rule {
    fn read(text: &str) -> Self {
        let mut parts = text.split("\n## ");
        let head = parts.next().unwrap_or_default().to_owned();
        let calls = parts.map(Call::read).collect();
        Self { head, calls }
    }

    fn print(&self) -> String {
        let mut text = self.head.clone();
        for call in &self.calls {
            write!(text, "\n## {}\n", call.name).unwrap();
            for step in &call.steps {
                writeln!(
                    text,
                    "{}",
                    format!("{} {}", step.who, step.options).trim_end()
                )
                .unwrap();
                step.body
                    .iter()
                    .for_each(|line| writeln!(text, "| {line}").unwrap());
                step.sent
                    .iter()
                    .for_each(|line| writeln!(text, "> {line}").unwrap());
            }
        }
        text
    }
}

impl Call {
    fn read(text: &str) -> Self {
        let mut lines = text.lines();
        let name = lines.next().unwrap_or_default().to_owned();
        let mut steps: Vec<Step> = Vec::new();
        for line in lines.filter(|line| !line.is_empty()) {
            if let Some(line) = line.strip_prefix("| ") {
                steps.last_mut().expect("a step").body.push(line.to_owned());
            } else if let Some(line) = line.strip_prefix("> ") {
                steps.last_mut().expect("a step").sent.push(line.to_owned());
            } else {
                let mut words = line.splitn(3, ' ');
                let mut word = || words.next().unwrap_or_default();
                steps.push(Step {
                    who: format!("{} {}", word(), word()),
                    options: word().to_owned(),
                    body: Vec::new(),
                    sent: Vec::new(),
                });
            }
        }
        Self { name, steps }
    }

    /// Makes the call: what is sent at every step.
    fn make(&self) -> Vec<Vec<String>> {
        let mut world = World::new();
        let mut b_is_known = false;
        let steps = self.steps.iter();
        steps
            .map(|step| {
                let (address, offers, tags) = match step.who.as_str() {
                    "a offers" => (A, true, ["a", "b"]),
                    "b offers" => (B, true, ["b", "a"]),
                    "b answers" => (B, false, ["a", "b"]),
                    "a answers" => (A, false, ["b", "a"]),
                    other => panic!("{}: who is '{other}'?", self.name),
                };
                let name = if offers { "offer" } else { "answer" };
                let mut command = command(name)
                    .with("call-id", "c")
                    .with("from-tag", tags[0])
                    .with("rtpp-flags", step.options.clone())
                    .with("sdp", body(address, &step.body));
                if !offers || b_is_known {
                    command = command.with("to-tag", tags[1]);
                }
                b_is_known |= step.who.starts_with('b');
                let outcome = world.send(command);
                if outcome.result() != "ok" {
                    return vec![format!("error: {}", outcome.reason())];
                }
                check_ports(&world, &outcome, address);
                shown(outcome.text("sdp"), address, &step.body)
            })
            .collect()
    }
}

fn usual(address: &str) -> [String; 5] {
    let family = if address.contains(':') { "IP6" } else { "IP4" };
    [
        "v=0".to_owned(),
        format!("o=- 1 1 IN {family} {address}"),
        "s=-".to_owned(),
        format!("c=IN {family} {address}"),
        "t=0 0".to_owned(),
    ]
}

/// Control characters are written as `\r`, `\n`, `\0`, and end a line where there is one.
fn body(address: &str, lines: &[String]) -> String {
    let usual = usual(address);
    let is_whole = lines
        .first()
        .is_some_and(|line| line.starts_with("v=") || line.starts_with('\\'));
    let before = if is_whole { &[][..] } else { &usual[..] };
    let mut text = String::new();
    for line in before.iter().chain(lines) {
        let plain = line
            .replace("\\r", "\r")
            .replace("\\n", "\n")
            .replace("\\0", "\0");
        text.push_str(&plain);
        if plain == *line {
            text.push_str("\r\n");
        }
    }
    text
}

fn shown(sent: &str, address: &str, came: &[String]) -> Vec<String> {
    let usual = usual(address);
    let mut in_session = true;
    let lines: Vec<String> = sent
        .split("\r\n")
        .filter(|line| !line.is_empty())
        .filter(|line| {
            in_session &= !line.starts_with("m=");
            !in_session || !usual.iter().any(|known| known == line)
        })
        .map(|line| {
            line.escape_default()
                .to_string()
                .replace("\\'", "'")
                .replace("\\\"", "\"")
        })
        .collect();
    if lines == came {
        return vec!["(same)".to_owned()];
    }
    if sent.is_empty() {
        return vec!["(no SDP)".to_owned()];
    }
    lines
}

/// Every port that is sent is one that the call holds; nobody is sent to where the other party receives.
fn check_ports(world: &World, outcome: &Outcome, sender: &str) {
    let sdp = outcome.text("sdp");
    if sdp.is_empty() {
        return;
    }
    for media in outcome
        .session()
        .medias
        .iter()
        .filter(|media| media.can_be_relayed())
    {
        let held = world.pool.held.values();
        let known = held.flat_map(|pair| [pair.rtp.address.port(), pair.rtcp.address.port()]);
        let known: Vec<u16> = known.collect();
        let loops = sdp.contains("a=rtpengine:")
            && media.connection.is_some_and(|at| at.address == ip(sender));
        for port in [Some(media.port), media.rtcp.map(|rtcp| rtcp.port)]
            .into_iter()
            .flatten()
        {
            assert!(
                port == 0 || loops || known.contains(&port),
                "port {port} is not held: {sdp}"
            );
        }
    }
}

/// Makes the calls of one file.
fn check(file: &str, least: usize) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("src/call/tests/rules")
        .join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut rule = Rule::read(&text);
    let names: std::collections::BTreeSet<&str> =
        rule.calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(
        names.len(),
        rule.calls.len(),
        "{file}: two calls of one name"
    );
    assert!(rule.calls.len() >= least, "{file}: calls are missing");
    let update = std::env::var_os("UPDATE_RULES").is_some();
    for call in &mut rule.calls {
        for (step, sent) in call.make().into_iter().enumerate() {
            let step = &mut call.steps[step];
            if update {
                step.sent = sent;
            } else {
                assert_eq!(
                    step.sent.join("\n"),
                    sent.join("\n"),
                    "{file}: {}: {} {}",
                    call.name,
                    step.who,
                    step.options
                );
            }
        }
    }
    if update {
        std::fs::write(&path, rule.print()).unwrap();
    } else {
        assert_eq!(rule.print(), text, "{file} is not in its usual form");
    }
}

macro_rules! rules {
    ($($name:ident: $least:literal,)*) => {$(
        #[test]
        fn $name() {
            check(concat!(stringify!($name), ".txt"), $least);
        }
    )*};
}

rules! {
    address: 23,
    answers: 24,
    attributes: 32,
    bundle: 23,
    codecs: 57,
    direction: 18,
    extmap: 16,
    hold: 19,
    ice: 14,
    lines: 36,
    loop_protect: 7,
    media_remove: 13,
    mid: 7,
    not_rtp: 14,
    origin: 24,
    protocol: 17,
    ptime: 15,
    rejected: 15,
    renegotiation: 19,
    rtcp: 13,
    rtcp_mux: 23,
    srtp: 12,
}
