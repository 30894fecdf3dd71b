//! A call that is taken up again is the call it was.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use proptest::prelude::*;

use super::property::{Step, exchange, step, take};
use super::world::*;
use crate::call::{Settings, Snapshot};
use crate::plan::{Action, CallKey, RetakeError, RtcpHandling, StreamId, StreamPlan};

/// What is added to the names of ports that are taken again: none has the name it had.
const RENAMED: u64 = 10_000;

fn settings() -> Settings {
    Settings {
        timeout: 30,
        silent_timeout: 60,
        ..Settings::default()
    }
}

fn journaled() -> World {
    let mut world = World::with(settings());
    world.calls.follow_changes();
    world
}

/// Every call as the journal would have it.
fn journal(world: &World) -> Vec<Vec<u8>> {
    let keys = world.calls.keys_after(None, usize::MAX);
    keys.iter()
        .map(|key| {
            let snapshot = world.calls.snapshot(*key, &world.streams).unwrap();
            rmp_serde::to_vec_named(&snapshot).unwrap()
        })
        .collect()
}

/// A relay after a restart, before it has restored anything.
fn successor(before: &World) -> World {
    let mut world = journaled();
    world.now = before.now;
    world.pool.next = before.pool.next;
    world.pool.left = before.pool.left + before.pool.held.len();
    world.pool.renamed = RENAMED;
    world
}

fn restore(world: &mut World, payloads: &[Vec<u8>]) {
    for payload in payloads {
        let snapshot: Snapshot = rmp_serde::from_slice(payload).unwrap();
        let restored = world
            .calls
            .restore(snapshot, world.now, &mut world.pool)
            .unwrap();
        assert_eq!(restored.lost, []);
        world.finish(restored.actions);
    }
}

fn restarted(before: &World) -> World {
    let mut world = successor(before);
    restore(&mut world, &journal(before));
    world
}

/// Every reply about every call.
fn replies(world: &mut World) -> Vec<String> {
    let list = world.send(command("list").with("limit", 100));
    let ids: Vec<_> = world.calls.ids().cloned().collect();
    let queries = ids
        .into_iter()
        .map(|id| world.send(command("query").with("call-id", id)));
    let mut replies = vec![format!("{:?}", list.0)];
    replies.extend(
        queries
            .collect::<Vec<_>>()
            .iter()
            .map(|reply| format!("{:?}", reply.0)),
    );
    replies
}

/// Every plan, and every name in it, by port.
fn plans(world: &World) -> BTreeMap<SocketAddr, (StreamPlan, Vec<SocketAddr>, Vec<SocketAddr>)> {
    let pairs = world.pool.held.values();
    let ports: BTreeMap<StreamId, SocketAddr> = pairs
        .flat_map(|pair| [&pair.rtp, &pair.rtcp])
        .map(|port| (port.id, port.address))
        .collect();
    let of = |ids: Vec<StreamId>| ids.iter().map(|id| ports[id]).collect();
    let plans = world.plans.iter();
    plans
        .map(|(id, plan)| {
            let nameless = StreamPlan {
                sinks: Vec::new(),
                rtcp_sinks: Vec::new(),
                rtcp: RtcpHandling {
                    generated: None,
                    ..plan.rtcp
                },
                ..plan.clone()
            };
            let rtp_sinks = plan.sinks.iter().map(|sink| sink.stream).collect();
            let sinks = (of(rtp_sinks), of(plan.rtcp_sinks.clone()));
            (ports[id], (nameless, sinks.0, sinks.1))
        })
        .collect()
}

