//! `query` and `list`: a call as a dictionary.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use bytes::Bytes;
use ng_protocol::{Dict, Reply, Request, Value};

use super::counts::{Sum, Views, egress};
use super::graph::Call;
use super::media::{Course, Media};
use super::party::{Party, PartyId};
use super::recording::Running;
use super::select::present;
use super::statistics::integer;
use super::subscription::{Kind, MediaRef};
use super::{Calls, Refusal, StarCodes, dtmf, quality};
use crate::plan::{Component, LocalPort, SsrcView, StreamReader, StreamView};
use crate::sdp::push_address;

/// `list` without `limit` names this many calls.
const DEFAULT_LIST_LIMIT: i64 = 32;

impl Calls {
    pub(super) fn query(
        &self,
        request: &Request,
        streams: &dyn StreamReader,
    ) -> Result<Reply, Refusal> {
        let id = request.call_id.as_ref().ok_or(Refusal::NoCallId)?;
        let active = self.get(id).ok_or(Refusal::UnknownCall)?;
        let tag = present(request.to_tag.as_ref()).or(present(request.from_tag.as_ref()));
        let mut reply = Reply::ok();
        let codes = &self.settings.star_codes;
        describe(&active.call, tag, codes, streams, reply.dict_mut());
        Ok(reply)
    }

    pub(super) fn list(&self, request: &Request) -> Result<Reply, Refusal> {
        let limit = request.options.limit.unwrap_or(DEFAULT_LIST_LIMIT);
        let limit = usize::try_from(limit).map_err(|_| Refusal::InvalidLimit)?;
        let ids: Vec<Value> = self
            .ids()
            .take(limit)
            .map(|id| Value::from(id.clone()))
            .collect();
        Ok(Reply::ok().with("calls", ids))
    }
}

/// The `kernel reason` of a stream that media does not serve.
pub(super) const NOT_OPEN: &str = "not open";

/// Everything about a call: times, parties with their medias and streams, sources, sums.
/// With a tag, of that party and those it hears alone.
pub(super) fn describe(
    call: &Call,
    tag: Option<&Bytes>,
    codes: &StarCodes,
    streams: &dyn StreamReader,
    out: &mut Dict,
) {
    let meant = tag.map(|tag| {
        let party = call.party_by_tag(tag);
        let heard = party.map(|party| call.subscriptions.source_parties(party));
        let heard = heard.into_iter().flatten().map(|(party, _)| party);
        party
            .into_iter()
            .chain(heard)
            .collect::<BTreeSet<PartyId>>()
    });

    let mut account = Account {
        call,
        codes,
        views: Views::of(call, streams),
        rtp: Sum::default(),
        rtcp: Sum::default(),
        sources: Vec::new(),
    };
    let mut tags = Dict::new();
    let parties = call.parties();
    for (id, party) in
        parties.filter(|(id, _)| meant.as_ref().is_none_or(|meant| meant.contains(id)))
    {
        let key = match &party.tag {
            Some(tag) => tag.clone(),
            None => format!("<untagged {}>", id.0 + 1).into(),
        };
        tags.push(key, account.party(id, party));
    }
    let created_us = call.created.wall_us;
    out.insert("created", integer(created_us / 1_000_000));
    out.insert("created_us", integer(created_us % 1_000_000));
    out.insert("created_ts", integer(created_us));
    out.insert("last signal", integer(call.last_signal.wall_us / 1_000_000));
    out.insert("last redis update", 0);
    if let Some(metadata) = &call.metadata {
        out.insert("metadata", metadata.clone());
    }
    let is_recorded = call.recording.as_ref().and_then(Running::sink).is_some();
    let mut recording = Dict::new();
    recording.insert("call recording", i64::from(is_recorded));
    recording.insert("forwarding", i64::from(call.forwarding));
    out.insert("recording", recording);
    let sources = account.sources.into_iter();
    let sources: Dict = sources
        .map(|(ssrc, source)| (ssrc.to_string().into(), source.into()))
        .collect();
    out.insert("SSRC", sources);
    out.insert("tags", tags);
    let mut totals = Dict::new();
    totals.insert("RTP", account.rtp.dict());
    totals.insert("RTCP", account.rtcp.dict());
    out.insert("totals", totals);
}

/// Walks a call and adds up what its streams counted.
struct Account<'a> {
    call: &'a Call,
    /// Star codes of the configuration.
    codes: &'a StarCodes,
    views: Views,
    rtp: Sum,
    rtcp: Sum,
    /// By SSRC, each once.
    sources: Vec<(u32, Dict)>,
}

