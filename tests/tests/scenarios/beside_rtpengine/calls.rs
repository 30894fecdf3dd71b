//! Calls made up: what both parties say, and the options it is relayed with.

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt};
use serde_json::{Value, json};

const A: &str = "198.51.100.10";
const B: &str = "198.51.100.20";

/// Dynamic payload types with their encodings: such as Debian's rtpengine can convert, as it leaves others out where it
/// thinks that it will.
const DYNAMIC: [(u8, &str); 3] = [
    (96, "opus/48000/2"),
    (97, "speex/16000"),
    (101, "telephone-event/8000"),
];

/// Options of offers, as JSON; each with the keys it sets.
fn offer_options() -> Vec<Value> {
    vec![
        json!({"replace": ["origin"]}),
        json!({"replace": ["origin", "session-connection"]}),
        json!({"replace": ["username"]}),
        json!({"replace": ["session-name"]}),
        json!({"replace": ["sdp-version"]}),
        json!({"replace": ["zero-address"]}),
        json!({"rtcp-mux": ["offer"]}),
        json!({"rtcp-mux": ["require"]}),
        json!({"rtcp-mux": ["demux"]}),
        json!({"rtcp-mux": ["accept"]}),
        json!({"rtcp-mux": ["reject"]}),
        json!({"rtcp-mux": ["offer", "reject"]}),
        json!({"direction": ["ext", "int"]}),
        json!({"direction": ["int", "ext"]}),
        json!({"direction": ["int", "int"]}),
        json!({"address family": "IP4"}),
        json!({"address family": "IP6"}),
        json!({"media address": "192.0.2.200"}),
        json!({"transport protocol": "RTP/AVP"}),
        json!({"transport protocol": "RTP/AVPF"}),
        json!({"ICE": "remove"}),
        json!({"codec": {"strip": ["PCMU"]}}),
        json!({"codec": {"strip": ["opus/48000/2", "speex"]}}),
        json!({"codec": {"strip": ["telephone-event"]}}),
        json!({"codec": {"strip": ["all"], "except": ["PCMA", "PCMU"]}}),
        json!({"codec": {"strip": ["all"], "offer": ["PCMA", "PCMU"]}}),
        json!({"codec": {"offer": ["PCMA"]}}),
        json!({"ptime": 40}),
        json!({"received-from": ["IP4", "203.0.113.50"], "flags": ["SIP-source-address"]}),
        json!({"flags": ["no-rtcp-attribute"]}),
        json!({"flags": ["full-rtcp-attribute"]}),
        json!({"flags": ["generate-mid"]}),
        json!({"flags": ["original-sendrecv"]}),
        json!({"flags": ["port-latching"]}),
        json!({"flags": ["strict-source"]}),
        json!({"flags": ["trust-address", "symmetric"]}),
        json!({"flags": ["no such flag"]}),
        json!({"no such key": "x"}),
    ]
}

fn answer_options() -> Vec<Value> {
    vec![
        json!({"replace": ["origin"]}),
        json!({"replace": ["session-name", "username"]}),
        json!({"flags": ["single-codec"]}),
        json!({"flags": ["no-rtcp-attribute"]}),
        json!({"flags": ["full-rtcp-attribute"]}),
        json!({"flags": ["original-sendrecv"]}),
        json!({"ICE": "remove"}),
        json!({"transport protocol": "accept"}),
        json!({"media address": "192.0.2.201"}),
    ]
}

#[derive(Clone, Debug)]
struct Section {
    media: String,
    port: u16,
    protocol: String,
    formats: Vec<String>,
    lines: Vec<String>,
}

/// One call, command after command.
pub(super) struct Conversation {
    random: StdRng,
    call_id: String,
    /// What is left to be said; the last first.
    plan: Vec<Turn>,
    /// What each party offered or answered last.
    sections: [Vec<Section>; 2],
    /// What the last offer's receiver was sent.
    offered: Vec<Section>,
    last: Option<Turn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// By the first party or the second.
    Offer(usize),
    Answer(usize),
    Delete,
}

impl Conversation {
    pub(super) fn new(mut random: StdRng, seed: u64) -> Self {
        let mut plan = vec![Turn::Offer(0), Turn::Answer(1)];
        for _ in 0..random.random_range(0..3) {
            let by = random.random_range(0..2);
            plan.extend([Turn::Offer(by), Turn::Answer(1 - by)]);
        }
        plan.push(Turn::Delete);
        plan.reverse();
        Self {
            random,
            call_id: format!("call-{seed}"),
            plan,
            sections: [Vec::new(), Vec::new()],
            offered: Vec::new(),
            last: None,
        }
    }

