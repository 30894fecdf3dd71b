//! The claim protocol: what a relay and the node's agent say to each other. docs/claim-protocol.md is its text for people.
//!
//! Each message is one packet of a SOCK_SEQPACKET Unix socket: JSON, at most [`MAX_MESSAGE`] bytes, with descriptors
//! beside it (SCM_RIGHTS) where that is said. Unknown fields are ignored, so that a version can be added to.

mod ports;

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{TableRequest, TableState};
use crate::datapath::{Engine, EngineChoice};

pub use ports::{AddressPorts, Ports};

/// The version spoken here; raised when an old peer would misunderstand.
pub const VERSION: u32 = 1;
/// Bytes of the longest message.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Descriptors beside one message, at most.
pub const MAX_DESCRIPTORS: usize = 16;

/// What a relay, or an operator's tool, says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum ToAgent {
    /// Asks for a table. With one descriptor: the caller's network namespace (/proc/self/ns/net).
    Claim(Claim),
    /// Goes on with a table after the connection, or the agent, was lost. Descriptors: the table's lock, the caller's
    /// network namespace.
    Resume {
        /// [`VERSION`].
        version: u32,
        /// The table's number.
        table: u32,
        /// Its generation, as it was granted.
        generation: u64,
    },
    /// Everything that is to be restored has been: the generation granted last takes the place of the one before.
    /// Answered by [`FromAgent::Settled`].
    Settled,
    /// Asks for a way out through an interface; what comes of it is told by [`FromAgent::Placement`].
    WantEgress {
        /// Where the interface is.
        place: Place,
        /// Its index there.
        ifindex: u32,
    },
    /// Asks the kernel to resolve, or to confirm, a neighbour in use.
    UseNeighbour {
        /// Where the interface is.
        place: Place,
        /// Its index there.
        ifindex: u32,
        /// The neighbour.
        address: IpAddr,
    },
    /// An interface does not send what native XDP forwards through it.
    NotSending {
        /// Where the interface is.
        place: Place,
        /// Its index there.
        ifindex: u32,
    },
    /// Gives the table back, with all that is in it. Answered by [`FromAgent::Released`].
    Release,
    /// Asks what tables there are. Answered by [`FromAgent::Tables`].
    List,
    /// Frees a table whose owner is gone, before its lease is over; with `force` also one whose owner lives. Answered by
    /// [`FromAgent::Released`]. For the superuser.
    Free {
        /// The table.
        table: u32,
        /// Even if its owner lives.
        force: bool,
    },
}

/// What a relay wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// [`VERSION`].
    pub version: u32,
    /// The layout of maps the relay knows: [`underpass_abi::LAYOUT_VERSION`].
    pub layout: u32,
    /// Which table.
    pub table: TableRequest,
    /// Who it is, across restarts: a pod's UID, or a configured or kept name.
    pub identity: String,
    /// What people call it.
    pub name: String,
    /// Its command line, for people.
    pub command: String,
    /// Its media addresses, each once.
    pub addresses: Vec<IpAddr>,
    /// Its media ports at them.
    pub ports: AddressPorts,
    /// Flows the table is to hold.
    pub max_flows: u32,
    /// The engine for every interface…
    pub engine: EngineChoice,
    /// …except these. An interface named here gets an engine even if it carries no media address.
    pub interface_engines: BTreeMap<String, EngineChoice>,
}

/// What the agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "message", rename_all = "kebab-case")]
pub enum FromAgent {
    /// The table is the caller's. Descriptors, in this order: the maps HEADER, PORTS, RECORDS (read and write), OUTCOMES
    /// (read); the lock, which tells everybody that its holder lives; if [`Granted::has_previous`], HEADER, PORTS and
    /// RECORDS of the generation before (read); if [`Granted::has_node_sockets`], two rtnetlink sockets in the node's
    /// network namespace, one to ask and one that hears of changes. After [`ToAgent::Resume`] without descriptors, but for
    /// the node's sockets.
    Granted(Granted),
    /// Not granted, or not done, and why.
    Refused(Refused),
    /// How the table's packets come in and leave has changed.
    Placement(Placement),
    /// The generation before is gone.
    Settled,
    /// The table is free.
    Released,
    /// Tables of the node that are not free.
    Tables {
        /// In order of their numbers.
        tables: Vec<TableState>,
        /// They do not fit into one message: another follows.
        #[serde(default)]
        more: bool,
    },
}

