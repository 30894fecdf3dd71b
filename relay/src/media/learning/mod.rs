//! Which source a stream belongs to, and where it is sent: endpoint learning, strict source and media handover.
//!
//! Values and a clock in, a verdict out. What comes of every case is tabled in `docs/endpoint-learning.md`; the tests
//! read that table.

#[cfg(test)]
mod tests;

use std::net::SocketAddr;

use crate::plan::{Component, EndpointLearning, Learned, StreamPlan};

/// How long after signalling `delayed` and `heuristic` wait before they commit, ms.
pub const WINDOW_MS: u64 = 3000;

/// Under strict source, how long a confirmed source that another one contests is waited for, ms: many packets of a voice
/// that goes on, and little silence for one that has moved.
const CONTEST_MS: u64 = 500;
/// The same for RTCP, which is sent every few seconds (RFC 3550 section 6.2).
const RTCP_CONTEST_MS: u64 = 10_000;

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is passed on.
    Forward,
    /// Strict source: it is dropped and counted as an error.
    Refuse,
}

/// A packet as learning sees it.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    /// Where it came from.
    pub source: SocketAddr,
    /// RTCP on an RTP port: forwarded like any other, but no evidence of where RTP comes from.
    pub stray_rtcp: bool,
    /// Now, ms.
    pub now_ms: u64,
    /// When the kernel last forwarded a packet of this stream's flow, as far as is known, ms; 0 never.
    pub kernel_ms: u64,
}

/// The learning state of one stream.
#[derive(Clone, Debug)]
pub struct Learning {
    mode: EndpointLearning,
    strict_source: bool,
    media_handover: bool,
    asymmetric: bool,
    component: Component,
    public: bool,
    /// What SDP said.
    announced: Option<SocketAddr>,
    signalled: u64,
    signalled_ms: u64,
    resets: u64,
    send_to: Option<SocketAddr>,
    state: State,
}

#[derive(Clone, Debug)]
enum State {
    /// Candidates by rank: 0 the announced address and port, 1 its address, 2 its port, 3 neither.
    Learning([Option<SocketAddr>; 4]),
    Confirmed(SocketAddr),
    /// Confirmed before the latest signalling, which said nothing new about the stream: it goes on, in the kernel too,
    /// until another source contests it.
    Kept {
        source: SocketAddr,
        /// It was heard since.
        heard: bool,
        /// Strict source: when another one first showed up, ms. The kernel is off until the kept one is heard.
        contested_ms: Option<u64>,
    },
}

impl Learning {
    /// The state of a stream that opens with `plan`.
    #[must_use]
    pub fn new(plan: &StreamPlan, now_ms: u64) -> Self {
        let mut new = Self {
            mode: plan.learning,
            strict_source: plan.strict_source,
            media_handover: plan.media_handover,
            asymmetric: plan.asymmetric,
            component: plan.component,
            public: plan.public,
            announced: plan.endpoint,
            signalled: plan.signalled,
            signalled_ms: now_ms,
            resets: plan.resets,
            send_to: None,
            state: State::Learning([None; 4]),
        };
        new.restart();
        new
    }

    /// Sends to where another stream of the same peer was learned to be, if the announced endpoint is the same, until the
    /// peer is heard here. Its packets are still to be learned: a NAT may map every port of ours to another of its own.
    pub fn succeed(&mut self, predecessor: &Self) {
        let is_same = self.announced == predecessor.announced && self.resets == predecessor.resets;
        if is_same && self.mode != EndpointLearning::Off {
            self.send_to = predecessor.send_to;
        }
    }

    /// Goes on from where it was before a restart, as far as the plan is still the one it was learned under.
    pub fn resume(&mut self, learned: &Learned) {
        if learned.announced != self.announced {
            return;
        }
        if learned.send_to.is_some() {
            self.send_to = learned.send_to;
        }
        let Some(source) = learned.source else { return };
        let signalled_since = learned.signalled != self.signalled;
        let kept = learned.kept || (signalled_since && self.mode != EndpointLearning::Off);
        self.state = if kept {
            State::Kept {
                source,
                heard: false,
                contested_ms: None,
            }
        } else {
            State::Confirmed(source)
        };
    }

    /// What a successor of this process can [`resume`](Self::resume) from.
    #[must_use]
    pub fn learned(&self) -> Learned {
        Learned {
            announced: self.announced,
            signalled: self.signalled,
            source: self.holder(),
            kept: matches!(self.state, State::Kept { .. }),
            send_to: self.send_to,
            ..Learned::default()
        }
    }

