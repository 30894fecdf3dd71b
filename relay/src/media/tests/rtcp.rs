//! RTCP between two phones: what the relay learns from it, and what it makes of it.

use super::*;

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
