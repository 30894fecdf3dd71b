//! Which calls have ended by themselves.

use std::ops::Bound;

use bytes::Bytes;

use super::graph::Call;
use super::media::Media;
use super::{Calls, Ending, Settings, Timestamp};
use crate::plan::{Action, LocalPort, StreamReader};

/// How often each call is looked at, ms.
const ROUND_MS: u64 = 1000;

/// Whose turn it is to be looked at.
#[derive(Debug, Default)]
pub(super) struct Rounds {
    /// The last call that was looked at.
    last: Option<Bytes>,
    ticked_ms: u64,
}

impl Calls {
    /// Carries out what time brings: deletes that are due, and timeouts. Looks at as many calls as it takes for each to be
    /// looked at once a second, in turn: called ten times a second, at a tenth of them each time. A look costs about a
    /// microsecond, most of it waiting for memory.
    pub fn tick(&mut self, now: Timestamp, streams: &dyn StreamReader) -> Vec<Action> {
        let count = self.rounds.share_of(self.calls.len(), now);
        let last = self.rounds.last.take();
        let (after, until) = match &last {
            Some(last) => (Bound::Excluded(last), Bound::Included(last)),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let onwards = self.calls.range::<Bytes, _>((after, Bound::Unbounded));
        let again = self.calls.range::<Bytes, _>((Bound::Unbounded, until));
        let mut due = Vec::new();
        let mut over = Vec::new();
        for (id, active) in onwards.chain(again).take(count) {
            if active.call.has_due_delete(now) {
                due.push(id.clone());
            } else if let Some(ending) = expired(&active.call, &self.settings, now, streams) {
                over.push((id.clone(), ending));
            }
            self.rounds.last = Some(id.clone());
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

impl Rounds {
    /// How many of `all` calls are to be looked at now.
    fn share_of(&mut self, all: usize, now: Timestamp) -> usize {
        let elapsed_ms = now.monotonic_ms.saturating_sub(self.ticked_ms);
        self.ticked_ms = now.monotonic_ms;
        let share = (all as u64 * elapsed_ms.min(ROUND_MS)).div_ceil(ROUND_MS);
        usize::try_from(share).unwrap_or(all)
    }
}

/// Why the call is over, if it is. A call lives while one of its streams has seen a packet within its limit; the longest of the
/// limits is the one that ended it.
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
    let mut longest = 0;
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
            if limit >= longest {
                (longest, ending) = (limit, Some(reason));
            }
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
    let packet_ms = streams.last_packet_ms(port.id).unwrap_or(0);
    packet_ms.max(media.since.monotonic_ms)
}
