//! The agent at its socket: what an unprivileged relay has of it, what becomes of a relay without it, and what it tells.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use lab::fake_agent::{FakeAgent, Manner};
use lab::pod;
use lab::relay::Launch;
use lab::table::Table;
use lab::tenant::{self, NOBODY, SOMEBODY, Tenant};
use lab::{
    Agent, Call, CallOptions, Engine, Lab, Netns, Node, Relay, TwoNetworks, Wiring, wait_until,
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};

/// A relay that cannot have the kernel path must answer commands within this time.
const START: Duration = Duration::from_secs(40);

pub(crate) fn node_and_agent(lab: &Lab) -> (TwoNetworks, Arc<Node>, Agent) {
    let net = TwoNetworks::build(lab, Wiring::Veth);
    let node = Node::new();
    let agent = Agent::of(&node).start(&net.relay);
    (net, node, agent)
}

pub(crate) fn launch(agent: &Agent) -> Launch {
    let relay = Relay::underpass().with(agent).engine(Engine::Tc);
    relay.two_networks()
}

/// Its calls are forwarded by the kernel, and by nothing else.
#[track_caller]
pub(crate) fn assert_forwards_in_kernel(net: &TwoNetworks, relay: &Relay) {
    let ng = relay.client(&net.relay);
    let call = Call::set_up(net, &ng, &CallOptions::default());
    let counted = || {
        let metrics = relay.metrics(&net.relay);
        (metrics.kernel_packets(), metrics.userspace_packets())
    };
    let start = counted();
    call.bring_into_kernel(&ng);
    let settled = || {
        let sent = u64::from(call.caller.sent() + call.callee.sent());
        wait_until("the counters of every packet", || {
            let now = counted();
            now.0 + now.1 == start.0 + start.1 + sent
        });
        counted()
    };
    let before = settled();
    call.talk(50);
    assert_eq!(settled(), (before.0 + 100, before.1));
    call.hang_up(&ng);
}

#[test]
fn with_no_privilege_a_read_only_root_and_the_agent_s_socket_the_kernel_forwards() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (net, node, agent) = node_and_agent(&lab);
    let mut relay = launch(&agent)
        .binary(pod::confined(&node, NOBODY, None))
        .start(&net.relay);
    let pid = relay.process().pid();
    assert_eq!((pod::user(pid), pod::capabilities(pid)), (NOBODY, 0));
    assert_forwards_in_kernel(&net, &relay);
    relay.assert_idle(&net.relay);
    relay.process().signal(Signal::SIGTERM);
    assert!(relay.process().wait().success());
    wait_until("the table's end", || {
        node.tables().is_empty() && node.pins().is_empty()
    });
}

#[test]
fn a_writable_state_directory_is_all_that_a_confined_relay_needs_for_its_journal() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (net, node, agent) = node_and_agent(&lab);
    let launch = launch(&agent);
    let confined = pod::confined(&node, NOBODY, Some(launch.state()));
    let state = launch.state().to_owned();
    let relay = launch.binary(confined).start(&net.relay);
    assert_forwards_in_kernel(&net, &relay);
    let kept = fs::read_dir(state).unwrap().count();
    assert!(kept > 0, "nothing was kept");
}

#[test]
fn without_privilege_and_agent_one_line_says_what_cannot_be_done() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    for agent in ["embedded", "socket"] {
        let node = Node::new();
        let mut launch = Relay::underpass().on(&node).two_networks();
        if agent == "socket" {
            launch = launch.option(&format!("--agent={}", node.socket().display()));
        }
        let launch = launch.binary(pod::confined(&node, NOBODY, None));
        let (status, log) = launch
            .clone()
            .option("--require-kernel")
            .start_refused(&net.relay);
        assert!(!status.success(), "{agent}: {log}");
        let last = log.lines().last().unwrap_or_default();
        assert!(last.starts_with("underpass: "), "{agent}: {log}");
        let relay = launch.start(&net.relay);
        assert_in_user_space(&net, relay, agent);
    }
}

/// The relay works, in user space, and has said so in one line; `query` gives the reason.
#[track_caller]
fn assert_in_user_space(net: &TwoNetworks, mut relay: Relay, what: &str) {
    let ng = relay.client(&net.relay);
    let call = Call::set_up(net, &ng, &CallOptions::default());
    call.talk(20);
    for stream in call.rtp_streams(&ng) {
        let reason = stream["kernel reason"].as_str().unwrap_or_default();
        assert!(!reason.is_empty(), "{what}: {stream}");
    }
    let log = relay.process().log();
    let said = log
        .lines()
        .filter(|line| line.contains("forwarding in user space only"));
    assert_eq!(said.count(), 1, "{what}:\n{log}");
}

