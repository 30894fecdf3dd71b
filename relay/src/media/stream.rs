//! One stream as its worker has it: socket, plan, what was learned and measured, and its flow in the kernel.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;

use underpass_packet::{Kind, Read, Rtp, classify};

use super::clock::Now;
use super::counters::{Counters, SSRCS, add};
use super::events::{Event, Events};
use super::fate::Fate;
use super::handoff::{Exit, Handoff, Sender};
use super::layout::Layout;
use super::learning::{Arrival, Learning, Verdict};
use super::lengths::Lengths;
use super::reception::Reception;
use super::repeats::Repeats;
use super::rtcp::{Generator, Reports, Sending};
use super::socket::set_tos;
use super::table::Link;
use crate::datapath::{FlowState, PayloadTypes};
use crate::plan::{CallKey, Component, Learned, LocalPort, StreamId, StreamPlan, TelephoneEvent};

/// SSRCs of a source that a flow can know; with more of them any passes.
const KNOWN_SSRCS: usize = underpass_abi::MAX_SSRCS;

/// Which way an accepted packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To the plan's `sinks`.
    Media,
    /// To its `rtcp_sinks`.
    Rtcp,
}

pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) call: CallKey,
    pub(super) local: SocketAddr,
    pub(super) socket: UdpSocket,
    pub(super) plan: StreamPlan,
    /// Where the plan's `sinks` are.
    pub(super) sinks: Vec<Link>,
    /// Where its `rtcp_sinks` are.
    pub(super) rtcp_sinks: Vec<Link>,
    pub(super) counters: Arc<Counters>,
    pub(super) handoff: Handoff,
    /// Something about the stream's flow, or those that lead to it, may have changed.
    pub(super) stirred: bool,
    /// The worker looks at the flow again by itself.
    pub(super) deferred: bool,
    /// Several packets waited when its socket was last read.
    pub(super) several: bool,
    /// The sender reports that passed here, with the first one.
    pub(super) reports: Option<Box<Reports>>,
    /// The reports of our own that leave here.
    pub(super) generator: Option<Box<Generator>>,
    /// When its socket was last read, ms.
    served_ms: u64,
    learning: Learning,
    receptions: Vec<Reception>,
    /// When each of `receptions` was last heard, ms.
    heard_ms: [u64; SSRCS],
    known: KnownSsrcs,
    repeats: Repeats,
    events: Events,
    /// Of packets of which none is to be too short, from the first one on.
    lengths: Option<Box<Lengths>>,
}

/// The SSRCs of one source, in order of appearance.
#[derive(Debug, Default)]
struct KnownSsrcs {
    source: Option<SocketAddr>,
    ssrcs: Vec<u32>,
    too_many: bool,
}

impl Stream {
    pub(super) fn open(
        call: CallKey,
        port: &LocalPort,
        socket: UdpSocket,
        plan: StreamPlan,
        counters: Arc<Counters>,
        now: Now,
    ) -> Self {
        let stream = Self {
            id: port.id,
            call,
            local: port.address,
            socket,
            learning: Learning::new(&plan, now.ms()),
            plan,
            sinks: Vec::new(),
            rtcp_sinks: Vec::new(),
            counters,
            handoff: Handoff::default(),
            stirred: true,
            deferred: false,
            several: false,
            reports: None,
            generator: None,
            served_ms: 0,
            receptions: Vec::new(),
            heard_ms: [0; SSRCS],
            known: KnownSsrcs::default(),
            repeats: Repeats::default(),
            events: Events::default(),
            lengths: None,
        };
        // A fresh socket sends with 0.
        if stream.plan.tos != 0 {
            stream.apply_tos();
        }
        stream.publish_learning();
        stream
    }

    /// Sets out from what another stream of the same party has learned.
    pub(super) fn succeed(&mut self, predecessor: &Self) {
        self.learning.succeed(&predecessor.learning);
        self.publish_learning();
    }

    /// Sets out from what was learned and measured before a restart.
    pub(super) fn resume(&mut self, learned: &Learned) {
        self.learning.resume(learned);
        let heard = learned.heard.iter().take(SSRCS);
        self.receptions = heard.map(Reception::resumed).collect();
        self.heard_ms = [learned.last_ms; SSRCS];
        let ssrcs = learned.ssrcs.as_deref();
        self.known = KnownSsrcs {
            source: learned.source,
            ssrcs: ssrcs
                .unwrap_or_default()
                .iter()
                .copied()
                .take(KNOWN_SSRCS)
                .collect(),
            too_many: ssrcs.is_none_or(|ssrcs| ssrcs.len() > KNOWN_SSRCS),
        };
        self.publish_learning();
    }

