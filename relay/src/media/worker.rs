//! A media worker: one thread that owns its streams outright, serves their sockets and takes commands.
//!
//! Readiness is level-triggered and every socket is read once per round, a batch at most: a flood keeps its own socket
//! ready and takes its turn like the others. Nothing ever disables a socket.
//!
//! Waking a thread costs more than most commands. So a worker with streams dozes, a tenth of a second at most, and
//! commands wait for it there, unless the kernel forwards for the call: whatever else could notice that a command is not
//! carried out yet is a packet, and that wakes the worker, which obeys before it serves. A clock that ticks ends the doze: a
//! timeout of the wait itself would be set and cancelled with every packet.

mod flows;
mod passing;
mod piercing;
mod reports;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::UdpSocket;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam::channel::{Receiver, Sender, bounded, unbounded};
use nix::sys::epoll::{EpollEvent, EpollFlags, EpollTimeout};

use super::batch::{BATCH, Batch, Mask};
use super::bed::{Bed, TICK, WAKE};
use super::clock::Now;
use super::counters::{Counters, add};
use super::ports::Ports;
use super::rtcp::{self, Mos, ReportTotals};
use super::stream::{Route, Stream};
use super::streams::Lessons;
use super::table::Table;
use crate::datapath::{Datapath, FlowId};
use crate::plan::{CallKey, Learned, LocalPort, PortPair, StreamId, StreamPlan, TelephoneEvent};
use crate::recording::Tap;
use piercing::Piercing;

/// Sockets served per round.
const ROUND: usize = 256;
/// What a worker is told.
pub(super) enum Command {
    Open {
        call: CallKey,
        port: LocalPort,
        socket: UdpSocket,
        plan: StreamPlan,
        predecessor: Option<StreamId>,
        learned: Option<Box<Learned>>,
        counters: Arc<Counters>,
    },
    Update {
        stream: StreamId,
        plan: StreamPlan,
    },
    Close {
        pair: PortPair,
    },
    /// Gives streams away, to another worker or to this one under another call.
    Leave {
        streams: Vec<StreamId>,
        to: Sender<Vec<Stream>>,
    },
    /// Takes in the streams that a worker gives away, as another call's. Waits for them: what comes after is about them, too.
    Join {
        call: CallKey,
        from: Receiver<Vec<Stream>>,
    },
    /// Says when everything before it has been carried out.
    Report(Sender<()>),
    Stop,
}

/// What a worker has passed on since it began. In cache lines of its own: no other worker's writes take them away.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct WorkerTotals {
    pub(super) packets: AtomicU64,
    pub(super) bytes: AtomicU64,
    pub(super) errors: AtomicU64,
    /// Written with every report that arrives; those are seconds apart.
    pub(super) reports: Mutex<ReportTotals>,
}

/// The other end of a worker; stops it when dropped.
pub(super) struct WorkerHandle {
    commands: Sender<Vec<Command>>,
    bed: Arc<Bed>,
    pub(super) totals: Arc<WorkerTotals>,
    thread: Option<JoinHandle<()>>,
}

struct Worker {
    bed: Arc<Bed>,
    commands: Receiver<Vec<Command>>,
    ports: Ports,
    datapath: Arc<dyn Datapath>,
    totals: Arc<WorkerTotals>,
    lessons: Arc<Lessons>,
    /// Where packets of recorded streams go, too.
    tap: Option<Tap>,
    events: Sender<TelephoneEvent>,
    mos: Mos,
    table: Table,
    batch: Batch,
    /// Flows to look at again, and when, ms.
    deferred: Vec<(u64, StreamId)>,
    /// When a stream's next report of our own is due, ms, the soonest first.
    due: BinaryHeap<Reverse<(u64, StreamId)>>,
    piercing: Piercing,
    /// The clock runs.
    ticking: bool,
    running: bool,
}

