//! Clients that do what none should.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt,
};

use super::node::{Node, claim, wait_until};
use crate::tables::packet::{self, Buffer, Incoming};
use crate::tables::protocol::{FromAgent, MAX_DESCRIPTORS, MAX_MESSAGE, Refusal, ToAgent};

pub(super) fn connected(node: &Node) -> OwnedFd {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None).unwrap();
    setsockopt(&socket, sockopt::SndBuf, &(1 << 20)).unwrap();
    connect(socket.as_raw_fd(), &UnixAddr::new(&node.socket()).unwrap()).unwrap();
    socket
}

fn say(socket: &OwnedFd, message: &ToAgent) {
    packet::send(socket.as_fd(), &packet::encode(message).unwrap(), &[]).unwrap();
}

/// What is said next; `None`: the connection is closed.
#[track_caller]
fn heard(socket: &OwnedFd) -> Option<FromAgent> {
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    assert_eq!(
        poll(&mut polled, PollTimeout::from(20_000_u16)).unwrap(),
        1,
        "in vain"
    );
    match packet::receive(socket.as_fd(), &mut Buffer::default()).unwrap() {
        Incoming::Message(message, _) => Some(message),
        Incoming::Closed => None,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refusal(socket: &OwnedFd) -> Refusal {
    match heard(socket) {
        Some(FromAgent::Refused(refused)) => refused.reason,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn who_talks_nonsense_is_told_so_a_few_times_and_cut_off() {
    let node = Node::new();
    let _agent = node.agent();
    let socket = connected(&node);
    for nonsense in [&b"\xff"[..], b"{\"message\":\"dance\"}", b"[[[[[[["] {
        packet::send(socket.as_fd(), nonsense, &[]).unwrap();
        assert_eq!(refusal(&socket), Refusal::Malformed);
    }
    assert_eq!(heard(&socket), None);
    assert!(node.try_claim(claim(1)).is_ok());
}

#[test]
fn a_message_that_is_too_long_is_refused() {
    let node = Node::new();
    let _agent = node.agent();
    let socket = connected(&node);
    packet::send(socket.as_fd(), &vec![b' '; MAX_MESSAGE + 1], &[]).unwrap();
    assert_eq!(refusal(&socket), Refusal::Malformed);
    say(&socket, &ToAgent::List);
    assert!(matches!(heard(&socket), Some(FromAgent::Tables { .. })));
}

#[test]
fn too_many_descriptors_are_refused_and_closed() {
    let node = Node::new();
    let _agent = node.agent();
    let socket = connected(&node);
    let (reader, mut writer) = std::io::pipe().unwrap();
    let message = packet::encode(&ToAgent::List).unwrap();
    packet::send(
        socket.as_fd(),
        &message,
        &[reader.as_fd(); MAX_DESCRIPTORS + 1],
    )
    .unwrap();
    assert_eq!(refusal(&socket), Refusal::Malformed);
    drop(reader);
    wait_until("the descriptors are closed", || writer.write(b"x").is_err());
}

#[test]
fn descriptors_that_nobody_asked_for_are_closed() {
    let node = Node::new();
    let _agent = node.agent();
    let socket = connected(&node);
    let (reader, mut writer) = std::io::pipe().unwrap();
    for message in [ToAgent::List, ToAgent::Settled, ToAgent::Claim(claim(1))] {
        let message = packet::encode(&message).unwrap();
        packet::send(socket.as_fd(), &message, &[reader.as_fd(), reader.as_fd()]).unwrap();
        heard(&socket).unwrap();
    }
    drop(reader);
    wait_until("the descriptors are closed", || writer.write(b"x").is_err());
}

#[test]
fn a_claim_without_its_own_network_namespace_is_refused() {
    let node = Node::new();
    let _agent = node.agent();
    let socket = connected(&node);
    let message = packet::encode(&ToAgent::Claim(claim(1))).unwrap();
    packet::send(socket.as_fd(), &message, &[]).unwrap();
    assert_eq!(refusal(&socket), Refusal::Malformed);
    let other = thread::spawn(|| {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        File::open("/proc/thread-self/ns/net").unwrap()
    });
    let other = other.join().unwrap();
    packet::send(socket.as_fd(), &message, &[other.as_fd()]).unwrap();
    assert_eq!(refusal(&socket), Refusal::NotAllowed);
    assert_eq!(node.list(), []);
}

#[test]
fn who_asks_for_what_only_owners_may_is_refused() {
    let node = Node::new();
    let _agent = node.agent();
    for message in [ToAgent::Settled, ToAgent::Release] {
        let socket = connected(&node);
        say(&socket, &message);
        assert_eq!(refusal(&socket), Refusal::Malformed);
    }
}

#[test]
fn who_never_reads_is_cut_off_and_nobody_else_waits() {
    let node = Node::new();
    let _agent = node.agent();
    let _tables: Vec<_> = (0..32).map(|number| node.claim(claim(number))).collect();
    let socket = connected(&node);
    let message = packet::encode(&ToAgent::List).unwrap();
    wait_until("it is cut off", || {
        matches!(
            packet::send(socket.as_fd(), &message, &[]),
            Err(error) if error.kind() != ErrorKind::WouldBlock
        )
    });
    assert_eq!(node.list().len(), 32);
}

#[test]
fn who_claims_and_never_reads_loses_its_table_with_its_connection() {
    let node = Node::new();
    let _agent = node.agent();
    let socket = connected(&node);
    let namespace = File::open("/proc/self/ns/net").unwrap();
    let message = packet::encode(&ToAgent::Claim(claim(1))).unwrap();
    packet::send(socket.as_fd(), &message, &[namespace.as_fd()]).unwrap();
    wait_until("it is granted", || !node.list().is_empty());
    assert!(node.list()[0].alive);
    drop(socket);
    wait_until("the owner is seen to be gone", || !node.is_alive(0));
}

#[test]
fn who_is_silent_is_told_so_and_cut_off() {
    let node = Node::new();
    let _agent = node.agent();
    let socket = connected(&node);
    assert_eq!(refusal(&socket), Refusal::Malformed);
    assert_eq!(heard(&socket), None);
}

#[test]
fn silent_clients_keep_nobody_from_claiming() {
    let node = Node::new();
    let _agent = node.agent();
    let _silent: Vec<_> = (0..50).map(|_| connected(&node)).collect();
    assert!(node.try_claim(claim(1)).is_ok());
}

#[test]
fn more_connections_than_there_may_be_are_refused() {
    let node = Node::new();
    let _agent = node.agent();
    let mut open = Vec::new();
    for _ in 0..256 {
        open.push(connected(&node));
        // So that each is taken before the next.
        say(open.last().unwrap(), &ToAgent::List);
        assert!(matches!(
            heard(open.last().unwrap()),
            Some(FromAgent::Tables { .. })
        ));
    }
    let one_more = connected(&node);
    assert_eq!(refusal(&one_more), Refusal::NotAllowed);
    assert_eq!(heard(&one_more), None);
    open.pop();
    wait_until("there is room again", || node.operator().list().is_ok());
}
