//! Tables are claimed atomically: relays of one node never share one, and there are 64.

use std::collections::BTreeSet;
use std::sync::Arc;

use lab::relay::Launch;
use lab::table::Table;
use lab::tenant::{Tenant, claim};
use lab::{
    Agent, Call, CallOptions, Engine, Family, Lab, Netns, Node, Relay, Side, TwoNetworks, Wiring,
};
use serde_json::{Value, json};

/// Tables of a node.
const TABLES: u16 = 64;

/// Relay number `n` of the namespace, with ports and addresses to listen at of its own.
fn relay(node: &Arc<Node>, n: u16, table: &str) -> Launch {
    let first = 40_000 + 100 * n;
    relay_with_ports(node, n, table, [first, first + 99])
}

fn relay_with_ports(node: &Arc<Node>, n: u16, table: &str, ports: [u16; 2]) -> Launch {
    let listen = 3000 + n;
    Relay::underpass()
        .engine(Engine::Tc)
        .two_networks()
        .on(node)
        .table(table)
        .listen(
            &format!("127.0.0.1:{listen}"),
            &format!("127.0.0.1:{}", listen + 100),
        )
        .option(&format!("--port-min={}", ports[0]))
        .option(&format!("--port-max={}", ports[1]))
}

/// Starts them at the same instant; returns when each has answered or ended.
#[track_caller]
fn start_all(ns: &Netns, launches: Vec<Launch>) -> Vec<Relay> {
    let mut relays: Vec<_> = launches
        .into_iter()
        .map(|launch| launch.spawn(ns))
        .collect();
    for relay in &mut relays {
        lab::wait_until("a pong, or the end of the relay", || {
            !relay.process().is_running() || relay.client(ns).pings()
        });
    }
    relays
}

/// The tables that the relay owns, as `underpass tables` lists them.
fn tables_of(relay: &mut Relay) -> Vec<u64> {
    let pid = u64::from(relay.process().pid());
    let tables = relay.node().tables().into_iter();
    let own = tables.filter(|table| table["owner"]["pid"] == pid && table["alive"] == true);
    own.filter_map(|table| table["table"].as_u64()).collect()
}

#[test]
fn eight_started_at_the_same_instant_get_eight_tables_on_one_interface() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let node = Node::new();
    let launches = (0..8).map(|n| relay(&node, n, "auto")).collect();
    let mut relays = start_all(&net.relay, launches);
    let mut taken = BTreeSet::new();
    for relay in &mut relays {
        assert!(relay.process().is_running(), "{}", relay.process().log());
        let own = tables_of(relay);
        assert_eq!(own.len(), 1, "{}", relay.process().log());
        taken.extend(own);
    }
    assert_eq!(taken.len(), 8, "{taken:?}");
    // Each forwards in the kernel, its calls among those of all others.
    let calls: Vec<_> = relays
        .iter()
        .map(|relay| {
            let ng = relay.client(&net.relay);
            Call::set_up(&net, &ng, &CallOptions::default())
        })
        .collect();
    for (relay, call) in relays.iter().zip(&calls) {
        call.bring_into_kernel(&relay.client(&net.relay));
    }
    calls.iter().for_each(|call| call.talk(20));
    for (relay, call) in relays.iter().zip(&calls) {
        assert!(call.is_in_kernel(&relay.client(&net.relay)));
    }
}

#[test]
fn two_share_an_address_by_halves_though_each_has_all_ports_of_another() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let node = Node::new();
    let shared = Side::A.relay(Family::V4);
    let relays = [1, 2].map(|n: u16| {
        let own = format!("10.2.0.{}", 10 + n);
        net.relay.address("b", &format!("{own}/24"));
        let listen = [3000 + n, 3100 + n].map(|port| format!("127.0.0.1:{port}"));
        let launch = Relay::underpass().engine(Engine::Tc).on(&node);
        let file = launch.state().with_extension("conf");
        let half = 40_000 + 100 * n;
        let sections = format!(
            "[underpass]\ninterfaces-config = interface\n\
             [interface-a]\naddress = {shared}\nport-min = {half}\nport-max = {}\n\
             [interface-b]\naddress = {own}\nport-min = 40000\nport-max = 40999\n",
            half + 99
        );
        std::fs::write(&file, sections).unwrap();
        let mut relay = launch
            .listen(&listen[0], &listen[1])
            .option(&format!("--config-file={}", file.display()))
            .start(&net.relay);
        let pid = relay.process().pid();
        let grant = node.table_of(pid).unwrap()["grant"].clone();
        let range = |first, last| json!({"first": first, "last": last});
        assert_eq!(
            grant["ports"]["at"],
            json!({shared.to_string(): range(half, half + 99)}),
            "{grant}"
        );
        relay
    });
    let (_, listed, _) = node.tables_command(&[]);
    for half in ["40100-40199", "40200-40299"] {
        assert!(
            listed.contains(&format!("{shared} ports {half}")),
            "{listed}"
        );
    }
    let options = CallOptions::default()
        .key("from-interface", "a")
        .key("to-interface", "b");
    let calls = relays.each_ref().map(|relay| {
        let ng = relay.client(&net.relay);
        let call = Call::set_up(&net, &ng, &options);
        call.bring_into_kernel(&ng);
        call
    });
    calls.iter().for_each(|call| call.talk(20));
    for (relay, call) in relays.iter().zip(&calls) {
        assert!(call.is_in_kernel(&relay.client(&net.relay)));
    }
}

