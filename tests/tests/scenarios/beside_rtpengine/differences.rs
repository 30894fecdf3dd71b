//! Where we are not as rtpengine 10.5 is, and why.

use serde_json::Value;

use super::reply::Body;

/// A known difference: the reason, and what is taken out of both replies for it.
struct Difference {
    #[expect(dead_code, reason = "it is for whoever reads the list")]
    why: &'static str,
    /// With all that was said so far, the command itself last.
    settle: fn(&[Value], &mut Body),
}

const DIRECTIONS: [&str; 4] = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];

const DIFFERENCES: &[Difference] = &[
    Difference {
        why: "without any section that is not refused, o= has our first address; 10.5 looks for one of the family",
        settle: |_, body| {
            if body
                .sections
                .iter()
                .all(|section| is_refused(&section.media))
            {
                body.session.retain(|line| !line.starts_with("o="));
            }
        },
    },
    Difference {
        why: "of a refused section rtpengine's later versions, and we, write nothing but that; its formats are the party's",
        settle: |_, body| {
            for section in &mut body.sections {
                let words: Vec<&str> = section.media.split(' ').collect();
                if words.get(1) == Some(&"0") {
                    section.media = format!("{} 0", words[0]);
                    section.lines.clear();
                }
            }
        },
    },
    Difference {
        why: "10.5 may leave telephone events out whose clock rate no codec has, being about to convert; nothing is converted here",
        settle: |_, body| {
            for section in &mut body.sections {
                let is_at_8000 = |format: &str| ["0", "3", "8", "9", "18"].contains(&format);
                if !section.media.split(' ').skip(3).any(is_at_8000) {
                    section.media = section.media.replace(" 101", "");
                    let is_of_events = |line: &String| {
                        line.starts_with("a=rtpmap:101 ") || line.starts_with("a=fmtp:101 ")
                    };
                    section.lines.retain(|line| !is_of_events(line));
                }
            }
        },
    },
    Difference {
        why: "sections that are not RTP are copied by later versions, and by us: no direction and no a=mid is added",
        settle: |_, body| {
            for section in &mut body.sections {
                if !section.media.contains(" RTP/") {
                    let is_added = |line: &String| is_direction(line) || line.starts_with("a=mid:");
                    section.lines.retain(|line| !is_added(line));
                }
            }
        },
    },
    Difference {
        why: "rtpengine has a packet time for each party and converts between them; we pass on what the other one says",
        settle: |said, body| {
            if said.len() > 1 {
                drop_from_sections(body, "a=ptime:");
            }
        },
    },
    Difference {
        why: "names of sections that were made up belong to the party they were made up for; 10.5 shows them to nobody else, \
              and takes them out of lines it does not understand",
        settle: |said, body| {
            if said.len() > 1 {
                drop_from_sections(body, "a=mid:");
            }
        },
    },
    Difference {
        why: "10.5 has one c= for the session: that of its first section, be it on hold",
        settle: |said, body| {
            if sdp(last(said)).contains("c=IN IP4 0.0.0.0") {
                drop_from_sections(body, "c=");
            }
        },
    },
    Difference {
        why: "a section's own direction comes before the session's (RFC 8866 section 6.7); rtpengine takes the narrower one, \
              and leaves the session's in its place",
        settle: |said, body| {
            if has_session_direction(sdp(last(said))) {
                let sections = body.sections.iter_mut();
                sections.for_each(|section| section.lines.retain(|line| !is_direction(line)));
                body.session.retain(|line| !is_direction(line));
            }
        },
    },
    Difference {
        why: "we know the version of every body a party was sent, 10.5 of those for which it was asked to",
        settle: |said, body| {
            if said.len() > 1 && has_word(last(said), "replace", "sdp-version") {
                body.session.retain(|line| !line.starts_with("o="));
            }
        },
    },
    Difference {
        why: "10.5 writes a forced media address into o=, too; later versions do not",
        settle: |said, body| {
            let command = last(said);
            if command.get("media address").is_some() && has_word(command, "replace", "origin") {
                body.session.retain(|line| !line.starts_with("o="));
            }
        },
    },
    Difference {
        why: "where anybody has multiplexed, 10.5 makes more of it in later offers than was agreed on, with ports of their own",
        settle: |said, body| {
            let multiplexes = |command: &Value| {
                sdp(command).contains("a=rtcp-mux") || command.get("rtcp-mux").is_some()
            };
            if said.len() > 2 && said.iter().any(multiplexes) {
                drop_from_sections(body, "a=rtcp");
                forget_ports(body);
            }
        },
    },
    Difference {
        why: "on an interface without an address of the family that is asked for we stay, and rtpengine goes to another one",
        settle: |said, body| {
            let wants_ipv6 = |command: &Value| command["address family"] == "IP6";
            let is_inside = |command: &Value| has_word(command, "direction", "int");
            if said.iter().any(wants_ipv6) && said.iter().any(is_inside) {
                drop_from_sections(body, "c=");
                drop_from_sections(body, "a=rtcp:");
                body.session.retain(|line| !line.starts_with("o="));
                forget_ports(body);
            }
        },
    },
    Difference {
        why: "ports that were kept for a moving party are those for where it moved to; 10.5 has them for where it was",
        settle: |said, body| {
            if said
                .iter()
                .any(|command| has_word(command, "flags", "port-latching"))
            {
                forget_ports(body);
            }
        },
    },
    Difference {
        why: "media that a party does not send keeps its ports wherever the other one moves in later versions; and ports of \
              refused media are let go here, and kept in 10.5",
        settle: |said, body| {
            let moves = |command: &Value| {
                let sdp = sdp(command);
                let is_still = |line: &str| line != "a=sendrecv" && is_direction(line);
                sdp.contains("0.0.0.0")
                    || sdp.lines().any(|line| is_still(line) || is_refused(line))
            };
            if said.iter().any(moves) {
                forget_ports(body);
            }
        },
    },
];