proptest! {
    #[test]
    fn nobody_can_tell_a_restored_call_from_one_that_went_on(
        before in prop::collection::vec(step(), 1..25),
        after in prop::collection::vec(exchange(), 0..8),
    ) {
        let mut world = journaled();
        for step in before {
            take(&mut world, step);
        }
        // Ports may have run out: the successor has to have as many.
        world.pool.left += 100;
        let mut again = restarted(&world);
        prop_assert_eq!(replies(&mut again), replies(&mut world));
        prop_assert_eq!(plans(&again), plans(&world));
        for step in after {
            let Step::Exchange { .. } = &step else { unreachable!() };
            take(&mut world, step.clone());
            take(&mut again, step);
            prop_assert_eq!(replies(&mut again), replies(&mut world));
            prop_assert_eq!(plans(&again), plans(&world));
        }
        let actions = again.calls.close_all(again.now, &again.streams);
        again.finish(actions);
        prop_assert!(again.pool.held.is_empty());
    }
}

#[test]
fn what_streams_had_learned_opens_them_again() {
    let mut world = journaled();
    let (port, _) = world.call();
    world.packet(port);
    let mut again = successor(&world);
    let snapshot = rmp_serde::from_slice(&journal(&world)[0]).unwrap();
    let restored = again
        .calls
        .restore(snapshot, again.now, &mut again.pool)
        .unwrap();
    let packets: Vec<u64> = restored
        .actions
        .iter()
        .map(|action| match action {
            Action::Open { learned, .. } => learned.as_ref().map_or(0, |learned| learned.packets),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(packets.iter().sum::<u64>(), 1);
    assert_eq!(packets.len(), 4);
}

/// What is said to two worlds that are to be the same before and after.
fn to_both(worlds: &mut [World; 2], said: &Command) {
    let [one, other] = worlds.each_mut();
    let replies = [&mut *one, &mut *other].map(|world| format!("{:?}", world.send(said.clone()).0));
    assert_eq!(replies[0], replies[1]);
    assert_eq!(plans(one), plans(other));
}

#[test]
fn subscriptions_blocks_and_labels_survive() {
    let mut world = journaled();
    world.send(offer(&audio(A, 4000)).with("label", "A"));
    world.send(answer(&audio(B, 5000)).with("label", "B"));
    let about = |name: &'static str| command(name).with("call-id", "c");
    let subscribed = world.send(about("subscribe request").with("from-tag", "a"));
    let tag = subscribed.text("to-tag").to_owned();
    let listener = |name: &'static str| about(name).with("to-tag", tag.clone());
    world.send(listener("subscribe answer").with("sdp", audio("198.51.100.30", 6000)));
    world.send(about("block media").with("label", "B"));
    world.send(
        about("block DTMF")
            .with("from-tag", "a")
            .list("flags", &["directional"]),
    );
    world.send(about("start forwarding"));
    let again = restarted(&world);
    assert_eq!(plans(&again), plans(&world));
    let mut worlds = [world, again];
    for said in [
        about("query"),
        about("block media").with("label", "A"),
        offer(&audio(A, 4002)).with("to-tag", "b"),
        answer(&audio(B, 5000)),
        about("unblock media").with("label", "B"),
        about("query"),
        listener("unsubscribe"),
        about("query"),
    ] {
        to_both(&mut worlds, &said);
    }
}

/// Calls that became one are one in the journal, and known by both names.
#[test]
fn calls_that_became_one_survive_as_one() {
    let mut world = journaled();
    world.call();
    let other = |command: Command| command.but("call-id", "d").but("from-tag", "x");
    world.send(other(offer(&audio(A, 7000))));
    world.send(other(answer_by("y", &audio(B, 8000))));
    let connected = command("connect")
        .with("call-id", "c")
        .with("from-tag", "a")
        .with("to-call-id", "d")
        .with("to-tag", "y");
    assert_eq!(world.send(connected).result(), "ok");
    let again = restarted(&world);
    let mut worlds = [world, again];
    for said in [
        command("query").with("call-id", "d"),
        command("query").with("call-id", "c"),
        command("delete")
            .with("call-id", "d")
            .with("delete-delay", 0),
        command("query").with("call-id", "c"),
    ] {
        to_both(&mut worlds, &said);
    }
}

#[test]
fn a_media_timeout_begins_anew() {
    let mut world = journaled();
    world.call();
    world.pass(29);
    let mut again = restarted(&world);
    again.pass(29);
    assert_eq!(again.calls.len(), 1);
    again.pass(2);
    assert!(again.calls.is_empty());
}

#[test]
fn a_delete_that_waits_takes_effect_when_it_would_have() {
    let mut world = journaled();
    world.call();
    world.send(delete().with("delete-delay", 5));
    world.pass(3);
    let mut again = restarted(&world);
    again.pass(1);
    assert_eq!(again.calls.len(), 1);
    again.pass(2);
    assert!(again.calls.is_empty());
    assert!(again.pool.held.is_empty());
}

#[test]
fn a_new_call_has_a_key_of_its_own() {
    let mut world = journaled();
    world.call();
    let mut again = restarted(&world);
    again.send(offer(&audio(A, 4000)).but("call-id", "new"));
    assert_eq!(again.calls.keys_after(None, 9), [CallKey(0), CallKey(1)]);
}

#[test]
fn a_call_goes_on_without_a_port_that_is_lost_and_gets_another_in_the_next_offer() {
    let mut world = journaled();
    let (towards_b, towards_a) = world.call();
    let mut again = successor(&world);
    let lost: SocketAddr = (ip(LOCAL), towards_b).into();
    let why = RetakeError::NotBound {
        address: lost,
        reason: "in use".into(),
    };
    again.pool.refused.insert(lost, why.clone());
    let snapshot = rmp_serde::from_slice(&journal(&world)[0]).unwrap();
    let restored = again
        .calls
        .restore(snapshot, again.now, &mut again.pool)
        .unwrap();
    assert_eq!(restored.lost, [why]);
    again.finish(restored.actions);
    assert_eq!(again.plans.len(), 2, "those towards a");
    let offered = again.send(offer(&audio(A, 4000)).with("to-tag", "b"));
    assert_ne!(offered.port(), towards_b);
    let answered = again.send(answer(&audio(B, 5000)));
    assert_eq!(answered.port(), towards_a);
}

#[test]
fn a_call_that_has_lost_all_its_ports_is_gone_and_holds_none() {
    let mut world = journaled();
    world.call();
    let mut again = successor(&world);
    let addresses = world.pool.held.values().map(|pair| pair.rtp.address);
    again.pool.refused = addresses
        .map(|address| (address, RetakeError::NotConfigured(address.ip())))
        .collect();
    let snapshot = rmp_serde::from_slice(&journal(&world)[0]).unwrap();
    let restored = again.calls.restore(snapshot, again.now, &mut again.pool);
    assert!(restored.is_err());
    assert!(again.calls.is_empty());
    assert!(again.pool.held.is_empty());
}

#[test]
fn another_version_reads_what_it_knows() {
    #[derive(serde::Serialize)]
    struct Later {
        call: Unknown,
        something_new: Vec<u8>,
    }
    #[derive(serde::Serialize)]
    struct Unknown {
        delete_at: Option<u64>,
        mood: &'static str,
    }
    let later = Later {
        call: Unknown {
            delete_at: Some(7),
            mood: "good",
        },
        something_new: vec![1, 2],
    };
    let payload = rmp_serde::to_vec_named(&later).unwrap();
    let snapshot: Snapshot = rmp_serde::from_slice(&payload).unwrap();
    assert_eq!(snapshot.key(), CallKey(0));
    assert_eq!(snapshot.call_id(), &"");
}

#[test]
fn what_changes_is_noted_and_what_fails_is_not() {
    let mut world = journaled();
    world.call();
    assert_eq!(Vec::from_iter(world.calls.take_changes()), [CallKey(0)]);
    world.send(offer("not SDP"));
    world.send(command("query").with("call-id", "c"));
    assert!(world.calls.take_changes().is_empty());
    world.send(delete().with("delete-delay", 0));
    assert_eq!(Vec::from_iter(world.calls.take_changes()), [CallKey(0)]);
    assert_eq!(world.calls.name_of(CallKey(0)), None);
}
