//! A relay that dies and comes back: its calls go on, on the ports they had, and it answers for them.

use lab::relay::Launch;
use lab::{Call, CallOptions, Engine, Lab, Relay, TwoNetworks, Wiring, sdp, wait};
use nix::sys::signal::Signal;
use serde_json::json;

/// A relay in user space with a journal of its own.
fn launch() -> Launch {
    Relay::underpass()
        .engine(Engine::Null)
        .table("-1")
        .two_networks()
}

/// Waits until what the relay has answered so far is in its journal, by its own measure of time.
fn wait_for_the_journal(launch: &Launch, calls: usize) {
    let reads = |path: &std::path::Path| {
        let bytes = std::fs::read(path).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.matches("call_id").count()
    };
    wait::wait_until("the calls in the journal", || {
        let entries = std::fs::read_dir(launch.state()).into_iter().flatten();
        let files = entries
            .flatten()
            .map(|entry| entry.path().join("journal.db"));
        files.map(|file| reads(&file)).sum::<usize>() >= calls
    });
}

fn sum(call: &Call, relay: &Relay, net: &TwoNetworks) -> u64 {
    let reply = call.query(&relay.client(&net.relay));
    reply["totals"]["RTP"]["packets"].as_u64().unwrap()
}

#[test]
fn calls_go_on_after_kill_9_on_the_same_ports_without_a_word_of_signalling() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let launch = launch();
    let mut relay = launch.clone().start(&net.relay);
    let ng = relay.client(&net.relay);
    let set_up = |_| Call::set_up(&net, &ng, &CallOptions::default());
    let calls: Vec<Call> = (0..5).map(set_up).collect();
    calls.iter().for_each(|call| call.talk(5));
    calls.iter().for_each(Call::exchange_rtcp);
    wait_for_the_journal(&launch, calls.len());
    relay.process().kill();

    let relay = launch.start(&net.relay);
    let ng = relay.client(&net.relay);
    assert_eq!(relay.calls(&net.relay).len(), calls.len());
    for call in &calls {
        call.talk(5);
        call.exchange_rtcp();
        assert!(sum(call, &relay, &net) >= 10);
    }
    // A re-INVITE keeps the ports that the parties know.
    let call = &calls[0];
    let offer = sdp::audio(call.caller.address());
    let request = json!({
        "command": "offer", "call-id": call.id, "from-tag": "caller", "to-tag": "callee", "sdp": offer, "ICE": "remove",
        "replace": ["origin", "session-connection"],
    });
    assert_eq!(lab::call::sent_sdp(&ng.ok(&request)), call.callee_to);
    call.talk(5);
    calls.iter().for_each(|call| call.hang_up(&ng));
    relay.assert_idle(&net.relay);
}

#[test]
fn a_relay_hands_its_calls_over_on_sigusr2() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let launch = launch();
    let mut relay = launch.clone().start(&net.relay);
    let call = Call::set_up(&net, &relay.client(&net.relay), &CallOptions::default());
    call.talk(5);
    let before = sum(&call, &relay, &net);
    relay.process().signal(Signal::SIGUSR2);
    assert!(relay.process().wait().success());

    let relay = launch.start(&net.relay);
    assert_eq!(
        sum(&call, &relay, &net),
        before,
        "nothing that was counted is lost"
    );
    call.talk(5);
    call.hang_up(&relay.client(&net.relay));
    relay.assert_idle(&net.relay);
}

#[test]
fn calls_that_ended_before_the_end_do_not_come_back() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let launch = launch();
    let mut relay = launch.clone().start(&net.relay);
    let call = Call::set_up(&net, &relay.client(&net.relay), &CallOptions::default());
    wait_for_the_journal(&launch, 1);
    relay.process().signal(Signal::SIGTERM);
    assert!(relay.process().wait().success());
    drop(call);
    let relay = launch.start(&net.relay);
    relay.assert_idle(&net.relay);
}

#[test]
fn a_damaged_journal_is_said_and_keeps_nothing_from_starting() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let launch = launch().option("--identity=media-1");
    let directory = launch.state().join("media-1");
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("journal.db"), [0x5a; 100_000]).unwrap();
    let mut relay = launch.clone().start(&net.relay);
    assert!(relay.process().log().contains("the journal is damaged"));
    let call = Call::set_up(&net, &relay.client(&net.relay), &CallOptions::default());
    wait_for_the_journal(&launch, 1);
    relay.process().kill();
    let relay = launch.start(&net.relay);
    call.talk(5);
    call.hang_up(&relay.client(&net.relay));
    relay.assert_idle(&net.relay);
}

#[test]
fn a_journal_that_cannot_be_kept_is_told_in_the_metrics_until_it_can() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let launch = launch().option("--identity=media-1");
    let in_the_way = launch.state().join("media-1");
    std::fs::write(&in_the_way, "no directory").unwrap();
    let relay = launch.start(&net.relay);
    let in_trouble = || relay.metrics(&net.relay).journal_in_trouble();
    assert_eq!(in_trouble(), Some(true));
    std::fs::remove_file(&in_the_way).unwrap();
    wait::wait_until("a journal", || in_trouble() == Some(false));
}