/// Takes known differences out of both replies.
pub(super) fn settle(said: &[Value], ours: &mut Body, theirs: &mut Body) {
    forget_what_is_no_sdp(ours, theirs);
    for body in [ours, theirs] {
        for difference in DIFFERENCES {
            (difference.settle)(said, body);
        }
    }
}

/// 10.5 writes an `m=` line without formats where stripping leaves telephone events alone; here the codecs stay.
fn forget_what_is_no_sdp(ours: &mut Body, theirs: &mut Body) {
    for (ours, theirs) in ours.sections.iter_mut().zip(&mut theirs.sections) {
        if theirs.media.split_whitespace().count() == 3 {
            for section in [ours, theirs] {
                section.media.clear();
                section.lines.clear();
            }
        }
    }
}

fn last(said: &[Value]) -> &Value {
    said.last().unwrap_or(&Value::Null)
}

fn sdp(command: &Value) -> &str {
    command["sdp"].as_str().unwrap_or_default()
}

fn has_word(command: &Value, key: &str, word: &str) -> bool {
    let words = command[key].as_array();
    words.is_some_and(|words| words.iter().any(|known| known == word))
}

fn is_direction(line: &str) -> bool {
    DIRECTIONS.contains(&line)
}

fn is_refused(line: &str) -> bool {
    line.starts_with("m=") && line.split(' ').nth(1) == Some("0")
}

fn has_session_direction(sdp: &str) -> bool {
    let session = sdp.lines().take_while(|line| !line.starts_with("m="));
    session.into_iter().any(is_direction)
}

fn drop_from_sections(body: &mut Body, start: &str) {
    for section in &mut body.sections {
        section.lines.retain(|line| !line.starts_with(start));
    }
}

/// Leaves of ports that there are some.
fn forget_ports(body: &mut Body) {
    for section in &mut body.sections {
        let mut words: Vec<&str> = section.media.split(' ').collect();
        if words.get(1).is_some_and(|port| port.starts_with('P')) {
            words[1] = "P";
        }
        section.media = words.join(" ");
    }
}
