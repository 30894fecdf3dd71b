//! What the agent has the kernel do, as its claims and leases see it. The real one is [`crate::agent::node`]'s; tests
//! have one without a kernel.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

use crate::datapath::{EngineChoice, TableUsage};
use crate::tables::protocol::{AddressPorts, Place, Placement};

/// One table's contents, from a claim to the next claim of the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Generation {
    /// The table's number.
    pub(crate) table: u32,
    /// Never the same again on this node since it booted.
    pub(crate) number: u64,
    /// The layout of its maps. What has another than this build's can be left alone, settled and removed, not read.
    pub(crate) layout: u32,
}

/// What a generation is made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spec {
    /// Granted addresses, by block.
    pub(crate) addresses: Vec<IpAddr>,
    /// Granted ports at each.
    pub(crate) ports: AddressPorts,
    /// Flows it is to hold.
    pub(crate) max_flows: u32,
    /// How long it forwards without a sign of life of its owner, ms.
    pub(crate) lease_ms: u64,
    /// As [`crate::tables::protocol::Claim::engine`].
    pub(crate) engine: EngineChoice,
    /// As [`crate::tables::protocol::Claim::interface_engines`].
    pub(crate) interface_engines: BTreeMap<String, EngineChoice>,
    /// The owner may leave through any interface of the node's namespace, not only those that carry its addresses.
    pub(crate) is_trusted: bool,
}

/// The descriptors of a generation's maps.
#[derive(Debug)]
pub(crate) struct Maps {
    /// HEADER.
    pub(crate) header: OwnedFd,
    /// PORTS.
    pub(crate) ports: OwnedFd,
    /// RECORDS.
    pub(crate) records: OwnedFd,
    /// OUTCOMES, for reading.
    pub(crate) outcomes: OwnedFd,
}

/// What the kernel would not do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KernelError {
    /// Maps or programs could not be made.
    #[error("the kernel program could not be loaded: {0}")]
    Load(String),
    /// bpffs is missing or not writable.
    #[error("pins: {0}; mount bpffs: mount -t bpf bpffs /sys/fs/bpf")]
    Pins(io::Error),
    /// Links and addresses can't be read.
    #[error("netlink: {0}")]
    Netlink(io::Error),
    /// The network namespace can't be entered.
    #[error("network namespace: {0}")]
    Namespace(io::Error),
    /// Made by a build that this one doesn't understand, or gone.
    #[error("table {} generation {} is not there", .0.table, .0.number)]
    NotThere(Generation),
}

/// The kernel's part of a node.
pub(crate) trait NodeKernel {
    /// Addresses that the namespace has now.
    fn addresses(&mut self, namespace: BorrowedFd<'_>) -> Result<Vec<IpAddr>, KernelError>;

    /// Makes a generation: its maps, pinned, empty but for the grant. Nothing is attached yet.
    fn create(
        &mut self,
        generation: Generation,
        spec: &Spec,
        namespace: OwnedFd,
    ) -> Result<(), KernelError>;

    /// Finds a generation again that an agent before has made, attached as it is. `namespace`: the owner's, if it can
    /// be had; without it interfaces are not followed.
    fn adopt(
        &mut self,
        generation: Generation,
        spec: &Spec,
        namespace: Option<OwnedFd>,
    ) -> Result<(), KernelError>;

    /// The maps of a generation of this build's layout; `for_owner`: to be written. OUTCOMES never is: the kernel sees to
    /// that. (It does not see to it that the others are only read where that is all that is wanted.)
    fn maps(&mut self, generation: Generation, for_owner: bool) -> Result<Maps, KernelError>;

    /// Puts a generation to work wherever its packets come in. Where `previous` is at work it takes its place from one
    /// packet to the next; then `previous` is removed.
    fn attach(&mut self, generation: Generation, previous: Option<Generation>) -> Placement;

    /// Packets come in for it somewhere, whoever has seen to that.
    fn is_at_work(&self, generation: Generation) -> bool;

    /// How a generation that will be attached, or is, has its packets come in and leave.
    fn placement(&mut self, generation: Generation) -> Placement;

    /// When the owner last gave a sign of life, ns of CLOCK_MONOTONIC; `None` if it can't be told.
    fn last_alive_ns(&mut self, generation: Generation) -> Option<u64>;

    /// Gives a sign of life for an owner that is restoring its calls in another generation.
    fn keep_alive(&mut self, generation: Generation);

    /// Flows and counters; `None` if they can't be told.
    fn usage(&mut self, generation: Generation) -> Option<TableUsage>;

    /// Ends a generation: nothing is forwarded by it any more, whoever still holds its maps; programs, links, pins and
    /// maps are gone. Also for generations of other layouts and ones never adopted.
    fn remove(&mut self, generation: Generation);

    /// Every generation that has left pins, of whatever layout.
    fn pinned(&mut self) -> Vec<Generation>;

    /// A way out is wanted. What comes of it is in the next [`Self::placement`].
    fn want_egress(&mut self, generation: Generation, place: Place, ifindex: u32);

    /// A neighbour is to be resolved or confirmed.
    fn use_neighbour(
        &mut self,
        generation: Generation,
        place: Place,
        ifindex: u32,
        address: IpAddr,
    );

    /// Native XDP does not work where it was tried.
    fn not_sending(&mut self, generation: Generation, place: Place, ifindex: u32);

    /// Two rtnetlink sockets in the node's namespace, if some of the generation's next hops are looked up there.
    fn node_sockets(
        &mut self,
        generation: Generation,
    ) -> Result<Option<(OwnedFd, OwnedFd)>, KernelError>;

    /// What to wait for, to read, for [`Self::follow`].
    fn descriptors(&self) -> Vec<BorrowedFd<'_>>;

    /// Follows changes of links and addresses. The generations whose placement has changed since.
    fn follow(&mut self) -> Vec<Generation>;
}