#[test]
fn one_that_asks_for_a_taken_number_stops_and_names_the_owner() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let node = Node::new();
    let mut owner = relay(&node, 0, "5").start(&net.relay);
    let (status, log) = relay(&node, 1, "5").start_refused(&net.relay);
    assert!(!status.success());
    let pid = owner.process().pid().to_string();
    assert!(
        log.contains(&pid),
        "the owner, process {pid}, is not named:\n{log}"
    );
    assert_eq!(tables_of(&mut owner), [5]);
}

#[test]
fn started_at_the_same_instant_with_one_number_one_stops_and_names_the_other() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let node = Node::new();
    let launches = (0..2).map(|n| relay(&node, n, "9")).collect();
    let mut relays = start_all(&net.relay, launches);
    relays.sort_by_cached_key(|relay| !relay.client(&net.relay).pings());
    let [winner, loser] = &mut relays[..] else {
        panic!("two relays were started")
    };
    assert!(winner.process().is_running());
    assert!(!loser.process().is_running(), "both run with table 9");
    assert!(!loser.process().wait().success());
    let (log, owner) = (loser.process().log(), winner.process().pid().to_string());
    assert!(
        log.contains(&owner),
        "the owner, process {owner}, is not named:\n{log}"
    );
}

#[test]
fn ports_of_another_table_are_refused_and_its_owner_is_named() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let node = Node::new();
    let mut owner = relay(&node, 0, "auto").start(&net.relay);
    let overlapping = relay_with_ports(&node, 1, "auto", [40_050, 40_199]);
    let (status, log) = overlapping
        .option("--require-kernel")
        .start_refused(&net.relay);
    assert!(!status.success());
    let pid = owner.process().pid().to_string();
    assert!(
        log.contains(&pid),
        "the owner, process {pid}, is not named:\n{log}"
    );
}

#[test]
fn with_64_tables_taken_the_next_relay_says_so_and_forwards_in_user_space() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let node_ns = lab.netns("node");
    let agent = Agent::of(&Node::new()).start(&node_ns);
    let node = agent.node();
    let fill = |n: u16| {
        let tenant = Tenant::connect(&net.relay, &node.socket(), 0).unwrap();
        let first = 20_000 + 10 * n;
        let wanted = claim(&format!("tenant-{n}"), &["10.1.0.1"], [first, first + 9]);
        let table = Table::settled(&tenant, &wanted);
        let table = table.unwrap_or_else(|refused| panic!("table {n}: {refused}"));
        (tenant, table)
    };
    let filled: Vec<_> = (0..TABLES).map(fill).collect();
    let numbers: BTreeSet<_> = filled.iter().map(|(_, table)| table.number()).collect();
    assert_eq!(numbers, (0..u64::from(TABLES)).collect());
    let tenant = Tenant::connect(&net.relay, &node.socket(), 0).unwrap();
    let refused = tenant.claim(&claim("one-more", &["10.1.0.1"], [30_000, 30_009]));
    let refused = refused.expect_err("there is no 65th table");
    assert_eq!(refused["reason"], "all-taken", "{refused}");
    let launch = Relay::underpass()
        .engine(Engine::Tc)
        .two_networks()
        .with(&agent);
    let mut relay = launch.start(&net.relay);
    let log = relay.process().log();
    let told = log
        .lines()
        .any(|line| line.contains("64") && line.contains("user space"));
    assert!(told, "{log}");
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    call.talk(20);
    let streams = call.rtp_streams(&ng);
    let in_kernel = |stream: &Value| stream["flags"].to_string().contains("kernelized");
    assert!(!streams.iter().any(in_kernel), "{streams:?}");
}
