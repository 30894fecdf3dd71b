//! What becomes of tables and their owners.

use std::fs::{self, File};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::node::{Node, claim, next, wait_until};
use crate::agent::caller::{Peer, namespace_of};
use crate::agent::registry::NamespaceId;
use crate::agent::tables::{Applicant, Change, Granting, NodeTables};
use crate::agent::{look, monotonic_ns};
use crate::tables::client::{ClaimFailed, Table};
use crate::tables::protocol::{Claim, FromAgent, Place, Refusal, ToAgent};

/// Claims without an agent's socket in between.
pub(super) fn claim_directly(tables: &mut NodeTables, claim: &Claim) -> Granting {
    let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
    let (id, namespace) = own_namespace();
    let applicant = Applicant {
        caller: Peer::of(&near).unwrap().examine().unwrap(),
        id,
        namespace,
    };
    tables.claim(claim, applicant).unwrap()
}

/// The network namespace of the tests.
pub(super) fn own_namespace() -> (NamespaceId, OwnedFd) {
    let namespace = OwnedFd::from(File::open("/proc/self/ns/net").unwrap());
    (namespace_of(namespace.as_fd()).unwrap(), namespace)
}

/// Gives a table back and waits until that is done.
#[track_caller]
pub(super) fn release(mut table: Table) {
    table.connection.send(&ToAgent::Release);
    assert_eq!(next(&mut table), FromAgent::Released);
}

#[test]
fn a_table_given_back_is_free_at_once() {
    let node = Node::new();
    let _agent = node.agent();
    let table = node.claim(claim(1));
    release(table);
    assert_eq!(node.list(), []);
    assert!(node.kernel.world().generations.is_empty());
}

#[test]
fn a_table_whose_owner_is_gone_is_kept() {
    let node = Node::new();
    let _agent = node.agent();
    drop(node.claim(claim(1)));
    wait_until("the owner is seen to be gone", || !node.is_alive(0));
    let states = node.list();
    let left = states[0].lease_left_ms.unwrap();
    assert!((50_000..=62_000).contains(&left), "{left}");
    assert_eq!(node.kernel.attached().len(), 1);
}

#[test]
fn the_same_identity_takes_its_table_over_and_what_was_forwards_until_it_is_settled() {
    let node = Node::new();
    let _agent = node.agent();
    let first = node.claim(claim(1)).granted;
    wait_until("the owner is seen to be gone", || !node.is_alive(0));
    let _other = node.claim(claim(2));

    let mut second = node.claim(claim(1));
    assert_eq!(second.granted.table, first.table);
    assert!(second.granted.generation > first.generation);
    assert!(second.granted.takes_over && second.granted.has_previous);
    assert!(second.previous.is_some());
    let attached = |node: &Node| {
        let attached = node.kernel.attached().into_iter();
        attached
            .filter(|generation| generation.table == first.table)
            .map(|generation| generation.number)
            .collect::<Vec<_>>()
    };
    assert_eq!(attached(&node), [first.generation]);

    second.connection.send(&ToAgent::Settled);
    assert_eq!(next(&mut second), FromAgent::Settled);
    assert!(matches!(next(&mut second), FromAgent::Placement(_)));
    assert_eq!(attached(&node), [second.granted.generation]);
    assert_eq!(node.kernel.world().generations.len(), 2);
}

#[test]
fn while_calls_are_restored_the_agent_gives_signs_of_life_for_what_forwards_on() {
    let node = Node::new();
    let _agent = node.agent();
    let first = node.claim(claim(1)).granted;
    wait_until("the owner is seen to be gone", || !node.is_alive(0));
    node.last_alive(Duration::from_secs(30));
    let _second = node.claim(claim(1));
    let sign = || {
        let world = node.kernel.world();
        let pinned = world
            .generations
            .iter()
            .find(|(g, _)| g.number == first.generation);
        pinned.unwrap().1.alive_ns.unwrap()
    };
    wait_until("a sign of life", || monotonic_ns() - sign() < 5_000_000_000);
}

#[test]
fn an_owner_that_dies_again_and_again_while_it_restores_loses_nothing_of_its_first_table() {
    let node = Node::new();
    let _agent = node.agent();
    let first = node.claim(claim(1)).granted;
    for _ in 0..3 {
        wait_until("the owner is seen to be gone", || !node.is_alive(0));
        let again = node.claim(claim(1));
        assert!(again.granted.takes_over);
        let attached: Vec<u64> = node.kernel.attached().iter().map(|g| g.number).collect();
        assert_eq!(attached, [first.generation]);
        assert_eq!(node.kernel.world().generations.len(), 2);
    }
}

#[test]
fn an_owner_that_never_settles_is_settled_once_its_earlier_lease_is_over() {
    let node = Node::new();
    let (mut tables, clock) = node.tables_at(Arc::new(AtomicU64::new(0)));
    let first = claim_directly(&mut tables, &claim(1)).generation;
    let second = claim_directly(&mut tables, &claim(1));
    assert!(second.granted.takes_over);
    let seconds = |count: u64| clock.store(count * 1_000_000_000, Ordering::Relaxed);
    let attached = || node.kernel.attached();
    for passed in [10, 60, 100] {
        seconds(passed);
        assert_eq!(tables.tick().unwrap(), []);
        assert_eq!(attached(), [first]);
    }
    seconds(123);
    assert_eq!(tables.tick().unwrap(), [Change::Settled(second.generation)]);
    assert_eq!(attached(), [second.generation]);
}

