//! RTCP between two phones: what the relay learns from it, and what it makes of it.

use rtcp_types::{RtcpPacketParser, SenderReport};

use super::*;
use crate::plan::Generated;

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A sender report with the given middle of its NTP time and one block.
fn report(ssrc: u32, middle: u32, source: u32, last_report: u32) -> Vec<u8> {
    let (high, low) = (middle >> 16, middle << 16);
    // A quarter lost, jitter 80, held for 1/65536 s.
    words(&[
        0x81c8_000c,
        ssrc,
        high,
        low,
        160,
        1,
        160,
        source,
        0x4000_0003,
        7,
        80,
        last_report,
        1,
    ])
}

impl Side {
    fn report(&self, packet: &[u8]) {
        let to = self.pair.rtcp.address;
        self.rtcp.send_to(packet, to).unwrap();
    }
}

#[test]
fn round_trips_of_both_legs_add_up_and_make_a_score() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let exchange = |from: &Side, to: &Side, packet: Vec<u8>| {
        from.report(&packet);
        assert_eq!(receive(&to.rtcp).0, packet);
    };
    // Both report on each other's reports: B first, then A knows of B's leg.
    exchange(&call.a, &call.b, report(1, 0x1111, 2, 0));
    std::thread::sleep(Duration::from_millis(5));
    exchange(&call.b, &call.a, report(2, 0x2222, 1, 0x1111));
    std::thread::sleep(Duration::from_millis(5));
    // The first report of A, a second ago, said nothing: a later one counts.
    wait_until("A's report counts", || {
        exchange(&call.a, &call.b, report(1, 0x3333, 2, 0x2222));
        std::thread::sleep(Duration::from_millis(50));
        let quality = relay.view(call.a.rtcp_id()).quality;
        quality.first().is_some_and(|by_a| by_a.average().is_some())
    });
    let quality = relay.view(call.a.rtcp_id()).quality;
    let (average, samples) = quality[0].average().unwrap();
    assert_eq!((quality[0].ssrc, samples), (1, 1));
    assert!(average.round_trip_leg_us >= 5000, "{average:?}");
    assert!(
        average.round_trip_us >= average.round_trip_leg_us + 5000,
        "{average:?}"
    );
    assert_eq!((average.jitter_ms, average.loss_percent), (10, 25));
    assert!((10..25).contains(&average.mos), "{average:?}");
    assert_eq!(
        relay
            .media
            .streams()
            .learned(call.a.rtcp_id())
            .unwrap()
            .quality,
        quality
    );
}

#[test]
fn a_peer_without_feedback_in_its_profile_gets_reports_alone() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.rtcp.without_feedback = true);
    let feedback = words(&[0x81ce_0002, 1, 2]);
    let both = [report(1, 0x1111, 2, 0), feedback.clone()].concat();
    call.a.report(&feedback);
    call.a.report(&both);
    assert_eq!(receive(&call.b.rtcp).0, report(1, 0x1111, 2, 0));
    wait_until("both are counted", || {
        relay.view(call.a.rtcp_id()).user_packets == 2
    });
}

impl Relay {
    /// A call whose RTCP is made here, often.
    fn generating(&mut self) -> Call {
        let call = self.call(|plan| plan.rtcp.consumed = true);
        let plan = StreamPlan {
            rtcp: RtcpHandling {
                generated: Some(Generated {
                    every_ms: 50,
                    media: call.b.id(),
                }),
                ..call.b_rtcp_plan.rtcp
            },
            ..call.b_rtcp_plan.clone()
        };
        self.update(call.b.rtcp_id(), plan);
        call
    }
}

#[test]
fn a_phone_is_sent_reports_on_what_it_hears_and_on_what_is_heard_of_it() {
    let mut relay = Relay::start();
    let call = relay.generating();
    call.b.send(&rtp(9, 1));
    for sequence in 1..=3 {
        call.a.send(&rtp(7, sequence));
        receive(&call.b.rtp);
    }
    wait_until("a report on all of it arrives", || {
        let (packet, from) = receive(&call.b.rtcp);
        assert_eq!(from, call.b.pair.rtcp.address);
        let report = SenderReport::parse(&packet[..packet.len().min(52)]);
        report.is_ok_and(|report| {
            let mut blocks = report.report_blocks();
            let of_b = blocks.next();
            report.ssrc() == 7
                && (report.packet_count(), report.octet_count()) == (3, 480)
                && of_b.is_some_and(|block| block.ssrc() == 9)
        })
    });
}

#[test]
fn the_answer_to_a_report_of_our_own_tells_the_round_trip() {
    let mut relay = Relay::start();
    let call = relay.generating();
    call.a.send(&rtp(7, 1));
    wait_until("a round trip is known", || {
        let (packet, _) = receive(&call.b.rtcp);
        let made = SenderReport::parse(&packet[..28]);
        let Ok(made) = made else { return false };
        let middle = (made.ntp_timestamp() >> 16) as u32;
        call.b.report(&report(9, 1, 7, middle));
        let quality = relay.view(call.b.rtcp_id()).quality;
        quality.first().is_some_and(|quality| {
            let (_, told) = quality.progression();
            told.iter().any(|sample| sample.round_trip_leg_us > 0)
        })
    });
}

#[test]
fn what_phones_report_is_not_passed_on_beside_reports_of_our_own() {
    let mut relay = Relay::start();
    let call = relay.generating();
    call.a.report(&report(1, 0x1111, 2, 0));
    wait_until("it is counted", || {
        relay.view(call.a.rtcp_id()).user_packets == 1
    });
    call.a.send(&rtp(7, 1));
    let (first, _) = receive(&call.b.rtcp);
    assert_ne!(first, report(1, 0x1111, 2, 0));
}
