//! Properties of any body: what is not the relay's comes out again, in order.

use proptest::prelude::*;

use super::*;
use crate::sdp::order::{Place, session_place};

/// Attributes of every kind, the relay's own among them.
fn attribute() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("sendrecv".to_owned()),
        Just("sendonly".to_owned()),
        Just("rtcp-mux".to_owned()),
        Just("end-of-candidates".to_owned()),
        (1..65535u16).prop_map(|port| format!("rtcp:{port}")),
        (0..20u8, "[a-zA-Z]{1,4}")
            .prop_map(|(number, name)| format!("rtpmap:{number} {name}/8000")),
        (0..20u8, "[ -~]{0,8}").prop_map(|(number, rest)| format!("fmtp:{number} {rest}")),
        ("(\\*|[0-9])", "[a-z]{1,4}").prop_map(|(number, rest)| format!("rtcp-fb:{number} {rest}")),
        "(mid|label|extmap|crypto|setup|fingerprint|ptime|ice-ufrag|ice-pwd|candidate|group|ssrc):[ -~]{0,12}",
        "[a-z-]{1,10}",
        "[a-z-]{1,10}:[ -~]{0,20}",
    ]
}

fn line() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => attribute().prop_map(|attribute| format!("a={attribute}")),
        1 => "[ibk]=[ -~]{0,10}",
    ]
}

fn section() -> impl Strategy<Value = String> {
    let protocol = prop_oneof![
        Just("RTP/AVP"),
        Just("UDP/TLS/RTP/SAVPF"),
        Just("udptl"),
        Just("TCP/MSRP")
    ];
    let formats = prop::collection::vec(0..20u8, 1..5);
    (
        protocol,
        0..=65535u16,
        formats,
        prop::collection::vec(line(), 0..12),
    )
        .prop_map(|(protocol, port, formats, lines)| {
            let formats: Vec<_> = formats.iter().map(u8::to_string).collect();
            format!(
                "m=audio {port} {protocol} {}\n{}",
                formats.join(" "),
                joined(&lines)
            )
        })
}

fn any_session() -> impl Strategy<Value = Session> {
    (
        prop::collection::vec(line(), 0..8),
        prop::collection::vec(section(), 0..4),
    )
        .prop_map(|(lines, sections)| session(&format!("{}{}", joined(&lines), sections.concat())))
}

fn joined(lines: &[String]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Lines that are neither the relay's nor dropped, gathered by the class within which their order holds.
fn kept<Class: Ord>(lines: &[Line], owned: &[&[u8]], class: impl Fn(&Line) -> Class) -> Vec<Line> {
    let is_kept = |line: &&Line| {
        !b"ckrz".contains(&line.letter)
            && line.attribute().is_none_or(|name| !owned.contains(&name))
    };
    let mut kept: Vec<_> = lines.iter().filter(is_kept).cloned().collect();
    kept.sort_by_key(|line| (line.letter, class(line)));
    kept
}

fn kept_of_session(session: &Session) -> Vec<Line> {
    kept(&session.lines, &DIRECTIONS, session_place)
}

fn kept_of_media(media: &Media, owned: &[&[u8]]) -> Vec<Line> {
    kept(&media.lines, owned, |line| Place::of(line, &media.formats))
}

const DIRECTIONS: [&[u8]; 4] = [b"sendrecv", b"sendonly", b"recvonly", b"inactive"];
const RELAYS: [&[u8]; 7] = [
    b"sendrecv",
    b"sendonly",
    b"recvonly",
    b"inactive",
    b"rtcp",
    b"rtcp-mux",
    b"rtcp-mux-only",
];

proptest! {
    #[test]
    fn the_identity_keeps_every_line(session in any_session()) {
        let read = parse(&write(&session, &Changes::default())).unwrap();
        prop_assert_eq!(kept_of_session(&session), kept_of_session(&read));
        prop_assert_eq!(session.medias.len(), read.medias.len());
        for (before, after) in session.medias.iter().zip(&read.medias) {
            prop_assert_eq!(kept_of_media(before, &DIRECTIONS), kept_of_media(after, &DIRECTIONS));
            prop_assert_eq!(before.direction, after.direction);
            prop_assert_eq!(before.rtp_endpoint(), after.rtp_endpoint());
            prop_assert_eq!(before.rtcp_endpoint(), after.rtcp_endpoint());
        }
    }

    #[test]
    fn a_relayed_section_keeps_every_line_that_is_not_the_relays(session in any_session()) {
        let medias = session.medias.iter().map(|media| MediaChange::Relay(relay(media))).collect();
        let read = parse(&write(&session, &Changes { medias, ..Changes::default() })).unwrap();
        prop_assert_eq!(session.medias.len(), read.medias.len());
        for (before, after) in session.medias.iter().zip(&read.medias) {
            let mut after = after.clone();
            after.lines.retain(|line| before.lines.contains(line) || line.attribute() != Some(b"rtpmap"));
            let owned: &[&[u8]] = if before.protocol.is_rtp() { &RELAYS } else { &DIRECTIONS };
            prop_assert_eq!(kept_of_media(before, owned), kept_of_media(&after, owned));
            prop_assert_eq!(after.rtp_endpoint(), Some((RELAY, 30000).into()));
        }
    }

    #[test]
    fn writing_again_changes_nothing(session in any_session(), remove_ice: bool) {
        let once = relayed(&session, remove_ice);
        let twice = relayed(&parse(&body(&once)).unwrap(), remove_ice);
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes.into());
    }
}
