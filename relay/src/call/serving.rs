//! From the graph to what media does: the plan of every stream, and the actions that lead from one graph to the next.

use std::collections::BTreeMap;

use super::graph::Call;
use super::media::{Course, Media};
use super::party::PartyId;
use super::subscription::{Edge, Kind, MediaRef};
use super::{Settings, dtmf, extmap};
use crate::datapath::PayloadTypes;
use crate::plan::{
    Action, COMFORT_NOISE, Component, Digits, Generated, LocalPort, PortPair, RecordingId,
    RtcpHandling, Silences, Sink, StreamId, StreamPlan, Treatment,
};

/// What media has been told about a call.
#[derive(Debug, Default)]
pub(super) struct Serving {
    /// By the RTP stream.
    pairs: BTreeMap<StreamId, PortPair>,
    plans: BTreeMap<StreamId, StreamPlan>,
}

impl Serving {
    /// What has to be done for media to serve the call as it is now: nothing about a stream whose plan is the same.
    pub(super) fn follow(&mut self, call: &Call, settings: &Settings) -> Vec<Action> {
        let mut opened = Vec::new();
        let mut updated = Vec::new();
        let mut pairs = BTreeMap::new();
        let mut plans = BTreeMap::new();
        for (media, pair, before) in held(call) {
            for (port, plan) in plan_pair(call, settings, media, pair).into_iter().flatten() {
                match self.plans.get(&port.id) {
                    None => opened.push(Action::Open {
                        call: call.key,
                        port: port.clone(),
                        plan: plan.clone(),
                        predecessor: before
                            .map(|pair| pair.port(plan.component).id)
                            .filter(|id| self.plans.contains_key(id)),
                        learned: None,
                    }),
                    Some(known) if *known != plan => updated.push(Action::Update {
                        stream: port.id,
                        plan: plan.clone(),
                    }),
                    Some(_) => {}
                }
                plans.insert(port.id, plan);
            }
            pairs.insert(pair.rtp.id, pair.clone());
        }
        self.plans = plans;
        let before = std::mem::replace(&mut self.pairs, pairs);
        let closed = before
            .into_iter()
            .filter(|(id, _)| !self.pairs.contains_key(id))
            .map(|(_, pair)| Action::Close { pair });
        opened.into_iter().chain(updated).chain(closed).collect()
    }

    /// Takes over what another call's service has come to; says which pairs these are.
    pub(super) fn absorb(&mut self, other: Self) -> Vec<PortPair> {
        let pairs = other.pairs.values().cloned().collect();
        self.pairs.extend(other.pairs);
        self.plans.extend(other.plans);
        pairs
    }

    /// Ends the service.
    pub(super) fn end(self) -> Vec<Action> {
        let pairs = self.pairs.into_values();
        pairs.map(|pair| Action::Close { pair }).collect()
    }
}

/// Every pair of the call with the media it faces, and the pair that faced it before.
fn held(call: &Call) -> impl Iterator<Item = (MediaRef, &PortPair, Option<&PortPair>)> {
    call.medias().flat_map(|(name, media)| {
        let before = std::iter::once(None).chain(media.all_ports().map(Some));
        let pairs = media.all_ports().zip(before);
        pairs.map(move |(pair, before)| (name, pair, before))
    })
}