impl WorkerHandle {
    /// Starts worker number `index`.
    pub(super) fn start(
        index: usize,
        ports: Ports,
        datapath: Arc<dyn Datapath>,
        lessons: Arc<Lessons>,
        tap: Option<Tap>,
        events: Sender<TelephoneEvent>,
        mos: Mos,
    ) -> io::Result<Self> {
        let bed = Arc::new(Bed::new()?);
        let (sender, receiver) = unbounded();
        let totals = Arc::new(WorkerTotals::default());
        let for_worker = (Arc::clone(&bed), Arc::clone(&totals));
        let thread = std::thread::Builder::new()
            .name(format!("media-{index}"))
            .spawn(move || {
                let (bed, totals) = for_worker;
                Worker {
                    bed,
                    commands: receiver,
                    ports,
                    datapath,
                    totals,
                    lessons,
                    tap,
                    events,
                    mos,
                    table: Table::default(),
                    batch: Batch::new(),
                    deferred: Vec::new(),
                    due: BinaryHeap::new(),
                    piercing: Piercing::default(),
                    ticking: false,
                    running: true,
                }
                .run();
            })?;
        Ok(Self {
            commands: sender,
            bed,
            totals,
            thread: Some(thread),
        })
    }

    /// Hands over commands, to be carried out in order: at once if `urgent`, else before the next packet, and soon.
    pub(super) fn send(&self, commands: Vec<Command>, urgent: bool) {
        for command in &commands {
            if let Command::Open { socket, port, .. } = command
                && let Err(error) = self.bed.watch(socket.as_fd(), WAKE)
            {
                tracing::error!(local = %port.address, %error, "port is not served");
            }
        }
        let sent = self.commands.send(commands).is_ok();
        let woken = if urgent || self.bed.fast_asleep.load(SeqCst) {
            self.bed.wake.write(1).is_ok()
        } else {
            true
        };
        if !(sent && woken) {
            tracing::error!("a media worker has gone; its calls have no media");
        }
    }
}

impl WorkerHandle {
    /// Returns when everything sent so far has been carried out, or `patience` is over.
    pub(super) fn settle(&self, patience: Duration) {
        let (done, all_done) = bounded(1);
        self.send(vec![Command::Report(done)], true);
        // An error says that the worker has gone, which has been reported, or that it is too busy to be waited for.
        let _ = all_done.recv_timeout(patience);
    }
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.send(vec![Command::Stop], true);
        if let Some(thread) = self.thread.take() {
            // A panic of the worker has been reported by its own thread.
            let _ = thread.join();
        }
    }
}

impl Worker {
    fn run(mut self) {
        let mut events = vec![EpollEvent::empty(); ROUND];
        while self.running {
            let timeout = self.lie_down();
            let count = match self.bed.epoll.wait(&mut events, timeout) {
                Ok(count) => count,
                Err(nix::errno::Errno::EINTR) => 0,
                Err(error) => {
                    tracing::error!(%error, "epoll failed; media worker stops");
                    return;
                }
            };
            self.bed.fast_asleep.store(false, SeqCst);
            let now = Now::read();
            let ready = &events[..count];
            // Commands first: a packet that came after a command meets what the command said. A slot that changes hands
            // thereby may be served without need, which finds nothing or its own packets.
            let woken = ready.iter().any(|event| event.data() == WAKE);
            if woken || !self.commands.is_empty() {
                self.obey(now);
            }
            for event in ready {
                match event.data() {
                    WAKE => {}
                    // Reading it only makes it unready; that it is, which brought the worker here, is all it says.
                    TICK => drop(self.bed.clock.wait()),
                    slot => self.serve(slot as usize, now),
                }
            }
            self.take_up_deferred(now);
            self.report_what_is_due(now);
            self.pierce(now);
        }
    }

    /// How long to sleep: until something comes. Without streams that can only be a command.
    fn lie_down(&mut self) -> EpollTimeout {
        let idle = self.table.is_empty();
        if self.ticking == idle {
            self.ticking = !idle;
            if let Err(error) = self.bed.tick(!idle) {
                tracing::error!(%error, "no clock; commands may wait for a packet");
            }
        }
        if !idle {
            return EpollTimeout::NONE;
        }
        self.bed.fast_asleep.store(true, SeqCst);
        // Whoever sends from here on sees the flag; what was sent before is seen here.
        if self.commands.is_empty() {
            EpollTimeout::NONE
        } else {
            EpollTimeout::ZERO
        }
    }

