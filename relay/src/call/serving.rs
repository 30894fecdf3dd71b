//! From the graph to what media does: the plan of every stream, and the actions that lead from one graph to the next.

use std::collections::BTreeMap;

use super::graph::Call;
use super::media::Media;
use super::subscription::{Edge, Kind, MediaRef};
use super::{Settings, extmap};
use crate::datapath::PayloadTypes;
use crate::plan::{
    Action, Component, LocalPort, PortPair, RecordingId, RtcpHandling, Silences, Sink, StreamId,
    StreamPlan, Treatment,
};

/// Comfort noise (RFC 3389), sent by some without saying so.
const COMFORT_NOISE: u32 = 13;

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
            for (port, plan) in plan_pair(call, settings, media, pair) {
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

fn plan_pair<'a>(
    call: &Call,
    settings: &Settings,
    name: MediaRef,
    pair: &'a PortPair,
) -> impl Iterator<Item = (&'a LocalPort, StreamPlan)> {
    let media = call.media(name);
    let plan = |component| Some(plan(call, settings, name, media?, component));
    let rtp = plan(Component::Rtp).map(|plan| (&pair.rtp, plan));
    let rtcp = plan(Component::Rtcp).map(|plan| (&pair.rtcp, plan));
    rtp.into_iter().chain(rtcp)
}

fn plan(
    call: &Call,
    settings: &Settings,
    name: MediaRef,
    media: &Media,
    component: Component,
) -> StreamPlan {
    let sinks = sinks(call, name);
    let payload_types = payload_types(media, &sinks);
    let telephone_events = union(media, &sinks, |media| media.events);
    let rtcp_sinks: Vec<StreamId> = sinks
        .iter()
        .filter_map(|sink| Some(sink.media.rtcp_port()?.id))
        .collect();
    let rtp_sinks = || {
        let sinks = sinks.iter().filter_map(|sink| {
            let treatment = treatment(call, name, sink.edge, telephone_events)?;
            Some(Sink {
                stream: sink.media.sending_ports()?.rtp.id,
                treatment: Treatment {
                    extensions: extmap::passed(media, sink.media),
                    ..treatment
                },
            })
        });
        sinks.collect()
    };
    StreamPlan {
        component,
        endpoint: match component {
            Component::Rtp => media.rtp_endpoint(),
            Component::Rtcp => media.rtcp_endpoint(),
        },
        public: media.public,
        signalled: media.signalled,
        learning: media.learning,
        strict_source: media.strict_source,
        media_handover: media.media_handover,
        asymmetric: media.asymmetric,
        sinks: match component {
            Component::Rtp => rtp_sinks(),
            Component::Rtcp => rtcp_sinks.iter().copied().map(Sink::untouched).collect(),
        },
        rtcp_sinks,
        rtcp: RtcpHandling::default(),
        payload_types,
        telephone_events,
        event_clock_rates: event_clock_rates(media, &sinks),
        detect_events: settings.detect_dtmf,
        silences: Silences {
            pcmu: union(media, &sinks, |media| media.silences.pcmu),
            pcma: union(media, &sinks, |media| media.silences.pcma),
            g722: union(media, &sinks, |media| media.silences.g722),
        },
        clock_rate: media.clock_rate,
        tos: call.tos.unwrap_or(settings.tos),
        recording: recording(call, name),
    }
}

/// Where a media's packets are recorded.
fn recording(call: &Call, name: MediaRef) -> Option<RecordingId> {
    let running = call.recording.as_ref()?;
    let recorded = !call.party(name.party)?.unrecorded;
    running.sink().filter(|_| recorded)
}

/// A media that another's packets go to, and by what.
struct Heard<'a> {
    media: &'a Media,
    edge: &'a Edge,
}

/// Where a media's packets go. A subscriber that is not to be sent to hears nothing. Of several that were offered to, those that have not
/// said yet where they receive are left out once others have.
fn sinks(call: &Call, source: MediaRef) -> Vec<Heard<'_>> {
    let sinks = call.subscriptions.sinks(source);
    let sinks = sinks.filter_map(|(sink, edge)| {
        let media = call.media(sink)?;
        Some(Heard { media, edge })
    });
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
    edge: &Edge,
    events: PayloadTypes,
) -> Option<Treatment> {
    let blocks = call.party(source.party)?.blocks;
    let mut dropped = PayloadTypes::NONE;
    if edge.rtcp_only || edge.blocked || blocks.media || call.blocks.media {
        dropped = PayloadTypes::ALL.without(events);
    }
    if edge.rtcp_only || blocks.dtmf || call.blocks.dtmf {
        dropped = PayloadTypes(dropped.0 | events.0);
    }
    (dropped != PayloadTypes::ALL).then_some(Treatment {
        silence: edge.silenced || blocks.silence || call.blocks.silence,
        dropped,
        extensions: None,
    })
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
    let said = sinks.iter().map(|sink| of(sink.media).0);
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
