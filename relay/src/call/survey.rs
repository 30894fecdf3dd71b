//! All calls at a glance: lists for the operator, and where media is forwarded.

use std::collections::BTreeMap;

use bytes::Bytes;
use ng_protocol::Dict;

use super::graph::Call;
use super::media::Media;
use super::{Calls, Timestamp, query};
use crate::plan::{StreamId, StreamReader};

/// A call in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Its call-id.
    pub call_id: Bytes,
    /// When it began.
    pub created: Timestamp,
    /// When it was last commanded.
    pub last_signal: Timestamp,
    /// It waits for its delete delay.
    pub deleted: bool,
    /// The TOS byte or traffic class of its media.
    pub tos: u8,
    /// It has media on IPv4.
    pub ipv4: bool,
    /// It has media on IPv6.
    pub ipv6: bool,
}

/// Relayed medias by where their RTP is forwarded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarding {
    /// By the kernel, both ways.
    pub kernel: u64,
    /// In user space, both ways.
    pub user_space: u64,
    /// One way here, one way there.
    pub mixed: u64,
    /// Why not by the kernel: RTP streams by reason.
    pub reasons: BTreeMap<&'static str, u64>,
}

impl Calls {
    /// Every call, in the order they began.
    #[must_use]
    pub fn summaries(&self) -> Vec<Summary> {
        let mut calls: Vec<_> = self.calls.iter().collect();
        calls.sort_by_key(|(_, active)| active.call.key);
        calls
            .into_iter()
            .map(|(id, active)| self.summary_of(id, &active.call))
            .collect()
    }

    /// One call; `None` if there is none of that name.
    #[must_use]
    pub fn summary(&self, call_id: &Bytes) -> Option<Summary> {
        let active = self.get(call_id)?;
        Some(self.summary_of(call_id, &active.call))
    }

    /// What `query` says about a call; `None` if there is none of that name.
    #[must_use]
    pub fn description(&self, call_id: &Bytes, streams: &dyn StreamReader) -> Option<Dict> {
        let active = self.get(call_id)?;
        let mut dict = Dict::new();
        let codes = &self.settings.star_codes;
        query::describe(&active.call, None, codes, streams, &mut dict);
        Some(dict)
    }

    /// Where the medias of all calls are forwarded now.
    #[must_use]
    pub fn forwarding(&self, streams: &dyn StreamReader) -> Forwarding {
        let mut forwarding = Forwarding::default();
        for active in self.calls.values() {
            count(&active.call, streams, &mut forwarding);
        }
        forwarding
    }

    /// Every stream of a call; none if there is none of that name.
    #[must_use]
    pub fn streams_of(&self, call_id: &Bytes) -> Vec<StreamId> {
        let call = self.get(call_id).map(|active| &active.call);
        let pairs = call.into_iter().flat_map(Call::ports);
        pairs.flat_map(|pair| [pair.rtp.id, pair.rtcp.id]).collect()
    }

    fn summary_of(&self, call_id: &Bytes, call: &Call) -> Summary {
        let is_on = |ipv4| move |port: &crate::plan::PortPair| port.rtp.address.is_ipv4() == ipv4;
        Summary {
            call_id: call_id.clone(),
            created: call.created,
            last_signal: call.last_signal,
            deleted: call.delete_at.is_some(),
            tos: call.tos.unwrap_or(self.settings.tos),
            ipv4: call.ports().any(is_on(true)),
            ipv6: call.ports().any(is_on(false)),
        }
    }
}

fn count(call: &Call, streams: &dyn StreamReader, forwarding: &mut Forwarding) {
    for (name, media) in call.medias() {
        let Some(here) = reason(media, streams) else {
            continue;
        };
        if let Some(reason) = here {
            *forwarding.reasons.entry(reason).or_default() += 1;
        }
        let sinks = call.subscriptions.sinks(name);
        let back = sinks.filter_map(|(sink, _)| reason(call.media(sink)?, streams));
        let (kernel, user): (Vec<_>, Vec<_>) =
            back.chain([here]).partition(|reason| reason.is_none());
        *match (kernel.is_empty(), user.is_empty()) {
            (false, true) => &mut forwarding.kernel,
            (true, _) => &mut forwarding.user_space,
            (false, false) => &mut forwarding.mixed,
        } += 1;
    }
}

/// Why a media's RTP is not forwarded by the kernel; `Some(None)` if it is, `None` if it is not relayed at all.
fn reason(media: &Media, streams: &dyn StreamReader) -> Option<Option<&'static str>> {
    let pair = media.ports()?;
    let reason = streams.kernel_reason(pair.rtp.id);
    Some(reason.unwrap_or(Some(query::NOT_OPEN)))
}
