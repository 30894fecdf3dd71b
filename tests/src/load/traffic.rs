//! The two threads of a load: one sends for every party, one receives for all.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use super::SPACING;
use super::party::Party;

/// The parties take turns in as many slots: what all send at once would be a burst that no phone network has.
const SLOTS: usize = 20;
/// A party sends RTCP with every so many packets.
const RTCP_EVERY: usize = 50;

/// Sends for every party, until told to stop. Where the processor is late the rest is not hurried: a burst might overflow
/// the kernel's queues, and the loss would be the lab's own.
pub(super) fn send(parties: Arc<Vec<Party>>, stopping: Arc<AtomicBool>) -> JoinHandle<()> {
    let slot = SPACING / SLOTS as u32;
    thread::spawn(move || {
        let mut due = Instant::now();
        for turn in 0.. {
            for party in (turn % SLOTS..parties.len()).step_by(SLOTS) {
                parties[party].send();
                if (turn / SLOTS + party).is_multiple_of(RTCP_EVERY) {
                    parties[party].send_rtcp();
                }
            }
            due += slot;
            let now = Instant::now();
            if due > now {
                thread::sleep(due - now);
            } else {
                due = due.max(now - slot);
            }
            if stopping.load(Ordering::Relaxed) {
                return;
            }
        }
    })
}

/// Receives for every party, until told to close.
pub(super) fn receive(parties: Arc<Vec<Party>>, closing: Arc<AtomicBool>) -> JoinHandle<()> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).unwrap();
    for (at, party) in parties.iter().enumerate() {
        for (socket, is_rtcp) in [(&party.rtp, 0), (&party.rtcp, 1)] {
            socket.set_nonblocking(true).unwrap();
            let event = EpollEvent::new(EpollFlags::EPOLLIN, 2 * at as u64 + is_rtcp);
            epoll.add(socket.as_fd(), event).unwrap();
        }
    }
    let patience = EpollTimeout::try_from(Duration::from_millis(20)).unwrap();
    thread::spawn(move || {
        let mut events = [EpollEvent::empty(); 256];
        while !closing.load(Ordering::Relaxed) {
            let ready = epoll.wait(&mut events, patience).unwrap_or(0);
            for event in &events[..ready] {
                let party = &parties[(event.data() / 2) as usize];
                if event.data() % 2 == 0 {
                    party.receive();
                } else {
                    party.receive_rtcp();
                }
            }
        }
    })
}
