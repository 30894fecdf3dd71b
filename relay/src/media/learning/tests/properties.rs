//! Whatever happens.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Event {
    Packet {
        source: usize,
        after_ms: u64,
        rtcp: bool,
    },
    Signalling,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let packet = (0..5_usize, 0..1500_u64, any::<bool>()).prop_map(|(source, after_ms, rtcp)| {
        Event::Packet {
            source,
            after_ms,
            rtcp,
        }
    });
    let event = prop_oneof![9 => packet, 1 => Just(Event::Signalling)];
    prop::collection::vec(event, 0..60)
}

proptest! {
    #[test]
    fn with_strict_source_no_worse_source_passes_or_moves_a_stream(
        events in events(),
        delayed in any::<bool>(),
    ) {
        // In order of rank; the last two share theirs.
        let sources = [ANNOUNCED, SAME_ADDRESS, SAME_PORT, ELSEWHERE, STRANGER];
        let mode = if delayed { EndpointLearning::Delayed } else { EndpointLearning::Heuristic };
        let mut plan = rules(mode, "strict-source");
        let mut learning = Learning::new(&plan, 0);
        let mut now_ms = 0;
        let mut best = None;
        for event in events {
            let Event::Packet { source, after_ms, rtcp } = event else {
                plan.signalled += 1;
                learning.update(&plan, now_ms);
                best = None;
                continue;
            };
            now_ms += after_ms;
            let before = learning.send_to();
            let verdict = learning.packet(Arrival {
                source: at(sources[source]),
                stray_rtcp: rtcp,
                now_ms,
                kernel_ms: 0,
            });
            let rank = source.min(3);
            if best.is_some_and(|best| rank > best) {
                prop_assert_eq!(verdict, Verdict::Refuse);
                prop_assert_eq!(learning.send_to(), before);
            }
            if verdict == Verdict::Forward && !rtcp {
                best = Some(best.map_or(rank, |best: usize| best.min(rank)));
            }
        }
    }

    #[test]
    fn with_strict_source_signalling_gives_no_stranger_a_live_confirmed_stream(
        signalled in prop::collection::vec(0..6_000_u64, 0..10),
        strangers in prop::collection::vec((0..6_000_u64, 0..5_usize, any::<bool>()), 0..60),
        peer in 0..4_usize,
        delayed in any::<bool>(),
    ) {
        let sources = [ANNOUNCED, SAME_ADDRESS, SAME_PORT, ELSEWHERE, STRANGER];
        let mode = if delayed { EndpointLearning::Delayed } else { EndpointLearning::Heuristic };
        let mut plan = rules(mode, "strict-source");
        let mut learning = Learning::new(&plan, 0);
        send(&mut learning, sources[peer], 20);
        send(&mut learning, sources[peer], 3020);
        prop_assert_eq!(learning.source(), Some(at(sources[peer])));
        for ms in 0..6_000 {
            let now_ms = 4000 + ms;
            if signalled.contains(&ms) {
                plan.signalled += 1;
                learning.update(&plan, now_ms);
            }
            for (_, source, rtcp) in strangers.iter().filter(|(at, ..)| *at == ms) {
                let arrival = Arrival {
                    source: at(sources[*source]),
                    stray_rtcp: *rtcp,
                    now_ms,
                    kernel_ms: 0,
                };
                let expected = if *source == peer { Verdict::Forward } else { Verdict::Refuse };
                prop_assert_eq!(learning.packet(arrival), expected);
            }
            // As long as the kernel forwards them, the peer's packets are not seen.
            if ms % 20 == 0 && learning.source().is_none() {
                prop_assert_eq!(send(&mut learning, sources[peer], now_ms), Verdict::Forward);
                prop_assert_eq!(learning.source(), Some(at(sources[peer])));
            }
            prop_assert_eq!(learning.send_to(), Some(at(sources[peer])));
        }
    }

    #[test]
    fn without_strict_source_every_packet_passes(
        events in events(),
        mode in 0..4_usize,
        media_handover in any::<bool>(),
    ) {
        let sources = [ANNOUNCED, SAME_ADDRESS, SAME_PORT, ELSEWHERE, STRANGER];
        let modes = [
            EndpointLearning::Off,
            EndpointLearning::Immediate,
            EndpointLearning::Delayed,
            EndpointLearning::Heuristic,
        ];
        let mut plan = StreamPlan { media_handover, ..plan(modes[mode]) };
        let mut learning = Learning::new(&plan, 0);
        let mut now_ms = 0;
        for event in events {
            let Event::Packet { source, after_ms, rtcp } = event else {
                plan.signalled += 1;
                learning.update(&plan, now_ms);
                continue;
            };
            now_ms += after_ms;
            let verdict = learning.packet(Arrival {
                source: at(sources[source]),
                stray_rtcp: rtcp,
                now_ms,
                kernel_ms: 0,
            });
            prop_assert_eq!(verdict, Verdict::Forward);
            prop_assert!(learning.send_to().is_some());
        }
    }
}