    // Packets.

    fn serve(&mut self, slot: usize, now: Now) {
        let Some(stream) = self.table.at_mut(slot) else {
            return;
        };
        let received = if stream.expects_several(now) {
            self.batch.receive(&stream.socket)
        } else {
            self.batch.receive_one(&stream.socket)
        };
        stream.several = received > 1;
        let (mut media, mut rtcp, mut blocked): (Mask, Mask, Mask) = (0, 0, 0);
        for index in 0..received {
            let Some(source) = self.batch.source(index) else {
                continue;
            };
            let payload = self.batch.payload(index);
            match stream.accept(payload, source, now) {
                Some(Route::Media) => media |= 1 << index,
                Some(Route::Rtcp) => rtcp |= 1 << index,
                None => continue,
            }
            if let Some((recording, tap)) = stream.plan.recording.zip(self.tap.as_ref())
                && tap.sides().ingress
            {
                tap.record(recording, source, stream.local, payload);
            }
            if media & (1 << index) != 0 && stream.follows_events() {
                // Nobody is waited for on the way of packets: what is too much is lost.
                let fate = stream.listen(payload, source, |event| {
                    let _ = self.events.try_send(event);
                });
                if !fate.carry_out(self.batch.payload_mut(index)) {
                    media &= !(1 << index);
                    blocked |= 1 << index;
                }
            }
        }
        let accepted = media | rtcp | blocked;
        if accepted != 0 {
            // With the first one, a wait for it is over.
            stream.stirred |= stream.plan.nat_wait && stream.counters.last_packet_ms() == 0;
            stream.counters.last_ms.store(now.ms(), Relaxed);
        }
        let (call, stirred) = (stream.call, stream.stirred);
        let encrypted = stream.plan.rtcp.encrypted;
        let failed =
            self.pass_on(slot, Route::Media, media) | self.pass_on(slot, Route::Rtcp, rtcp);
        self.count(slot, received, accepted & !failed);
        if rtcp != 0 && !encrypted {
            self.read_reports(slot, rtcp, now);
        }
        if stirred {
            self.lessons.note(call);
            self.reconsider(call, false, now);
        }
    }

