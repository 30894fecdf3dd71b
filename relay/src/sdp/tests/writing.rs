//! What the relay writes.

use super::*;

/// The section written for `m=audio 5004 RTP/AVP 0` and these lines, with a change to how it is relayed.
fn section(lines: &str, change: impl FnOnce(&mut Relay)) -> String {
    let session = session(&format!("m=audio 5004 RTP/AVP 0\n{lines}"));
    let mut relay = relay(&session.medias[0]);
    change(&mut relay);
    let changes = Changes {
        medias: vec![MediaChange::Relay(relay)],
        ..Changes::default()
    };
    sections(&text(&write(&session, &changes))).to_owned()
}

const PLAIN: &str = "\
m=audio 30000 RTP/AVP 0
c=IN IP4 198.51.100.1
a=rtpmap:0 PCMU/8000
a=sendrecv
a=rtcp:30001
";

#[test]
fn address_ports_direction_and_static_rtpmaps_are_always_written() {
    assert_eq!(section("", |_| {}), PLAIN);
}

#[test]
fn what_the_relay_owns_replaces_what_came() {
    let theirs =
        "c=IN IP4 192.0.2.9\na=rtcp:5009 IN IP4 192.0.2.9\na=inactive\na=rtpmap:0 PCMU/8000\n";
    assert_eq!(
        section(theirs, |relay| relay.direction = Some(Direction::Sendrecv)),
        PLAIN
    );
}

#[test]
fn rtcp_is_written_in_three_forms() {
    assert!(!section("", |relay| relay.rtcp = RtcpLine::Omit).contains("a=rtcp"));
    assert!(section("", |relay| relay.rtcp = RtcpLine::Port(40001)).contains("a=rtcp:40001\n"));
    let full = RtcpLine::Full(40001, "2001:db8::1".parse().unwrap());
    assert!(section("", |relay| relay.rtcp = full).contains("a=rtcp:40001 IN IP6 2001:db8::1\n"));
}

#[test]
fn rtcp_mux_is_written_as_decided_and_not_as_it_came() {
    assert!(section("", |relay| relay.rtcp_mux = true).ends_with("a=rtcp:30001\na=rtcp-mux\n"));
    let demultiplexed = section("a=rtcp-mux\na=rtcp-mux-only\n", |relay| {
        relay.rtcp_mux = false
    });
    assert_eq!(demultiplexed, PLAIN);
}

#[test]
fn hold_is_passed_on_with_a_zero_address_or_as_a_direction_alone() {
    let hold = "c=IN IP4 0.0.0.0\n";
    assert!(section(hold, |_| {}).contains("c=IN IP4 0.0.0.0\na=rtpmap:0 PCMU/8000\na=sendonly\n"));
    let replaced = section(hold, |relay| relay.zero_address = false);
    assert!(replaced.contains("c=IN IP4 198.51.100.1\na=rtpmap:0 PCMU/8000\na=sendonly\n"));
}

#[test]
fn a_zero_address_is_of_the_family_that_is_written() {
    let to_ipv6 = section("c=IN IP4 0.0.0.0\n", |relay| {
        relay.address = "2001:db8::1".parse().unwrap()
    });
    assert!(to_ipv6.contains("c=IN IP6 ::\n"));
}

#[test]
fn the_protocol_changes_on_demand() {
    let feedback = section("", |relay| relay.protocol = Some(Protocol::RtpAvpf));
    assert!(feedback.starts_with("m=audio 30000 RTP/AVPF 0\n"));
}

#[test]
fn a_mid_is_generated_only_where_there_is_none() {
    let generate = |relay: &mut Relay| relay.mid = Some("7".to_owned());
    assert!(section("", generate).contains("c=IN IP4 198.51.100.1\na=mid:7\na=rtpmap"));
    assert!(section("a=mid:a\n", generate).contains("c=IN IP4 198.51.100.1\na=mid:a\na=rtpmap"));
}