    /// Takes over what `plan` says now. A new announced endpoint, mode or publicness, or a reset, begins anew; mere signalling
    /// restarts the window and leaves a confirmed source until another one shows up.
    pub fn update(&mut self, plan: &StreamPlan, now_ms: u64) {
        let moved = self.announced != plan.endpoint;
        let changed = self.mode != plan.learning
            || self.asymmetric != plan.asymmetric
            || self.public != plan.public
            || self.resets != plan.resets;
        let signalled = self.signalled != plan.signalled;
        let source = self.holder();

        self.mode = plan.learning;
        self.strict_source = plan.strict_source;
        self.media_handover = plan.media_handover;
        self.asymmetric = plan.asymmetric;
        self.public = plan.public;
        self.announced = plan.endpoint;
        self.signalled = plan.signalled;
        self.resets = plan.resets;
        if moved || changed || signalled {
            self.signalled_ms = now_ms;
        }

        let announces_what_was_learned = moved && source.is_some() && source == plan.endpoint;
        if announces_what_was_learned && !changed {
            self.send_to = plan.endpoint;
        } else if moved || changed {
            return self.restart();
        }
        if (signalled || moved) && self.mode != EndpointLearning::Off {
            self.state = match source {
                Some(source) => State::Kept {
                    source,
                    heard: false,
                    contested_ms: None,
                },
                None => State::Learning([None; 4]),
            };
        }
    }

    /// Judges a packet and learns from it.
    pub fn packet(&mut self, arrival: Arrival) -> Verdict {
        if !self.public || self.announced.is_none() {
            return Verdict::Forward;
        }
        match self.state {
            State::Learning(_) => self.learn(arrival),
            State::Confirmed(source) => self.guard(source, arrival),
            State::Kept {
                source,
                heard,
                contested_ms,
            } => self.keep(source, heard, contested_ms, arrival),
        }
    }

    /// The confirmed source, if there is one: the only one whose packets the kernel may forward.
    #[must_use]
    pub fn source(&self) -> Option<SocketAddr> {
        match self.state {
            State::Kept {
                contested_ms: Some(_),
                ..
            } => None,
            _ => self.holder(),
        }
    }

    /// Where packets for this peer are sent: learned, or from SDP.
    #[must_use]
    pub fn send_to(&self) -> Option<SocketAddr> {
        self.send_to
    }

    /// The confirmed source, contested or not.
    fn holder(&self) -> Option<SocketAddr> {
        match self.state {
            State::Learning(_) => None,
            State::Confirmed(source) | State::Kept { source, .. } => Some(source),
        }
    }

    fn restart(&mut self) {
        self.send_to = self.announced;
        self.state = match self.announced {
            Some(announced) if self.public && self.mode == EndpointLearning::Off => {
                State::Confirmed(announced)
            }
            _ => State::Learning([None; 4]),
        };
    }

    fn learn(&mut self, arrival: Arrival) -> Verdict {
        if arrival.stray_rtcp {
            return self.judge_by_best(arrival.source);
        }
        match self.mode {
            EndpointLearning::Off => self.restart(),
            EndpointLearning::Immediate => self.confirm(arrival.source),
            EndpointLearning::Delayed if !self.strict_source => {
                self.follow(arrival.source);
                if self.window_over(arrival.now_ms) {
                    self.confirm(arrival.source);
                }
            }
            EndpointLearning::Delayed | EndpointLearning::Heuristic => {
                return self.learn_by_rank(arrival);
            }
        }
        Verdict::Forward
    }

    fn learn_by_rank(&mut self, arrival: Arrival) -> Verdict {
        let rank = self.rank(arrival.source);
        if let State::Learning(candidates) = &mut self.state {
            candidates[rank] = Some(arrival.source);
        }
        let Some(best) = self.best_candidate() else {
            return Verdict::Forward;
        };
        let verdict = self.judge_by_best(arrival.source);
        if self.would_be_confirmed(best, arrival.now_ms) {
            self.confirm(best);
        } else {
            self.follow(best);
        }
        verdict
    }