/// The plans of a pair's streams. Both are about the same sinks.
fn plan_pair<'a>(
    call: &Call,
    settings: &Settings,
    name: MediaRef,
    pair: &'a PortPair,
) -> Option<[(&'a LocalPort, StreamPlan); 2]> {
    let media = call.media(name)?;
    let sinks = sinks(call, name);
    let telephone_events = union(media, &sinks, |media| media.events);
    let party = call.party(name.party)?;
    let digits = dtmf::digits(call, party, media);
    let mut outputs = Vec::with_capacity(sinks.len());
    for sink in &sinks {
        let treatment = treatment(call, name, sink, telephone_events, digits);
        let stream = sink.carrier.sending_ports().map(|pair| pair.rtp.id);
        if let Some((stream, treatment)) = stream.zip(treatment) {
            add(&mut outputs, Sink { stream, treatment });
        }
    }
    let mut rtcp_sinks: Vec<StreamId> = Vec::with_capacity(sinks.len());
    // Reports on an echo are on a source that nobody else knows.
    for sink in sinks.iter().filter(|sink| !sink.echo) {
        let stream = sink.carrier.rtcp_port().map(|port| port.id);
        rtcp_sinks.extend(stream.filter(|stream| !rtcp_sinks.contains(stream)));
    }
    let handling = |component| {
        let mut handling = rtcp(call, settings, name, media, component);
        let generated = handling.generated;
        handling.generated = generated.filter(|generated| generated.media == pair.rtp.id);
        handling
    };
    // Of what is encrypted, payload types are all there is to see.
    let is_encrypted = media.protocol.is_secure();
    let rtcp = StreamPlan {
        component: Component::Rtcp,
        endpoint: media.rtcp_endpoint(),
        public: media.public,
        signalled: media.signalled,
        resets: media.resets,
        learning: media.learning,
        strict_source: media.strict_source,
        media_handover: media.media_handover,
        asymmetric: media.asymmetric,
        nat_wait: media.nat_wait,
        pierce_nat: media.pierce_nat,
        sinks: rtcp_sinks.iter().copied().map(Sink::untouched).collect(),
        rtcp_sinks,
        rtcp: handling(Component::Rtcp),
        payload_types: payload_types(media, &sinks),
        telephone_events,
        event_clock_rates: event_clock_rates(media, &sinks),
        digits,
        detect_events: !is_encrypted && (settings.detect_dtmf || call.dtmf_log.is_some()),
        watch_digits: !is_encrypted && dtmf::is_listened_to(call, party, settings),
        silences: Silences {
            pcmu: union(media, &sinks, |media| media.silences.pcmu),
            pcma: union(media, &sinks, |media| media.silences.pcma),
            g722: union(media, &sinks, |media| media.silences.g722),
        },
        never_short: if is_encrypted {
            PayloadTypes::NONE
        } else {
            media.never_short
        },
        clock_rate: media.clock_rate,
        tos: call.tos.unwrap_or(settings.tos),
        recording: recording(call, name),
    };
    let rtp = StreamPlan {
        component: Component::Rtp,
        endpoint: media.rtp_endpoint(),
        sinks: outputs,
        rtcp: handling(Component::Rtp),
        ..rtcp.clone()
    };
    Some([(&pair.rtp, rtp), (&pair.rtcp, rtcp)])
}

/// What becomes of a media's RTCP. Reports of our own come from where we send to the peer, and go where it awaits RTCP.
fn rtcp(
    call: &Call,
    settings: &Settings,
    name: MediaRef,
    media: &Media,
    component: Component,
) -> RtcpHandling {
    let encrypted = media.protocol.is_secure();
    let consumed = media.generates_rtcp && media.protocol.is_rtp() && !encrypted;
    let carries_rtcp = media.rtcp_mux == (component == Component::Rtp);
    let generated = media.sending_ports().filter(|_| consumed && carries_rtcp);
    let has_feedback = |media: &Media| media.protocol.has_feedback();
    let hears_feedback = || {
        let mut sources = call.subscriptions.sources(name);
        sources.any(|source| call.media(source).is_some_and(has_feedback))
    };
    // Few calls have any; the rest need not look for who hears whom.
    let without_feedback = media.protocol.is_rtp()
        && !has_feedback(media)
        && call.medias().any(|(_, media)| has_feedback(media))
        && hears_feedback();
    RtcpHandling {
        encrypted,
        consumed,
        generated: generated.map(|ports| Generated {
            every_ms: settings.rtcp_interval_ms,
            media: ports.rtp.id,
        }),
        without_feedback,
    }
}

/// Where a media's packets are recorded.
fn recording(call: &Call, name: MediaRef) -> Option<RecordingId> {
    let running = call.recording.as_ref()?;
    let recorded = !call.party(name.party)?.unrecorded;
    running.sink().filter(|_| recorded)
}

/// What two medias bundled on one port are sent goes out once.
fn add(sinks: &mut Vec<Sink>, sink: Sink) {
    let is_same = |known: &&mut Sink| {
        let treatment = Treatment {
            dropped: known.treatment.dropped,
            ..sink.treatment.clone()
        };
        known.stream == sink.stream && known.treatment == treatment
    };
    match sinks.iter_mut().find(is_same) {
        Some(known) => known.treatment.dropped.0 &= sink.treatment.dropped.0,
        None => sinks.push(sink),
    }
}

/// A media that another's packets go to, and by what.
struct Heard<'a> {
    source: &'a Media,
    media: &'a Media,
    /// Whose ports it is sent from: mostly its own.
    carrier: &'a Media,
    edge: &'a Edge,
    /// Whose media it is.
    party: PartyId,
    /// The two medias are one.
    echo: bool,
    /// Payload types that arrive at the same port and are not for it.
    foreign: PayloadTypes,
}

/// Where what arrives at a media's port goes: its own packets, and those of medias that are bundled on it.
fn sinks(call: &Call, carrier: MediaRef) -> Vec<Heard<'_>> {
    let party = call.party(carrier.party).into_iter();
    let indices = party.flat_map(|party| 0..party.medias.len());
    let members = indices.map(|index| MediaRef { index, ..carrier });
    let mut members = members.filter(|member| call.carrier(*member) == carrier);
    let (first, second) = (members.next(), members.next());
    let (Some(first), Some(second)) = (first, second) else {
        return first.map_or(Vec::new(), |alone| sinks_of(call, alone));
    };
    let members = [first, second].into_iter().chain(members);
    let mut sinks: Vec<Vec<Heard<'_>>> = members.map(|member| sinks_of(call, member)).collect();
    let named: Vec<u128> = sinks.iter().map(|sinks| named(sinks)).collect();
    for (index, sinks) in sinks.iter_mut().enumerate() {
        let others = named
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != index);
        let others = others.fold(0, |set, (_, named)| set | named);
        for sink in sinks {
            sink.foreign = PayloadTypes(others & !named[index]);
        }
    }
    sinks.into_iter().flatten().collect()
}

