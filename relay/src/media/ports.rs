//! The port pool: pairs bound ahead of time and watched while they rest, so that taking one is quick and never brings
//! another call's packets along.
//!
//! A thread keeps the shelf of each address filled from its [`Nursery`]; taking a pair from the shelf costs one system
//! call, the last look whether something has arrived.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rand::seq::SliceRandom;

use super::clock::Now;
use super::nursery::{Limits, Nursery};
use super::socket::SocketPair;
use super::{MediaConfig, MediaError, MediaPorts, PortRange, PortUsage};
use crate::plan::{
    LocalAddress, LocalPort, OutOfPorts, PortPair, PortSource, RetakeError, StreamId,
};

/// How long taking a pair waits for one to have rested when none is ready.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long a pair rests while somebody waits for it: several packets of any common length.
const HURRIED_MS: u64 = 120;
/// How often the filler looks at what rests.
const TICK: Duration = Duration::from_millis(20);
/// How often it looks for barred ports when there is nothing else to do.
const IDLE_TICK: Duration = Duration::from_secs(1);
/// Pairs bound at most per address, resting and ready together.
const BOUND: usize = 2048;

/// A handle on the port pool; clones share it.
#[derive(Clone)]
pub struct Ports {
    pool: Arc<Pool>,
}

struct Pool {
    shelves: Vec<Shelf>,
    limits: Limits,
    /// Sockets of pairs that were taken and are not served yet.
    held: Mutex<BTreeMap<StreamId, UdpSocket>>,
    next_id: AtomicU64,
    bell: Bell,
    stop: AtomicBool,
}

/// The pairs of one address that can be had.
struct Shelf {
    address: IpAddr,
    range: PortRange,
    /// The even ports of its pairs, ascending.
    even: Vec<u16>,
    ready_target: usize,
    stock: Mutex<Stock>,
    refilled: Condvar,
    /// Binding failed, and it has been said.
    in_trouble: AtomicBool,
}

#[derive(Default)]
struct Stock {
    ready: VecDeque<(u16, SocketPair)>,
    /// In use, by the name of their RTP port.
    taken: BTreeMap<StreamId, u16>,
    returned: Vec<u16>,
    noisy: Vec<u16>,
    taken_lately: usize,
    waiting: usize,
    /// The filler looks in by itself soon, or has been rung for.
    coming: bool,
    /// The filler has nothing that could become ready.
    exhausted: bool,
    started: bool,
}

/// Wakes the filler.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

/// The thread that fills the shelves; stopped when dropped.
pub(super) struct Filler {
    pool: Arc<Pool>,
    thread: Option<JoinHandle<()>>,
}

impl Ports {
    /// A pool for the addresses of `config`. Nothing is bound before [`fill`](Self::fill), and at most a quarter of `files`
    /// then, the limit of open files.
    pub(super) fn new(config: &MediaConfig, files: usize) -> Result<Self, MediaError> {
        let affordable = files / (4 * 2 * config.ports.len().max(1));
        let bound = BOUND.max(config.ready_pairs).min(affordable).max(1);
        let limits = Limits {
            ready: config.ready_pairs.clamp(1, bound),
            bound,
            rest_ms: config.rest.as_millis() as u64,
            hurried_ms: HURRIED_MS,
        };
        let shelf = |(address, ports): (&IpAddr, &MediaPorts)| {
            let even: Vec<u16> = ports.pairs().collect();
            if even.is_empty() {
                return Err(MediaError::NoPorts(*address));
            }
            Ok(Shelf {
                address: *address,
                range: ports.span(),
                even,
                ready_target: limits.ready,
                stock: Mutex::default(),
                refilled: Condvar::new(),
                in_trouble: AtomicBool::new(false),
            })
        };
        let shelves: Result<Vec<Shelf>, MediaError> = config.ports.iter().map(shelf).collect();
        let pool = Pool {
            shelves: shelves?,
            limits,
            held: Mutex::default(),
            next_id: AtomicU64::new(1),
            bell: Bell::default(),
            stop: AtomicBool::new(false),
        };
        Ok(Self {
            pool: Arc::new(pool),
        })
    }

    /// Starts the thread that binds ports, those that have been taken again excepted.
    pub(super) fn fill(&self) -> Result<Filler, MediaError> {
        let pool = Arc::clone(&self.pool);
        let nurseries = pool.shelves.iter().map(|shelf| {
            let stock = lock(&shelf.stock);
            let taken: BTreeSet<u16> = stock.taken.values().copied().collect();
            let free = shelf.even.iter().filter(|port| !taken.contains(port));
            let mut order: Vec<u16> = free.copied().collect();
            order.shuffle(&mut rand::rng());
            Nursery::new(order, pool.limits)
        });
        let nurseries = nurseries.collect();
        let shared = Arc::clone(&pool);
        let thread = std::thread::Builder::new()
            .name("ports".into())
            .spawn(move || shared.fill(nurseries))?;
        Ok(Filler {
            pool,
            thread: Some(thread),
        })
    }

