//! What is read, and what is refused.

use super::*;

const HEAD: &str = "v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nt=0 0\n";

fn refusal(lines: &str) -> String {
    parse(&body(lines)).unwrap_err().to_string()
}

fn one(lines: &str) -> Media {
    session(lines).medias.remove(0)
}

#[test]
fn what_is_not_sdp_fails_to_parse() {
    for lines in [
        "",
        "garbage",
        "v=1\n",
        "o=- 1 1 IN IP4 192.0.2.1\nv=0\n",
        &format!("\n{HEAD}"),
        &format!("{HEAD}x=unknown letter\n"),
        &format!("{HEAD}o=- 2 2 IN IP4 192.0.2.1\n"),
        &format!("{HEAD}v=0\n"),
        "v=0\no=- 1 1 IN IP4\n",
    ] {
        assert_eq!(refusal(lines), "Failed to parse SDP", "{lines:?}");
    }
}

#[test]
fn a_bad_media_line_fails_to_parse() {
    for line in [
        "audio",
        "audio 5004",
        "audio x RTP/AVP 0",
        "audio 65536 RTP/AVP 0",
        "audio -1 RTP/AVP 0",
    ] {
        assert_eq!(
            refusal(&format!("{HEAD}c=IN IP4 192.0.2.1\nm={line}\n")),
            "Failed to parse SDP",
            "{line}"
        );
    }
    for count in ["0", "11", "x", ""] {
        let line = format!("{HEAD}c=IN IP4 192.0.2.1\nm=audio 5004/{count} RTP/AVP 0\n");
        assert_eq!(refusal(&line), "Failed to parse SDP", "{count}");
    }
}

#[test]
fn a_bad_connection_line_fails_to_parse() {
    for line in [
        "IN IP4",
        "IN IP4 example.org",
        "IN IP4 ::1",
        "IN IP6 192.0.2.1",
        "ATM NSAP 47",
        "IN IP5 192.0.2.1",
    ] {
        assert_eq!(
            refusal(&format!("{HEAD}c={line}\nm=audio 5004 RTP/AVP 0\n")),
            "Failed to parse SDP",
            "{line}"
        );
    }
    assert_eq!(
        refusal(&format!("{HEAD}c=IN IP4 192.0.2.1\nc=IN IP4 192.0.2.2\n")),
        "Failed to parse SDP"
    );
}

#[test]
fn a_session_line_in_a_media_section_fails_to_parse() {
    for letter in ["v", "o", "s", "t", "u", "e", "p"] {
        let lines = format!(
            "{HEAD}c=IN IP4 192.0.2.1\nm=audio 5004 RTP/AVP 0\n{letter}=- 1 1 IN IP4 192.0.2.1\n"
        );
        assert_eq!(refusal(&lines), "Failed to parse SDP", "{letter}");
    }
}

#[test]
fn the_refusal_names_line_and_reason_for_the_log() {
    let error = parse(&body(&format!("{HEAD}x=1\n"))).unwrap_err();
    assert_eq!(
        error,
        SdpError::Malformed {
            line: 5,
            reason: "unknown line letter"
        }
    );
}

#[test]
fn media_without_any_connection_is_incomplete_even_if_rejected() {
    assert_eq!(
        refusal(&format!("{HEAD}m=audio 5004 RTP/AVP 0\n")),
        "Incomplete SDP specification"
    );
    assert_eq!(
        refusal(&format!("{HEAD}m=audio 0 RTP/AVP 0\n")),
        "Incomplete SDP specification"
    );
}

#[test]
fn rtp_formats_must_be_payload_types() {
    for format in ["pcmu", "128", "-1"] {
        let lines = format!("{HEAD}c=IN IP4 192.0.2.1\nm=audio 5004 RTP/AVP 0 {format}\n");
        assert_eq!(refusal(&lines), "Incomplete SDP specification", "{format}");
    }
}

