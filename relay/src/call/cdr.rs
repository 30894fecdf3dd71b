//! The record of a call that has ended (`log-facility-cdr`): one line, in rtpengine's words.

use std::fmt::{Display, Write};
use std::net::SocketAddr;

use bytes::Bytes;

use super::graph::Call;
use super::media::Media;
use super::party::{Party, PartyId};
use super::{Ending, Settings, Timestamp};
use crate::plan::{Component, LocalPort, StreamReader};

/// What stands for a tag that a party has not.
const NO_TAG: &str = "(null)";

/// A record, but for where the call was made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cdr {
    before: String,
    after: String,
}

impl Cdr {
    /// The whole line; `created_from` is who asked for the call.
    #[must_use]
    pub fn line(&self, created_from: Option<SocketAddr>) -> String {
        let Self { before, after } = self;
        match created_from {
            Some(address) => format!("{before}created_from={address}, {after}"),
            None => format!("{before}created_from=, {after}"),
        }
    }

    pub(super) fn of(
        call_id: &Bytes,
        call: &Call,
        ending: Ending,
        now: Timestamp,
        settings: &Settings,
        streams: &dyn StreamReader,
    ) -> Self {
        let mut text = Text {
            out: String::with_capacity(2048),
            ending,
            now,
            streams,
        };
        let last_signal = call.last_signal.wall_us / 1_000_000;
        text.field("", "last_signal", last_signal);
        text.field("", "tos", call.tos.unwrap_or(settings.tos));
        for (number, (id, party)) in call.parties().enumerate() {
            text.party(number, call, id, party);
        }
        Self {
            before: format!("ci={}, ", call_id.escape_ascii()),
            after: text.out,
        }
    }
}

struct Text<'a> {
    out: String,
    ending: Ending,
    now: Timestamp,
    streams: &'a dyn StreamReader,
}

impl Text<'_> {
    fn field(&mut self, prefix: &str, name: &str, value: impl Display) {
        // Writing to a String cannot fail.
        let _ = write!(self.out, "{prefix}{name}={value}, ");
    }

    fn party(&mut self, number: usize, call: &Call, id: PartyId, party: &Party) {
        let prefix = format!("ml{number}_");
        let (start, end) = (party.created.wall_us, self.now.wall_us);
        self.field(&prefix, "start_time", seconds(start));
        self.field(&prefix, "end_time", seconds(end));
        self.field(&prefix, "duration", seconds(end.saturating_sub(start)));
        self.field(&prefix, "termination", reason(self.ending));
        self.field(&prefix, "local_tag", tag(party));
        self.field(&prefix, "local_tag_type", tag_type(call, id, party));
        for (source, _) in call.subscriptions.source_parties(id) {
            if let Some(remote) = call.party(source) {
                self.field(&prefix, "remote_tag", tag(remote));
            }
        }
        for (index, media) in party.medias.iter().enumerate() {
            self.media(&format!("{prefix}midx{}_", index + 1), media);
        }
    }

    fn media(&mut self, prefix: &str, media: &Media) {
        let mut ports = media.all_ports();
        let heard = ports.any(|pair| {
            let last = self.streams.last_packet_ms(pair.rtp.id);
            last.is_some_and(|last| last > 0)
        });
        match media.payload_type.filter(|_| heard) {
            Some(number) => self.field("", "payload_type", number),
            None => self.field("", "payload_type", "unknown"),
        }
        let Some(pair) = media.ports() else { return };
        let remote = media.remote;
        let announced = remote.map(|remote| remote.rtp);
        self.stream(prefix, media, &pair.rtp, Component::Rtp, announced);
        if !media.rtcp_mux {
            let announced = remote.and_then(|remote| remote.rtcp);
            self.stream(prefix, media, &pair.rtcp, Component::Rtcp, announced);
        }
    }

    fn stream(
        &mut self,
        prefix: &str,
        media: &Media,
        local: &LocalPort,
        component: Component,
        announced: Option<SocketAddr>,
    ) {
        let prefix = match component {
            Component::Rtp => format!("{prefix}rtp_"),
            Component::Rtcp => format!("{prefix}rtcp_"),
        };
        let (mut packets, mut bytes, mut errors, mut last_ms) = (0, 0, 0, 0);
        let mut learned = None;
        for pair in media.all_ports() {
            let port = pair.port(component);
            let Some(view) = self.streams.view(port.id) else {
                continue;
            };
            packets += view.user_packets + view.kernel_packets;
            bytes += view.user_bytes + view.kernel_bytes;
            errors += view.errors;
            last_ms = last_ms.max(view.last_user_ms.max(view.last_kernel_ms));
            if port.id == local.id {
                learned = view.endpoint;
            }
        }
        let last_packet = match last_ms {
            0 => media.created.wall_us / 1_000_000,
            ms => media.created.wall_s_at(ms),
        };
        let endpoint = learned.or(announced);
        match endpoint {
            Some(endpoint) => self.field(&prefix, "endpoint_ip", endpoint.ip()),
            None => self.field(&prefix, "endpoint_ip", ""),
        }
        let port = endpoint.map_or(0, |endpoint| endpoint.port());
        self.field(&prefix, "endpoint_port", port);
        self.field(&prefix, "local_relay_ip", local.address.ip());
        self.field(&prefix, "local_relay_port", local.address.port());
        self.field(&prefix, "relayed_packets", packets);
        self.field(&prefix, "relayed_bytes", bytes);
        self.field(&prefix, "relayed_errors", errors);
        self.field(&prefix, "last_packet", last_packet);
        // The TOS byte of what arrives is not looked at.
        self.field(&prefix, "in_tos_tclass", 0);
    }
}

fn tag(party: &Party) -> String {
    match &party.tag {
        Some(tag) => tag.escape_ascii().to_string(),
        None => NO_TAG.to_owned(),
    }
}

/// Whether a party was the one to call, or the one that was called.
fn tag_type(call: &Call, id: PartyId, party: &Party) -> &'static str {
    if party.tag.is_none() {
        return "UNKNOWN";
    }
    match call.peers(id).next() {
        None => "UNKNOWN",
        Some(peer) if id < peer => "FROM_TAG",
        Some(_) => "TO_TAG",
    }
}

fn reason(ending: Ending) -> &'static str {
    match ending {
        Ending::Deleted => "REGULAR",
        Ending::Timeout => "TIMEOUT",
        Ending::SilentTimeout => "SILENT_TIMEOUT",
        Ending::OfferTimeout => "OFFER_TIMEOUT",
        Ending::FinalTimeout => "FINAL_TIMEOUT",
        Ending::Forced => "FORCED",
    }
}

/// Microseconds as seconds.
fn seconds(us: u64) -> String {
    format!("{}.{:06}", us / 1_000_000, us % 1_000_000)
}