    /// Waits until every shelf had its first rested ports, or `timeout` has passed; says which.
    pub(super) fn wait_ready(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        self.pool.shelves.iter().all(|shelf| {
            let mut stock = lock(&shelf.stock);
            while !stock.started {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return false;
                }
                stock = wait(&shelf.refilled, stock, left);
            }
            true
        })
    }

    /// The socket of a taken port, once.
    pub(super) fn claim(&self, id: StreamId) -> Option<UdpSocket> {
        lock(&self.pool.held).remove(&id)
    }

    /// Takes a pair back whose sockets are closed or unclaimed. Doing it twice does nothing.
    pub(super) fn release(&self, pair: &PortPair) {
        let mut held = lock(&self.pool.held);
        let unclaimed = (held.remove(&pair.rtp.id), held.remove(&pair.rtcp.id));
        drop(held);
        drop(unclaimed);
        let Some(shelf) = self.pool.shelf(pair.rtp.address.ip()) else {
            return;
        };
        let mut stock = lock(&shelf.stock);
        if let Some(port) = stock.taken.remove(&pair.rtp.id) {
            // One that was taken again may be of a range that is configured no more.
            if shelf.even.binary_search(&port).is_ok() {
                stock.returned.push(port);
            }
            if stock.exhausted || stock.waiting > 0 {
                stock.exhausted = false;
                self.pool.bell.ring();
            }
        }
    }

    /// Port usage per local address.
    pub(super) fn usage(&self) -> Vec<PortUsage> {
        let of = |shelf: &Shelf| {
            let stock = lock(&shelf.stock);
            PortUsage {
                address: shelf.address,
                range: shelf.range,
                total: shelf.even.len(),
                used: stock.taken.len(),
                ready: stock.ready.len(),
            }
        };
        self.pool.shelves.iter().map(of).collect()
    }
}

impl PortSource for Ports {
    fn take(&mut self, address: &LocalAddress) -> Result<PortPair, OutOfPorts> {
        let shelf = self.pool.shelf(address.address).ok_or(OutOfPorts)?;
        let deadline = Instant::now() + PATIENCE;
        let mut stock = lock(&shelf.stock);
        let (port, sockets) = loop {
            if let Some(found) = stock.next_quiet() {
                break found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if stock.exhausted || left.is_zero() {
                return Err(OutOfPorts);
            }
            stock.waiting += 1;
            stock.taken_lately += shelf.ready_target;
            self.pool.bell.ring();
            stock = wait(&shelf.refilled, stock, left);
            stock.waiting -= 1;
        };
        let pair = self.pool.name(shelf.address, port, address.advertised);
        stock.taken.insert(pair.rtp.id, port);
        stock.taken_lately += 1;
        if stock.ready.len() < shelf.ready_target && !stock.coming {
            stock.coming = true;
            self.pool.bell.ring();
        }
        drop(stock);
        self.pool.hold(&pair, sockets);
        Ok(pair)
    }

    fn free(&self, address: &LocalAddress) -> usize {
        self.pool.shelf(address.address).map_or(0, Shelf::free)
    }

    fn retake(&mut self, rtp: SocketAddr) -> Result<PortPair, RetakeError> {
        let not_configured = RetakeError::NotConfigured(rtp.ip());
        let shelf = self.pool.shelf(rtp.ip()).ok_or(not_configured)?;
        let not_bound = |reason: String| RetakeError::NotBound {
            address: rtp,
            reason,
        };
        if !rtp.port().is_multiple_of(2) {
            return Err(not_bound("RTP ports are even".to_owned()));
        }
        let sockets = SocketPair::bind(rtp).map_err(|error| not_bound(error.to_string()))?;
        let pair = self.pool.name(shelf.address, rtp.port(), rtp.ip());
        let mut stock = lock(&shelf.stock);
        stock.taken.insert(pair.rtp.id, rtp.port());
        drop(stock);
        self.pool.hold(&pair, sockets);
        Ok(pair)
    }

    fn give_back(&mut self, pair: PortPair) {
        self.release(&pair);
    }
}

impl Stock {
    /// The next ready pair at which nothing has arrived while it waited on the shelf.
    fn next_quiet(&mut self) -> Option<(u16, SocketPair)> {
        while let Some((port, sockets)) = self.ready.pop_front() {
            if sockets.is_quiet() {
                return Some((port, sockets));
            }
            self.noisy.push(port);
        }
        None
    }
}

impl Pool {
    fn shelf(&self, address: IpAddr) -> Option<&Shelf> {
        self.shelves.iter().find(|shelf| shelf.address == address)
    }

