//! What guest and host say to each other over the guest's third serial port: JSON, a line each.

use std::net::SocketAddrV4;

use serde::{Deserialize, Serialize};

/// What carries the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum System {
    /// XDP_DROP where frames come in: the driver's floor, nothing is relayed. Over veth: no relay, one hop.
    Floor,
    /// Plain IP forwarding.
    Routing,
    /// The bare program on native XDP.
    BareXdp,
    /// The bare program on tc.
    BareTc,
    /// Underpass, native XDP.
    Xdp,
    /// Underpass, tc.
    Tc,
    /// Underpass, user space.
    Null,
    /// rtpengine with its kernel module.
    Module,
    /// rtpengine in user space.
    Rtpengine,
}

/// What the guest is to do; the host puts it into the guest's file system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Job {
    /// On virtio-net, with frames from outside.
    pub(super) virtio: Vec<System>,
    /// Calls up, one measurement each.
    pub(super) virtio_calls: Vec<usize>,
    /// Over veth, in the guest.
    pub(super) veth: Vec<System>,
    /// Calls up there.
    pub(super) veth_calls: usize,
    /// Measurements of each.
    pub(super) rounds: usize,
    /// How long a measurement on virtio-net lasts, guest ms.
    pub(super) window_ms: u64,
    /// Packets of a measurement over veth.
    pub(super) veth_packets: usize,
}

/// A flow that the host sends: from an address outside to the relay's.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Wire {
    /// Source.
    pub(super) from: SocketAddrV4,
    /// Destination.
    pub(super) to: SocketAddrV4,
}

/// Guest to host.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FromGuest {
    /// Where it has got to.
    Progress(String),
    /// The flows to send from now on.
    Flows(Vec<Wire>),
    /// Send one frame of each flow, one after the other; answered with [`FromHost::Done`].
    Once,
    /// Send until told to stop, not faster than a frame in so many µs of the host's time; unless `returns`, nothing comes back.
    Start {
        /// From frame to frame.
        gap_us: u64,
        /// The next frame waits for the last one's return.
        returns: bool,
    },
    /// Stop; answered with [`FromHost::Done`].
    Stop,
    /// A measurement.
    Sample(Sample),
    /// It could not go on.
    Failed(String),
    /// All is done.
    End,
}

/// Host to guest.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum FromHost {
    /// Frames sent since the last command, and how many of them came back relayed.
    Done {
        /// Handed to the guest.
        sent: u64,
        /// Returned.
        back: u64,
    },
}

/// One measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Sample {
    /// Of what.
    pub(super) system: System,
    /// Over veth, not on virtio-net.
    pub(super) veth: bool,
    /// Calls up.
    pub(super) calls: usize,
    /// Instructions per frame.
    pub(super) instructions: f64,
    /// Frames in the measurement.
    pub(super) frames: u64,
    /// Frames per second of guest time.
    pub(super) rate: f64,
    /// Frames that never came back.
    pub(super) lost: u64,
    /// Interrupts of the virtio devices per frame.
    pub(super) interrupts: f64,
    /// Frames that came up to the relay's user space, by its own count.
    pub(super) user_space: u64,
}