#[test]
fn a_lease_runs_from_the_last_sign_of_life() {
    let node = Node::new();
    let _agent = node.agent();
    drop(node.claim(claim(1)));
    wait_until("the owner is seen to be gone", || !node.is_alive(0));
    node.last_alive(Duration::from_secs(30));
    assert_eq!(node.list().len(), 1);
    node.last_alive(Duration::from_secs(63));
    wait_until("the table is free", || {
        node.kernel.world().generations.is_empty()
    });
    assert_eq!(node.list(), []);
}

#[test]
fn the_living_keep_their_tables_however_long_they_are_silent() {
    let node = Node::new();
    let _agent = node.agent();
    let _held = node.claim(claim(1));
    node.last_alive(Duration::from_secs(100));
    assert!(node.list()[0].alive);
}

#[test]
fn signs_of_life_in_the_future_are_none() {
    let node = Node::new();
    let _agent = node.agent();
    drop(node.claim(claim(1)));
    wait_until("the owner is seen to be gone", || !node.is_alive(0));
    node.last_alive(Duration::from_secs(63));
    for pinned in node.kernel.world().generations.values_mut() {
        pinned.alive_ns = Some(u64::MAX);
    }
    wait_until("the table is free", || node.list().is_empty());
}

#[test]
fn a_table_whose_signs_of_life_can_not_be_read_is_kept_for_a_lease_from_when_its_owner_was_missed()
{
    let node = Node::new();
    let (mut tables, clock) = node.tables_at(Arc::new(AtomicU64::new(0)));
    let granting = claim_directly(&mut tables, &claim(1));
    for pinned in node.kernel.world().generations.values_mut() {
        pinned.alive_ns = None;
    }
    let seconds = |count: u64| clock.store(count * 1_000_000_000, Ordering::Relaxed);
    seconds(1000);
    tables.tick().unwrap();
    drop(granting);
    for (passed, is_there) in [(1001, true), (1062, true), (1064, false)] {
        seconds(passed);
        tables.tick().unwrap();
        assert_eq!(
            tables.list().unwrap().len(),
            usize::from(is_there),
            "{passed}"
        );
    }
}

#[test]
fn an_operator_frees_the_tables_of_the_dead_and_by_force_of_the_living() {
    let node = Node::new();
    let _agent = node.agent();
    let mut held = node.claim(claim(1));
    let operator = node.operator();
    let Err(ClaimFailed::Refused(refused)) = operator.free(0, false) else {
        panic!("freed");
    };
    assert_eq!(refused.reason, Refusal::Taken);
    assert!(refused.text.contains("media-1.example"), "{}", refused.text);
    operator.free(0, true).unwrap();
    assert!(node.kernel.world().generations.is_empty());
    assert!(matches!(next(&mut held), FromAgent::Refused(r) if r.reason == Refusal::NoSuchTable));
    held.connection.send(&ToAgent::Settled);
    assert!(matches!(next(&mut held), FromAgent::Refused(_)));

    drop(node.claim(claim(2)));
    wait_until("the owner is seen to be gone", || !node.is_alive(0));
    operator.free(0, false).unwrap();
    assert_eq!(node.list(), []);
    let Err(ClaimFailed::Refused(refused)) = operator.free(0, false) else {
        panic!("freed again");
    };
    assert_eq!(refused.reason, Refusal::NoSuchTable);
}

#[test]
fn changed_placements_are_told_to_their_owners() {
    let node = Node::new();
    let _agent = node.agent();
    let mut one = node.claim(claim(1));
    let mut other = node.claim(claim(2));
    let generation = node.kernel.attached()[1];
    node.kernel.world().changed.push(generation);
    let FromAgent::Placement(placement) = next(&mut other) else {
        panic!("no placement");
    };
    assert_eq!(one.connection.receive(), None);
    // And to those who only look.
    let looked = look(&node.registry(), &node.registry()).unwrap();
    assert_eq!(looked[1].interfaces, placement.interfaces);
}

#[test]
fn what_an_owner_asks_for_reaches_the_kernel() {
    let node = Node::new();
    let _agent = node.agent();
    let mut table = node.claim(claim(1));
    let address = "192.0.2.77".parse().unwrap();
    let (place, ifindex) = (Place::Node, 9);
    for asked in [
        ToAgent::WantEgress { place, ifindex },
        ToAgent::UseNeighbour {
            place,
            ifindex,
            address,
        },
        ToAgent::NotSending { place, ifindex },
    ] {
        table.connection.send(&asked);
    }
    let expected = [
        "egress 0 Node 9",
        "neighbour 0 Node 9 192.0.2.77",
        "not sending 0 Node 9",
    ];
    wait_until("all is asked", || node.kernel.world().asked == expected);
}

#[test]
fn a_damaged_record_of_a_dead_owner_is_freed_once_no_lease_can_run() {
    let node = Node::new();
    let (mut tables, clock) = node.tables_at(Arc::new(AtomicU64::new(0)));
    drop(claim_directly(&mut tables, &claim(1)));
    fs::write(node.registry().join("0.json"), "{\"table\": 0, garbage").unwrap();
    let seconds = |count: u64| clock.store(count * 1_000_000_000, Ordering::Relaxed);
    for (passed, is_there) in [(1, true), (60, true), (64, false)] {
        seconds(passed);
        tables.tick().unwrap();
        assert_eq!(
            tables.list().unwrap().len(),
            usize::from(is_there),
            "{passed}"
        );
    }
    assert!(node.kernel.world().generations.is_empty());
}

#[test]
fn a_damaged_record_without_pins_is_freed_at_once() {
    let node = Node::new();
    let mut tables = node.tables();
    fs::write(node.registry().join("5.json"), "").unwrap();
    tables.tick().unwrap();
    assert_eq!(tables.list().unwrap(), []);
}
