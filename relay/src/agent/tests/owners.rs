//! What becomes of tables and their owners.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use super::node::{Node, claim, next, wait_until};
use crate::agent::caller::{Peer, namespace_of};
use crate::agent::tables::{Applicant, Granting, NodeTables};
use crate::tables::client::Table;
use crate::tables::protocol::{Claim, FromAgent, ToAgent};

/// Claims without an agent's socket in between.
pub(super) fn claim_directly(tables: &mut NodeTables, claim: &Claim) -> Granting {
    let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
    let namespace = OwnedFd::from(File::open("/proc/self/ns/net").unwrap());
    let applicant = Applicant {
        caller: Peer::of(&near).unwrap().examine().unwrap(),
        id: namespace_of(namespace.as_fd()).unwrap(),
        namespace,
    };
    tables.claim(claim, applicant).unwrap()
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