    /// A packet while the source is confirmed.
    fn guard(&mut self, confirmed: SocketAddr, arrival: Arrival) -> Verdict {
        if arrival.source == confirmed {
            return Verdict::Forward;
        }
        if self.media_handover && !arrival.stray_rtcp {
            self.hand_over(arrival.source);
            return Verdict::Forward;
        }
        if self.strict_source {
            return Verdict::Refuse;
        }
        Verdict::Forward
    }

    /// A packet while the source was confirmed before the latest signalling.
    fn keep(
        &mut self,
        kept: SocketAddr,
        heard: bool,
        contested_ms: Option<u64>,
        arrival: Arrival,
    ) -> Verdict {
        let own = arrival.source == kept;
        let heard =
            heard || own || (arrival.kernel_ms > 0 && arrival.kernel_ms >= self.signalled_ms);
        if heard && self.would_be_confirmed(kept, arrival.now_ms) {
            self.state = State::Confirmed(kept);
            return self.guard(kept, arrival);
        }
        let defended = self.strict_source && !self.media_handover;
        let verdict = if self.strict_source && !own {
            Verdict::Refuse
        } else {
            Verdict::Forward
        };
        if own || (heard && defended) {
            self.state = State::Kept {
                source: kept,
                heard,
                contested_ms: None,
            };
        } else if arrival.stray_rtcp {
            return verdict;
        } else if defended {
            return self.wait_for(kept, contested_ms, arrival);
        } else {
            // The kernel may hold back the kept source's packets from this race, so the first of another one decides
            // nothing.
            self.contest(kept, heard);
        }
        verdict
    }

    /// Another source's packet while the kept one has not been heard since signalling: only if that stays so for a while
    /// is it the end of it.
    fn wait_for(
        &mut self,
        kept: SocketAddr,
        contested_ms: Option<u64>,
        arrival: Arrival,
    ) -> Verdict {
        let since_ms = contested_ms.unwrap_or(arrival.now_ms);
        let patience_ms = match self.component {
            Component::Rtp => CONTEST_MS,
            Component::Rtcp => RTCP_CONTEST_MS,
        };
        if arrival.now_ms > since_ms + patience_ms {
            self.state = State::Learning([None; 4]);
            return self.learn(arrival);
        }
        self.state = State::Kept {
            source: kept,
            heard: false,
            contested_ms: Some(since_ms),
        };
        Verdict::Refuse
    }

    fn contest(&mut self, kept: SocketAddr, heard: bool) {
        let mut candidates = [None; 4];
        if heard {
            candidates[self.rank(kept)] = Some(kept);
        }
        self.state = State::Learning(candidates);
    }

    fn hand_over(&mut self, source: SocketAddr) {
        self.follow(source);
        if self.mode == EndpointLearning::Off {
            self.state = State::Confirmed(source);
            return;
        }
        let mut candidates = [None; 4];
        candidates[self.rank(source)] = Some(source);
        self.state = State::Learning(candidates);
    }

    fn confirm(&mut self, source: SocketAddr) {
        self.follow(source);
        self.state = State::Confirmed(source);
    }

    fn follow(&mut self, source: SocketAddr) {
        if !self.asymmetric {
            self.send_to = Some(source);
        }
    }

    fn would_be_confirmed(&self, source: SocketAddr, now_ms: u64) -> bool {
        match self.mode {
            EndpointLearning::Off | EndpointLearning::Immediate => true,
            EndpointLearning::Delayed => self.window_over(now_ms),
            EndpointLearning::Heuristic => {
                Some(source) == self.announced || self.window_over(now_ms)
            }
        }
    }

    /// Under strict source, only the best-ranked source seen so far passes while learning.
    fn judge_by_best(&self, source: SocketAddr) -> Verdict {
        let better_known = self
            .best_candidate()
            .is_some_and(|best| best != source && self.rank(best) <= self.rank(source));
        if self.strict_source && better_known {
            Verdict::Refuse
        } else {
            Verdict::Forward
        }
    }

    fn best_candidate(&self) -> Option<SocketAddr> {
        let State::Learning(candidates) = &self.state else {
            return None;
        };
        candidates.iter().flatten().next().copied()
    }

    fn rank(&self, source: SocketAddr) -> usize {
        let other_port = self.announced.is_none_or(|a| a.port() != source.port());
        let other_address = self.announced.is_none_or(|a| a.ip() != source.ip());
        usize::from(other_port) + 2 * usize::from(other_address)
    }

    fn window_over(&self, now_ms: u64) -> bool {
        now_ms > self.signalled_ms + WINDOW_MS
    }
}