#[test]
fn a_session_without_media_parses_and_says_so() {
    assert!(session("").medias.is_empty());
}

#[test]
fn there_are_at_most_128_media_sections() {
    assert_eq!(
        session(&"m=audio 5004 RTP/AVP 0\n".repeat(MAX_MEDIAS))
            .medias
            .len(),
        MAX_MEDIAS
    );
    let lines = format!(
        "{HEAD}c=IN IP4 192.0.2.1\n{}",
        "m=audio 5004 RTP/AVP 0\n".repeat(MAX_MEDIAS + 1)
    );
    assert_eq!(refusal(&lines), "Failed to parse SDP");
}

#[test]
fn there_are_at_most_128_formats() {
    assert_eq!(
        one(&format!(
            "m=audio 5004 RTP/AVP{}\n",
            " 0".repeat(MAX_FORMATS)
        ))
        .formats
        .len(),
        MAX_FORMATS
    );
    let lines = format!(
        "{HEAD}c=IN IP4 192.0.2.1\nm=audio 5004 RTP/AVP{}\n",
        " 0".repeat(MAX_FORMATS + 1)
    );
    assert_eq!(refusal(&lines), "Failed to parse SDP");
}

#[test]
fn line_ends_may_be_lf_alone() {
    let lines = format!("{HEAD}c=IN IP4 192.0.2.1\nm=audio 5004 RTP/AVP 0\n");
    assert_eq!(parse(&Bytes::from(lines.clone())), parse(&body(&lines)));
}

#[test]
fn an_origin_may_name_a_host() {
    let session = parse(&body("v=0\no=alice 1 2 IN IP4 pbx.example.org\ns=-\n")).unwrap();
    assert_eq!(session.origin.unwrap().address, "IN IP4 pbx.example.org");
}

#[test]
fn a_section_takes_its_own_connection_before_the_sessions() {
    let media =
        session("m=audio 5004 RTP/AVP 0\nc=IN IP6 2001:db8::1\nm=audio 5006 RTP/AVP 0\n").medias;
    assert_eq!(
        media[0].rtp_endpoint(),
        Some("[2001:db8::1]:5004".parse().unwrap())
    );
    assert_eq!(
        media[1].rtp_endpoint(),
        Some("192.0.2.1:5006".parse().unwrap())
    );
}

#[test]
fn a_section_takes_its_own_direction_before_the_sessions() {
    let media =
        session("a=sendonly\nm=audio 5004 RTP/AVP 0\na=recvonly\nm=audio 5006 RTP/AVP 0\n").medias;
    assert_eq!(media[0].direction, Direction::Recvonly);
    assert_eq!(media[1].direction, Direction::Sendonly);
    assert_eq!(
        one("m=audio 5004 RTP/AVP 0\n").direction,
        Direction::Sendrecv
    );
}

#[test]
fn a_zero_address_is_hold_the_party_does_not_receive() {
    for (said, effective) in [
        ("sendrecv", Direction::Sendonly),
        ("sendonly", Direction::Sendonly),
        ("recvonly", Direction::Inactive),
        ("inactive", Direction::Inactive),
    ] {
        let media = one(&format!(
            "m=audio 5004 RTP/AVP 0\nc=IN IP4 0.0.0.0\na={said}\n"
        ));
        assert!(media.is_on_hold());
        assert_eq!(media.effective_direction(), effective, "{said}");
        assert_eq!((media.rtp_endpoint(), media.rtcp_endpoint()), (None, None));
    }
    assert!(one("m=audio 5004 RTP/AVP 0\nc=IN IP6 ::\n").is_on_hold());
}