    /// Takes from RTCP what it says about how the call is.
    fn read_reports(&mut self, slot: usize, chosen: Mask, now: Now) {
        for index in (0..BATCH).filter(|index| chosen & (1 << index) != 0) {
            let compound = self.batch.payload(index);
            if let Some((ssrc, middle)) = rtcp::sender_report(compound)
                && let Some(stream) = self.table.at_mut(slot)
            {
                stream
                    .reports
                    .get_or_insert_default()
                    .passed(ssrc, middle, now);
            }
            for block in rtcp::blocks(compound) {
                let leg_us = self.table.round_trip(slot, &block, now).unwrap_or(0);
                let Some(stream) = self.table.at(slot) else {
                    return;
                };
                let reports = stream.reports.as_ref();
                let other_leg_us = reports.map_or(0, |reports| reports.leg_us(block.receiver));
                let rate = stream.plan.clock_rate;
                let mut sample = block.sample(rate, leg_us, other_leg_us, now);
                sample.mos = self.mos.score(&sample);
                stream.counters.rate(block.receiver, sample);
                let mut reports = self
                    .totals
                    .reports
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner);
                reports.add(&sample);
            }
        }
    }

    fn count(&self, slot: usize, received: usize, passed: Mask) {
        let packets = u64::from(passed.count_ones());
        let errors = received as u64 - packets;
        let bytes = self.batch.bytes(passed);
        if let Some(stream) = self.table.at(slot) {
            stream.count(packets, bytes, errors);
        }
        add(&self.totals.packets, packets);
        add(&self.totals.bytes, bytes);
        add(&self.totals.errors, errors);
    }

    // Commands.

    fn obey(&mut self, now: Now) {
        // Clearing the counter first: whatever is sent from here on wakes the worker again.
        let _ = self.bed.wake.read();
        let mut touched = Vec::new();
        while let Ok(commands) = self.commands.try_recv() {
            for command in commands {
                self.carry_out(command, &mut touched, now);
            }
            // A command's actions are one change: flows are looked at when all of them are in place.
            for call in touched.drain(..) {
                self.table.link(call);
                self.schedule_reports(call, now);
                self.begin_to_pierce(call, now);
                self.reconsider(call, true, now);
            }
        }
    }

    fn carry_out(&mut self, command: Command, touched: &mut Vec<CallKey>, now: Now) {
        match command {
            Command::Open {
                call,
                port,
                socket,
                plan,
                predecessor,
                learned,
                counters,
            } => {
                let mut stream = Stream::open(call, &port, socket, plan, counters, now);
                if let Some(learned) = learned {
                    stream.resume(&learned);
                }
                if let Some(predecessor) = predecessor.and_then(|id| self.table.get(id)) {
                    stream.succeed(predecessor);
                }
                self.open(stream, touched);
            }
            Command::Update { stream, plan } => {
                if let Some(stream) = self.table.get_mut(stream) {
                    if stream.update(plan, now) {
                        self.lessons.note(stream.call);
                    }
                    touch(touched, stream.call);
                }
            }
            Command::Close { pair } => self.close(&pair, now),
            Command::Leave { streams, to } => self.leave(&streams, &to),
            Command::Join { call, from } => self.join(call, &from, touched),
            // Nobody may be waiting any more.
            Command::Report(done) => drop(done.send(())),
            Command::Stop => self.running = false,
        }
    }

    fn open(&mut self, stream: Stream, touched: &mut Vec<CallKey>) {
        let (id, call, local) = (stream.id, stream.call, stream.local);
        let slot = self.table.insert(stream);
        let Some(stream) = self.table.get(id) else {
            return;
        };
        let mut event = EpollEvent::new(EpollFlags::EPOLLIN, slot as u64);
        if let Err(error) = self.bed.epoll.modify(&stream.socket, &mut event) {
            tracing::error!(%local, %error, "port is not served");
        }
        touch(touched, call);
    }

    fn leave(&mut self, streams: &[StreamId], to: &Sender<Vec<Stream>>) {
        let mut leaving = Vec::with_capacity(streams.len());
        for id in streams {
            let Some(stream) = self.table.remove(*id) else {
                continue;
            };
            self.deferred.retain(|(_, deferred)| deferred != id);
            self.piercing.end(*id);
            if let Err(error) = self.bed.epoll.delete(&stream.socket) {
                tracing::error!(local = %stream.local, %error, "a stream that has left is still watched");
            }
            leaving.push(*stream);
        }
        // Nobody waits for them if that worker has gone, which has been reported.
        drop(to.send(leaving));
    }

    fn join(&mut self, call: CallKey, from: &Receiver<Vec<Stream>>, touched: &mut Vec<CallKey>) {
        for mut stream in from.recv().unwrap_or_default() {
            stream.call = call;
            if let Err(error) = self.bed.watch(stream.socket.as_fd(), WAKE) {
                tracing::error!(local = %stream.local, %error, "port is not served");
            }
            self.open(stream, touched);
        }
    }

    /// Flows first, then sockets, then the ports: nothing leads to a port that could be handed out again.
    fn close(&mut self, pair: &PortPair, now: Now) {
        let mut closed = Vec::new();
        for id in [pair.rtp.id, pair.rtcp.id] {
            let Some(stream) = self.table.remove(id) else {
                continue;
            };
            if stream.handoff.is_installed() {
                self.datapath.remove(FlowId(id.0));
            }
            self.deferred.retain(|(_, deferred)| *deferred != id);
            self.piercing.end(id);
            closed.push(stream);
        }
        if let Some(call) = closed.first().map(|stream| stream.call) {
            self.table.link(call);
            self.reconsider(call, true, now);
        }
        drop(closed);
        self.ports.release(pair);
    }
}

fn touch(touched: &mut Vec<CallKey>, call: CallKey) {
    if !touched.contains(&call) {
        touched.push(call);
    }
}