#[test]
fn attributes_are_written_in_order_of_their_kind() {
    let shuffled = "a=end-of-candidates\na=candidate:1 1 UDP 1 192.0.2.1 5004 typ host\na=ice-options:trickle\n\
        a=ice-pwd:p\na=ice-ufrag:u\na=maxptime:40\na=ptime:20\na=tls-id:1\na=fingerprint:sha-256 AA\na=setup:actpass\n\
        a=crypto:1 X inline:y\na=second:x\na=first\na=extmap:1 urn:x\na=rtcp-fb:0 nack\na=rtcp-fb:* ccm fir\n\
        a=fmtp:0 x=1\na=rtpmap:0 PCMU/8000\na=bundle-only\na=label:l\na=mid:m\nb=AS:64\ni=info\n";
    let expected = "m=audio 30000 RTP/AVP 0\ni=info\nc=IN IP4 198.51.100.1\nb=AS:64\na=mid:m\na=label:l\na=bundle-only\n\
        a=rtpmap:0 PCMU/8000\na=fmtp:0 x=1\na=rtcp-fb:0 nack\na=extmap:1 urn:x\na=second:x\na=first\na=rtcp-fb:* ccm fir\n\
        a=sendrecv\na=rtcp:30001\na=rtcp-mux\na=crypto:1 X inline:y\na=setup:actpass\na=fingerprint:sha-256 AA\n\
        a=tls-id:1\na=ptime:20\na=maxptime:40\na=ice-ufrag:u\na=ice-pwd:p\na=ice-options:trickle\n\
        a=candidate:1 1 UDP 1 192.0.2.1 5004 typ host\na=end-of-candidates\n";
    let written = section(shuffled, |relay| {
        relay.rtcp_mux = true;
        relay.bundle_only = true;
    });
    assert_eq!(written, expected);
}

#[test]
fn payload_types_are_described_in_the_order_of_the_media_line() {
    let session = session(
        "m=audio 5004 RTP/AVP 97 8 96 97\na=rtpmap:96 A/8000\na=fmtp:97 x\na=rtpmap:97 B/8000\n",
    );
    let written = relayed(&session, false);
    let expected =
        "a=rtpmap:97 B/8000\na=fmtp:97 x\na=rtpmap:8 PCMA/8000\na=rtpmap:96 A/8000\na=sendrecv\n";
    assert!(written.contains(expected), "{written}");
}

#[test]
fn session_lines_are_written_in_order_and_without_key_repeat_and_zone() {
    let lines = "v=0\na=x\nk=clear:1\nz=0 0\nr=1\nt=1 2\nb=AS:1\np=+1\ne=e\nu=u\ni=i\nc=IN IP4 192.0.2.1\ns=n\n\
        o=- 1 1 IN IP4 h\nt=3 4\na=group:BUNDLE a\na=ice-lite\na=sendonly\na=y:z\n";
    let expected = "v=0\no=- 1 1 IN IP4 h\ns=n\ni=i\nu=u\ne=e\np=+1\nb=AS:1\nt=1 2\nt=3 4\na=ice-lite\n\
        a=group:BUNDLE a\na=x\na=y:z\n";
    assert_eq!(
        text(&write(&parse(&body(lines)).unwrap(), &Changes::default())),
        expected
    );
}

#[test]
fn a_missing_name_and_time_are_filled_in() {
    let session = parse(&body("v=0\no=- 1 1 IN IP4 h\n")).unwrap();
    assert_eq!(
        text(&write(&session, &Changes::default())),
        "v=0\no=- 1 1 IN IP4 h\ns=-\nt=0 0\n"
    );
}

#[test]
fn origin_and_name_are_replaced_field_by_field() {
    let origin = OriginChange {
        address: Some("2001:db8::1".parse().unwrap()),
        username: Some("u".into()),
        session_id: Some("2".into()),
        version: Some("3".into()),
        session_name: Some("n".into()),
    };
    let written = text(&write(
        &session(""),
        &Changes {
            origin,
            ..Changes::default()
        },
    ));
    assert!(written.starts_with("v=0\no=u 2 3 IN IP6 2001:db8::1\ns=n\n"));
}

#[test]
fn loop_protection_is_the_first_attribute() {
    let changes = Changes {
        loop_protect: Some("0123456789ab".to_owned()),
        ..Changes::default()
    };
    let written = text(&write(&session("a=x\n"), &changes));
    assert!(written.ends_with("t=0 0\na=rtpengine:0123456789ab\na=x\n"));
    let read = parse(&body(&written)).unwrap();
    assert_eq!(
        read.attributes("rtpengine").collect::<Vec<_>>(),
        [b"0123456789ab"]
    );
}

