//! Agents that end and begin, beside and after one another.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::node::{Node, claim, next, wait_until};
use crate::agent::ListenError;
use crate::agent::kernel::{Generation, NodeKernel, Spec};
use crate::datapath::EngineChoice;
use crate::tables::client::{self, ClaimFailed, Table};
use crate::tables::protocol::{FromAgent, Granted, Ports, Refusal, ToAgent};

/// Notices that the agent is gone, and finds the next.
#[track_caller]
fn found_again(table: &mut Table) -> FromAgent {
    wait_until("the agent is missed", || {
        assert_eq!(table.connection.receive(), None);
        table.connection.descriptor().is_none()
    });
    wait_until("the agent is found again", || table.connection.keep());
    next(table)
}

#[test]
fn an_owner_goes_on_with_its_table_when_the_agent_was_restarted() {
    let node = Node::new();
    let agent = node.agent();
    let mut table = node.claim(claim(1));
    drop(agent);
    assert_eq!(node.kernel.attached().len(), 1);
    let _agent = node.agent();
    let FromAgent::Granted(granted) = found_again(&mut table) else {
        panic!("not granted again");
    };
    let expected = Granted {
        placement: granted.placement.clone(),
        ..table.granted.clone()
    };
    assert_eq!(granted, expected);
    assert!(node.list()[0].alive);
    super::owners::release(table);
    assert_eq!(node.list(), []);
}

#[test]
fn an_owner_that_was_restoring_its_calls_settles_with_the_next_agent() {
    let node = Node::new();
    let agent = node.agent();
    drop(node.claim(claim(1)));
    wait_until("the owner is seen to be gone", || !node.is_alive(0));
    let mut table = node.claim(claim(1));
    drop(agent);
    let _agent = node.agent();
    assert!(matches!(found_again(&mut table), FromAgent::Granted(granted) if granted.takes_over));
    table.connection.send(&ToAgent::Settled);
    assert_eq!(next(&mut table), FromAgent::Settled);
    assert_eq!(node.kernel.attached()[0].number, table.granted.generation);
}

#[test]
fn what_an_agent_had_put_to_work_that_died_over_settling_forwards_on() {
    let node = Node::new();
    let mut tables = node.tables();
    let first = super::owners::claim_directly(&mut tables, &claim(1)).generation;
    let second = super::owners::claim_directly(&mut tables, &claim(1)).generation;
    drop(tables);
    // Neither is the first one removed yet, nor does the record say anything of it.
    node.kernel.clone().attach(second, None);
    assert_eq!(node.kernel.attached(), [first, second]);
    let third = super::owners::claim_directly(&mut node.tables(), &claim(1));
    assert!(third.granted.takes_over && third.granted.has_previous);
    assert_eq!(node.kernel.attached(), [second]);
    let generations = node.kernel.world().generations.clone();
    assert!(generations.into_keys().eq([second, third.generation]));
}

#[test]
fn a_table_that_was_freed_meanwhile_is_not_resumed_and_not_asked_for_again() {
    let node = Node::new();
    let agent = node.agent();
    let mut table = node.claim(claim(1));
    drop(agent);
    node.tables().free(0, true).unwrap();
    let _agent = node.agent();
    let refused = found_again(&mut table);
    assert!(matches!(refused, FromAgent::Refused(r) if r.reason == Refusal::NoSuchTable));
    assert!(!table.connection.keep() && table.connection.descriptor().is_none());
}

#[test]
fn nobody_goes_on_with_a_table_by_another_lock() {
    let node = Node::new();
    let mut tables = node.tables();
    let granting = super::owners::claim_directly(&mut tables, &claim(1));
    let other = super::owners::claim_directly(&mut tables, &claim(2));
    let version = crate::tables::protocol::VERSION;
    let number = granting.generation.number;
    let mut with = |lock| {
        let namespace = super::owners::own_namespace();
        tables.resume(version, 0, number, lock, namespace).is_ok()
    };
    assert!(with(&granting.descriptors[4]));
    assert!(!with(&other.descriptors[4]) && !with(&granting.descriptors[0]));
}