    /// Takes a new plan over; an equal one changes nothing. Whether that changed what had been learned.
    pub(super) fn update(&mut self, plan: StreamPlan, now: Now) -> bool {
        if plan == self.plan {
            return false;
        }
        let had_learned = self.learning.source().is_some();
        self.learning.update(&plan, now.ms());
        let tos_changed = plan.tos != self.plan.tos;
        if plan.signalled != self.plan.signalled {
            // Packets may be of another duration from now on.
            self.lengths = None;
        }
        self.plan = plan;
        if tos_changed {
            self.apply_tos();
        }
        self.publish_learning();
        self.stirred = true;
        had_learned
    }

    /// Whether its socket, which is about to be read, may hold more than one packet: it did the last time, or that was in
    /// this very millisecond. Voice sends one in twenty; pictures come in bursts.
    pub(super) fn expects_several(&mut self, now: Now) -> bool {
        let again = std::mem::replace(&mut self.served_ms, now.ms()) == now.ms();
        self.several || again
    }

    /// Judges, counts and learns from a packet; `None`: it is not passed on.
    pub(super) fn accept(&mut self, payload: &[u8], source: SocketAddr, now: Now) -> Option<Route> {
        // Media that is not RTP (T.38) may look like RTP or RTCP by chance.
        let kind = if self.plan.payload_types == PayloadTypes::NONE {
            Kind::Other
        } else {
            classify(payload)
        };
        let before = (self.learning.source(), self.learning.send_to());
        let verdict = self.learning.packet(Arrival {
            source,
            stray_rtcp: kind == Kind::Rtcp && self.plan.component == Component::Rtp,
            now_ms: now.ms(),
            kernel_ms: self.counters.report.last_packet_ms(),
        });
        if before != (self.learning.source(), self.learning.send_to()) {
            self.publish_learning();
            self.stirred = true;
        }
        if verdict == Verdict::Refuse || !self.repeats.tolerate(payload, source, now.ms()) {
            return None;
        }
        if let (Kind::Rtp, Some(header)) = (kind, payload.read::<Rtp>(0)) {
            self.measure(header, payload.len(), now);
            self.know(header.ssrc(), source);
            if self.is_too_short(header, payload) {
                return None;
            }
        }
        Some(match kind {
            Kind::Rtcp => Route::Rtcp,
            Kind::Rtp | Kind::Stun | Kind::Dtls | Kind::Other => Route::Media,
        })
    }

    /// Telephone events among its packets are looked at.
    pub(super) fn follows_events(&self) -> bool {
        self.plan.follows_events() || self.events.guards()
    }

    /// Looks for a telephone event in a packet that was accepted. Tells those that it begins and ends; returns what becomes
    /// of it.
    pub(super) fn listen(
        &mut self,
        payload: &[u8],
        source: SocketAddr,
        mut tell: impl FnMut(TelephoneEvent),
    ) -> Fate {
        let Some(header) = payload.read::<Rtp>(0) else {
            return Fate::Pass;
        };
        let payload_type = header.payload_type();
        if !header.is_rtp() || !self.plan.telephone_events.contains(payload_type) {
            return Fate::Pass;
        }
        let Some(layout) = Layout::of(payload) else {
            return Fate::of_unknown(self.plan.digits);
        };
        let mut rates = self.plan.event_clock_rates.iter();
        let rate = rates.find(|(number, _)| *number == payload_type);
        let rate = rate.map_or(8000, |(_, rate)| *rate).max(1);
        let payload = &payload[layout.payload];
        let followed = self.events.follow(header, payload, self.plan.digits);
        let mut tell = |event: Option<Event>, has_ended| {
            let Some(Event {
                code,
                volume,
                duration,
            }) = event
            else {
                return;
            };
            let duration_ms = u64::from(duration) * 1000 / u64::from(rate);
            tell(TelephoneEvent {
                call: self.call,
                stream: self.id,
                source,
                code,
                volume,
                duration_ms: u32::try_from(duration_ms).unwrap_or(u32::MAX),
                has_ended,
            });
        };
        let [before, own] = followed.ended;
        let tells_ends = self.plan.detect_events || self.plan.watch_digits;
        tell(before.filter(|_| tells_ends), true);
        tell(followed.begun.filter(|_| self.plan.watch_digits), false);
        tell(own.filter(|_| tells_ends), true);
        followed.fate
    }

