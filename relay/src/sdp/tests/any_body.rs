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
const RELAYS: [&[u8]; 8] = [
    b"bundle-only",
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
    fn what_is_said_about_other_payload_types_stays(
        session in any_session(),
        order in prop::collection::vec(any::<prop::sample::Index>(), 1..4),
    ) {
        let chosen = |media: &Media| -> Vec<String> {
            order.iter().map(|index| index.get(&media.formats).clone()).collect()
        };
        let medias = session.medias.iter().map(|media| MediaChange::Relay(Relay {
            formats: Some(chosen(media)),
            ..relay(media)
        }));
        let changes = Changes { medias: medias.collect(), ..Changes::default() };
        let read = parse(&write(&session, &changes)).unwrap();
        for (before, after) in session.medias.iter().zip(&read.medias) {
            if !before.protocol.is_rtp() {
                continue;
            }
            let chosen = chosen(before);
            prop_assert_eq!(&after.formats, &chosen);
            let is_taken_out = |line: &Line| {
                let about = crate::sdp::order::first_word(line.argument());
                let is_about_format = matches!(Place::of(line, &before.formats), Place::Codec(..));
                let named = |formats: &[String]| formats.iter().any(|format| format.as_bytes() == about);
                is_about_format && named(&before.formats) && !named(&chosen)
            };
            let mut expected = before.clone();
            expected.formats.clone_from(&chosen);
            expected.lines.retain(|line| !is_taken_out(line));
            let mut after = after.clone();
            after.lines.retain(|line| before.lines.contains(line) || line.attribute() != Some(b"rtpmap"));
            prop_assert_eq!(kept_of_media(&expected, &RELAYS), kept_of_media(&after, &RELAYS));
        }
    }

    #[test]
    fn what_is_removed_by_name_is_all_that_goes(session in any_session(), name in "[a-z-]{1,3}") {
        let rules = AttributeRules { remove: vec![name.clone().into()], ..AttributeRules::default() };
        let attributes = AttributeChanges {
            session: rules.clone(),
            medias: vec![("audio".to_owned(), rules)],
        };
        let written = write(&session, &Changes { attributes, ..Changes::default() });
        let plain = write(&session, &Changes::default());
        let is_kept = |line: &&str| {
            let attribute = line.strip_prefix("a=");
            attribute.is_none_or(|value| value != name && !value.starts_with(&format!("{name}:")))
        };
        let (written, plain) = (text(&written), text(&plain));
        let expected: Vec<&str> = plain.lines().filter(is_kept).collect();
        prop_assert_eq!(written.lines().collect::<Vec<_>>(), expected);
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