impl Account<'_> {
    fn party(&mut self, id: PartyId, party: &Party) -> Dict {
        let mut dict = Dict::with_capacity(9);
        dict.insert("tag", party.tag.clone().unwrap_or_default());
        if let Some(branch) = &party.via_branch {
            dict.insert("via-branch", branch.clone());
        }
        if !party.aliases.is_empty() {
            let aliases = party.aliases.iter().cloned().map(Value::from);
            dict.insert("tag-aliases", aliases.collect::<Vec<_>>());
        }
        if let Some(label) = &party.label {
            dict.insert("label", label.clone());
        }
        if let Some(metadata) = &party.metadata {
            dict.insert("metadata", metadata.clone());
        }
        dict.insert("created", integer(party.created.wall_us / 1_000_000));
        let subscriptions = &self.call.subscriptions;
        dict.insert(
            "subscriptions",
            self.edges(subscriptions.source_parties(id)),
        );
        dict.insert("subscribers", self.edges(subscriptions.sink_parties(id)));
        dict.insert("VSC", dtmf::describe(self.call, party, self.codes));
        let mut recording = Dict::new();
        recording.insert("excluded", i64::from(party.unrecorded));
        recording.insert("forwarding", i64::from(party.forwarding));
        dict.insert("recording", recording);
        let medias = party.medias.iter().enumerate();
        let medias: Vec<Value> = medias
            .map(|(index, media)| self.media(MediaRef { party: id, index }, media).into())
            .collect();
        dict.insert("medias", medias);
        dict
    }

    fn edges(&self, parties: Vec<(PartyId, Kind)>) -> Vec<Value> {
        let parties = parties.into_iter();
        parties
            .map(|(party, kind)| {
                let tag = self.call.party(party).and_then(|party| party.tag.clone());
                let mut edge = Dict::new();
                edge.insert("tag", tag.unwrap_or_default());
                edge.insert("type", kind.as_str());
                edge.into()
            })
            .collect()
    }

    fn media(&mut self, name: MediaRef, media: &Media) -> Dict {
        let mut dict = Dict::with_capacity(8);
        dict.insert("index", integer(name.index as u64 + 1));
        dict.insert("type", media.kind.clone());
        dict.insert("protocol", media.protocol.as_str().to_owned());
        if let Some(codec) = &media.codec {
            dict.insert("codec", codec.clone());
        }
        let (by_kernel, egress) = egress(self.call, &self.views, name, media);
        let mut streams = Vec::new();
        let mut ingress = Vec::new();
        for pair in media.all_ports() {
            let is_current = media.ports() == Some(pair);
            let views = [&pair.rtp, &pair.rtcp].map(|port| self.views.get(port.id));
            sources(media, &views, &mut self.sources, &mut ingress);
            for ((port, component), view) in
                [(&pair.rtp, Component::Rtp), (&pair.rtcp, Component::Rtcp)]
                    .into_iter()
                    .zip(views)
            {
                let mut sent = view.map(Sum::sent).unwrap_or_default();
                match component {
                    Component::Rtp => {
                        self.rtp.add(view.map(Sum::of).unwrap_or_default());
                        sent.add(by_kernel);
                    }
                    Component::Rtcp => self.rtcp.add(view.map(Sum::of).unwrap_or_default()),
                }
                if is_current {
                    streams.push(stream(media, port, component, view, sent).into());
                }
            }
        }
        dict.insert("streams", streams);
        dict.insert("flags", media_flags(media));
        dict.insert("ingress SSRCs", ingress);
        if !egress.is_empty() {
            let told = egress.iter().map(|source| quality::sent(source).into());
            dict.insert("egress SSRCs", told.collect::<Vec<Value>>());
        }
        dict
    }
}

/// The sources at a pair of ports: those heard, and those that only said how they hear.
fn sources(
    media: &Media,
    views: &[Option<&StreamView>],
    known: &mut Vec<(u32, Dict)>,
    ingress: &mut Vec<Value>,
) {
    let views = views.iter().flatten();
    let said = views.clone().flat_map(|view| &view.quality);
    let heard: Vec<&SsrcView> = views.flat_map(|view| &view.ssrcs).collect();
    let is_heard = |ssrc| heard.iter().any(|source| source.ssrc == ssrc);
    let silent: Vec<SsrcView> = said
        .clone()
        .filter(|quality| !is_heard(quality.ssrc))
        .map(|quality| SsrcView {
            ssrc: quality.ssrc,
            ..SsrcView::default()
        })
        .collect();
    for source in heard.into_iter().chain(&silent) {
        let quality = said.clone().find(|quality| quality.ssrc == source.ssrc);
        let account = quality::source(source, quality, media.created);
        let mut entry = Dict::with_capacity(11);
        entry.insert("SSRC", i64::from(source.ssrc));
        ingress.push(merged(entry, &account).into());
        if !known.iter().any(|(known, _)| *known == source.ssrc) {
            known.push((source.ssrc, account));
        }
    }
}

