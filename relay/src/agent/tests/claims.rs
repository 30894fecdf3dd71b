//! Claiming.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::thread;

use super::node::{Node, claim, claim_table};
use crate::tables::protocol::{Refusal, VERSION};
use crate::tables::{TABLES, TableRequest};

#[test]
fn a_claim_is_granted_with_what_was_asked_for() {
    let node = Node::new();
    let _agent = node.agent();
    let asked = claim(3);
    let table = node.claim(asked.clone());
    let granted = &table.granted;
    assert_eq!((granted.version, granted.table), (VERSION, 0));
    assert_eq!(granted.lease_ms, 60_000);
    assert_eq!(granted.max_flows, asked.max_flows);
    assert_eq!(
        (&granted.addresses, &granted.ports),
        (&asked.addresses, &asked.ports)
    );
    assert!(!granted.takes_over && table.previous.is_none());
    assert_eq!(granted.placement.interfaces[0].name, "eth0");
    assert_eq!(node.kernel.attached()[0].number, granted.generation);
}

#[test]
fn eight_claims_at_the_same_instant_get_eight_tables() {
    let node = Node::new();
    let _agent = node.agent();
    let start = Barrier::new(8);
    let tables: Vec<_> = thread::scope(|scope| {
        let claims: Vec<_> = (0..8)
            .map(|number| {
                let (node, start) = (&node, &start);
                scope.spawn(move || {
                    start.wait();
                    node.claim(claim(number))
                })
            })
            .collect();
        claims
            .into_iter()
            .map(|claim| claim.join().unwrap())
            .collect()
    });
    let numbers: BTreeSet<u32> = tables.iter().map(|table| table.granted.table).collect();
    assert_eq!(numbers, (0..8).collect());
    let generations: BTreeSet<u64> = tables
        .iter()
        .map(|table| table.granted.generation)
        .collect();
    assert_eq!(generations.len(), 8);
}

#[test]
fn the_same_from_two_agents_at_once() {
    let node = Node::new();
    let _one = node.agent();
    let start = Barrier::new(2);
    let numbers: BTreeSet<u32> = thread::scope(|scope| {
        let (near, start) = (&node, &start);
        let one = scope.spawn(move || {
            start.wait();
            (0..4)
                .map(|number| near.claim(claim(number)))
                .collect::<Vec<_>>()
        });
        // Beside the one that listens, as one that a relay embeds is.
        let other = scope.spawn(move || {
            let mut tables = near.tables();
            start.wait();
            (4..8)
                .map(|number| super::owners::claim_directly(&mut tables, &claim(number)))
                .collect::<Vec<_>>()
        });
        let (one, other) = (one.join().unwrap(), other.join().unwrap());
        let numbers = one.iter().map(|table| table.granted.table);
        numbers
            .chain(other.iter().map(|granting| granting.granted.table))
            .collect()
    });
    assert_eq!(numbers, (0..8).collect());
}

#[test]
fn a_taken_number_is_refused_naming_its_owner() {
    let node = Node::new();
    let _agent = node.agent();
    let _held = node.claim(claim_table(1, 7));
    let refused = node.refused(claim_table(2, 7));
    assert_eq!(refused.reason, Refusal::Taken);
    let pid = std::process::id().to_string();
    assert!(
        refused
            .text
            .starts_with("table 7 is taken by media-1.example (pid ")
    );
    assert!(refused.text.contains(&pid) && refused.owner.unwrap().contains(&pid));
}

#[test]
fn when_all_are_taken_the_next_is_refused() {
    let node = Node::new();
    let _agent = node.agent();
    let held: Vec<_> = (0..64).map(|number| node.claim(claim(number))).collect();
    assert_eq!(held.len(), TABLES as usize);
    assert_eq!(node.refused(claim(64)).reason, Refusal::AllTaken);
    assert_eq!(node.list().len(), TABLES as usize);
}

#[test]
fn a_claim_of_what_another_has_is_refused_naming_it() {
    let node = Node::new();
    let _agent = node.agent();
    let _held = node.claim(claim(1));
    let mut other = claim(2);
    other.ports = claim(1).ports;
    let refused = node.refused(other);
    assert_eq!(refused.reason, Refusal::Overlap);
    assert!(refused.text.contains("192.0.2.1") && refused.text.contains("media-1.example"));
}

#[test]
fn an_identity_that_is_in_use_is_refused_naming_the_process() {
    let node = Node::new();
    let _agent = node.agent();
    let _held = node.claim(claim(1));
    let mut other = claim(2);
    other.identity = claim(1).identity;
    let refused = node.refused(other);
    assert_eq!(refused.reason, Refusal::IdentityInUse);
    assert!(refused.text.contains(&std::process::id().to_string()));
}

#[test]
fn no_table_asked_for_is_none_claimed_and_no_agent_needed() {
    let node = Node::new();
    let mut config = node.config(claim(1));
    config.claim.table = TableRequest::None;
    assert!(crate::tables::client::claim(&config).unwrap().is_none());
}

#[test]
fn an_address_that_is_not_the_namespaces_is_refused() {
    let node = Node::new();
    let _agent = node.agent();
    let mut foreign = claim(1);
    foreign.addresses = vec!["198.51.100.1".parse().unwrap()];
    assert_eq!(node.refused(foreign).reason, Refusal::NotAllowed);
}

#[test]
fn another_version_of_protocol_or_layout_is_refused() {
    let node = Node::new();
    let _agent = node.agent();
    let mut other = claim(1);
    other.version += 1;
    assert_eq!(node.refused(other).reason, Refusal::Version);
    let mut other = claim(1);
    other.layout += 1;
    assert_eq!(node.refused(other).reason, Refusal::Version);
}

#[test]
fn a_kernel_that_refuses_leaves_nothing_behind() {
    let node = Node::new();
    let _agent = node.agent();
    node.kernel.world().refuses = true;
    let refused = node.refused(claim(1));
    assert_eq!(refused.reason, Refusal::Kernel);
    assert!(refused.text.contains("bpffs"), "{}", refused.text);
    assert_eq!(node.list(), []);
    assert!(node.kernel.world().generations.is_empty());
    node.kernel.world().refuses = false;
    assert_eq!(node.claim(claim(1)).granted.table, 0);
}

#[test]
fn a_thousand_claims_and_releases_leak_nothing() {
    let node = Node::new();
    let _agent = node.agent();
    let mut tables = node.tables();
    let descriptors = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let ours = || {
        let is_ours = |link: &std::path::PathBuf| {
            let link = link.to_string_lossy();
            link.contains("memfd:map") || link.contains(&*node.registry().to_string_lossy())
        };
        let links = std::fs::read_dir("/proc/self/fd").unwrap().flatten();
        links
            .filter_map(|fd| std::fs::read_link(fd.path()).ok())
            .filter(is_ours)
            .count()
    };
    let _ = descriptors;
    for number in 0..1000 {
        let granting = super::owners::claim_directly(&mut tables, &claim(number % 100));
        tables.release(granting.generation).unwrap();
    }
    for number in 0..100 {
        super::owners::release(node.claim(claim(number)));
    }
    super::node::wait_until("descriptors are closed", || ours() == 0);
    assert_eq!(node.list(), []);
    assert!(node.kernel.world().generations.is_empty());
    let left: Vec<_> = std::fs::read_dir(node.registry())
        .unwrap()
        .flatten()
        .map(|file| file.file_name().into_string().unwrap())
        .filter(|name| name.as_str() != "node.lock" && name.as_str() != "generation")
        .collect();
    assert_eq!(left, Vec::<String>::new());
}
