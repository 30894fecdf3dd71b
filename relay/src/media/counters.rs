//! What a stream's worker counts and everybody may read: plain atomics with one writer, no lock for packets.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::reception::{Oddity, Reception, merge};
use crate::datapath::{FlowReport, FlowState, Reason};
use crate::plan::{Heard, Learned, Quality, Sample, SequenceEvents, SsrcView, StreamView};

/// SSRCs measured per stream; a further one takes the place of the one not heard for longest.
pub(crate) const SSRCS: usize = 4;

/// The counters of one stream. Only its worker writes them; another worker's are in other cache lines.
#[derive(Debug, Default)]
#[repr(align(64))]
pub(crate) struct Counters {
    pub(crate) packets: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) errors: AtomicU64,
    /// Sent to the stream's peer.
    sent: SentCell,
    pub(crate) last_ms: AtomicU64,
    /// Written when it changes, not per packet.
    standing: Mutex<Standing>,
    /// What was learned, without counts. Written when it changes, read when the call is journaled.
    learned: Mutex<Learned>,
    ssrcs: [SsrcCell; SSRCS],
    pub(crate) sequence: SequenceCell,
    /// What receivers said; written with every report of theirs, which are seconds apart.
    quality: Mutex<Vec<Quality>>,
    /// What the engine reports about the stream's flow.
    pub(crate) report: Arc<FlowReport>,
}

#[derive(Debug, Default)]
struct SsrcCell {
    ssrc: AtomicU32,
    packets: AtomicU64,
    bytes: AtomicU64,
    highest: AtomicU32,
    timestamp: AtomicU32,
    lost: AtomicU32,
    jitter: AtomicU32,
    interleaved: AtomicU64,
}

#[derive(Debug, Default)]
struct SentCell {
    packets: AtomicU64,
    bytes: AtomicU64,
    errors: AtomicU64,
}

/// [`SequenceEvents`] as they are counted.
#[derive(Debug, Default)]
pub(crate) struct SequenceCell {
    duplicates: AtomicU64,
    skips: AtomicU64,
    resets: AtomicU64,
    reordered: AtomicU64,
}

/// What is decided about a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The source is confirmed.
    pub(crate) confirmed: bool,
    /// Where its peer is sent to.
    pub(crate) endpoint: Option<SocketAddr>,
    /// Why no flow is wanted; `None`: one is, and the engine's report says what became of it.
    pub(crate) held_back: Option<Reason>,
}

/// Adds to a counter that only this thread writes: cheaper than an atomic addition.
pub(crate) fn add(counter: &AtomicU64, amount: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(amount), Relaxed);
}

