//! Tables are open to anyone who looks, and nothing of them stays when their relay is gone.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use lab::relay::{Launch, underpass_binary};
use lab::{Call, CallOptions, Engine, Lab, Relay, TwoNetworks, Wiring, wait_until};
use serde_json::Value;

/// What `underpass tables --json` says of the table that the process owns.
fn table_of(relay: &mut Relay) -> Option<Value> {
    let pid = u64::from(relay.process().pid());
    let listing = Command::new(underpass_binary())
        .args(["tables", "--json"])
        .output()
        .unwrap();
    let tables: Vec<Value> = serde_json::from_slice(&listing.stdout).unwrap();
    tables
        .into_iter()
        .find(|table| table["owner"]["pid"] == pid)
}

/// Where the maps of a table are pinned.
fn pins(table: &Value) -> PathBuf {
    let layouts = fs::read_dir("/sys/fs/bpf/underpass").unwrap();
    let number = table["table"].to_string();
    layouts
        .map(|layout| layout.unwrap().path().join("tables").join(&number))
        .find(|directory| directory.is_dir())
        .expect("the table's maps are pinned")
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
    let maps = fs::read_dir(pins(&table)).unwrap();
    let mut maps: Vec<_> = maps.map(|map| map.unwrap().file_name()).collect();
    maps.sort();
    assert_eq!(maps, ["HEADER", "OUTCOMES", "PORTS", "RECORDS"]);
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
    let pins = pins(&table_of(&mut relay).unwrap());
    relay.process().signal(nix::sys::signal::Signal::SIGTERM);
    relay.process().wait();
    assert!(!pins.exists(), "{}", pins.display());
    assert_eq!(table_of(&mut relay), None);
}

#[test]
fn a_killed_relay_s_table_is_dead_and_the_next_owner_starts_it_empty() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let (mut killed, call) = start(&net, &launch());
    let number = table_of(&mut killed).unwrap()["table"].to_string();
    killed.process().kill();
    // Another test's `auto` may be faster: then that has shown what is to be shown here.
    let Some(table) = table_of(&mut killed) else {
        return;
    };
    assert_eq!(table["alive"], false, "{table}");
    let again = launch().table(&number);
    let mut relay = again.spawn(&net.relay);
    wait_until("a pong, or the end of the relay", || {
        !relay.process().is_running() || relay.client(&net.relay).pings()
    });
    if !relay.process().is_running() {
        assert!(
            relay.process().log().contains("table"),
            "{}",
            relay.process().log()
        );
        return;
    }
    let table = table_of(&mut relay).unwrap();
    assert_eq!(table["usage"]["flows"], 0, "{table}");
    assert_eq!(table["usage"]["packets"], 0, "{table}");
    // The dead relay's program is gone, too: nobody forwards for its call.
    let before = call.callee.arrivals().len();
    let ng = relay.client(&net.relay);
    call.send_both(20);
    let new = Call::set_up(&net, &ng, &CallOptions::default());
    new.bring_into_kernel(&ng);
    assert_eq!(call.callee.arrivals().len(), before);
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
        let relay = |ports: [u16; 2]| {
            launch()
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
        first.process().kill();
        second_call.talk(100);
        settled(&second, &second_call);
        assert_eq!(in_kernel(&second), after[1] + 200, "{engine:?}");
    }
}
