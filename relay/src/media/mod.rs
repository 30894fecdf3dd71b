//! Media in user space: port pool, sockets, endpoint learning, workers.
//!
//! `call` says what is to happen as [`Action`](crate::plan::Action)s; [`Media`] carries it out. It takes packets until a
//! stream's source is confirmed, hands the flow to the [`Datapath`] then, and goes on serving whatever comes up.

mod batch;
mod clock;
mod counters;
pub mod learning;
mod nursery;
pub mod packet;
mod ports;
mod reception;
mod socket;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

pub use ports::Ports;

use crate::datapath::Datapath;
use crate::plan::{
    Action, LocalAddress, OutOfPorts, PortPair, PortSource, StreamId, StreamReader, StreamView,
};

/// What [`Media`] is started with.
#[derive(Clone)]
pub struct MediaConfig {
    /// The local addresses that ports are taken on.
    pub addresses: Vec<IpAddr>,
    /// Lowest port, inclusive.
    pub port_min: u16,
    /// Highest port, inclusive.
    pub port_max: u16,
    /// Worker threads, at least 1.
    pub workers: usize,
    /// How long a bound port must have been silent before it is handed out.
    pub rest: Duration,
    /// Pairs kept ready per address; more are kept while more are being used.
    pub ready_pairs: usize,
    /// Where confirmed flows are handed to.
    pub datapath: Arc<dyn Datapath>,
}

/// Why media could not be started.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// No complete pair of an even and the next odd port in the range.
    #[error(
        "no even port with an odd one above it between {0} and {1}: widen port-min and port-max"
    )]
    EmptyRange(u16, u16),
    /// A socket, epoll or thread could not be made.
    #[error("starting media: {0}")]
    Io(#[from] std::io::Error),
}

/// Ports of one local address, in pairs, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortUsage {
    /// The local address.
    pub address: IpAddr,
    /// Pairs of the range.
    pub total: usize,
    /// Pairs in use by calls.
    pub used: usize,
    /// Pairs that can be handed out now.
    pub ready: usize,
}

/// Media workers and port pool; stops them when dropped.
pub struct Media {}

/// A handle on the streams' counters; clones share them.
#[derive(Clone)]
pub struct Streams {}

impl MediaConfig {
    /// The defaults for everything that does not depend on the machine.
    #[must_use]
    pub fn new(addresses: Vec<IpAddr>, ports: (u16, u16), datapath: Arc<dyn Datapath>) -> Self {
        Self {
            addresses,
            port_min: ports.0,
            port_max: ports.1,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            rest: Duration::from_millis(500),
            ready_pairs: 64,
            datapath,
        }
    }
}

impl Media {
    /// Starts the workers and begins to fill the port pool.
    ///
    /// # Errors
    /// [`MediaError`] when the range holds no pair or the system refuses a resource.
    pub fn start(config: MediaConfig) -> Result<Self, MediaError> {
        let _ = config;
        todo!()
    }

    /// Waits until every address has ports to hand out, or `timeout` has passed; says which.
    pub fn wait_ready(&self, timeout: Duration) -> bool {
        let _ = timeout;
        todo!()
    }

    /// Carries out the actions of one command, in order. Returns before the workers have.
    pub fn apply(&self, actions: Vec<Action>) {
        let _ = actions;
        todo!()
    }

    /// Where `call` takes ports from.
    #[must_use]
    pub fn ports(&self) -> Ports {
        todo!()
    }

    /// Where `call` and metrics read counters.
    #[must_use]
    pub fn streams(&self) -> Streams {
        todo!()
    }

    /// Port usage per local address.
    #[must_use]
    pub fn port_usage(&self) -> Vec<PortUsage> {
        todo!()
    }
}

impl StreamReader for Streams {
    fn view(&self, stream: StreamId) -> Option<StreamView> {
        let _ = stream;
        todo!()
    }
}