/// Every way in which there may be no agent at the socket, all at once: each relay starts in time, and forwards.
#[test]
fn whatever_is_at_the_socket_the_relay_starts_in_time_and_says_what_is_wrong() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let granted = json!({
        "message": "granted", "version": 1, "table": 0, "generation": 1, "lease_ms": 60_000,
        "max_flows": 100, "addresses": ["10.1.0.1"], "ports": {"first": 30_000, "last": 40_000},
        "takes_over": false, "has_previous": false, "has_node_sockets": false,
        "placement": {"interfaces": [], "egresses": []},
    });
    let granted = granted.to_string().into_bytes();
    let manners = [
        ("deaf", Manner::Deaf),
        ("silent", Manner::Silent),
        ("hangs up", Manner::HangsUp),
        ("hangs up after the claim", Manner::HangsUpAfterTheClaim),
        ("no JSON", Manner::Answers(b"\x00\xff{{{".to_vec(), 0)),
        ("nested without end", Manner::Answers(vec![b'['; 60_000], 0)),
        (
            "another message",
            Manner::Answers(br#"{"message":"released"}"#.to_vec(), 0),
        ),
        (
            "an unknown message",
            Manner::Answers(br#"{"message":"hello"}"#.to_vec(), 0),
        ),
        ("no descriptors", Manner::Answers(granted.clone(), 0)),
        ("too few descriptors", Manner::Answers(granted.clone(), 2)),
        (
            "descriptors of no maps",
            Manner::Answers(granted.clone(), 5),
        ),
        ("too many descriptors", Manner::Answers(granted, 30)),
        ("chatters", Manner::Chatters),
    ];
    thread::scope(|scope| {
        let starting: Vec<_> = manners
            .into_iter()
            .map(|(what, manner)| {
                let lab = &lab;
                scope.spawn(move || start_at_false_agent(lab, what, manner))
            })
            .collect();
        for thread in starting {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

#[track_caller]
fn start_at_false_agent(lab: &Lab, what: &str, manner: Manner) {
    let net = lab.netns(&what.replace(' ', "-"));
    let node = Node::new();
    let _fake = FakeAgent::listen(&node.socket(), manner);
    let launch = Relay::underpass()
        .on(&node)
        .as_nobody()
        .option(&format!("--agent={}", node.socket().display()))
        .interface("127.0.0.1");
    let asked = Instant::now();
    let mut relay = launch.clone().start(&net);
    let took = asked.elapsed();
    assert!(took < START, "{what}: it took {took:?}");
    let log = relay.process().log();
    let said = log
        .lines()
        .filter(|line| line.contains("forwarding in user space only"));
    assert_eq!(said.count(), 1, "{what}:\n{log}");
    drop(relay);
    let asked = Instant::now();
    let (status, log) = launch.option("--require-kernel").start_refused(&net);
    assert!(!status.success(), "{what}: {log}");
    assert!(asked.elapsed() < START, "{what}: {:?}", asked.elapsed());
}

#[test]
fn a_second_agent_at_the_same_socket_is_refused_and_the_first_serves_on() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (net, node, mut agent) = node_and_agent(&lab);
    let mut second = Agent::of(&node).spawn(&net.relay);
    assert!(!second.process().wait().success());
    let log = second.process().log();
    let last = log.lines().last().unwrap_or_default();
    let socket = node.socket().to_string_lossy().into_owned();
    assert!(last.contains(&socket), "{log}");
    drop(second);
    assert!(agent.process().is_running());
    let relay = launch(&agent).as_nobody().start(&net.relay);
    assert_forwards_in_kernel(&net, &relay);
}

#[test]
fn what_a_killed_agent_left_at_the_socket_is_no_agent() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (net, node, mut first) = node_and_agent(&lab);
    first.process().kill();
    assert!(node.socket().exists(), "SIGKILL leaves the socket");
    let agent = Agent::of(&node).start(&net.relay);
    let relay = launch(&agent).as_nobody().start(&net.relay);
    assert_forwards_in_kernel(&net, &relay);
}

#[test]
fn two_agents_of_one_node_see_the_same_tables_and_refuse_the_same() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (net, node, first) = node_and_agent(&lab);
    let other_socket = node.socket().with_file_name("other.sock");
    let second = Agent::of(&node).option(&format!("--socket={}", other_socket.display()));
    let _second = second.spawn(&net.relay);
    wait_until("the second agent to listen", || {
        Tenant::connect(&net.relay, &other_socket, 0).is_ok()
    });
    let one = Tenant::connect(&net.relay, &node.socket(), NOBODY).unwrap();
    let other = Tenant::connect(&net.relay, &other_socket, SOMEBODY).unwrap();
    let held = Table::settled(&one, &tenant::claim("one", &["10.1.0.1"], [40_000, 40_099]));
    let held = held.unwrap();
    let overlapping = tenant::claim("other", &["10.1.0.1"], [40_050, 40_150]);
    let refused = Table::claim(&other, &overlapping).unwrap_err();
    assert_eq!(refused["reason"], "overlap", "{refused}");
    assert!(
        refused["text"].as_str().unwrap().contains("one"),
        "{refused}"
    );
    let beside = tenant::claim("other", &["10.1.0.1"], [41_000, 41_099]);
    let beside = Table::settled(&other, &beside).unwrap();
    assert_ne!(held.number(), beside.number());
    let seen = |tenant: &Tenant| {
        tenant.say(&json!({"message": "list"}), &[]).unwrap();
        let (answer, _) = tenant.hear_of(&["tables"]);
        let tables = answer["tables"].as_array().cloned().unwrap();
        let numbers = tables.iter().map(|table| table["table"].as_u64());
        numbers.collect::<Vec<_>>()
    };
    assert_eq!(seen(&one), seen(&other));
    // Both share an interface, whoever attached it: each forwards.
    let relay = launch(&first)
        .as_nobody()
        .option("--port-min=42000")
        .option("--port-max=42099")
        .start(&net.relay);
    assert_forwards_in_kernel(&net, &relay);
}

#[test]
fn tables_are_listed_with_identity_grant_interfaces_and_lease() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (net, node, agent) = node_and_agent(&lab);
    let start = |identity: &str, ports: [u16; 2], at: [&str; 2]| {
        launch(&agent)
            .as_nobody()
            .option(&format!("--identity={identity}"))
            .option(&format!("--port-min={}", ports[0]))
            .option(&format!("--port-max={}", ports[1]))
            .listen(at[0], at[1])
            .start(&net.relay)
    };
    let mut alone = start(
        "alive-1",
        [40_000, 40_099],
        ["127.0.0.1:2223", "127.0.0.1:9101"],
    );
    let table = node.table_of(alone.process().pid()).unwrap();
    assert_says(
        &table,
        &[
            "alive-1", "10.1.0.1", "10.2.0.1", "40000", "40099", "own", "tc",
        ],
    );
    let mut killed = start(
        "killed-2",
        [41_000, 41_099],
        ["127.0.0.1:2224", "127.0.0.1:9102"],
    );
    let pid = killed.process().pid();
    assert_says(
        &node.table_of(pid).unwrap(),
        &["killed-2", "41000", "shared", "tc"],
    );
    let alive = node.table_of(alone.process().pid()).unwrap();
    assert_says(&alive, &["alive-1", "shared"]);
    killed.process().kill();
    wait_until("the killed relay's table to be without owner", || {
        node.table_of(pid).unwrap()["alive"] == false
    });
    let (_, text, _) = node.tables_command(&[]);
    for word in [
        "alive-1", "killed-2", "10.1.0.1", "40000", "41000", "shared", "tc",
    ] {
        assert!(text.contains(word), "{word} is missing:\n{text}");
    }
    let dead = node.table_of(pid).unwrap();
    let left = dead["lease_left_ms"].as_u64();
    assert!(left.is_some_and(|left| left > 0), "{dead}");
    assert_eq!(alive["lease_left_ms"], Value::Null, "{alive}");
}

#[track_caller]
fn assert_says(table: &Value, words: &[&str]) {
    let text = table.to_string();
    for word in words {
        assert!(text.contains(word), "{word} is missing: {text}");
    }
}

#[test]
fn a_table_is_released_by_hand_only_when_its_owner_is_gone_or_by_force() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (net, node, agent) = node_and_agent(&lab);
    let mut relay = launch(&agent)
        .as_nobody()
        .option("--identity=alive-1")
        .start(&net.relay);
    let release = |relay: &mut Relay, more: &[&str]| {
        let number = node.table_of(relay.process().pid()).unwrap()["table"].to_string();
        let mut arguments = vec!["release", &number];
        arguments.extend(more);
        node.tables_command(&arguments)
    };
    let (done, _, said) = release(&mut relay, &[]);
    assert!(!done, "released while its owner lives");
    assert!(said.contains("alive-1"), "the owner is not named: {said}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert_forwards_in_kernel(&net, &relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    call.bring_into_kernel(&ng);
    let (done, _, said) = release(&mut relay, &["--force"]);
    assert!(done, "{said}");
    wait_until("the table's end", || node.pins().is_empty());
    // The relay goes on, in user space.
    call.talk(20);
    drop(relay);
    let mut killed = launch(&agent).as_nobody().start(&net.relay);
    let pid = killed.process().pid();
    killed.process().kill();
    wait_until("the table to be without owner", || {
        node.table_of(pid)
            .is_some_and(|table| table["alive"] == false)
    });
    let (done, _, said) = release(&mut killed, &[]);
    assert!(done, "{said}");
    assert!(node.table_of(pid).is_none());
    assert_eq!(node.pins(), Vec::<std::path::PathBuf>::new());
}

/// Two pods, each with its own network, in which both have the same address.
#[test]
fn pods_with_the_same_address_in_different_namespaces_have_one_agent() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let Some(other) = Lab::for_kernel_path() else {
        return;
    };
    let nets = [&lab, &other].map(|lab| TwoNetworks::build(lab, Wiring::Veth));
    let node = Node::new();
    let home: Netns = lab.netns("home");
    let agent = Agent::of(&node).start(&home);
    let relays = nets
        .each_ref()
        .map(|net| launch(&agent).as_nobody().start(&net.relay));
    assert_eq!(node.tables().len(), 2);
    thread::scope(|scope| {
        for (net, relay) in nets.iter().zip(&relays) {
            scope.spawn(|| assert_forwards_in_kernel(net, relay));
        }
    });
    // One of them ends; the other's address stays its own.
    let [first, second] = relays;
    drop(first);
    assert_forwards_in_kernel(&nets[1], &second);
}
