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
pub struct Job {
    /// On virtio-net, with frames from outside.
    pub virtio: Vec<System>,
    /// Calls up, one measurement each.
    pub virtio_calls: Vec<usize>,
    /// Over veth, in the guest.
    pub veth: Vec<System>,
    /// Calls up there.
    pub veth_calls: usize,
    /// Measurements of each.
    pub rounds: usize,
    /// How long a measurement on virtio-net lasts, guest ms.
    pub window_ms: u64,
    /// Packets of a measurement over veth.
    pub veth_packets: usize,
}

/// A flow that the host sends: from an address outside to the relay's.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Wire {
    /// Source.
    pub from: SocketAddrV4,
    /// Destination.
    pub to: SocketAddrV4,
}

/// Guest to host.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FromGuest {
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
pub enum FromHost {
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
pub struct Sample {
    /// Of what.
    pub system: System,
    /// Over veth, not on virtio-net.
    pub veth: bool,
    /// Calls up.
    pub calls: usize,
    /// Instructions per frame.
    pub instructions: f64,
    /// Frames in the measurement.
    pub frames: u64,
    /// Frames per second of guest time.
    pub rate: f64,
    /// Frames that never came back.
    pub lost: u64,
    /// Interrupts of the virtio devices per frame.
    pub interrupts: f64,
    /// Frames that came up to the relay's user space, by its own count.
    pub user_space: u64,
    /// Instructions per second that the system takes with its calls up and no traffic.
    pub idle: f64,
}