    fn name(&self, address: IpAddr, port: u16, advertised: IpAddr) -> PortPair {
        let first = self.next_id.fetch_add(2, Ordering::Relaxed);
        let local = |offset: u16| LocalPort {
            id: StreamId(first + u64::from(offset)),
            address: SocketAddr::new(address, port + offset),
            advertised,
        };
        PortPair {
            rtp: local(0),
            rtcp: local(1),
        }
    }

    /// Keeps the sockets of a pair until its streams are opened.
    fn hold(&self, pair: &PortPair, sockets: SocketPair) {
        let mut held = lock(&self.held);
        held.insert(pair.rtp.id, sockets.rtp);
        held.insert(pair.rtcp.id, sockets.rtcp);
    }

    fn fill(&self, mut nurseries: Vec<Nursery<SocketPair>>) {
        while !self.stop.load(Ordering::Relaxed) {
            let mut busy = false;
            for (shelf, nursery) in self.shelves.iter().zip(&mut nurseries) {
                busy |= shelf.refill(nursery);
            }
            self.bell.wait(if busy { TICK } else { IDLE_TICK });
        }
    }
}

impl Shelf {
    fn free(&self) -> usize {
        let stock = lock(&self.stock);
        if stock.exhausted {
            stock.ready.len()
        } else {
            self.even.len().saturating_sub(stock.taken.len())
        }
    }

    /// One round of filling; says whether the next should come soon.
    fn refill(&self, nursery: &mut Nursery<SocketPair>) -> bool {
        let now_ms = Now::read().ms();
        let mut stock = lock(&self.stock);
        for port in std::mem::take(&mut stock.returned) {
            nursery.give_back(port);
        }
        for port in std::mem::take(&mut stock.noisy) {
            nursery.bar(port, now_ms);
        }
        nursery.note_taken(std::mem::take(&mut stock.taken_lately), now_ms);
        let (mut ready, hurried) = (stock.ready.len(), stock.waiting > 0);
        drop(stock);

        let rested = nursery.sift(now_ms, hurried, SocketPair::is_quiet);
        ready += rested.len();
        self.bind_more(nursery, ready, now_ms);

        let mut stock = lock(&self.stock);
        stock.started |= !rested.is_empty();
        stock.ready.extend(rested);
        stock.exhausted = !nursery.has_prospects() && stock.returned.is_empty();
        if !stock.ready.is_empty() || stock.exhausted {
            self.refilled.notify_all();
        }
        stock.coming = stock.waiting > 0 || nursery.is_busy(stock.ready.len());
        stock.coming
    }

    fn bind_more(&self, nursery: &mut Nursery<SocketPair>, ready: usize, now_ms: u64) {
        while let Some(port) = nursery.next_to_bind(ready, now_ms) {
            let address = SocketAddr::new(self.address, port);
            let error = match SocketPair::bind(address) {
                Ok(sockets) => {
                    nursery.admit(port, sockets, Now::read().ms());
                    continue;
                }
                Err(error) => error,
            };
            nursery.bar(port, now_ms);
            if error.kind() != ErrorKind::AddrInUse {
                // No descriptors left, or the address is gone: other ports would fare no better.
                if !self.in_trouble.swap(true, Ordering::Relaxed) {
                    tracing::warn!(%address, %error, "media ports can't be bound");
                }
                return;
            }
            tracing::debug!(%address, "somebody else has the port");
        }
        self.in_trouble.store(false, Ordering::Relaxed);
    }
}

impl Bell {
    fn ring(&self) {
        *lock(&self.rung) = true;
        self.heard.notify_one();
    }

    fn wait(&self, timeout: Duration) {
        let mut rung = lock(&self.rung);
        if !*rung {
            rung = wait(&self.heard, rung, timeout);
        }
        *rung = false;
    }
}

impl Drop for Filler {
    fn drop(&mut self) {
        self.pool.stop.store(true, Ordering::Relaxed);
        self.pool.bell.ring();
        if let Some(thread) = self.thread.take() {
            // A panic of the filler has been reported by its own thread.
            let _ = thread.join();
        }
    }
}

/// Locks; what a panicked thread left behind is whole, as nothing here panics half-way through a change.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait<'a, T>(
    condition: &Condvar,
    guard: MutexGuard<'a, T>,
    timeout: Duration,
) -> MutexGuard<'a, T> {
    condition
        .wait_timeout(guard, timeout)
        .unwrap_or_else(PoisonError::into_inner)
        .0
}
