//! Media in user space: port pool, sockets, endpoint learning, workers.
//!
//! `call` says what is to happen as [`Action`]s; [`Media`] carries it out. It takes packets until a
//! stream's source is confirmed, hands the flow to the [`Datapath`] then, and goes on serving whatever comes up.

mod batch;
mod bed;
mod clock;
mod counters;
mod events;
mod fate;
mod handoff;
mod layout;
pub mod learning;
mod lengths;
mod nursery;
mod ports;
mod range;
mod reception;
mod repeats;
mod rtcp;
pub mod shard;
mod socket;
mod stream;
mod streams;
mod table;
#[cfg(test)]
mod tests;
mod treatment;
mod worker;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crossbeam::channel::{Receiver, bounded};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

pub use ports::Ports;
pub use range::{MediaPorts, PortRange};
pub use rtcp::{Formula, Mos, ReportTotals};
pub use streams::Streams;

use crate::datapath::Datapath;
use crate::plan::{Action, CallKey, EndpointLearning, PortPair, StreamId, TelephoneEvent};
use crate::recording::Recorder;
use ports::Filler;
use worker::{Command, WorkerHandle};

/// How long a command waits, at most, for a worker that is busy with packets.
const OBEYED_WITHIN: Duration = Duration::from_millis(100);

/// Telephone events that wait to be [taken](Media::events); further ones are lost.
const MAX_EVENTS: usize = 4096;

/// What [`Media`] is started with.
#[derive(Clone)]
pub struct MediaConfig {
    /// The local addresses that ports are taken on, and which ports.
    pub ports: BTreeMap<IpAddr, MediaPorts>,
    /// Worker threads, at least 1.
    pub workers: usize,
    /// How long a bound port must have been silent before it is handed out.
    pub rest: Duration,
    /// Pairs kept ready per address; more are kept while more are being used, fewer where the limit of open files is low.
    pub ready_pairs: usize,
    /// How the mean opinion score is made.
    pub mos: Mos,
    /// Where confirmed flows are handed to.
    pub datapath: Arc<dyn Datapath>,
    /// Who records; `None`: nobody does.
    pub recorder: Option<Arc<Recorder>>,
}

/// Why media could not be started.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// No complete pair of an even and the next odd port at an address.
    #[error("no even port with an odd one above it at {0}: widen port-min and port-max")]
    NoPorts(IpAddr),
    /// A socket, epoll or thread could not be made.
    #[error("starting media: {0}")]
    Io(#[from] std::io::Error),
}

/// Ports of one local address, in pairs, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortUsage {
    /// The local address.
    pub address: IpAddr,
    /// Its ports, those between them included that are kept out.
    pub range: PortRange,
    /// Pairs that there are.
    pub total: usize,
    /// Pairs in use by calls.
    pub used: usize,
    /// Pairs that can be handed out now.
    pub ready: usize,
}

/// What user space has passed on since start, all streams together, those that are closed included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Packets passed on.
    pub packets: u64,
    /// Their UDP payload bytes.
    pub bytes: u64,
    /// Packets refused by strict-source, or that could not be passed on.
    pub errors: u64,
    /// What receivers said in RTCP.
    pub reports: ReportTotals,
}

/// Media workers and port pool; stops them when dropped.
pub struct Media {
    ports: Ports,
    streams: Streams,
    workers: Vec<WorkerHandle>,
    events: Receiver<TelephoneEvent>,
    datapath: Arc<dyn Datapath>,
    recorder: Option<Arc<Recorder>>,
    filler: Option<Filler>,
}

impl MediaConfig {
    /// The defaults for everything that does not depend on the machine.
    #[must_use]
    pub fn new(ports: BTreeMap<IpAddr, MediaPorts>, datapath: Arc<dyn Datapath>) -> Self {
        Self {
            ports,
            workers: std::thread::available_parallelism().map_or(1, usize::from),
            rest: Duration::from_millis(500),
            ready_pairs: 256,
            mos: Mos::default(),
            datapath,
            recorder: None,
        }
    }
}

impl Media {
    /// Starts the workers and begins to fill the port pool.
    ///
    /// Raises the soft limit of open files to the hard one: every stream is a socket.
    ///
    /// # Errors
    /// [`MediaError`] when the range holds no pair or the system refuses a resource.
    pub fn start(config: MediaConfig) -> Result<Self, MediaError> {
        let mut media = Self::prepare(config)?;
        media.fill()?;
        Ok(media)
    }