fn merged(mut dict: Dict, more: &Dict) -> Dict {
    for (key, value) in more.iter() {
        dict.push(key.clone(), value.clone());
    }
    dict
}

fn media_flags(media: &Media) -> Vec<Value> {
    let flags = [
        ("initialized", media.ports().is_some()),
        ("asymmetric", media.asymmetric),
        ("send", media.sends),
        ("recv", media.receives),
        ("rtcp-mux", media.rtcp_mux),
        ("RTCP generator", media.generates_rtcp),
        ("echo", media.course == Course::Back),
        ("blackhole", media.course == Course::Astray),
    ];
    words(&flags)
}

fn words(flags: &[(&'static str, bool)]) -> Vec<Value> {
    let set = flags.iter().filter(|(_, is_set)| *is_set);
    set.map(|(word, _)| Value::from(*word)).collect()
}

fn stream(
    media: &Media,
    port: &LocalPort,
    component: Component,
    view: Option<&StreamView>,
    sent: Sum,
) -> Dict {
    let announced = match component {
        Component::Rtp => media.remote.map(|remote| remote.rtp),
        Component::Rtcp => media.remote.and_then(|remote| remote.rtcp),
    };
    let planned = match component {
        Component::Rtp => media.rtp_endpoint(),
        Component::Rtcp => media.rtcp_endpoint(),
    };
    let current = view.and_then(|view| view.endpoint).or(planned);
    let mut dict = Dict::with_capacity(13);
    dict.insert("local port", i64::from(port.address.port()));
    dict.insert("local address", host(port.address));
    dict.insert("family", family(port.address));
    dict.insert("endpoint", endpoint(current));
    dict.insert("advertised endpoint", endpoint(announced));
    packet_times(media, view, &mut dict);
    if let Some(first) = view.and_then(|view| view.ssrcs.first()) {
        dict.insert("SSRC", i64::from(first.ssrc));
    }
    dict.insert("stats", view.map(Sum::of).unwrap_or_default().dict());
    if sent != Sum::default() {
        dict.insert("stats_out", sent.dict());
    }
    let reason = match view {
        None => Some(NOT_OPEN),
        Some(view) => view.kernel_reason,
    };
    let is_rtp = component == Component::Rtp;
    let flags = [
        ("RTP", is_rtp),
        ("RTCP", !is_rtp || media.rtcp_mux),
        ("filled", media.remote.is_some()),
        ("confirmed", view.is_some_and(|view| view.confirmed)),
        ("kernelized", reason.is_none()),
        ("no kernel support", reason.is_some()),
        ("strict source address", media.strict_source),
        ("media handover", media.media_handover),
    ];
    dict.insert("flags", words(&flags));
    if let Some(reason) = reason {
        dict.insert("kernel reason", reason);
    }
    dict
}

/// Wall-clock seconds of the last packets; of the media's beginning while there was none.
fn packet_times(media: &Media, view: Option<&StreamView>, dict: &mut Dict) {
    let (user, kernel) = view.map_or((0, 0), |view| (view.last_user_ms, view.last_kernel_ms));
    let last = user.max(kernel);
    let wall = |monotonic_ms: u64| integer(media.created.wall_s_at(monotonic_ms));
    let created = media.created.wall_us / 1_000_000;
    let or_zero = |ms: u64| if ms == 0 { 0 } else { wall(ms) };
    dict.insert(
        "last packet",
        if last == 0 {
            integer(created)
        } else {
            wall(last)
        },
    );
    dict.insert("last kernel packet", or_zero(kernel));
    dict.insert("last user packet", or_zero(user));
}

fn family(address: SocketAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// The address without its port.
fn host(address: SocketAddr) -> String {
    let mut text = String::with_capacity(15);
    push_address(address.ip(), &mut text);
    text
}

fn endpoint(address: Option<SocketAddr>) -> Dict {
    let mut dict = Dict::new();
    if let Some(address) = address {
        dict.insert("family", family(address));
        dict.insert("address", host(address));
        dict.insert("port", i64::from(address.port()));
    }
    dict
}