    /// The next command.
    pub(super) fn next(&mut self) -> Option<Value> {
        let turn = self.plan.pop()?;
        self.last = Some(turn);
        let random = &mut self.random;
        let (name, by, mut options) = match turn {
            Turn::Delete => {
                return Some(json!({
                    "command": "delete", "call-id": self.call_id, "from-tag": "a", "flags": ["fast"],
                }));
            }
            Turn::Offer(by) => {
                self.sections[by] = offer(random, &self.sections[by]);
                ("offer", by, offer_options())
            }
            Turn::Answer(by) => {
                self.sections[by] = answer(random, &self.offered, &self.sections[by]);
                ("answer", by, answer_options())
            }
        };
        let mut command = json!({
            "command": name,
            "call-id": self.call_id,
            "sdp": body(random, [A, B][by], &self.sections[by]),
        });
        let tags = if (name == "offer") == (by == 0) {
            ["a", "b"]
        } else {
            ["b", "a"]
        };
        command["from-tag"] = json!(tags[0]);
        let is_first = name == "offer" && self.sections[1 - by].is_empty();
        if !is_first {
            command["to-tag"] = json!(tags[1]);
        }
        // They are for the first offer; what later ones make of them is another thing in every version.
        if name == "offer" && !is_first {
            options.retain(|option| option.get("direction").or(option.get("rtcp-mux")).is_none());
        }
        options.shuffle(random);
        let count = [0, 0, 1, 1, 2, 3]
            .choose(random)
            .copied()
            .unwrap_or_default();
        for option in &options[..count] {
            add(&mut command, option);
        }
        Some(command)
    }

    /// Takes note of what the other party is sent.
    pub(super) fn hear(&mut self, reply: &Value) {
        if reply["result"] != "ok" {
            self.plan.retain(|turn| *turn == Turn::Delete);
        } else if matches!(self.last, Some(Turn::Offer(_))) {
            self.offered = sections(reply["sdp"].as_str().unwrap_or_default());
        }
    }
}

/// Sets the keys of an option; lists are added to.
fn add(command: &mut Value, option: &Value) {
    for (key, value) in option.as_object().into_iter().flatten() {
        match (&mut command[key], value) {
            (known @ Value::Null, _) => *known = value.clone(),
            (Value::Array(known), Value::Array(more)) => known.extend(more.iter().cloned()),
            _ => {}
        }
    }
}

/// A new offer: the last one, changed a little.
fn offer(random: &mut StdRng, last: &[Section]) -> Vec<Section> {
    let mut sections = last.to_vec();
    if sections.is_empty() {
        let count = [1, 1, 1, 2, 3].choose(random).copied().unwrap_or(1);
        return (0..count).map(|_| section(random)).collect();
    }
    for section in &mut sections {
        match random.random_range(0..8) {
            0 if section.port != 0 => section.port = port(random),
            1 => direction(random, section),
            2 => section.lines.retain(|line| !line.starts_with("c=")),
            _ => {}
        }
    }
    if random.random_bool(0.1) {
        sections.push(section(random));
    }
    sections
}

fn port(random: &mut impl Rng) -> u16 {
    random.random_range(2000..10_000) * 2
}

fn direction(random: &mut StdRng, section: &mut Section) {
    let all = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
    section.lines.retain(|line| !all.contains(&line.as_str()));
    if random.random_bool(0.8) {
        section
            .lines
            .push((*all.choose(random).unwrap()).to_owned());
    }
}

