//! Tables are open to anyone who looks, and nothing of them stays when their relay is gone.

use lab::relay::Launch;
use lab::{Call, CallOptions, Engine, Lab, Node, Relay, TwoNetworks, Wiring, wait_until};
use serde_json::Value;

/// What `underpass tables --json` says of the table that the relay owns, or owned last.
fn table_of(relay: &mut Relay) -> Option<Value> {
    let pid = relay.process().pid();
    relay.node().table_of(pid)
}

fn start(net: &TwoNetworks, launch: &Launch) -> (Relay, Call) {
    let relay = launch.clone().start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(net, &ng, &CallOptions::default());
    call.bring_into_kernel(&ng);
    (relay, call)
}

fn launch() -> Launch {
    Relay::underpass().engine(Engine::Tc).two_networks()
}

#[test]
fn flows_and_packets_are_listed_while_calls_are_up() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let (mut relay, call) = start(&net, &launch());
    let packets = |relay: &mut Relay| table_of(relay).unwrap()["usage"]["packets"].clone();
    let before = packets(&mut relay).as_u64().unwrap();
    call.talk(100);
    wait_until("the packets in the table", || {
        packets(&mut relay) == before + 200
    });
    let table = table_of(&mut relay).unwrap();
    assert_eq!(table["usage"]["flows"], 2, "{table}");
    assert_eq!(table["alive"], true, "{table}");
    let pins = relay.node().pins();
    for map in ["HEADER", "OUTCOMES", "PORTS", "RECORDS"] {
        assert!(pins.iter().any(|pin| pin.ends_with(map)), "{map}: {pins:?}");
    }
    call.hang_up(&relay.client(&net.relay));
    wait_until("the end of both flows", || {
        table_of(&mut relay).unwrap()["usage"]["flows"] == 0
    });
}

#[test]
fn a_relay_that_ends_leaves_no_pin_and_no_table() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let (mut relay, _call) = start(&net, &launch());
    assert!(!relay.node().pins().is_empty());
    relay.process().signal(nix::sys::signal::Signal::SIGTERM);
    relay.process().wait();
    relay.node().assert_empty();
    assert_eq!(table_of(&mut relay), None);
}

#[test]
fn a_killed_relay_s_table_stays_for_its_lease_and_is_nobody_else_s() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let (mut killed, call) = start(&net, &launch());
    let table = table_of(&mut killed).unwrap();
    assert_eq!(table["lease_left_ms"], Value::Null, "{table}");
    killed.process().kill();
    let table = table_of(&mut killed).unwrap();
    assert_eq!(table["alive"], false, "{table}");
    let left = table["lease_left_ms"].as_u64().unwrap();
    // A little more than the lease: the last sign of life may have been a second old.
    let most = table["lease_ms"].as_u64().unwrap() + 2000;
    assert!(0 < left && left <= most, "{table}");
    assert_eq!(table["usage"]["flows"], 2, "{table}");
    // The program forwards on, without anybody.
    call.talk(20);
    let number = table["table"].to_string();
    let another = launch().on(killed.node()).table(&number);
    let (status, log) = another.start_refused(&net.relay);
    assert!(!status.success());
    let owner = killed.process().pid().to_string();
    assert!(
        log.contains(&owner),
        "the owner, {owner}, is not named:\n{log}"
    );
}

#[test]
fn a_table_is_released_by_hand_once_its_owner_is_gone() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let (mut relay, _call) = start(&net, &launch());
    let node = relay.node().clone();
    let number = table_of(&mut relay).unwrap()["table"].to_string();
    let (released, _, stderr) = node.tables_command(&["release", &number]);
    assert!(!released, "the owner lives");
    let owner = relay.process().pid().to_string();
    assert!(
        stderr.contains(&owner) && stderr.contains("--force"),
        "{stderr}"
    );
    assert!(table_of(&mut relay).is_some());
    relay.process().kill();
    let (released, _, stderr) = node.tables_command(&["release", &number]);
    assert!(released, "{stderr}");
    node.assert_empty();
    // The next owner starts it empty.
    let mut next = launch().on(&node).table(&number).start(&net.relay);
    let table = table_of(&mut next).unwrap();
    assert_eq!(table["usage"]["flows"], 0, "{table}");
    assert_eq!(table["usage"]["packets"], 0, "{table}");
}

#[test]
fn a_table_released_by_force_leaves_its_owner_in_user_space() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let (mut relay, call) = start(&net, &launch());
    let node = relay.node().clone();
    let number = table_of(&mut relay).unwrap()["table"].to_string();
    let (released, _, stderr) = node.tables_command(&["release", &number, "--force"]);
    assert!(released, "{stderr}");
    wait_until("the table to go", || node.records().is_empty());
    call.talk(20);
    assert!(relay.process().is_running());
}

/// Two relays on the same interfaces, told apart by their ports.
#[test]
fn two_relays_on_one_interface_forward_side_by_side() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    for (wiring, engine) in [
        (Wiring::Veth, Engine::Tc),
        (Wiring::VethWithXdpPeer, Engine::Xdp),
    ] {
        let net = TwoNetworks::build(&lab, wiring);
        let node = Node::new();
        let relay = |ports: [u16; 2]| {
            launch()
                .on(&node)
                .engine(engine)
                .option(&format!("--port-min={}", ports[0]))
                .option(&format!("--port-max={}", ports[1]))
        };
        let (mut first, first_call) = start(&net, &relay([40_000, 40_099]));
        let second = relay([41_000, 41_099]).listen("127.0.0.1:2224", "127.0.0.1:9102");
        let (mut second, second_call) = start(&net, &second);
        let tables = [&mut first, &mut second].map(|relay| table_of(relay).unwrap());
        assert_ne!(tables[0]["table"], tables[1]["table"]);
        let in_kernel = |relay: &Relay| relay.metrics(&net.relay).kernel_packets();
        let settled = |relay: &Relay, call: &Call| {
            let sent = || u64::from(call.caller.sent() + call.callee.sent());
            wait_until("the counters of every packet", || {
                let metrics = relay.metrics(&net.relay);
                metrics.kernel_packets() + metrics.userspace_packets() == sent()
            });
        };
        settled(&first, &first_call);
        settled(&second, &second_call);
        let before = [in_kernel(&first), in_kernel(&second)];
        first_call.talk(100);
        second_call.talk(100);
        settled(&first, &first_call);
        settled(&second, &second_call);
        let after = [in_kernel(&first), in_kernel(&second)];
        assert_eq!(after, before.map(|packets| packets + 200), "{engine:?}");
        // One is gone: both go on.
        first.process().kill();
        first_call.talk(100);
        second_call.talk(100);
        settled(&second, &second_call);
        assert_eq!(in_kernel(&second), after[1] + 200, "{engine:?}");
    }
}
