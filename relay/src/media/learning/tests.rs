use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::datapath::PayloadTypes;
use crate::plan::Component;

const TABLE: &str = include_str!("../../../../docs/endpoint-learning.md");

const ANNOUNCED: &str = "192.0.2.1:5000";
const SAME_ADDRESS: &str = "192.0.2.1:6000";
const SAME_PORT: &str = "198.51.100.1:5000";
const ELSEWHERE: &str = "198.51.100.1:7000";
const STRANGER: &str = "203.0.113.9:9999";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn plan(learning: EndpointLearning) -> StreamPlan {
    StreamPlan {
        component: Component::Rtp,
        endpoint: Some(at(ANNOUNCED)),
        public: true,
        signalled: 1,
        learning,
        strict_source: false,
        media_handover: false,
        asymmetric: false,
        sinks: vec![],
        rtcp_sinks: vec![],
        payload_types: PayloadTypes::ALL,
        clock_rate: 8000,
        tos: 0,
    }
}

fn heuristic() -> StreamPlan {
    plan(EndpointLearning::Heuristic)
}

fn send(learning: &mut Learning, source: &str, now_ms: u64) -> Verdict {
    learning.packet(Arrival {
        source: at(source),
        stray_rtcp: false,
        now_ms,
        kernel_ms: 0,
    })
}

fn send_rtcp(learning: &mut Learning, source: &str, now_ms: u64) -> Verdict {
    learning.packet(Arrival {
        source: at(source),
        stray_rtcp: true,
        now_ms,
        kernel_ms: 0,
    })
}

// The table.

/// One packet of a scenario.
struct Step {
    ms: u64,
    source: &'static str,
    /// The scenario is about this packet.
    watched: bool,
}

/// Packets every 20 ms, the first at `from`.
fn voice(source: &'static str, from: u64, until: u64, watched: bool) -> impl Iterator<Item = Step> {
    (from..until).step_by(20).map(move |ms| Step {
        ms,
        source,
        watched,
    })
}

fn scenario(name: &str) -> Vec<Step> {
    let stranger = |ms| Step {
        ms,
        source: STRANGER,
        watched: true,
    };
    let mut steps: Vec<Step> = match name {
        "the announced address and port" => voice(ANNOUNCED, 20, 5000, true).collect(),
        "same address, other port" => voice(SAME_ADDRESS, 20, 5000, true).collect(),
        "wrong address in SDP" => voice(ELSEWHERE, 20, 5000, true).collect(),
        "a stranger before the peer" => voice(SAME_ADDRESS, 20, 5000, false)
            .chain([stranger(10)])
            .collect(),
        "a stranger during learning" => voice(SAME_ADDRESS, 20, 5000, false)
            .chain([stranger(1010)])
            .collect(),
        "a stranger after learning" => voice(ANNOUNCED, 20, 12_000, false)
            .chain([stranger(10_010)])
            .collect(),
        "NAT rebinding after learning" => voice(ANNOUNCED, 20, 10_000, false)
            .chain(voice(SAME_ADDRESS, 10_020, 12_000, true))
            .collect(),
        other => panic!("the table has a scenario the test does not know: {other}"),
    };
    steps.sort_by_key(|step| step.ms);
    steps
}

/// What a cell of the table says, found by playing the scenario.
fn outcome(name: &str, rules: &StreamPlan) -> String {
    let steps = scenario(name);
    let mut learning = Learning::new(rules, 0);
    let mut begun = false;
    let mut peer_dropped = false;
    let mut fates = BTreeMap::new();
    let mut destinations: Vec<&str> = Vec::new();
    let mut confirmed = None;
    for step in &steps {
        let verdict = send(&mut learning, step.source, step.ms);
        begun |= step.watched;
        if !begun {
            continue;
        }
        if step.watched {
            *fates.entry(verdict == Verdict::Forward).or_insert(0) += 1;
        } else {
            peer_dropped |= verdict == Verdict::Refuse;
        }
        let destination = match learning.send_to().map(|a| a.to_string()).as_deref() {
            Some(STRANGER) => "the stranger",
            Some(ANNOUNCED) if name.starts_with("NAT") => "the old port",
            Some(SAME_ADDRESS) if name.starts_with("NAT") => "the new port",
            Some(ANNOUNCED) if !name.contains("announced") && !name.contains("after") => "SDP's",
            _ => "the peer",
        };
        if destinations.last() != Some(&destination) {
            destinations.push(destination);
        }
        if confirmed.is_none() && learning.source().is_some() {
            confirmed = Some(step.ms);
        }
    }
    let fate = match (fates.get(&true), fates.get(&false)) {
        (Some(_), None) => "passed",
        (None, Some(_)) => "dropped",
        _ => "passed and dropped",
    };
    let mut text = format!("{fate}; to {}", destinations.join(", then "));
    if steps.iter().all(|step| step.watched) {
        text += match confirmed {
            Some(20) => "; confirmed at once",
            Some(3020) => "; confirmed after 3 s",
            Some(_) => "; confirmed at an odd time",
            None => "; never confirmed",
        };
    }
    if peer_dropped {
        text += "; the peer dropped";
    }
    text
}