fn section(random: &mut StdRng) -> Section {
    let media = *["audio", "audio", "audio", "video", "image"]
        .choose(random)
        .unwrap();
    let mut section = Section {
        media: media.to_owned(),
        port: port(random),
        protocol: (*["RTP/AVP", "RTP/AVP", "RTP/AVPF"].choose(random).unwrap()).to_owned(),
        formats: Vec::new(),
        lines: Vec::new(),
    };
    if media == "image" {
        section.protocol = "udptl".to_owned();
        section.formats = vec!["t38".to_owned()];
        section.lines = vec!["a=T38FaxVersion:0".to_owned()];
        return section;
    }
    if media == "video" {
        section.formats = vec!["105".to_owned(), "31".to_owned()];
        section.lines = vec![
            "a=rtpmap:105 H264/90000".to_owned(),
            "a=fmtp:105 profile-level-id=42e01f".to_owned(),
        ];
    } else {
        let mut statics = vec![0, 8, 3, 9, 18];
        statics.shuffle(random);
        statics.truncate(random.random_range(1..4));
        section.formats = statics.iter().map(u8::to_string).collect();
        for (number, encoding) in DYNAMIC {
            if random.random_bool(0.3) {
                section.formats.push(number.to_string());
                section.lines.push(format!("a=rtpmap:{number} {encoding}"));
            }
        }
        if section.formats.iter().any(|format| format == "101") {
            section.lines.push("a=fmtp:101 0-16".to_owned());
        }
        section.formats.sort_by_key(|format| format == "101");
    }
    direction(random, &mut section);
    let mut perhaps = |chance: f64, line: &str| {
        if random.random_bool(chance) {
            section.lines.push(line.to_owned());
        }
    };
    perhaps(0.3, "a=rtcp-mux");
    perhaps(0.2, "a=ptime:20");
    perhaps(0.1, "a=maxptime:60");
    perhaps(0.3, "a=x-something:else");
    perhaps(0.2, "a=ssrc:1 cname:x");
    perhaps(0.1, "a=mid:m");
    perhaps(0.1, "b=AS:64");
    perhaps(0.1, "i=what it is");
    if random.random_bool(0.2) {
        let rtcp = section.port + if random.random_bool(0.5) { 1 } else { 7 };
        section.lines.push(format!("a=rtcp:{rtcp}"));
    }
    if random.random_bool(0.08) {
        section.lines.insert(0, "c=IN IP4 0.0.0.0".to_owned());
    } else if random.random_bool(0.1) {
        section.lines.insert(0, "c=IN IP4 198.51.100.99".to_owned());
    }
    if random.random_bool(0.04) {
        section.port = 0;
    }
    section
}

/// An answer to what a party was sent: some of its codecs, from the port it had.
fn answer(random: &mut StdRng, offered: &[Section], last: &[Section]) -> Vec<Section> {
    let answered = offered.iter().enumerate().map(|(index, offered)| {
        let mut section = offered.clone();
        section.lines.retain(|line| {
            let names = ["a=rtpmap:", "a=fmtp:", "a=T38", "a=mid:"];
            names.iter().any(|name| line.starts_with(name))
        });
        let same = last
            .get(index)
            .filter(|last| last.media == offered.media && last.port != 0);
        section.port = match offered.port {
            0 => 0,
            _ if random.random_bool(0.05) => 0,
            _ => same.map_or_else(|| port(random), |last| last.port),
        };
        if section.protocol.starts_with("RTP") {
            section.formats.shuffle(random);
            section.formats.sort_by_key(|format| format == "101");
            section.formats.truncate(random.random_range(1..4));
            let formats = section.formats.clone();
            section.lines.retain(|line| {
                let number = line.split([':', ' ']).nth(1).unwrap_or_default();
                !line.starts_with("a=rtpmap:") && !line.starts_with("a=fmtp:")
                    || formats.iter().any(|format| format == number)
            });
            direction(random, &mut section);
            if offered.lines.iter().any(|line| line == "a=rtcp-mux") && random.random_bool(0.7) {
                section.lines.push("a=rtcp-mux".to_owned());
            }
            if random.random_bool(0.2) {
                section.lines.push("a=ptime:30".to_owned());
            }
            if random.random_bool(0.1) {
                section.lines.push("a=x-answered".to_owned());
            }
        }
        section
    });
    answered.collect()
}

fn body(random: &mut StdRng, address: &str, sections: &[Section]) -> String {
    let version = random.random_range(1..4);
    let mut lines = vec![
        "v=0".to_owned(),
        format!(
            "o=user{} 1 {version} IN IP4 {address}",
            random.random_range(0..2)
        ),
        (*["s=-", "s=a name"].choose(random).unwrap()).to_owned(),
        format!("c=IN IP4 {address}"),
        "t=0 0".to_owned(),
    ];
    if random.random_bool(0.2) {
        lines.push("a=x-session".to_owned());
    }
    if random.random_bool(0.05) {
        lines.push("a=sendonly".to_owned());
    }
    for section in sections {
        let formats = section.formats.join(" ");
        lines.push(format!(
            "m={} {} {} {formats}",
            section.media, section.port, section.protocol
        ));
        lines.extend(section.lines.iter().cloned());
    }
    let end = if random.random_bool(0.1) {
        "\n"
    } else {
        "\r\n"
    };
    lines.iter().map(|line| format!("{line}{end}")).collect()
}

/// The sections of a body.
fn sections(sdp: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for line in sdp.lines() {
        if let Some(media) = line.strip_prefix("m=") {
            let words: Vec<&str> = media.split_whitespace().collect();
            sections.push(Section {
                media: words[0].to_owned(),
                port: words[1].parse().unwrap_or_default(),
                protocol: words[2].to_owned(),
                formats: words[3..].iter().map(|&word| word.to_owned()).collect(),
                lines: Vec::new(),
            });
        } else if let Some(section) = sections.last_mut() {
            section.lines.push(line.to_owned());
        }
    }
    sections
}
