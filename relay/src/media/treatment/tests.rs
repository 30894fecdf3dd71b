use proptest::prelude::*;

use super::*;
use crate::datapath::PayloadTypes;
use crate::plan::{
    Component, Digits, EndpointLearning, ExtensionIds, RtcpHandling, Silences, Sink, StreamId,
};

const EVENTS: u8 = 101;

fn plan() -> StreamPlan {
    StreamPlan {
        component: Component::Rtp,
        endpoint: None,
        public: true,
        signalled: 1,
        resets: 0,
        learning: EndpointLearning::Off,
        strict_source: false,
        media_handover: false,
        asymmetric: false,
        nat_wait: false,
        pierce_nat: false,
        sinks: vec![Sink::untouched(StreamId(2))],
        rtcp_sinks: vec![],
        rtcp: RtcpHandling::default(),
        payload_types: PayloadTypes::ALL,
        telephone_events: PayloadTypes(1 << EVENTS),
        event_clock_rates: Vec::new(),
        digits: Digits::Pass,
        detect_events: false,
        watch_digits: false,
        silences: Silences::default(),
        never_short: PayloadTypes::NONE,
        clock_rate: 8000,
        tos: 0,
        recording: None,
    }
}

fn silence() -> Treatment {
    Treatment {
        silence: true,
        ..Treatment::default()
    }
}

fn keeping(ids: &[u8]) -> Treatment {
    Treatment {
        extensions: Some(ids.iter().copied().collect()),
        ..Treatment::default()
    }
}

/// A packet of sequence number 1, timestamp 2, SSRC 3; `first` are the bits of the first byte beside the version.
fn packet(first: u8, payload_type: u8, rest: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x80 | first, payload_type, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    bytes.extend(rest);
    bytes
}

fn treated(packet: &[u8], treatment: &Treatment) -> Option<Vec<u8>> {
    let mut packet = packet.to_vec();
    let length = treat(&mut packet, &plan(), treatment)?;
    packet.truncate(length);
    Some(packet)
}

#[test]
fn speech_becomes_silence_of_the_same_length() {
    for (payload_type, silent) in [(0, 0xff), (8, 0xd5), (9, 0xfa)] {
        let silenced = treated(&packet(0, payload_type, &[1, 2, 3]), &silence());
        assert_eq!(silenced, Some(packet(0, payload_type, &[silent; 3])));
    }
}

#[test]
fn a_dynamic_payload_type_is_silenced_as_what_it_carries() {
    let mut plan = plan();
    plan.silences.pcma = PayloadTypes(1 << 100);
    let mut bytes = packet(0, 100, &[1, 2, 3]);
    assert_eq!(treat(&mut bytes, &plan, &silence()), Some(15));
    assert_eq!(bytes, packet(0, 100, &[0xd5; 3]));
}

#[test]
fn what_no_silence_is_known_for_is_passed_on_as_it_is() {
    for payload_type in [18, 96, 111] {
        let packet = packet(0, payload_type, &[1, 2]);
        assert_eq!(treated(&packet, &silence()), Some(packet));
    }
}

#[test]
fn comfort_noise_becomes_the_quietest_there_is() {
    let silenced = treated(&packet(0, 13, &[40, 3]), &silence());
    assert_eq!(silenced, Some(packet(0, 13, &[0x7f, 0x7f])));
}

#[test]
fn an_echo_has_another_source_and_is_the_same_otherwise() {
    let echo = Treatment {
        echo: true,
        ..Treatment::default()
    };
    let sent = packet(0, 0, &[1, 2, 3]);
    let echoed = treated(&sent, &echo).unwrap();
    assert_ne!(echoed[8..12], sent[8..12]);
    assert_eq!((&echoed[..8], &echoed[12..]), (&sent[..8], &sent[12..]));
    let mut other = sent.clone();
    other[11] = 4;
    assert_ne!(treated(&other, &echo).unwrap()[8..12], echoed[8..12]);
    assert_eq!(treated(&sent, &echo), Some(echoed), "always the same");
}

