//! Which calls have ended by themselves.

use super::graph::Call;
use super::media::Media;
use super::{Calls, Ending, Settings, Timestamp};
use crate::plan::{Action, LocalPort, StreamReader};

impl Calls {
    /// Carries out what time brings: deletes that are due, and timeouts. To be called each second.
    pub fn tick(&mut self, now: Timestamp, streams: &dyn StreamReader) -> Vec<Action> {
        let mut due = Vec::new();
        let mut over = Vec::new();
        for (id, active) in &self.calls {
            if active.call.has_due_delete(now) {
                due.push(id.clone());
            } else if let Some(ending) = expired(&active.call, &self.settings, now, streams) {
                over.push((id.clone(), ending));
            }
        }
        let mut actions = Vec::new();
        for id in due {
            actions.extend(self.sweep(&id, now, streams));
        }
        for (id, ending) in over {
            actions.extend(self.end(&id, ending, now, streams));
        }
        actions
    }
}

/// Why the call is over, if it is. A call lives while one of its streams has seen a packet within its limit.
fn expired(
    call: &Call,
    settings: &Settings,
    now: Timestamp,
    streams: &dyn StreamReader,
) -> Option<Ending> {
    let age = now.monotonic_ms.saturating_sub(call.created.monotonic_ms);
    if settings.final_timeout > 0 && age >= settings.final_timeout.saturating_mul(1000) {
        return Some(Ending::FinalTimeout);
    }
    let mut ending = None;
    for (_, media) in call.medias() {
        let (limit, reason) = limit(media, settings);
        for port in ports(media) {
            let idle = now
                .monotonic_ms
                .saturating_sub(last_seen(media, port, streams));
            if limit == 0 || idle < limit.saturating_mul(1000) {
                return None;
            }
            ending = ending.or(Some(reason));
        }
    }
    ending.or_else(|| without_media(call, settings, now))
}

/// A call all of whose media are rejected or not relayed has nothing to wait for but signalling.
fn without_media(call: &Call, settings: &Settings, now: Timestamp) -> Option<Ending> {
    let limit = settings.silent_timeout.saturating_mul(1000);
    let idle = now
        .monotonic_ms
        .saturating_sub(call.last_signal.monotonic_ms);
    (limit > 0 && idle >= limit).then_some(Ending::SilentTimeout)
}

/// How long a media may be silent, s, and what it is called when it has been.
fn limit(media: &Media, settings: &Settings) -> (u64, Ending) {
    if !media.receives {
        (settings.silent_timeout, Ending::SilentTimeout)
    } else if media.remote.is_none() {
        (settings.offer_timeout, Ending::OfferTimeout)
    } else {
        (settings.timeout, Ending::Timeout)
    }
}

fn ports(media: &Media) -> impl Iterator<Item = &LocalPort> {
    media.all_ports().flat_map(|pair| [&pair.rtp, &pair.rtcp])
}

/// Monotonic ms.
fn last_seen(media: &Media, port: &LocalPort, streams: &dyn StreamReader) -> u64 {
    let packet = streams.view(port.id);
    let packet = packet.map_or(0, |view| view.last_user_ms.max(view.last_kernel_ms));
    packet.max(media.since.monotonic_ms)
}