    /// What the packets that arrive here and leave through `exit` say of their sender: of the source heard last. `None` until
    /// user space has seen its timestamps.
    pub(super) fn sending(&self, exit: StreamId, now: Now) -> Option<Sending> {
        let sink = self.plan.sinks.iter().find(|sink| sink.stream == exit)?;
        let view = self.counters.view();
        let source = view.ssrcs.iter().rfind(|source| source.packets > 0)?;
        let known = |reception: &Reception| reception.ssrc == source.ssrc;
        let index = self.receptions.iter().position(known)?;
        let since_ms = now.ms().saturating_sub(self.heard_ms[index]);
        let ticks = since_ms * u64::from(self.plan.clock_rate) / 1000;
        let bytes = view.user_bytes + view.kernel_bytes;
        Some(Sending {
            ssrc: sink.treatment.ssrc(source.ssrc),
            // Timestamps wrap.
            timestamp: source.last_timestamp.wrapping_add(ticks as u32),
            packets: source.packets,
            octets: bytes.saturating_sub(source.packets * Rtp::LENGTH as u64),
        })
    }

    /// Counts packets passed on, and those that could not be.
    pub(super) fn count(&self, packets: u64, bytes: u64, errors: u64) {
        add(&self.counters.packets, packets);
        add(&self.counters.bytes, bytes);
        add(&self.counters.errors, errors);
    }

    /// Where packets leave that this stream passes on for others.
    pub(super) fn exit(&self) -> Exit {
        Exit {
            from: self.local,
            to: self.send_to(),
            tos: self.plan.tos,
        }
    }

    /// The peer's address, if it is one that packets can be sent to, and they may be.
    pub(super) fn send_to(&self) -> Option<SocketAddr> {
        if self.plan.nat_wait && self.counters.last_packet_ms() == 0 {
            return None;
        }
        self.learning
            .send_to()
            .filter(|to| to.port() != 0 && !to.ip().is_unspecified())
    }

    /// Where empty packets are to go, if any are.
    pub(super) fn pierces(&self) -> Option<SocketAddr> {
        let is_wanted = self.plan.pierce_nat && self.counters.last_packet_ms() == 0;
        self.plan.endpoint.filter(|_| is_wanted)
    }

    pub(super) fn sender(&self) -> Sender<'_> {
        let source = self.learning.source();
        let ssrcs: Option<&[u32]> = match &self.known {
            known if known.source != source => Some(&[]),
            known if known.too_many => None,
            known => Some(&known.ssrcs),
        };
        Sender { source, ssrcs }
    }

    fn apply_tos(&self) {
        if let Err(error) = set_tos(&self.socket, self.local, self.plan.tos) {
            tracing::warn!(local = %self.local, tos = self.plan.tos, %error, "TOS not set");
        }
    }

    fn publish_learning(&self) {
        self.counters.decide(|standing| {
            standing.confirmed = self.learning.source().is_some();
            standing.endpoint = self.learning.send_to();
        });
        let known = &self.known;
        self.counters.learn(Learned {
            ssrcs: (!known.too_many).then(|| known.ssrcs.clone()),
            ..self.learning.learned()
        });
    }

    fn measure(&mut self, header: Rtp, bytes: usize, now: Now) {
        let known = self.receptions.iter().position(|r| r.ssrc == header.ssrc());
        let index = known.unwrap_or_else(|| self.place_for(header.ssrc()));
        self.heard_ms[index] = now.ms();
        let reception = &mut self.receptions[index];
        let kernel = self.counters.report.state() == FlowState::Kernel;
        let odd = reception.count(header, bytes, self.plan.clock_rate, kernel, now);
        self.counters.publish(index, reception);
        if let Some(oddity) = odd {
            self.counters.sequence.count(oddity);
        }
    }

    fn place_for(&mut self, ssrc: u32) -> usize {
        if self.receptions.len() < SSRCS {
            self.receptions.push(Reception::new(ssrc));
            return self.receptions.len() - 1;
        }
        let oldest = (0..SSRCS).min_by_key(|index| self.heard_ms[*index]);
        let index = oldest.unwrap_or(0);
        self.receptions[index] = Reception::new(ssrc);
        index
    }

    fn is_too_short(&mut self, header: Rtp, packet: &[u8]) -> bool {
        let payload_type = header.payload_type();
        if !self.plan.never_short.contains(payload_type) {
            return false;
        }
        let length = Layout::of(packet).map_or(0, |layout| layout.payload.len());
        let lengths = self.lengths.get_or_insert_default();
        lengths.is_short(payload_type, length)
    }

    /// Takes note of an SSRC of the confirmed source; others' count for nothing.
    fn know(&mut self, ssrc: u32, source: SocketAddr) {
        if self.learning.source() != Some(source) {
            return;
        }
        if self.known.source != Some(source) {
            self.known = KnownSsrcs {
                source: Some(source),
                ..KnownSsrcs::default()
            };
        }
        let known = &mut self.known;
        if known.too_many || known.ssrcs.contains(&ssrc) {
            return;
        }
        if known.ssrcs.len() < KNOWN_SSRCS {
            known.ssrcs.push(ssrc);
        } else {
            known.too_many = true;
        }
        self.publish_learning();
        self.stirred = true;
    }
}