#[test]
fn a_restarted_agent_finds_the_tables_of_the_living_and_the_dead() {
    let node = Node::new();
    let agent = node.agent();
    let _living = node.claim(claim(1));
    drop(node.claim(claim(2)));
    wait_until("the owner is seen to be gone", || !node.is_alive(1));
    drop(agent);
    let _agent = node.agent();
    let alive: Vec<bool> = node.list().iter().map(|state| state.alive).collect();
    assert_eq!(alive, [true, false]);
    assert_eq!(node.kernel.attached().len(), 2);
}

#[test]
fn what_is_pinned_and_in_no_record_is_removed_at_the_start() {
    let node = Node::new();
    let forgotten = Generation {
        table: 9,
        number: 1,
        layout: 2,
    };
    let spec = Spec {
        addresses: Vec::new(),
        ports: Ports { first: 1, last: 2 }.into(),
        max_flows: 1,
        lease_ms: 1,
        engine: EngineChoice::Auto,
        interface_engines: Default::default(),
        is_trusted: false,
    };
    let namespace = fs::File::open("/proc/self/ns/net").unwrap().into();
    node.kernel
        .clone()
        .create(forgotten, &spec, namespace)
        .unwrap();
    let _agent = node.agent();
    assert!(node.kernel.world().generations.is_empty());
}

#[test]
fn a_record_whose_pins_are_gone_is_removed() {
    let node = Node::new();
    drop(super::owners::claim_directly(&mut node.tables(), &claim(1)));
    node.kernel.world().generations.clear();
    let _agent = node.agent();
    assert_eq!(node.list(), []);
}

#[test]
fn a_second_agent_does_not_take_the_firsts_socket() {
    let node = Node::new();
    let agent = node.agent();
    let error = node.try_agent().err().unwrap();
    assert!(matches!(error, ListenError::Another { .. }));
    assert!(error.to_string().contains("another agent listens at"));
    drop(agent);
    assert!(!node.socket().exists());
    assert!(node.try_agent().is_ok());
}

#[test]
fn a_dead_agents_socket_is_replaced_and_another_file_is_not() {
    let node = Node::new();
    let dead = std::os::unix::net::UnixListener::bind(node.socket()).unwrap();
    drop(dead);
    assert!(node.socket().exists());
    drop(node.agent());
    fs::write(node.socket(), "precious").unwrap();
    assert!(matches!(
        node.try_agent().err().unwrap(),
        ListenError::NotASocket { .. }
    ));
    assert_eq!(fs::read_to_string(node.socket()).unwrap(), "precious");
}

#[test]
fn everybody_may_connect() {
    let node = Node::new();
    let _agent = node.agent();
    let mode = fs::metadata(node.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
}

#[test]
fn a_claim_with_nobody_there_says_where_and_what_to_do() {
    let node = Node::new();
    let error = node.try_claim(claim(1)).unwrap_err();
    assert!(matches!(error, ClaimFailed::NoAgent { .. }));
    let text = error.to_string();
    assert!(
        text.contains("agent.sock") && text.contains("underpass agent"),
        "{text}"
    );
}

#[test]
fn an_embedded_agent_serves_its_process_and_ends_with_the_connection() {
    let node = Node::new();
    let config = crate::agent::AgentConfig {
        registry: node.registry(),
        bpffs: node.registry(),
        lease: node.lease,
        policy: None,
        uplinks: Vec::new(),
    };
    let kernel = node.kernel.clone();
    let new = move || -> Result<Box<dyn NodeKernel>, _> { Ok(Box::new(kernel.clone())) };
    let socket = crate::agent::embedded_with(config, new).unwrap();
    let table = client::claim_on(socket, &claim(1)).unwrap();
    assert_eq!(table.granted.table, 0);
    drop(table);
    wait_until("the owner is seen to be gone", || !node.is_alive(0));
    assert_eq!(node.kernel.attached().len(), 1);
}