#[test]
fn a_zero_address_with_port_9_is_not_hold_but_ice_still_looking() {
    let media =
        one("m=audio 9 RTP/AVP 0\nc=IN IP4 0.0.0.0\na=rtcp:9 IN IP4 0.0.0.0\na=ice-ufrag:abcd\n");
    assert!(!media.is_on_hold());
    assert_eq!(media.effective_direction(), Direction::Sendrecv);
    assert_eq!((media.rtp_endpoint(), media.rtcp_endpoint()), (None, None));
    assert!(!media.rtcp_mux);
    assert!(one("m=audio 9 RTP/AVP 0\nc=IN IP4 0.0.0.0\n").is_on_hold());
}

#[test]
fn several_port_pairs_have_rtcp_on_the_next_port() {
    let media = one("m=video 49170/2 RTP/AVP 31\na=rtcp:50000\n");
    assert_eq!(
        media.rtcp_endpoint(),
        Some("192.0.2.1:49171".parse().unwrap())
    );
}

#[test]
fn port_zero_is_a_refusal() {
    let media = one("m=audio 0 RTP/AVP 0\n");
    assert!(media.is_rejected());
    assert_eq!((media.rtp_endpoint(), media.rtcp_endpoint()), (None, None));
}

#[test]
fn rtcp_is_received_on_the_next_port_unless_said_otherwise() {
    for (attribute, expected) in [
        ("a=x", "192.0.2.1:5005"),
        ("a=rtcp:6001", "192.0.2.1:6001"),
        ("a=rtcp:6001 IN IP4 192.0.2.9", "192.0.2.9:6001"),
        ("a=rtcp:6001 IN IP6 2001:db8::9", "[2001:db8::9]:6001"),
        ("a=rtcp:6001 IN IP4 host.example.org", "192.0.2.1:6001"),
        ("a=rtcp:6001 IN IP4 0.0.0.0", "192.0.2.1:6001"),
        ("a=rtcp:0", "192.0.2.1:5005"),
        ("a=rtcp:nonsense", "192.0.2.1:5005"),
        ("a=rtcp-mux", "192.0.2.1:5004"),
    ] {
        let media = one(&format!("m=audio 5004 RTP/AVP 0\n{attribute}\n"));
        assert_eq!(
            media.rtcp_endpoint(),
            Some(expected.parse().unwrap()),
            "{attribute}"
        );
    }
    assert_eq!(one("m=audio 65535 RTP/AVP 0\n").rtcp_endpoint(), None);
}

#[test]
fn a_multiplexing_party_has_a_fallback_port_for_rtcp() {
    let media = one("m=audio 5004 RTP/AVP 0\na=rtcp:6001\na=rtcp-mux\n");
    assert_eq!(
        media.rtcp_fallback_endpoint(),
        Some("192.0.2.1:6001".parse().unwrap())
    );
}

#[test]
fn an_rtcp_attribute_with_the_rtp_port_means_multiplexing() {
    assert!(one("m=audio 5004 RTP/AVP 0\na=rtcp:5004\n").rtcp_mux);
    assert!(!one("m=audio 5004 RTP/AVP 0\na=rtcp:5005\n").rtcp_mux);
}

#[test]
fn clock_rates_come_from_rtpmap_else_from_the_static_types() {
    let media = one(
        "m=audio 5004 RTP/AVP 9 96 97 98 0\na=rtpmap:96 opus/48000/2\na=rtpmap:97 broken\na=rtpmap:0 X/16000\n",
    );
    let rates: Vec<_> = media
        .payload_types()
        .map(|number| media.encoding(number).and_then(crate::sdp::clock_rate))
        .collect();
    assert_eq!(rates, [Some(8000), Some(48000), None, None, Some(16000)]);
    assert_eq!(media.encoding(96), Some("opus/48000/2"));
}

#[test]
fn formats_of_other_protocols_are_no_payload_types() {
    assert_eq!(one("m=image 5004 udptl 0\n").payload_types().count(), 0);
}

#[test]
fn ice_of_the_session_is_ice_of_every_section() {
    let session = session("a=ice-ufrag:abcd\nm=audio 5004 RTP/AVP 0\n");
    assert!(session.uses_ice() && session.medias[0].uses_ice());
}