fn named(sinks: &[Heard<'_>]) -> u128 {
    let named = |sink: &Heard<'_>| sink.source.payload_types.0 | sink.media.payload_types.0;
    sinks.iter().fold(0, |set, sink| set | named(sink))
}

/// The edge of a media to itself.
const ECHO: Edge = Edge {
    kind: Kind::OfferAnswer,
    blocked: false,
    silenced: false,
    rtcp_only: false,
    returns: false,
};

/// Where one media's packets go. A subscriber that is not to be sent to hears nothing. Of several that were offered to, those that have not
/// said yet where they receive are left out once others have.
fn sinks_of(call: &Call, source: MediaRef) -> Vec<Heard<'_>> {
    let heard_by = |sink: MediaRef, edge, echo| {
        Some(Heard {
            source: call.media(source)?,
            media: call.media(sink)?,
            carrier: call.media(call.carrier(sink))?,
            edge,
            party: sink.party,
            echo,
            foreign: PayloadTypes::NONE,
        })
    };
    match call.media(source).map(|media| media.course) {
        _ if call.blocks.traffic => return Vec::new(),
        None | Some(Course::Astray) => return Vec::new(),
        Some(Course::Back) => return heard_by(source, &ECHO, true).into_iter().collect(),
        Some(Course::Onward) => {}
    }
    let sinks = call.subscriptions.sinks(source);
    let sinks = sinks.filter_map(|(sink, edge)| heard_by(sink, edge, false));
    let mut sinks: Vec<_> = sinks
        .filter(|sink| sink.edge.kind == Kind::OfferAnswer || sink.media.listens())
        .collect();
    let is_located = |sink: &Heard<'_>| sink.media.remote.is_some();
    if sinks.iter().any(is_located) {
        sinks.retain(is_located);
    }
    sinks
}

/// What becomes of RTP on an edge; `None` if none of it goes there.
fn treatment(
    call: &Call,
    source: MediaRef,
    sink: &Heard<'_>,
    events: PayloadTypes,
    digits: Digits,
) -> Option<Treatment> {
    let edge = sink.edge;
    let egress = call.party(sink.party)?.egress_blocks;
    let blocks = [call.blocks, call.party(source.party)?.blocks, egress];
    let mut dropped = PayloadTypes(sink.foreign.0 | refused(sink).0);
    if edge.rtcp_only || edge.blocked || blocks.iter().any(|blocks| blocks.media) {
        dropped = PayloadTypes(dropped.0 | PayloadTypes::ALL.without(events).0);
    }
    if edge.rtcp_only || egress.digits() != Digits::Pass {
        dropped = PayloadTypes(dropped.0 | events.0);
    }
    // Where a source's digits are dropped, that is for all sinks alike.
    let held_back = match digits {
        Digits::Drop => dropped.0 | events.0,
        Digits::Pass | Digits::Replace(_) => dropped.0,
    };
    (held_back != PayloadTypes::ALL.0).then_some(Treatment {
        silence: edge.silenced || blocks.iter().any(|blocks| blocks.silence),
        dropped,
        extensions: extmap::passed(sink.source, sink.media),
        echo: sink.echo,
    })
}

/// What a source sends and its subscriber does not take. Those who make offers and answers see to that themselves.
fn refused(sink: &Heard<'_>) -> PayloadTypes {
    if sink.edge.kind == Kind::OfferAnswer {
        return PayloadTypes::NONE;
    }
    sink.source.payload_types.without(sink.media.payload_types)
}

/// All that either side named: an answerer may send what it was offered, an offerer what it was answered. None for what
/// is not RTP (T.38, BFCP), whose packets are not looked into.
fn payload_types(media: &Media, sinks: &[Heard<'_>]) -> PayloadTypes {
    if !media.protocol.is_rtp() {
        return PayloadTypes::NONE;
    }
    let named = union(media, sinks, |media| media.payload_types);
    PayloadTypes(named.0 | 1 << COMFORT_NOISE)
}

/// What a media and those that hear it have said of payload types.
fn union(media: &Media, sinks: &[Heard<'_>], of: impl Fn(&Media) -> PayloadTypes) -> PayloadTypes {
    let said = sinks
        .iter()
        .map(|sink| of(sink.source).0 | of(sink.media).0);
    PayloadTypes(said.fold(of(media).0, |set, said| set | said))
}

/// The clock rates of telephone events that are not 8000 Hz.
fn event_clock_rates(media: &Media, sinks: &[Heard<'_>]) -> Vec<(u8, u32)> {
    let sinks = sinks.iter().map(|sink| sink.media);
    let said = std::iter::once(media).chain(sinks);
    let mut rates: Vec<_> = said.flat_map(|media| media.event_rates.clone()).collect();
    rates.sort_unstable();
    rates.dedup_by_key(|(payload_type, _)| *payload_type);
    rates
}