/// A table, and what it may be used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// [`VERSION`].
    pub version: u32,
    /// Its number.
    pub table: u32,
    /// Tells it from earlier and later contents of the same number.
    pub generation: u64,
    /// How long it outlives its owner, ms.
    pub lease_ms: u64,
    /// Flows it holds.
    pub max_flows: u32,
    /// The granted addresses, by block of ports: the first has block 0. IPv4 and IPv6 are numbered each for itself where the
    /// flow names one ([`underpass_abi::Flow::from_local`]), in this order.
    pub addresses: Vec<IpAddr>,
    /// The ports granted at each.
    pub ports: AddressPorts,
    /// This identity's earlier table still forwards. It goes when [`ToAgent::Settled`] is said, or with the lease.
    pub takes_over: bool,
    /// The maps of that table are of the same layout, and come along.
    pub has_previous: bool,
    /// Sockets for looking up routes at [`Place::Node`] come along.
    pub has_node_sockets: bool,
    /// How its packets come in and leave.
    pub placement: Placement,
}

/// A network namespace, as seen from one relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The relay's own.
    Own,
    /// The node's, where the uplink is.
    Node,
}

/// How a table's packets come in and leave, now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placement {
    /// Where its packets come in.
    pub interfaces: Vec<Interface>,
    /// The ways out it may use.
    pub egresses: Vec<Egress>,
}

/// What an instance of the program is bound to at an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// One table's alone.
    Own,
    /// Several tables'; the owner of a packet's address and port is found first.
    Shared,
    /// As shared, at an interface of the node through which the relays' own interfaces are reached.
    Uplink,
}

/// An interface that packets for the table come in by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub place: Place,
    /// Its index there.
    pub ifindex: u32,
    /// How it is shared.
    pub shape: Shape,
    /// What forwards there; `None`: user space.
    pub engine: Option<Engine>,
    /// Why this engine and not a better one, or why none; empty if there is nothing to say.
    pub note: String,
    /// The granted addresses whose packets come in here; the first interface with an address is the one its packets mostly
    /// come in by. Addresses on devices that receive nothing (loopback, dummy) are at the first interface that the
    /// configuration names.
    pub addresses: Vec<IpAddr>,
    /// The link-layer address that frames for these addresses have here; all zero: any.
    pub mac: [u8; 6],
    /// Next hops of flows that come in here are looked up there.
    pub lookup: Place,
}

/// A way out. A flow names it by its slot, and the agent says what is behind that: so a table sends through nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Egress {
    /// What a flow calls it: [`underpass_abi::Flow::egress`].
    pub slot: u32,
    /// Where the interface is that a next hop lookup names…
    pub place: Place,
    /// …and its index there.
    pub ifindex: u32,
    /// The source of frames that leave by it; the program lets no other pass.
    pub mac: [u8; 6],
    /// The 802.1Q tag they leave with, 0 none.
    pub vlan: u16,
    /// The XDP engine can send by it.
    pub xdp: bool,
}

/// Why something was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// For programs.
    pub reason: Refusal,
    /// For people: what was wrong and what to do, one line.
    pub text: String,
    /// Who holds what was asked for.
    pub owner: Option<String>,
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Not understood.
    Malformed,
    /// Another version of the protocol, or of the maps' layout, than this agent's.
    Version,
    /// The table asked for is taken.
    Taken,
    /// Every table is taken.
    AllTaken,
    /// No such table, or nothing of the caller's to go on with.
    NoSuchTable,
    /// Addresses or ports are granted to another.
    Overlap,
    /// The policy does not allow it.
    NotAllowed,
    /// The kernel refused what it takes.
    Kernel,
    /// A relay of this identity lives.
    IdentityInUse,
}

#[cfg(test)]
mod doc;
