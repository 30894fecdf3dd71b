//! Clients of the agent that do what no relay does, or do it too often: nobody is held up, and nothing stays behind.

use std::fs;
use std::os::fd::AsFd;
use std::thread;
use std::time::{Duration, Instant};

use lab::Lab;
use lab::pinned::Object;
use lab::table::Table;
use lab::tenant::{self, SOMEBODY, Tenant};
use lab::wait_until;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::node_agent::{assert_forwards_in_kernel, launch, node_and_agent};

#[test]
fn a_client_that_claims_and_never_reads_holds_nobody_up() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (net, node, mut agent) = node_and_agent(&lab);
    let deaf = Tenant::connect(&net.relay, &node.socket(), SOMEBODY).unwrap();
    let claim = tenant::claim("deaf", &["10.1.0.1"], [43_000, 43_099]);
    deaf.say(&claim, &[deaf.namespace()]).unwrap();
    // Each of these is answered, or changes what the agent has to tell.
    let mut said = 0;
    let until = Instant::now() + Duration::from_secs(5);
    while said < 100_000 && Instant::now() < until {
        match deaf.say(&json!({"message": "list"}), &[]) {
            Ok(()) => said += 1,
            Err(_) => thread::sleep(Duration::from_millis(1)),
        }
        if said > 1000 && deaf.say(&json!({"message": "list"}), &[]).is_err() {
            break;
        }
    }
    let relay = launch(&agent)
        .as_nobody()
        .option("--port-max=39999")
        .start(&net.relay);
    assert_forwards_in_kernel(&net, &relay);
    let resident = agent.process().resident_kib();
    assert!(resident < 200_000, "the agent has {resident} KiB");
}

#[test]
fn three_hundred_clients_that_say_nothing_hold_nobody_up() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (net, node, mut agent) = node_and_agent(&lab);
    let before = descriptors_at_rest(agent.process().pid());
    let connect = |uid| Tenant::connect(&net.relay, &node.socket(), uid);
    let silent: Vec<_> = (0..300).filter_map(|_| connect(SOMEBODY).ok()).collect();
    let mut relay = launch(&agent).as_nobody().start(&net.relay);
    assert_forwards_in_kernel(&net, &relay);
    // Killed, it would leave its table to its lease.
    relay.process().signal(Signal::SIGTERM);
    relay.process().wait();
    drop(silent);
    wait_until("the agent to let go of them", || {
        descriptors(agent.process().pid()).len() <= before.len() + 1
    });
}

