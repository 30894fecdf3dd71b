//! What the rounds gave for one cell.

use super::cell::Cell;
use super::ground::Driven;
use crate::spread::Spread;

/// Where fewer arrive than this part of what was sent, a packet that was relayed did not take what was spent.
const MEASURABLE: f64 = 0.5;

/// What the idle threads do where nothing is sent.
pub(super) struct Idle {
    /// Spins, on all processors.
    pub(super) per_second: f64,
    /// How many there are.
    pub(super) processors: f64,
}

/// One cell's samples, in the order of the rounds.
pub(super) struct Samples {
    /// Whose.
    pub(super) cell: Cell,
    cpu_ns: Vec<f64>,
    taken_ns: Vec<f64>,
    loss: Vec<f64>,
    user_space: Vec<f64>,
    saturation: Vec<f64>,
}

impl Samples {
    /// None yet.
    pub(super) fn new(cell: Cell) -> Self {
        Self {
            cell,
            cpu_ns: Vec::new(),
            taken_ns: Vec::new(),
            loss: Vec::new(),
            user_space: Vec::new(),
            saturation: Vec::new(),
        }
    }

    /// A round at the steady rate.
    pub(super) fn add_steady(&mut self, driven: &Driven, idle: &Idle) {
        let (sent, received) = (driven.sent.packets as f64, driven.received as f64);
        let per_packet = |seconds: f64| {
            if received < sent * MEASURABLE {
                f64::NAN
            } else {
                seconds * 1e9 / received
            }
        };
        let taken = 1.0 - driven.left.per_second / idle.per_second;
        self.cpu_ns.push(per_packet(driven.cpu.as_secs_f64()));
        self.taken_ns
            .push(per_packet(taken * idle.processors * driven.left.seconds));
        self.loss.push((sent - received) / sent.max(1.0) * 100.0);
        if let Some(packets) = driven.user_space {
            self.user_space.push(packets as f64);
        }
    }

    /// A round as fast as it goes.
    pub(super) fn add_saturated(&mut self, driven: &Driven) {
        let seconds = driven.sent.elapsed.as_secs_f64();
        self.saturation.push(driven.received as f64 / seconds);
    }

    /// Processor time of all the path per packet that arrived, ns; NaN for a round in which most did not.
    pub(super) fn cpu_ns(&self) -> Spread {
        Spread::of(self.cpu_ns.clone())
    }

    /// Processor time that the idle threads no longer got, per packet that arrived, ns; NaN as above.
    pub(super) fn taken_ns(&self) -> Spread {
        Spread::of(self.taken_ns.clone())
    }

    /// Packets that did not arrive, per cent of all sent at the steady rate.
    pub(super) fn loss(&self) -> Spread {
        Spread::of(self.loss.clone())
    }

    /// Packets of a round that came up to user space, of a relay process that has a kernel path.
    pub(super) fn user_space(&self) -> Option<Spread> {
        (!self.user_space.is_empty()).then(|| Spread::of(self.user_space.clone()))
    }

    /// Packets per second that arrive when the sender does not hold back.
    pub(super) fn saturation(&self) -> Spread {
        Spread::of(self.saturation.clone())
    }
}