    /// Starts the workers. Until [`fill`](Self::fill) no port is bound but those that are [taken
    /// again](crate::plan::PortSource::retake), so that nothing is in the way of calls that are restored.
    ///
    /// # Errors
    /// Those of [`start`](Self::start).
    pub fn prepare(config: MediaConfig) -> Result<Self, MediaError> {
        let ports = Ports::new(&config, raise_file_limit())?;
        let streams = Streams::default();
        let (tell, events) = bounded(MAX_EVENTS);
        let start = |index| {
            let datapath = Arc::clone(&config.datapath);
            let tap = config.recorder.as_ref().map(|recorder| recorder.tap());
            let tell = tell.clone();
            WorkerHandle::start(
                index,
                ports.clone(),
                datapath,
                streams.lessons(),
                tap,
                tell,
                config.mos,
            )
        };
        let workers = (0..config.workers.max(1))
            .map(start)
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            ports,
            streams,
            workers,
            events,
            datapath: config.datapath,
            recorder: config.recorder,
            filler: None,
        })
    }

    /// Begins to fill the port pool; once is enough.
    ///
    /// # Errors
    /// [`MediaError`] when the system refuses a thread.
    pub fn fill(&mut self) -> Result<(), MediaError> {
        if self.filler.is_none() {
            self.filler = Some(self.ports.fill()?);
        }
        Ok(())
    }

    /// Returns when the workers have carried out all actions so far.
    pub fn settle(&self) {
        let settle = |worker: &WorkerHandle| worker.settle(Duration::MAX);
        self.workers.iter().for_each(settle);
    }

    /// Waits until every address had its first rested ports, or `timeout` has passed; says which.
    #[must_use]
    pub fn wait_ready(&self, timeout: Duration) -> bool {
        self.ports.wait_ready(timeout)
    }

    /// Carries out the actions of one command, in order. Whatever arrives after that is treated as the actions say: workers
    /// obey before they serve, and where the kernel forwards what changes, this waits until it forwards as it should. The
    /// recorder hears of a recording before the first packet of it.
    pub fn apply(&self, actions: Vec<Action>) {
        self.tell_sockets(&actions);
        let awaited = self.changes_kernel(&actions);
        let urgent = awaited || self.is_urgent(&actions);
        let mut per_worker: Vec<Vec<Command>> = Vec::new();
        per_worker.resize_with(self.workers.len(), Vec::new);
        for action in actions {
            if let Action::Move { call, pairs } = action {
                self.relocate(call, &pairs, &mut per_worker);
            } else if let Some((worker, command)) = self.command(action) {
                per_worker[worker].push(command);
            }
        }
        let concerned = self.workers.iter().zip(per_worker);
        let concerned = concerned.filter(|(_, commands)| !commands.is_empty());
        let concerned: Vec<_> = concerned
            .map(|(worker, commands)| {
                worker.send(commands, urgent);
                worker
            })
            .collect();
        if awaited {
            for worker in concerned {
                worker.settle(OBEYED_WITHIN);
            }
            // What workers asked the datapath for is done before it answers this.
            self.datapath.refresh_flows(&[]);
        }
    }

    /// Tells the datapath which ports get streams, and which lose theirs.
    fn tell_sockets(&self, actions: &[Action]) {
        let (mut held, mut gone) = (Vec::new(), Vec::new());
        for action in actions {
            match action {
                Action::Open { port, .. } => held.push(port.address),
                Action::Close { pair } => gone.extend([pair.rtp.address, pair.rtcp.address]),
                Action::Update { .. } | Action::Move { .. } | Action::Record(_) => {}
            }
        }
        if !gone.is_empty() {
            self.datapath.let_go(&gone);
        }
        if !held.is_empty() {
            self.datapath.hold(&held);
        }
    }

    /// Where `call` takes ports from.
    #[must_use]
    pub fn ports(&self) -> Ports {
        self.ports.clone()
    }

    /// Who records, if anybody does.
    #[must_use]
    pub fn recorder(&self) -> Option<&Recorder> {
        self.recorder.as_deref()
    }

    /// Where `call` and metrics read counters.
    #[must_use]
    pub fn streams(&self) -> Streams {
        self.streams.clone()
    }

    /// The telephone events of streams whose plans want them told, as they end. Whoever receives one has it alone.
    #[must_use]
    pub fn events(&self) -> Receiver<TelephoneEvent> {
        self.events.clone()
    }

    /// Port usage per local address.
    #[must_use]
    pub fn port_usage(&self) -> Vec<PortUsage> {
        self.ports.usage()
    }

    /// What user space has passed on since start.
    #[must_use]
    pub fn totals(&self) -> Totals {
        let mut sum = Totals::default();
        for worker in &self.workers {
            let totals = &worker.totals;
            sum.packets += totals.packets.load(Relaxed);
            sum.bytes += totals.bytes.load(Relaxed);
            sum.errors += totals.errors.load(Relaxed);
            sum.reports += *totals
                .reports
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
        }
        sum
    }

    /// Whether the kernel forwards for streams whose plans change.
    fn changes_kernel(&self, actions: &[Action]) -> bool {
        let changed = actions.iter().filter_map(|action| match action {
            Action::Update { stream, plan } => Some((*stream, plan)),
            _ => None,
        });
        let concerned = changed.flat_map(|(stream, plan)| {
            let sinks = plan.sinks.iter().map(|sink| sink.stream);
            std::iter::once(stream).chain(sinks)
        });
        self.streams.any_in_kernel(concerned)
    }

    /// Whether the kernel forwards for streams that end, or is to for others, without a packet that would bring the worker to
    /// obey.
    fn is_urgent(&self, actions: &[Action]) -> bool {
        let at_once = actions.iter().any(|action| match action {
            Action::Open { plan, .. } | Action::Update { plan, .. } => {
                plan.learning == EndpointLearning::Off
            }
            // A worker waits for what another is to give away.
            Action::Move { .. } => true,
            Action::Close { .. } | Action::Record(_) => false,
        });
        let closed = actions.iter().filter_map(|action| match action {
            Action::Close { pair } => Some(pair.rtp.id),
            _ => None,
        });
        at_once || self.streams.any_in_kernel(closed)
    }

    /// Has streams given from the workers they are with to the one of the call they belong to now.
    fn relocate(&self, call: CallKey, pairs: &[PortPair], per_worker: &mut [Vec<Command>]) {
        let target = self.worker_of(call);
        let mut leaving: BTreeMap<usize, Vec<StreamId>> = BTreeMap::new();
        for id in pairs.iter().flat_map(|pair| [pair.rtp.id, pair.rtcp.id]) {
            if let Some(worker) = self.streams.relocate(id, target) {
                leaving.entry(worker).or_default().push(id);
            }
        }
        for (worker, streams) in leaving {
            let (to, from) = bounded(1);
            per_worker[worker].push(Command::Leave { streams, to });
            per_worker[target].push(Command::Join { call, from });
        }
    }

    /// The command an action becomes, and the worker it is for.
    fn command(&self, action: Action) -> Option<(usize, Command)> {
        match action {
            Action::Open {
                call,
                port,
                plan,
                predecessor,
                learned,
            } => {
                let Some(socket) = self.ports.claim(port.id) else {
                    tracing::error!(port = %port.address, "opening a port that was not taken, or twice");
                    return None;
                };
                let worker = self.worker_of(call);
                let counters = self.streams.open(port.id, worker);
                if let Some(learned) = &learned {
                    counters.resume(learned);
                }
                let open = Command::Open {
                    call,
                    port,
                    socket,
                    plan,
                    predecessor,
                    learned,
                    counters,
                };
                Some((worker, open))
            }
            Action::Update { stream, plan } => {
                let worker = self.streams.worker_of(stream)?;
                Some((worker, Command::Update { stream, plan }))
            }
            Action::Close { pair } => {
                let rtp = self.streams.close(pair.rtp.id);
                let rtcp = self.streams.close(pair.rtcp.id);
                let Some(worker) = rtp.or(rtcp) else {
                    self.ports.release(&pair);
                    return None;
                };
                Some((worker, Command::Close { pair }))
            }
            Action::Move { .. } => None,
            Action::Record(event) => {
                if let Some(recorder) = &self.recorder {
                    recorder.tell(event);
                }
                None
            }
        }
    }

    /// All streams of a call are one worker's.
    fn worker_of(&self, call: CallKey) -> usize {
        shard::worker_of(call, self.workers.len())
    }
}

/// Raises the soft limit of open files to the hard one; returns what holds now.
fn raise_file_limit() -> usize {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((1024, 1024));
    let holds = match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(error) => {
            tracing::warn!(%error, limit = soft, "the limit of open files could not be raised");
            soft
        }
    };
    usize::try_from(holds).unwrap_or(usize::MAX)
}