#[test]
fn nonsense_from_clients_is_refused_and_leaves_nothing_behind() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (net, node, mut agent) = node_and_agent(&lab);
    let before = descriptors_at_rest(agent.process().pid());
    let claim = tenant::claim("x", &["10.1.0.1"], [43_000, 43_099]);
    let with = |key: &str, value: Value| {
        let mut claim = claim.clone();
        claim[key] = value;
        claim.to_string().into_bytes()
    };
    let without = |key: &str| {
        let mut claim = claim.clone();
        claim.as_object_mut().unwrap().remove(key);
        claim.to_string().into_bytes()
    };
    let mut said = vec![
        b"{".to_vec(),
        b"\xff\xfe\x00".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        br#"{"message":"granted"}"#.to_vec(),
        br#"{"message":"settled"}"#.to_vec(),
        br#"{"message":"release"}"#.to_vec(),
        br#"{"message":"resume","version":1,"table":0,"generation":0}"#.to_vec(),
        br#"{"message":"resume","version":1,"table":4294967295,"generation":18446744073709551615}"#
            .to_vec(),
        br#"{"message":"want-egress","place":"own","ifindex":1}"#.to_vec(),
        vec![b'['; 64_000],
        vec![b' '; 65_536],
        with("version", json!(99)),
        with("version", json!(0)),
        with("layout", json!(99)),
        with("table", json!({"number": 64})),
        with("table", json!({"number": 4_294_967_295_u32})),
        with("table", json!("none")),
        with("ports", json!({"first": 2, "last": 1})),
        with("ports", json!({"first": 0, "last": 65_536})),
        with("addresses", json!(["not an address"])),
        with("addresses", json!(["10.1.0.1", "10.1.0.1"])),
        with("max_flows", json!(0)),
        with("max_flows", json!(-1)),
        with("engine", json!("warp")),
        with("interface_engines", json!({"../../x": "tc"})),
    ];
    let keys = [
        "version",
        "layout",
        "table",
        "identity",
        "addresses",
        "ports",
    ];
    said.extend(keys.map(without));
    for bytes in said {
        let client = Tenant::connect(&net.relay, &node.socket(), SOMEBODY).unwrap();
        let nothing = fs::File::open("/dev/null").unwrap();
        // Longer than the agent reads, or refused by it: either is an end.
        if client.say_bytes(&bytes, &[nothing.as_fd()]).is_err() {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(100)]).into_owned();
        if let Some((answer, _)) = client.hear() {
            assert_eq!(
                answer["message"], "refused",
                "{text} was answered with {answer}"
            );
            let why = answer["text"].as_str().unwrap_or_default();
            assert!(!why.is_empty() && !why.contains('\n'), "{text}: {answer}");
        }
    }
    for count in [1, 17, 32, 200] {
        let client = Tenant::connect(&net.relay, &node.socket(), SOMEBODY).unwrap();
        let nothing = fs::File::open("/dev/null").unwrap();
        let _ = client.say(&claim, &vec![nothing.as_fd(); count]);
        let answer = client.hear();
        assert!(
            answer.is_none_or(|(a, _)| a["message"] == "refused"),
            "{count} descriptors"
        );
    }
    assert_eq!(node.tables(), Vec::<Value>::new());
    assert_eq!(node.pins(), Vec::<std::path::PathBuf>::new());
    wait_until("the agent to let go of every descriptor", || {
        descriptors(agent.process().pid()).len() <= before.len()
    });
    let relay = launch(&agent).as_nobody().start(&net.relay);
    assert_forwards_in_kernel(&net, &relay);
}

#[test]
fn a_thousand_claims_and_releases_leave_no_descriptor_and_nothing_in_the_kernel() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (net, node, mut agent) = node_and_agent(&lab);
    let pid = agent.process().pid();
    let claim = tenant::claim("again", &["10.1.0.1", "10.2.0.1"], [43_000, 43_099]);
    let once = |engine: &str| {
        let client = Tenant::connect(&net.relay, &node.socket(), SOMEBODY).unwrap();
        let mut claim = claim.clone();
        claim["engine"] = engine.into();
        let table = Table::claim(&client, &claim).unwrap_or_else(|refused| panic!("{refused}"));
        client.say(&json!({"message": "release"}), &[]).unwrap();
        let _ = client.hear_of(&["released"]);
        table.map_ids
    };
    once("tc");
    let before = descriptors_at_rest(pid);
    let resident = agent.process().resident_kib();
    let mut maps = Vec::new();
    // Attaching takes its time, and the maps are the same.
    for round in 0..1000 {
        maps.extend(once(if round % 100 == 0 { "tc" } else { "null" }));
    }
    assert_eq!(node.tables(), Vec::<Value>::new());
    assert_eq!(node.pins(), Vec::<std::path::PathBuf>::new());
    wait_until("the agent to let go of every descriptor", || {
        descriptors(pid).len() <= before.len()
    });
    wait_until("the end of every map", || {
        maps.retain(|map| Object::Map(*map).exists());
        maps.is_empty()
    });
    let grown = agent.process().resident_kib().saturating_sub(resident);
    assert!(grown < 8_192, "the agent has grown by {grown} KiB");
    let shown = net
        .relay
        .command("bpftool")
        .args(["net", "show"])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(!shown.contains("a("), "attached still:\n{shown}");
}

/// What an agent has open once it is at work: the signals it ends by come last.
fn descriptors_at_rest(pid: u32) -> Vec<String> {
    wait_until("the agent to be at work", || {
        let open = descriptors(pid);
        open.iter().any(|link| link.contains("signalfd"))
    });
    descriptors(pid)
}

/// What a process has open, as links of /proc name it.
fn descriptors(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
    let links = entries.filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .map(|link| link.to_string_lossy().into_owned())
        .collect()
}
