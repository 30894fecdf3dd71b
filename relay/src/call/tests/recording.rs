//! What is recorded, what the recorder is told, and what clients see of it.

use proptest::prelude::*;

use super::world::*;
use crate::call::{Ending, Notice, Settings, Snapshot};
use crate::plan::{Action, Recording, RecordingId};

const DIRECTORY: &str = "/var/spool/rtpengine";

fn world() -> World {
    World::with(Settings {
        recording_dir: Some(DIRECTORY.to_owned()),
        delete_delay: 0,
        ..Settings::default()
    })
}

fn control(name: &'static str) -> Command {
    command(name).with("call-id", "c")
}

/// What the recorder was told by the last command.
fn told(world: &World) -> Vec<Recording> {
    let told = world.actions.iter().filter_map(|action| match action {
        Action::Record(event) => Some(event.clone()),
        _ => None,
    });
    told.collect()
}

/// A call with a recording that has begun; which one, and what its files are called.
fn recorded(world: &mut World) -> (RecordingId, String) {
    world.call();
    world.send(control("start recording"));
    let [Recording::Begin { id, name }] = &told(world)[..] else {
        panic!("{:?}", world.actions);
    };
    (*id, name.clone())
}

/// The recordings that packets of the call's streams go to; one entry a stream.
fn sinks(world: &World) -> Vec<Option<RecordingId>> {
    world.plans.values().map(|plan| plan.recording).collect()
}

fn is_recorded(world: &mut World) -> bool {
    let query = world.send(control("query"));
    let shown = query.at(&["recording", "call recording"]).unwrap();
    shown.as_integer() == Some(1)
}

#[test]
fn an_offer_with_record_call_begins_a_recording_and_names_its_file() {
    for offer in [
        offer(&audio(A, 4000)).list("flags", &["record-call"]),
        offer(&audio(A, 4000)).with("record call", "yes"),
        offer(&audio(A, 4000)).with("record-call", "on"),
    ] {
        let mut world = world();
        let reply = world.send(offer.with("label", "caller"));
        let told = told(&world);
        let [
            Recording::Begin { id, name },
            Recording::Sdp {
                id: of,
                mode,
                label,
                started_us,
                body,
            },
        ] = &told[..]
        else {
            panic!("{told:?}");
        };
        let path = format!("{DIRECTORY}/pcaps/{name}.pcap");
        assert_eq!(
            reply.at(&["recordings", "0"]).unwrap().as_str(),
            Some(&*path)
        );
        assert_eq!((of, *mode, *started_us), (id, "offer", world.now.wall_us));
        assert_eq!(label.as_deref(), Some(&b"caller"[..]));
        assert_eq!(body, reply.sdp().as_bytes());
        assert!(sinks(&world).iter().all(|sink| *sink == Some(*id)));

        let reply = world.send(answer(&audio(B, 5000)));
        assert_eq!(
            reply.at(&["recordings", "0"]).unwrap().as_str(),
            Some(&*path)
        );
        assert!(sinks(&world).iter().all(|sink| *sink == Some(*id)));
        assert!(is_recorded(&mut world));
    }
}

#[test]
fn a_call_is_not_recorded_unless_somebody_says_so() {
    let mut world = world();
    world.call();
    assert_eq!(told(&world), []);
    assert!(sinks(&world).iter().all(Option::is_none));
    assert!(!is_recorded(&mut world));
}

#[test]
fn an_offer_that_fails_begins_no_recording() {
    let mut world = world();
    world.pool.left = 1;
    let reply = world.send(offer(&audio(A, 4000)).with("record-call", "yes"));
    assert_eq!(reply.reason(), "Ran out of ports");
    assert_eq!(world.actions, []);
}

#[test]
fn the_commands_need_a_call_that_is_known() {
    for name in ["start recording", "pause recording", "stop recording"] {
        let mut world = world();
        assert_eq!(world.send(command(name)).reason(), "No call-id in message");
        assert_eq!(world.send(control(name)).reason(), "Unknown call-id");
        world.call();
        assert_eq!(world.send(control(name)).result(), "ok");
        assert_eq!(
            world
                .send(control(name).with("from-tag", "nobody"))
                .result(),
            "ok"
        );
    }
}

#[test]
fn starting_twice_is_starting_once() {
    let mut world = world();
    recorded(&mut world);
    world.send(control("start recording"));
    assert_eq!(told(&world), []);
    world.send(offer(&audio(A, 4000)).with("record-call", "yes"));
    assert!(matches!(told(&world)[..], [Recording::Sdp { .. }]));
}