impl Counters {
    /// Changes what is decided.
    pub(crate) fn decide(&self, change: impl FnOnce(&mut Standing)) {
        change(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn standing(&self) -> Standing {
        *self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what was learned.
    pub(crate) fn learn(&self, learned: Learned) {
        *self.learned.lock().unwrap_or_else(PoisonError::into_inner) = learned;
    }

    /// What was learned, and what user space has counted.
    pub(crate) fn learned(&self) -> Learned {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        let cells = self.ssrcs.iter().map(SsrcCell::read);
        Learned {
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            errors: self.errors.load(Relaxed),
            sent: self.sent.read(),
            last_ms: self.last_ms.load(Relaxed),
            kernel: (self.report.packets(), self.report.bytes()),
            quality: self.quality().clone(),
            heard: cells
                .filter(|(view, _)| view.packets > 0)
                .map(|(view, interleaved)| Heard { view, interleaved })
                .collect(),
            ..learned.clone()
        }
    }

    /// Goes on counting from before a restart. To be called before a worker has the stream.
    pub(crate) fn resume(&self, learned: &Learned) {
        self.packets.store(learned.packets, Relaxed);
        self.bytes.store(learned.bytes, Relaxed);
        self.errors.store(learned.errors, Relaxed);
        self.last_ms.store(learned.last_ms, Relaxed);
        let (packets, bytes, errors) = learned.sent;
        self.sent(packets, bytes, errors);
        let (packets, bytes) = learned.kernel;
        self.report.go_on_from(packets, bytes, 0);
        self.quality()
            .extend(learned.quality.iter().take(SSRCS).cloned());
        for (index, heard) in learned.heard.iter().enumerate() {
            self.publish(index, &Reception::resumed(heard));
        }
    }

    /// Counts what was sent to the stream's peer, and packets that could not be.
    pub(crate) fn sent(&self, packets: u64, bytes: u64, errors: u64) {
        add(&self.sent.packets, packets);
        add(&self.sent.bytes, bytes);
        add(&self.sent.errors, errors);
    }

    /// Adds what a receiver said.
    pub(crate) fn rate(&self, receiver: u32, sample: Sample) {
        let mut all = self.quality();
        let known = all.iter().position(|quality| quality.ssrc == receiver);
        let index = known.unwrap_or_else(|| {
            if all.len() >= SSRCS {
                all.remove(0);
            }
            all.push(Quality::of(receiver));
            all.len() - 1
        });
        all[index].add(sample);
    }

    fn quality(&self) -> MutexGuard<'_, Vec<Quality>> {
        self.quality.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Publishes what was measured for SSRC number `index`.
    pub(crate) fn publish(&self, index: usize, reception: &Reception) {
        let Some(cell) = self.ssrcs.get(index) else {
            return;
        };
        cell.ssrc.store(reception.ssrc, Relaxed);
        cell.packets.store(reception.packets, Relaxed);
        cell.bytes.store(reception.bytes, Relaxed);
        cell.highest.store(reception.highest, Relaxed);
        cell.timestamp.store(reception.last_timestamp, Relaxed);
        cell.lost.store(reception.lost(), Relaxed);
        cell.jitter.store(reception.jitter(), Relaxed);
        cell.interleaved.store(reception.interleaved, Relaxed);
    }

    /// When the last packet was seen, in user space or in the kernel, ms; 0 never.
    pub(crate) fn last_packet_ms(&self) -> u64 {
        self.last_ms.load(Relaxed).max(self.report.last_packet_ms())
    }

    /// Why the kernel does not forward the stream's packets; `None` if it does.
    pub(crate) fn kernel_reason(&self) -> Option<&'static str> {
        let engine_reason = match self.report.state() {
            FlowState::Kernel => None,
            FlowState::UserSpace(reason) => Some(reason),
        };
        self.standing()
            .held_back
            .or(engine_reason)
            .map(Reason::text)
    }

    /// User space and kernel together.
    pub(crate) fn view(&self) -> StreamView {
        let report = &self.report;
        let standing = self.standing();
        let (sent_packets, sent_bytes, send_errors) = self.sent.read();
        StreamView {
            sent_packets,
            sent_bytes,
            send_errors,
            user_packets: self.packets.load(Relaxed),
            user_bytes: self.bytes.load(Relaxed),
            errors: self.errors.load(Relaxed),
            kernel_packets: report.packets(),
            kernel_bytes: report.bytes(),
            last_user_ms: self.last_ms.load(Relaxed),
            last_kernel_ms: report.last_packet_ms(),
            confirmed: standing.confirmed,
            endpoint: standing.endpoint,
            kernel_reason: self.kernel_reason(),
            ssrcs: self.ssrc_views(),
            quality: self.quality().clone(),
            sequence: self.sequence.read(),
        }
    }

    fn ssrc_views(&self) -> Vec<SsrcView> {
        let kernel = self.report.ssrcs();
        let mut views: Vec<SsrcView> = self
            .ssrcs
            .iter()
            .filter(|cell| cell.packets.load(Relaxed) > 0)
            .map(|cell| {
                let (measured, interleaved) = cell.read();
                match kernel.iter().find(|k| k.ssrc == measured.ssrc) {
                    Some(k) => merge(measured, interleaved, k),
                    None => measured,
                }
            })
            .collect();
        for counted in kernel.iter().filter(|k| k.packets > 0) {
            if !views.iter().any(|view| view.ssrc == counted.ssrc) {
                views.push(SsrcView {
                    ssrc: counted.ssrc,
                    packets: counted.packets,
                    highest_sequence: counted.highest_sequence,
                    lost: counted.lost,
                    jitter: counted.jitter,
                    ..SsrcView::default()
                });
            }
        }
        views
    }
}

impl SentCell {
    fn read(&self) -> (u64, u64, u64) {
        let [packets, bytes, errors] =
            [&self.packets, &self.bytes, &self.errors].map(|counter| counter.load(Relaxed));
        (packets, bytes, errors)
    }
}

impl SequenceCell {
    pub(crate) fn count(&self, oddity: Oddity) {
        let counter = match oddity {
            Oddity::Duplicate => &self.duplicates,
            Oddity::Skip => &self.skips,
            Oddity::Reset => &self.resets,
            Oddity::Reordered => &self.reordered,
        };
        add(counter, 1);
    }

    fn read(&self) -> SequenceEvents {
        SequenceEvents {
            duplicates: self.duplicates.load(Relaxed),
            skips: self.skips.load(Relaxed),
            resets: self.resets.load(Relaxed),
            reordered: self.reordered.load(Relaxed),
        }
    }
}

impl SsrcCell {
    fn read(&self) -> (SsrcView, u64) {
        let view = SsrcView {
            ssrc: self.ssrc.load(Relaxed),
            packets: self.packets.load(Relaxed),
            bytes: self.bytes.load(Relaxed),
            highest_sequence: self.highest.load(Relaxed),
            last_timestamp: self.timestamp.load(Relaxed),
            lost: self.lost.load(Relaxed),
            jitter: self.jitter.load(Relaxed),
        };
        (view, self.interleaved.load(Relaxed))
    }
}