#[test]
fn telephone_events_pass_through_silence() {
    let digit = packet(0, EVENTS, &[5, 10, 0, 160]);
    assert_eq!(treated(&digit, &silence()), Some(digit));
}

#[test]
fn silence_leaves_sources_extensions_and_padding_as_they_are() {
    let sources = [0, 0, 0, 9];
    let extension = [0xbe, 0xde, 0, 1, 0x10, 7, 0, 0];
    let rest = |speech: [u8; 2]| [&sources[..], &extension, &speech, &[0, 0, 3]].concat();
    let silenced = treated(&packet(0x31, 0, &rest([1, 2])), &silence());
    assert_eq!(silenced, Some(packet(0x31, 0, &rest([0xff, 0xff]))));
}

#[test]
fn a_packet_whose_speech_cannot_be_found_is_not_passed_on() {
    let too_much_padding = packet(0x20, 0, &[1, 2, 200]);
    let too_long_an_extension = packet(0x10, 0, &[0xbe, 0xde, 0, 9, 1]);
    let too_many_sources = packet(0x0f, 0, &[1, 2, 3]);
    for packet in [too_much_padding, too_long_an_extension, too_many_sources] {
        assert_eq!(treated(&packet, &silence()), None);
        assert_eq!(treated(&packet, &keeping(&[])), None);
    }
}

#[test]
fn blocked_payload_types_are_not_passed_on_and_others_are_untouched() {
    let block_dtmf = Treatment {
        dropped: PayloadTypes(1 << EVENTS),
        ..Treatment::default()
    };
    assert_eq!(
        treated(&packet(0, EVENTS, &[5, 10, 0, 1]), &block_dtmf),
        None
    );
    let audio = packet(0, 0, &[1, 2, 3]);
    assert_eq!(treated(&audio, &block_dtmf), Some(audio));
}

#[test]
fn what_is_not_rtp_stays_as_it_is() {
    let everything = Treatment {
        silence: true,
        dropped: PayloadTypes::ALL,
        extensions: Some(ExtensionIds::default()),
        echo: true,
    };
    for bytes in [&[0, 1, 0, 0][..], &[22, 1, 2], &[0x80, 0, 1], &[]] {
        assert_eq!(treated(bytes, &everything).as_deref(), Some(bytes));
    }
}

#[test]
fn extensions_with_one_byte_headers_are_kept_by_their_ids() {
    // Ids 1 (two bytes), 2 (one byte), padding, 3 (four bytes).
    let all = [
        0xbe, 0xde, 0, 3, 0x11, 1, 1, 0x20, 2, 0, 0x33, 3, 3, 3, 3, 0, 9, 9,
    ];
    for (ids, expected) in [
        (&[1, 2, 3][..], &all[..]),
        (&[1], &[0xbe, 0xde, 0, 1, 0x11, 1, 1, 0, 9, 9]),
        (&[2], &[0xbe, 0xde, 0, 1, 0x20, 2, 0, 0, 9, 9]),
        (
            &[2, 3],
            &[0xbe, 0xde, 0, 2, 0x20, 2, 0x33, 3, 3, 3, 3, 0, 9, 9],
        ),
    ] {
        let filtered = treated(&packet(0x10, 0, &all), &keeping(ids));
        assert_eq!(filtered, Some(packet(0x10, 0, expected)), "{ids:?}");
    }
}

#[test]
fn extensions_with_two_byte_headers_are_kept_by_their_ids() {
    // Ids 1 (no data), 200 (three bytes).
    let all = [0x10, 0x05, 0, 2, 1, 0, 200, 3, 7, 7, 7, 0, 9];
    for (ids, expected) in [
        (&[1, 200][..], &all[..]),
        (&[1], &[0x10, 0x05, 0, 1, 1, 0, 0, 0, 9]),
        (&[200], &[0x10, 0x05, 0, 2, 200, 3, 7, 7, 7, 0, 0, 0, 9]),
    ] {
        let filtered = treated(&packet(0x10, 0, &all), &keeping(ids));
        assert_eq!(filtered, Some(packet(0x10, 0, expected)), "{ids:?}");
    }
}