#[test]
fn a_recording_that_is_stopped_is_complete_and_the_next_has_other_files() {
    let mut world = world();
    let created_us = world.now.wall_us;
    let (id, name) = recorded(&mut world);
    world.pass(2);
    world.send(control("stop recording").with("metadata", "k:v"));
    let end = Recording::End {
        id,
        created_us,
        terminated_us: 0,
        at_us: world.now.wall_us,
        metadata: Some("k:v".into()),
    };
    assert_eq!(told(&world), [end]);
    assert!(sinks(&world).iter().all(Option::is_none));
    assert!(!is_recorded(&mut world));

    world.send(control("start recording"));
    let told = told(&world);
    assert!(
        matches!(&told[..], [Recording::Begin { id: other, name: new }] if *other != id && *new != name),
        "{told:?}"
    );
}

#[test]
fn record_call_no_stops() {
    for word in ["no", "off"] {
        let mut world = world();
        recorded(&mut world);
        let reply = world.send(offer(&audio(A, 4000)).with("record-call", word));
        assert!(matches!(told(&world)[..], [Recording::End { .. }]));
        assert_eq!(reply.at(&["recordings"]), None);
    }
}

#[test]
fn a_pause_leaves_a_gap_in_the_same_files() {
    for pause in [
        control("pause recording"),
        control("stop recording").list("flags", &["pause"]),
        control("stop recording").with("pause", "yes"),
    ] {
        let mut world = world();
        let (id, _) = recorded(&mut world);
        let at_us = world.now.wall_us;
        world.send(pause.clone());
        assert_eq!(told(&world), [Recording::Pause { id, at_us }]);
        assert!(sinks(&world).iter().all(Option::is_none));
        assert!(!is_recorded(&mut world));
        world.send(pause);
        assert_eq!(told(&world), []);

        world.send(offer(&audio(A, 4000)).with("record-call", "yes"));
        assert!(
            sinks(&world).iter().all(Option::is_none),
            "an offer does not end a pause"
        );

        world.send(control("start recording"));
        assert_eq!(told(&world), [Recording::Resume { id, at_us }]);
        assert!(sinks(&world).iter().all(|sink| *sink == Some(id)));
    }
}

#[test]
fn a_discarded_recording_leaves_nothing() {
    for discard in [
        control("stop recording").list("flags", &["discard-recording"]),
        offer(&audio(A, 4000)).list("flags", &["discard-recording"]),
        offer(&audio(A, 4000)).with("record-call", "discard"),
    ] {
        let mut world = world();
        let (id, _) = recorded(&mut world);
        world.send(discard);
        assert_eq!(told(&world), [Recording::Discard { id }]);
        assert!(sinks(&world).iter().all(Option::is_none));
    }
}

#[test]
fn both_parties_of_an_exchange_that_excludes_recording_are_not_recorded() {
    let mut world = world();
    let offered = offer(&audio(A, 4000)).list("flags", &["record-call", "exclude-recording"]);
    world.send(offered);
    world.send(answer(&audio(B, 5000)));
    assert!(sinks(&world).iter().all(Option::is_none));
    let query = world.send(control("query"));
    for tag in ["a", "b"] {
        let excluded = query.at(&["tags", tag, "recording", "excluded"]).unwrap();
        assert_eq!(excluded.as_integer(), Some(1), "{tag}");
    }
}

#[test]
fn parties_that_nobody_excluded_go_on_being_recorded_beside_those_that_are() {
    let mut world = world();
    world.send(offer(&audio(A, 4000)).list("flags", &["record-call"]));
    world.send(answer(&audio(B, 5000)));
    let branch = offer(&audio(A, 4000)).with("via-branch", "2");
    world.send(branch.list("flags", &["exclude-recording"]));
    let query = world.send(control("query"));
    let excluded = |tag| query.at(&["tags", tag, "recording", "excluded"]).unwrap();
    assert_eq!(excluded("a").as_integer(), Some(1));
    assert_eq!(excluded("b").as_integer(), Some(0));
}

#[test]
fn the_recording_of_a_call_ends_with_it() {
    let mut world = world();
    let (id, _) = recorded(&mut world);
    let created_us = world.now.wall_us;
    world.pass(3);
    world.send(delete().with("from-tag", "a"));
    let now = world.now.wall_us;
    let end = Recording::End {
        id,
        created_us,
        terminated_us: now,
        at_us: now,
        metadata: None,
    };
    assert_eq!(world.actions.first(), Some(&Action::Record(end)));
    assert!(world.recordings.is_empty());
}

#[test]
fn without_a_directory_nothing_is_recorded_and_that_is_said() {
    let mut world = World::new();
    world.call();
    world.calls.take_notices();
    assert_eq!(world.send(control("start recording")).result(), "ok");
    assert_eq!(world.actions, []);
    let notices = world.calls.take_notices();
    let [Notice::Warning { text, .. }] = &notices[..] else {
        panic!("{notices:?}");
    };
    assert!(text.contains("there is no recording-dir"), "{text}");
}

