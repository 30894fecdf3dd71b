use proptest::prelude::*;

use super::*;

const PING: &[u8] = b"1 d7:command4:pinge";

/// Feeds the stream in pieces of the given lengths, the last one again and again; returns the requests and how it ended.
fn frames(stream: &[u8], pieces: &[usize]) -> (Vec<Vec<u8>>, Frame) {
    let mut framer = Framer::default();
    let (mut buffer, mut rest) = (Vec::new(), stream);
    let mut pieces = pieces.iter().copied();
    let mut piece = 1;
    let mut found = Vec::new();
    loop {
        match framer.scan(&buffer) {
            Frame::Whole(length) => found.push(buffer.drain(..length).collect()),
            Frame::Partial if !rest.is_empty() => {
                piece = pieces.next().unwrap_or(piece).clamp(1, rest.len());
                buffer.extend_from_slice(&rest[..piece]);
                rest = &rest[piece..];
            }
            end => return (found, end),
        }
    }
}

#[test]
fn requests_back_to_back_are_told_apart() {
    let stream = [PING, b"2 {\"command\":\"ping\"}", PING, b"3 de"].concat();
    let (found, end) = frames(&stream, &[stream.len()]);
    assert_eq!(found, [PING, b"2 {\"command\":\"ping\"}", PING, b"3 de"]);
    assert_eq!(end, Frame::Partial);
}

#[test]
fn what_looks_like_an_end_inside_a_string_is_none() {
    let requests: [&[u8]; 4] = [
        b"1 d3:sdp9:ee d2:e 2e",
        br#"2 {"sdp":"}}{ \"}\\"}"#,
        br#"3 {"a":{"b":"{"},"c":[{}]}"#,
        b"4 d1:ald1:bi-5eeee",
    ];
    let (found, end) = frames(&requests.concat(), &[1]);
    assert_eq!(found, requests);
    assert_eq!(end, Frame::Partial);
}

#[test]
fn a_request_of_64_kib_is_read_and_a_longer_one_is_not() {
    let fits = format!("1 d3:sdp{}:{}e", 65_523, "x".repeat(65_523));
    assert_eq!(fits.len(), 2 + MAX_DICTIONARY);
    let (found, _) = frames(fits.as_bytes(), &[1000]);
    assert_eq!(found.len(), 1);
    let json = format!(r#"1 {{"sdp":"{}"}}"#, "x".repeat(MAX_DICTIONARY - 10));
    assert_eq!(frames(json.as_bytes(), &[1000]).0.len(), 1);
    let json = format!(r#"1 {{"sdp":"{}"}}"#, "x".repeat(MAX_DICTIONARY - 9));
    assert_eq!(
        frames(json.as_bytes(), &[1000]),
        (vec![], Frame::Broken(Some(ProtocolError::JsonLimit)))
    );
}

#[test]
fn a_length_beyond_the_bound_is_refused_before_its_bytes_come() {
    for stream in [
        "1 d3:sdp65530:",
        "1 d3:sdp99999999999:",
        "1 d3:sdp99999999999999999999999999",
        "1 d18446744073709551615:",
    ] {
        let (found, end) = frames(stream.as_bytes(), &[7]);
        assert!(found.is_empty(), "{stream}");
        assert!(
            matches!(end, Frame::Broken(Some(ProtocolError::Bencode(_)))),
            "{stream}: {end:?}"
        );
    }
}

#[test]
fn garbage_is_broken_at_once_and_answered_where_it_has_a_cookie() {
    for (stream, error) in [
        ("1 x", ProtocolError::Format),
        ("1  d7:command4:pinge", ProtocolError::Format),
        ("1 dx", ProtocolError::Bencode(DecodeError::NotAValue(1))),
    ] {
        let (found, end) = frames(stream.as_bytes(), &[1]);
        assert_eq!((found.len(), end), (0, Frame::Broken(Some(error))));
    }
    assert_eq!(frames(b" d7:", &[1]).1, Frame::Broken(None));
}

#[test]
fn a_cookie_without_an_end_is_broken_at_its_bound() {
    let stream = vec![b'x'; MAX_COOKIE];
    assert_eq!(frames(&stream, &[100]).1, Frame::Partial);
    let stream = vec![b'x'; MAX_COOKIE + 1];
    assert_eq!(frames(&stream, &[100]).1, Frame::Broken(None));
}

#[test]
fn depth_is_bounded() {
    let stream = format!("1 {}", "d1:a".repeat(1000));
    assert_eq!(
        frames(stream.as_bytes(), &[3]).1,
        Frame::Broken(Some(ProtocolError::Bencode(DecodeError::Depth)))
    );
}

proptest! {
    #[test]
    fn where_a_stream_is_cut_makes_no_difference(
        pieces in prop::collection::vec(1_usize..40, 1..20),
        bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let stream = [PING, b"2 d3:sdp5:d1e:xe", &bytes, b"3 {\"a\":\"}\"}"].concat();
        let at_once = frames(&stream, &[stream.len()]);
        prop_assert_eq!(frames(&stream, &pieces), at_once);
    }
}