#[test]
fn with_the_last_of_its_elements_the_extension_goes() {
    let one = [0xbe, 0xde, 0, 1, 0x11, 1, 1, 0, 9];
    for ids in [&[][..], &[2]] {
        let filtered = treated(&packet(0x10, 0, &one), &keeping(ids));
        assert_eq!(filtered, Some(packet(0, 0, &[9])), "{ids:?}");
    }
}

#[test]
fn behind_id_15_nothing_is_kept() {
    let hidden = [0xbe, 0xde, 0, 2, 0x10, 1, 0xf0, 2, 0x20, 2, 0, 0, 9];
    let filtered = treated(&packet(0x10, 0, &hidden), &keeping(&[1, 2, 15]));
    let expected = [0xbe, 0xde, 0, 1, 0x10, 1, 0, 0, 9];
    assert_eq!(filtered, Some(packet(0x10, 0, &expected)));
}

#[test]
fn an_extension_of_another_kind_goes_only_if_none_is_kept() {
    let other = packet(0x10, 0, &[0xab, 0xcd, 0, 1, 1, 2, 3, 4, 9]);
    assert_eq!(treated(&other, &keeping(&[1])), Some(other.clone()));
    assert_eq!(treated(&other, &keeping(&[])), Some(packet(0, 0, &[9])));
}

fn any_treatment() -> impl Strategy<Value = Treatment> {
    let extensions = prop::option::of(prop::collection::vec(0_u8..20, 0..6));
    (any::<bool>(), any::<u128>(), extensions).prop_map(|(silence, dropped, ids)| Treatment {
        silence,
        dropped: PayloadTypes(dropped & dropped.rotate_left(1)),
        extensions: ids.map(|ids| ids.into_iter().collect()),
        ..Treatment::default()
    })
}

/// Bytes of which many look like RTP with an extension.
fn any_packet() -> impl Strategy<Value = Vec<u8>> {
    let rest = prop::collection::vec(prop_oneof![0_u8..20, any::<u8>()], 0..60);
    let begin = prop_oneof![Just([0x90, 0]), any::<[u8; 2]>()];
    let profile = prop_oneof![Just([0xbe, 0xde, 0]), Just([0x10, 0, 0])];
    (begin, profile, 0_u8..8, rest).prop_map(|(begin, profile, words, rest)| {
        let fixed = [0; 10];
        [&begin[..], &fixed, &profile, &[words], &rest].concat()
    })
}

proptest! {
    #[test]
    fn no_packet_grows_or_changes_again_when_treated_again(
        bytes in any_packet(), treatment in any_treatment(),
    ) {
        if let Some(once) = treated(&bytes, &treatment) {
            prop_assert!(once.len() <= bytes.len());
            prop_assert_eq!(treated(&once, &treatment), Some(once));
        }
    }

    #[test]
    fn silence_alone_keeps_length_and_header(bytes in any_packet()) {
        if let Some(silenced) = treated(&bytes, &silence()) {
            prop_assert_eq!(silenced.len(), bytes.len());
            prop_assert_eq!(&silenced[..12], &bytes[..12]);
        }
    }

    #[test]
    fn a_filter_leaves_no_element_that_is_not_kept(bytes in any_packet(), ids in prop::collection::vec(0_u8..16, 0..6)) {
        let kept: ExtensionIds = ids.iter().copied().collect();
        if let Some(filtered) = treated(&bytes, &keeping(&ids))
            && classify(&filtered) == Kind::Rtp
        {
            let profile = Layout::of(&filtered).unwrap().extension.map(|e| (filtered[e.start], e));
            if let Some((0xbe, extension)) = profile {
                let mut at = extension.start + 4;
                while at < extension.end {
                    let first = filtered[at];
                    prop_assert!(first == 0 || kept.contains(first >> 4));
                    at += if first == 0 { 1 } else { 2 + usize::from(first & 0xf) };
                }
            }
        }
    }
}