fn rules(mode: EndpointLearning, column: &str) -> StreamPlan {
    StreamPlan {
        strict_source: matches!(column, "strict-source" | "both"),
        media_handover: matches!(column, "media-handover" | "both"),
        ..plan(mode)
    }
}

/// (mode, scenario, column, cell) of every table row under a heading that is a mode's name.
fn documented() -> Vec<(EndpointLearning, String, String, String)> {
    let mut found = Vec::new();
    let mut mode = None;
    let mut columns: Vec<String> = Vec::new();
    for line in TABLE.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            mode = match heading {
                "off" => Some(EndpointLearning::Off),
                "immediate" => Some(EndpointLearning::Immediate),
                "delayed" => Some(EndpointLearning::Delayed),
                "heuristic" => Some(EndpointLearning::Heuristic),
                _ => None,
            };
            columns.clear();
        }
        let (Some(mode), true) = (mode, line.starts_with("| ")) else {
            continue;
        };
        let cells: Vec<String> = line
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().to_owned())
            .collect();
        if columns.is_empty() {
            columns = cells;
            continue;
        }
        for (column, cell) in columns.iter().zip(&cells).skip(1) {
            found.push((mode, cells[0].clone(), column.clone(), cell.clone()));
        }
    }
    found
}

#[test]
fn the_documented_table_is_what_happens() {
    let cells = documented();
    assert_eq!(
        cells.len(),
        4 * 7 * 4,
        "four modes, seven scenarios, four columns"
    );
    let wrong: Vec<String> = cells
        .iter()
        .filter_map(|(mode, scenario, column, cell)| {
            let found = outcome(scenario, &rules(*mode, column));
            (found != *cell)
                .then(|| format!("{mode:?}, {scenario}, {column}: table `{cell}`, found `{found}`"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn strict_source_never_lets_a_stranger_move_or_enter_a_learned_stream() {
    for mode in [
        EndpointLearning::Off,
        EndpointLearning::Immediate,
        EndpointLearning::Delayed,
        EndpointLearning::Heuristic,
    ] {
        let mut learning = Learning::new(&rules(mode, "strict-source"), 0);
        for step in voice(ANNOUNCED, 20, 5000, false) {
            send(&mut learning, step.source, step.ms);
        }
        for source in [STRANGER, SAME_ADDRESS, SAME_PORT, ELSEWHERE] {
            assert_eq!(send(&mut learning, source, 6000), Verdict::Refuse);
            assert_eq!(learning.send_to(), Some(at(ANNOUNCED)));
            assert_eq!(learning.source(), Some(at(ANNOUNCED)));
        }
    }
}

// Before there is anything to learn.

#[test]
fn packets_pass_before_the_answer_and_teach_nothing() {
    let mut learning = Learning::new(
        &StreamPlan {
            public: false,
            strict_source: true,
            ..heuristic()
        },
        0,
    );
    assert_eq!(send(&mut learning, STRANGER, 9000), Verdict::Forward);
    assert_eq!(learning.source(), None);
    assert_eq!(learning.send_to(), Some(at(ANNOUNCED)));
}

#[test]
fn packets_pass_without_an_endpoint_and_teach_nothing() {
    let mut learning = Learning::new(
        &StreamPlan {
            endpoint: None,
            ..plan(EndpointLearning::Immediate)
        },
        0,
    );
    assert_eq!(send(&mut learning, STRANGER, 20), Verdict::Forward);
    assert_eq!(learning.send_to(), None);
    assert_eq!(learning.source(), None);
}

#[test]
fn with_learning_off_the_source_is_confirmed_before_any_packet() {
    let learning = Learning::new(&plan(EndpointLearning::Off), 0);
    assert_eq!(learning.source(), Some(at(ANNOUNCED)));
}

#[test]
fn with_learning_off_nothing_is_confirmed_before_the_answer() {
    let mut plan = StreamPlan {
        public: false,
        ..plan(EndpointLearning::Off)
    };
    let mut learning = Learning::new(&plan, 0);
    assert_eq!(learning.source(), None);
    plan.public = true;
    learning.update(&plan, 10);
    assert_eq!(learning.source(), Some(at(ANNOUNCED)));
}

// Ranks.

#[test]
fn a_better_rank_replaces_a_worse_one_and_never_the_other_way() {
    let mut learning = Learning::new(&heuristic(), 0);
    for (source, best) in [
        (ELSEWHERE, ELSEWHERE),
        (SAME_PORT, SAME_PORT),
        (ELSEWHERE, SAME_PORT),
        (SAME_ADDRESS, SAME_ADDRESS),
        (SAME_PORT, SAME_ADDRESS),
    ] {
        send(&mut learning, source, 100);
        assert_eq!(learning.send_to(), Some(at(best)), "after {source}");
        assert_eq!(learning.source(), None);
    }
    send(&mut learning, STRANGER, 3001);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
}

#[test]
fn of_one_rank_the_latest_counts() {
    let mut learning = Learning::new(&heuristic(), 0);
    send(&mut learning, ELSEWHERE, 100);
    send(&mut learning, STRANGER, 120);
    assert_eq!(learning.send_to(), Some(at(STRANGER)));
}

#[test]
fn three_seconds_are_not_over_at_three_seconds() {
    let mut learning = Learning::new(&heuristic(), 0);
    send(&mut learning, ELSEWHERE, 3000);
    assert_eq!(learning.source(), None);
    send(&mut learning, ELSEWHERE, 3001);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
}

#[test]
fn signalling_resets_the_ranks_and_the_window() {
    let mut learning = Learning::new(&heuristic(), 0);
    send(&mut learning, SAME_ADDRESS, 100);
    learning.update(
        &StreamPlan {
            signalled: 2,
            ..heuristic()
        },
        2000,
    );
    send(&mut learning, ELSEWHERE, 3500);
    assert_eq!(learning.source(), None, "the window began again");
    assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
}

#[test]
fn strict_source_refuses_a_worse_rank_while_learning() {
    let mut learning = Learning::new(&rules(EndpointLearning::Heuristic, "strict-source"), 0);
    assert_eq!(send(&mut learning, SAME_ADDRESS, 20), Verdict::Forward);
    assert_eq!(send(&mut learning, STRANGER, 30), Verdict::Refuse);
    assert_eq!(send_rtcp(&mut learning, STRANGER, 40), Verdict::Refuse);
}

// RTCP on an RTP port.

#[test]
fn stray_rtcp_is_forwarded_and_teaches_nothing() {
    for mode in [
        EndpointLearning::Immediate,
        EndpointLearning::Delayed,
        EndpointLearning::Heuristic,
    ] {
        let mut learning = Learning::new(&rules(mode, "media-handover"), 0);
        assert_eq!(
            send_rtcp(&mut learning, SAME_ADDRESS, 4000),
            Verdict::Forward
        );
        assert_eq!(learning.source(), None);
        assert_eq!(learning.send_to(), Some(at(ANNOUNCED)));
    }
}

#[test]
fn stray_rtcp_hands_nothing_over() {
    let mut learning = Learning::new(&rules(EndpointLearning::Immediate, "media-handover"), 0);
    send(&mut learning, ANNOUNCED, 20);
    send_rtcp(&mut learning, SAME_ADDRESS, 40);
    assert_eq!(learning.source(), Some(at(ANNOUNCED)));
}

// Asymmetric peers and handover.

#[test]
fn an_asymmetric_peer_is_sent_to_where_it_said() {
    let mut learning = Learning::new(
        &StreamPlan {
            asymmetric: true,
            ..plan(EndpointLearning::Immediate)
        },
        0,
    );
    send(&mut learning, ELSEWHERE, 20);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
    assert_eq!(learning.send_to(), Some(at(ANNOUNCED)));
}

#[test]
fn handover_moves_the_stream_and_takes_the_confirmation_back() {
    let mut learning = Learning::new(&rules(EndpointLearning::Heuristic, "media-handover"), 0);
    send(&mut learning, ANNOUNCED, 20);
    send(&mut learning, SAME_ADDRESS, 5000);
    assert_eq!(learning.source(), None);
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
    send(&mut learning, SAME_ADDRESS, 5020);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
}

// Signalling about a confirmed stream.

fn confirmed_and_signalled_at(now_ms: u64) -> Learning {
    let mut learning = Learning::new(&heuristic(), 0);
    send(&mut learning, SAME_ADDRESS, 20);
    send(&mut learning, SAME_ADDRESS, 3020);
    learning.update(
        &StreamPlan {
            signalled: 2,
            ..heuristic()
        },
        now_ms,
    );
    learning
}

#[test]
fn signalling_that_says_nothing_new_leaves_the_source() {
    let mut learning = confirmed_and_signalled_at(10_000);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
    send(&mut learning, SAME_ADDRESS, 10_020);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
}

#[test]
fn a_peer_that_moved_with_signalling_is_learned_anew() {
    let mut learning = confirmed_and_signalled_at(10_000);
    send(&mut learning, ELSEWHERE, 10_020);
    assert_eq!(learning.source(), None, "contested");
    assert_eq!(
        learning.send_to(),
        Some(at(SAME_ADDRESS)),
        "the first packet decides nothing"
    );
    send(&mut learning, ELSEWHERE, 10_040);
    assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
    send(&mut learning, ELSEWHERE, 13_020);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
}

#[test]
fn a_peer_that_was_silent_since_signalling_can_be_learned_anew_much_later() {
    let mut learning = confirmed_and_signalled_at(10_000);
    send(&mut learning, ELSEWHERE, 60_000);
    send(&mut learning, ELSEWHERE, 60_020);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
}

#[test]
fn a_stranger_who_contests_a_live_source_loses_to_its_better_rank() {
    let mut learning = confirmed_and_signalled_at(10_000);
    send(&mut learning, STRANGER, 10_010);
    send(&mut learning, STRANGER, 10_015);
    send(&mut learning, SAME_ADDRESS, 10_020);
    for step in voice(STRANGER, 10_030, 14_000, false) {
        send(&mut learning, step.source, step.ms);
    }
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
}

#[test]
fn what_the_kernel_forwarded_since_signalling_counts_as_heard() {
    let mut learning = confirmed_and_signalled_at(10_000);
    let stranger = Arrival {
        source: at(STRANGER),
        stray_rtcp: false,
        now_ms: 20_000,
        kernel_ms: 19_990,
    };
    for _ in 0..3 {
        learning.packet(stranger);
    }
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
}

#[test]
fn signalling_that_says_nothing_new_unconfirms_in_no_mode() {
    for mode in [
        EndpointLearning::Off,
        EndpointLearning::Immediate,
        EndpointLearning::Delayed,
        EndpointLearning::Heuristic,
    ] {
        for flags in ["", "strict-source", "media-handover"] {
            let mut plan = rules(mode, flags);
            let mut learning = Learning::new(&plan, 0);
            send(&mut learning, ANNOUNCED, 20);
            send(&mut learning, ANNOUNCED, 3020);
            for now_ms in (4000..9000).step_by(500) {
                plan.signalled += 1;
                learning.update(&plan, now_ms);
                assert_eq!(learning.source(), Some(at(ANNOUNCED)), "{mode:?} {flags}");
                send(&mut learning, ANNOUNCED, now_ms + 10);
                assert_eq!(learning.source(), Some(at(ANNOUNCED)), "{mode:?} {flags}");
            }
        }
    }
}

/// Confirmed at an address behind NAT and signalled about at 10 s, with strict source.
fn strictly_kept() -> Learning {
    let mut plan = rules(EndpointLearning::Heuristic, "strict-source");
    let mut learning = Learning::new(&plan, 0);
    send(&mut learning, ELSEWHERE, 20);
    send(&mut learning, ELSEWHERE, 3020);
    plan.signalled += 1;
    learning.update(&plan, 10_000);
    learning
}

#[test]
fn with_strict_source_a_stranger_brings_packets_up_for_a_moment_and_gets_nothing() {
    let mut learning = strictly_kept();
    for now_ms in 10_001..10_020 {
        assert_eq!(send(&mut learning, STRANGER, now_ms), Verdict::Refuse);
        assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
        assert_eq!(
            learning.source(),
            None,
            "the kernel would hide the other one"
        );
    }
    assert_eq!(send(&mut learning, ELSEWHERE, 10_020), Verdict::Forward);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
    for now_ms in (10_021..20_000).step_by(10) {
        assert_eq!(send(&mut learning, STRANGER, now_ms), Verdict::Refuse);
        assert_eq!(learning.source(), Some(at(ELSEWHERE)), "and only once");
    }
}

#[test]
fn with_strict_source_a_peer_that_moved_is_found_when_its_old_address_stays_silent() {
    let mut learning = strictly_kept();
    for step in voice(SAME_ADDRESS, 10_020, 10_530, false) {
        assert_eq!(send(&mut learning, step.source, step.ms), Verdict::Refuse);
    }
    for step in voice(SAME_ADDRESS, 10_540, 14_000, false) {
        assert_eq!(send(&mut learning, step.source, step.ms), Verdict::Forward);
    }
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
}

#[test]
fn with_strict_source_rtcp_is_waited_for_longer() {
    let mut plan = StreamPlan {
        component: Component::Rtcp,
        ..rules(EndpointLearning::Heuristic, "strict-source")
    };
    let mut learning = Learning::new(&plan, 0);
    send(&mut learning, ELSEWHERE, 20);
    send(&mut learning, ELSEWHERE, 5020);
    plan.signalled += 1;
    learning.update(&plan, 10_000);
    send(&mut learning, STRANGER, 10_010);
    assert_eq!(send(&mut learning, STRANGER, 14_000), Verdict::Refuse);
    assert_eq!(send(&mut learning, ELSEWHERE, 15_020), Verdict::Forward);
    assert_eq!(learning.source(), Some(at(ELSEWHERE)));
}

#[test]
fn strict_source_refuses_whoever_contests_a_kept_source() {
    let mut learning = confirmed_and_signalled_at(10_000);
    learning.update(
        &StreamPlan {
            signalled: 2,
            strict_source: true,
            ..heuristic()
        },
        10_000,
    );
    assert_eq!(send(&mut learning, STRANGER, 10_010), Verdict::Refuse);
}

#[test]
fn a_new_announced_endpoint_begins_anew() {
    let mut learning = confirmed_and_signalled_at(10_000);
    let moved = StreamPlan {
        signalled: 3,
        endpoint: Some(at(ELSEWHERE)),
        ..heuristic()
    };
    learning.update(&moved, 11_000);
    assert_eq!(learning.source(), None);
    assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
}

#[test]
fn announcing_the_source_that_was_learned_keeps_it() {
    let mut learning = confirmed_and_signalled_at(10_000);
    let same = StreamPlan {
        signalled: 3,
        endpoint: Some(at(SAME_ADDRESS)),
        ..heuristic()
    };
    learning.update(&same, 11_000);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
}

#[test]
fn a_successor_sends_to_where_the_peer_was_learned_and_learns_its_source_anew() {
    let predecessor = confirmed_and_signalled_at(10_000);
    let mut learning = Learning::new(&heuristic(), 11_000);
    learning.succeed(&predecessor);
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
    assert_eq!(learning.source(), None);
    let answered = StreamPlan {
        signalled: 2,
        ..heuristic()
    };
    learning.update(&answered, 12_000);
    assert_eq!(learning.send_to(), Some(at(SAME_ADDRESS)));
    send(&mut learning, ELSEWHERE, 12_020);
    assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
}

#[test]
fn a_successor_of_another_announced_endpoint_begins_there() {
    let predecessor = confirmed_and_signalled_at(10_000);
    let moved = StreamPlan {
        endpoint: Some(at(ELSEWHERE)),
        ..heuristic()
    };
    let mut learning = Learning::new(&moved, 11_000);
    learning.succeed(&predecessor);
    assert_eq!(learning.send_to(), Some(at(ELSEWHERE)));
}

#[test]
fn a_successor_that_does_not_learn_keeps_to_sdp() {
    let predecessor = confirmed_and_signalled_at(10_000);
    let mut learning = Learning::new(&plan(EndpointLearning::Off), 11_000);
    learning.succeed(&predecessor);
    assert_eq!(learning.send_to(), Some(at(ANNOUNCED)));
}

#[test]
fn an_equal_plan_changes_nothing() {
    let mut learning = Learning::new(&heuristic(), 0);
    send(&mut learning, SAME_ADDRESS, 100);
    learning.update(&heuristic(), 2900);
    send(&mut learning, SAME_ADDRESS, 3001);
    assert_eq!(learning.source(), Some(at(SAME_ADDRESS)));
}

// Whatever happens.

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