#[test]
fn relaying_breaks_a_bundle_but_no_other_group() {
    let session = session(
        "a=group:BUNDLE a b\na=group:LS a b\nm=audio 5004 RTP/AVP 0\na=mid:a\nm=video 5006 RTP/AVP 31\na=mid:b\n",
    );
    let written = relayed(&session, false);
    assert!(
        !written.contains("BUNDLE") && written.contains("a=group:LS a b\n"),
        "{written}"
    );
    assert!(text(&write(&session, &Changes::default())).contains("a=group:BUNDLE a b\n"));
}

#[test]
fn removing_ice_leaves_nothing_of_it() {
    let session = session(
        "a=ice-lite\na=ice-ufrag:u\na=ice-pwd:p\na=ice-options:ice2\nm=audio 5004 RTP/AVP 0\na=ice-ufrag:u\na=ice-pwd:p\n\
         a=ice-options:trickle\na=ice-pacing:50\na=ice-mismatch\na=candidate:1\na=remote-candidates:1\n\
         a=end-of-candidates\nm=image 5006 udptl t38\na=candidate:1\n",
    );
    let written = relayed(&session, true);
    assert!(
        !written.contains("ice-") && !written.contains("candidate"),
        "{written}"
    );
    assert!(written.contains(PLAIN));
}

#[test]
fn a_rejected_section_is_written_up_to_its_names() {
    let session = session(
        "m=video 5006 RTP/AVP 96 97\ni=info\nc=IN IP4 192.0.2.7\nb=AS:64\na=rtpmap:96 VP8/90000\na=sendonly\n\
         a=label:l\na=mid:v\na=candidate:1\n",
    );
    let changes = Changes {
        medias: vec![MediaChange::Rejected],
        ..Changes::default()
    };
    let expected =
        "m=video 0 RTP/AVP 96 97\ni=info\nc=IN IP4 0.0.0.0\nb=AS:64\na=mid:v\na=label:l\n";
    assert_eq!(sections(&text(&write(&session, &changes))), expected);
}

#[test]
fn a_rejected_section_is_of_the_family_of_the_relayed_ones() {
    let session = session("m=audio 5004 RTP/AVP 0\nm=video 0 RTP/AVP 31\n");
    let to_ipv6 = Relay {
        address: "2001:db8::1".parse().unwrap(),
        ..relay(&session.medias[0])
    };
    let medias = vec![MediaChange::Relay(to_ipv6), MediaChange::Rejected];
    let written = text(&write(
        &session,
        &Changes {
            medias,
            ..Changes::default()
        },
    ));
    assert!(written.ends_with("m=video 0 RTP/AVP 31\nc=IN IP6 ::\n"));
}

#[test]
fn an_untouched_section_keeps_address_port_and_attributes() {
    let lines =
        "m=message 2855/2 TCP/MSRP *\nc=IN IP4 192.0.2.1\na=path:msrp://x\na=accept-types:*\n";
    let written = text(&write(&session(lines), &Changes::default()));
    assert_eq!(sections(&written), lines);
}

#[test]
fn what_is_not_rtp_keeps_its_attributes_as_they_came() {
    let session = session("m=image 4402 udptl t38\na=sendrecv\na=T38FaxVersion:0\na=mid:f\n");
    let expected =
        "m=image 30000 udptl t38\nc=IN IP4 198.51.100.1\na=sendrecv\na=T38FaxVersion:0\na=mid:f\n";
    assert_eq!(sections(&relayed(&session, false)), expected);
}

#[test]
fn the_sessions_direction_is_written_into_every_section() {
    let session = session("a=inactive\nm=audio 5004 RTP/AVP 0\nm=image 4402 udptl t38\n");
    let written = relayed(&session, false);
    assert_eq!(written.matches("a=inactive\n").count(), 2);
    assert!(!written[..written.find("m=").unwrap()].contains("a=inactive"));
}

#[test]
fn a_section_without_formats_gets_one() {
    let session = session("m=audio 5004 RTP/AVP\n");
    assert!(relayed(&session, false).contains("m=audio 30000 RTP/AVP 0\n"));
}

#[test]
fn bytes_that_are_not_utf8_are_kept() {
    let lines = b"v=0\r\no=J\xfcrgen 1 1 IN IP4 h\r\ns=\xff\r\nt=0 0\r\na=x:\xfe\r\n";
    let session = parse(&Bytes::from_static(lines)).unwrap();
    assert_eq!(write(&session, &Changes::default()), &lines[..]);
}