#[test]
fn a_recording_that_fails_ends_and_the_call_goes_on() {
    let mut world = world();
    let (id, _) = recorded(&mut world);
    world.calls.take_notices();
    let actions = world
        .calls
        .recording_failed(id, "No space left on device", world.now);
    world.finish(actions);
    assert!(matches!(told(&world)[..], [Recording::End { .. }]));
    assert!(sinks(&world).iter().all(Option::is_none));
    assert!(!is_recorded(&mut world));
    let notices = world.calls.take_notices();
    assert!(
        matches!(&notices[..], [Notice::Warning { text, .. }] if text == "the call is no longer recorded: No space left on device"),
        "{notices:?}"
    );
    // It may fail in two ways at once.
    assert_eq!(world.calls.recording_failed(id, "again", world.now), []);
}

#[test]
fn after_a_restart_the_recording_goes_on_in_other_files() {
    for pause in [false, true] {
        let mut world = world();
        world.calls.follow_changes();
        let (_, name) = recorded(&mut world);
        if pause {
            world.send(control("pause recording"));
        }
        let key = world.calls.keys_after(None, 1)[0];
        let snapshot = world.calls.snapshot(key, &world.streams).unwrap();
        let payload = rmp_serde::to_vec_named(&snapshot).unwrap();

        let mut successor = self::world();
        successor.now = world.now;
        successor.pass(1);
        let snapshot: Snapshot = rmp_serde::from_slice(&payload).unwrap();
        let now = successor.now;
        let restored = successor.calls.restore(snapshot, now, &mut successor.pool);
        successor.finish(restored.unwrap().actions);
        let told = told(&successor);
        let [Recording::Begin { id, name: new }] = &told[..] else {
            panic!("{told:?}");
        };
        assert_ne!(*new, name);
        let expected = (!pause).then_some(*id);
        assert!(sinks(&successor).iter().all(|sink| *sink == expected));
    }
}

#[test]
fn forwarding_is_kept_and_shown() {
    let mut world = world();
    world.call();
    let shown = |world: &mut World, path: &[&str]| {
        let query = world.send(control("query"));
        let path = [path, &["recording", "forwarding"]].concat();
        query.at(&path).unwrap().as_integer() == Some(1)
    };
    world.send(control("start forwarding"));
    assert!(shown(&mut world, &[]) && !shown(&mut world, &["tags", "a"]));
    world.send(control("stop forwarding"));
    assert!(!shown(&mut world, &[]));

    world.send(control("start forwarding").with("from-tag", "a"));
    assert!(shown(&mut world, &["tags", "a"]) && !shown(&mut world, &["tags", "b"]));
    world.send(control("stop forwarding").with("all", "all"));
    assert!(!shown(&mut world, &["tags", "a"]));
    let reply = world.send(control("start forwarding").with("from-tag", "nobody"));
    assert_eq!(reply.reason(), "From-tag given, but no such tag exists");
}

#[test]
fn a_call_id_is_escaped_as_rtpengine_escapes_it() {
    let mut world = world();
    let offer = offer(&audio(A, 4000)).but("call-id", "x/../y z@h");
    world.send(offer.with("record-call", "yes"));
    let Recording::Begin { name, .. } = &told(&world)[0] else {
        panic!("{:?}", world.actions);
    };
    let (escaped, tag) = name.rsplit_once('-').unwrap();
    assert_eq!(escaped, "x%2F..%2Fy%20z%40h");
    assert_eq!(tag.len(), 16);
    assert!(tag.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

proptest! {
    #[test]
    fn no_call_id_leads_out_of_the_directory(id in proptest::collection::vec(any::<u8>(), 1..400)) {
        let mut world = world();
        let offer = offer(&audio(A, 4000)).but("call-id", bytes::Bytes::from(id));
        world.send(offer.with("record-call", "yes"));
        let told = told(&world);
        let Recording::Begin { name, .. } = &told[0] else {
            panic!("{told:?}");
        };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        prop_assert!(name.bytes().all(is_plain));
        let longest = ["rtpengine-meta-", name, ".txt"].concat();
        prop_assert!(longest.len() <= 255);
    }
}

#[test]
fn an_end_by_timeout_ends_the_recording() {
    let mut world = world();
    recorded(&mut world);
    for _ in 0..61 {
        world.pass(1);
    }
    assert!(world.calls.is_empty() && world.recordings.is_empty());
    let notices = world.calls.take_notices();
    let ended = |notice: &Notice| {
        matches!(
            notice,
            Notice::Ended {
                ending: Ending::Timeout,
                ..
            }
        )
    };
    assert!(notices.iter().any(ended), "{notices:?}");
}
