//! Calls that nobody ends, and deletes that wait: by short timeouts, and by what happens first, never by how long it takes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lab::call::{answer_request, new_call_id, offer_request, sent_sdp};
use lab::{CallOptions, Engine, Lab, NgClient, Relay, Stage, TwoNetworks, Wiring, sdp, wait_until};
use serde_json::{Value, json};

fn offer(id: &str, direction: &str) -> Value {
    let sdp = sdp::audio_with("10.1.0.2:4000".parse().unwrap(), direction);
    offer_request(id, &sdp, &CallOptions::default())
}

fn answer(id: &str, direction: &str) -> Value {
    let sdp = sdp::audio_with("10.2.0.2:4000".parse().unwrap(), direction);
    answer_request(id, &sdp, &CallOptions::default())
}

fn is_up(ng: &NgClient, id: &str) -> bool {
    ng.request(&json!({"command": "query", "call-id": id}))["result"] == "ok"
}

fn wait_for_end(ng: &NgClient, id: &str) {
    wait_until("the end of the call", || !is_up(ng, id));
}

/// A silent call ends, and one whose packets the engine forwards lives on.
fn a_silent_call_ends(engine: Engine) {
    let lab = if engine == Engine::Null {
        Lab::for_underpass()
    } else {
        Lab::for_kernel_path()
    };
    let Some(lab) = lab else { return };
    let stage = Stage::start(
        &lab,
        Relay::under_test().engine(engine).option("--timeout=4"),
    );
    let Stage { ng, relay, net } = &stage;
    let talking = stage.call();
    talking.talk(5);
    if engine != Engine::Null {
        talking.bring_into_kernel(ng);
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                talking.send_both(10);
            }
        });
        // Twice the timeout of the call that talks.
        for _ in 0..2 {
            let silent = stage.call();
            wait_for_end(ng, &silent.id);
        }
        assert!(is_up(ng, &talking.id));
        stop.store(true, Ordering::Relaxed);
    });
    wait_for_end(ng, &talking.id);
    relay.assert_idle(&net.relay);
    assert_eq!(relay.metrics(&net.relay).ended_by("timeout"), 3);
}

#[test]
fn a_silent_call_ends_and_one_that_user_space_forwards_lives_on() {
    a_silent_call_ends(Engine::Null);
}

#[test]
fn a_silent_call_ends_and_one_that_the_kernel_forwards_lives_on() {
    a_silent_call_ends(Engine::Tc);
}

/// With these timeouts, a call set up by `set_up` ends for this reason.
fn ends_by(options: &[&str], reason: &str, set_up: impl FnOnce(&NgClient, &str)) {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let launch = Relay::under_test().engine(Engine::Null).two_networks();
    let relay = options
        .iter()
        .fold(launch, |launch, option| launch.option(option))
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let id = new_call_id();
    set_up(&ng, &id);
    wait_for_end(&ng, &id);
    relay.assert_idle(&net.relay);
    assert_eq!(relay.metrics(&net.relay).ended_by(reason), 1);
}

/// The callee's stream has the offer timeout, the caller's the ordinary one; as in rtpengine, the longer of them counts.
#[test]
fn an_offer_that_is_not_answered_outlives_the_timeout_of_calls() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let stage = Stage::start(
        &lab,
        Relay::under_test()
            .engine(Engine::Null)
            .option("--timeout=1")
            .option("--offer-timeout=3600"),
    );
    let Stage { ng, relay, net } = &stage;
    let (ringing, answered) = (new_call_id(), new_call_id());
    ng.ok(&offer(&ringing, "sendrecv"));
    ng.ok(&offer(&answered, "sendrecv"));
    ng.ok(&answer(&answered, "sendrecv"));
    wait_for_end(ng, &answered);
    assert!(is_up(ng, &ringing));
    ng.ok(&answer(&ringing, "sendrecv"));
    wait_for_end(ng, &ringing);
    relay.assert_idle(&net.relay);
}

#[test]
fn an_offer_that_is_not_answered_ends_in_the_end() {
    ends_by(
        &["--timeout=1", "--offer-timeout=2"],
        "offer_timeout",
        |ng, id| {
            ng.ok(&offer(id, "sendrecv"));
        },
    );
}

#[test]
fn a_call_on_hold_ends_by_the_silent_timeout() {
    ends_by(&["--silent-timeout=1"], "silent_timeout", |ng, id| {
        ng.ok(&offer(id, "inactive"));
        ng.ok(&answer(id, "inactive"));
    });
}

#[test]
fn any_call_ends_by_the_final_timeout() {
    ends_by(&["--final-timeout=1"], "final_timeout", |ng, id| {
        ng.ok(&offer(id, "sendrecv"));
        ng.ok(&answer(id, "sendrecv"));
    });
}

#[test]
fn a_deleted_call_forwards_until_its_delay_is_over() {
    let Some(lab) = Lab::open() else { return };
    let stage = Stage::start(&lab, Relay::under_test());
    let Stage { ng, relay, net } = &stage;
    let call = stage.call();
    call.talk(10);
    let delete = |delay: u32| json!({"command": "delete", "call-id": call.id, "from-tag": "caller", "delete-delay": delay});
    ng.ok(&delete(3600));
    call.talk(10);
    ng.ok(&delete(0));
    relay.assert_idle(&net.relay);
}

#[test]
fn an_offer_within_the_delay_revives_a_call_on_its_ports() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let stage = Stage::start(&lab, Relay::under_test().engine(Engine::Null));
    let Stage { ng, relay, net } = &stage;
    let (revived, other) = (new_call_id(), new_call_id());
    let set_up = |id: &str| {
        let ports = sent_sdp(&ng.ok(&offer(id, "sendrecv")));
        ng.ok(&answer(id, "sendrecv"));
        ports
    };
    let delete = |id: &str| {
        ng.ok(
            &json!({"command": "delete", "call-id": id, "from-tag": "caller", "delete-delay": 5}),
        );
    };
    let ports = set_up(&revived);
    set_up(&other);
    delete(&revived);
    let again = offer(&revived, "sendrecv");
    assert_eq!(sent_sdp(&ng.ok(&again)), ports);
    // Deleted later, with the same delay: when it is gone, the other's would have been over, too.
    delete(&other);
    wait_for_end(ng, &other);
    assert!(is_up(ng, &revived));
    ng.ok(&json!({"command": "delete", "call-id": revived}));
    relay.assert_idle(&net.relay);
}
