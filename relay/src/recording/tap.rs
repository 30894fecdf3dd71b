//! What media workers hold: a copy of a packet goes to the recorder, or nowhere. Nobody waits.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::SystemTime;

use crossbeam::channel::Sender;

use crate::plan::{Recording, RecordingId};

/// What may wait for the disk, bytes: a second of 5,000 recorded conversations.
const ROOM: usize = 64 * 1024 * 1024;
/// What a packet takes beside its payload, about.
const OVERHEAD: usize = 128;

/// What the recorder is told, in the order in which it is said.
#[derive(Debug)]
pub(super) enum Order {
    Packet(Packet),
    Event(Recording),
    /// Says when everything before it is on disk.
    Settle(Sender<()>),
    Stop,
}

/// A datagram of a recorded stream.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) recording: RecordingId,
    pub(super) at: SystemTime,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) payload: Box<[u8]>,
}

impl Order {
    /// What it takes while it waits, about.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Packet(packet) => packet.payload.len() + OVERHEAD,
            Self::Event(Recording::Sdp { body, .. }) => body.len() + OVERHEAD,
            Self::Event(_) | Self::Settle(_) | Self::Stop => OVERHEAD,
        }
    }
}

/// Which packets of a recorded stream are recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sides {
    /// As they arrive.
    pub ingress: bool,
    /// As they are sent, once for every receiver.
    pub egress: bool,
}

impl Default for Sides {
    fn default() -> Self {
        Self {
            ingress: true,
            egress: false,
        }
    }
}

/// Where recorded streams' packets go.
#[derive(Clone, Debug)]
pub struct Tap {
    pub(super) sides: Sides,
    pub(super) orders: Sender<Order>,
    pub(super) load: Arc<Load>,
}

/// What waits, and what did not get that far.
#[derive(Debug)]
pub(super) struct Load {
    room: usize,
    waiting: AtomicUsize,
    dropped: AtomicU64,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            room: ROOM,
            waiting: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
        }
    }
}

impl Load {
    #[cfg(test)]
    pub(super) fn with_room(room: usize) -> Self {
        Self {
            room,
            ..Self::default()
        }
    }

    /// The disk does not keep up.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.load(Relaxed) > self.room
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    /// An order has been taken up.
    pub(super) fn arrived(&self, order: &Order) {
        self.waiting.fetch_sub(order.weight(), Relaxed);
    }
}

impl Tap {
    /// Which packets are to be recorded.
    #[must_use]
    pub fn sides(&self) -> Sides {
        self.sides
    }

    /// Records a datagram that goes `from` one address `to` another, unless too much is waiting.
    pub fn record(&self, recording: RecordingId, from: SocketAddr, to: SocketAddr, payload: &[u8]) {
        if self.load.is_full() {
            self.load.dropped.fetch_add(1, Relaxed);
            return;
        }
        self.send(Order::Packet(Packet {
            recording,
            at: SystemTime::now(),
            from,
            to,
            payload: payload.into(),
        }));
    }

    /// Hands an order over; whether somebody is there to take it.
    pub(super) fn send(&self, order: Order) -> bool {
        self.load.waiting.fetch_add(order.weight(), Relaxed);
        self.orders.send(order).is_ok()
    }
}
