//! Tables are claimed atomically: two relays on one machine never share one.

use std::process::Command;

use lab::relay::{Launch, underpass_binary};
use lab::{Engine, Lab, Netns, Relay, TwoNetworks, Wiring};
use serde_json::Value;

/// Two relays for one namespace, each with an interface of its own.
fn two(table: &str) -> [Launch; 2] {
    let launch = || Relay::underpass().engine(Engine::Tc).table(table);
    let first = launch().interface("a/10.1.0.1");
    [
        first,
        launch()
            .interface("b/10.2.0.1")
            .listen("127.0.0.1:2224", "127.0.0.1:9102"),
    ]
}

fn start_both(ns: &Netns, launches: [Launch; 2]) -> Vec<Relay> {
    let [first, second] = launches;
    let mut relays = vec![first.spawn(ns), second.spawn(ns)];
    for relay in &mut relays {
        lab::wait_until("a pong, or the end of the relay", || {
            !relay.process().is_running() || relay.client(ns).pings()
        });
    }
    relays
}

#[test]
fn started_at_the_same_instant_with_table_auto_they_get_two_tables() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let mut relays = start_both(&net.relay, two("auto"));
    for relay in &mut relays {
        assert!(relay.process().is_running(), "{}", relay.process().log());
    }
    let tables: Vec<_> = relays.iter_mut().map(tables_of).collect();
    assert_eq!((tables[0].len(), tables[1].len()), (1, 1), "{tables:?}");
    assert_ne!(tables[0], tables[1]);
}

#[test]
fn started_at_the_same_instant_with_one_number_one_stops_and_names_the_other() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    // Tables belong to the machine: another run of these tests may want one at the same time.
    let number = (std::process::id() % 64).to_string();
    let mut relays = start_both(&net.relay, two(&number));
    relays.sort_by_cached_key(|relay| !relay.client(&net.relay).pings());
    let [winner, loser] = &mut relays[..] else {
        panic!("two relays were started")
    };
    assert!(winner.process().is_running());
    assert!(
        !loser.process().is_running(),
        "both run with table {number}"
    );
    assert!(!loser.process().wait().success());
    let (log, owner) = (loser.process().log(), winner.process().pid().to_string());
    assert!(
        log.contains(&owner),
        "the owner, process {owner}, is not named:\n{log}"
    );
}

/// The tables that the process owns, as `underpass tables` lists them.
fn tables_of(relay: &mut Relay) -> Vec<u64> {
    let pid = u64::from(relay.process().pid());
    let listing = Command::new(underpass_binary())
        .args(["tables", "--json"])
        .output()
        .unwrap();
    let tables: Vec<Value> = serde_json::from_slice(&listing.stdout).unwrap();
    let own = tables.iter().filter(|table| table["owner"]["pid"] == pid);
    own.map(|table| table["table"].as_u64().unwrap()).collect()
}
