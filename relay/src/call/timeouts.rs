//! Which calls have ended by themselves.

use std::ops::Bound;

use bytes::Bytes;

use super::graph::{Call, is_due};
use super::media::Media;
use super::{Calls, Ending, Settings, Timestamp, dtmf};
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

/// What a look at a call finds.
enum Look {
    /// It cannot be over before this time, monotonic ms, whatever happens but a command.
    AliveUntil(u64),
    /// A `delete` of it, or of a party, is to take effect.
    DeleteIsDue,
    /// Digits are blocked no longer, or in another way.
    TriggersAreDue,
    /// It has ended.
    Over(Ending),
}

impl Calls {
    /// Carries out what time brings: deletes that are due, and timeouts. Looks at as many calls as it takes for each to be
    /// looked at once a second, in turn: called ten times a second, at a tenth of them each time. A look costs about a
    /// microsecond, most of it waiting for memory; so one is only taken once the last one allows the call to be over.
    pub fn tick(&mut self, now: Timestamp, streams: &dyn StreamReader) -> Vec<Action> {
        let mut left = self.rounds.share_of(self.calls.len(), now);
        let last = self.rounds.last.take();
        let (after, until) = match &last {
            Some(last) => (Bound::Excluded(last), Bound::Included(last)),
            None => (Bound::Unbounded, Bound::Unbounded),
        };
        let mut due = Vec::new();
        let mut triggers = Vec::new();
        let mut over = Vec::new();
        for part in [(after, Bound::Unbounded), (Bound::Unbounded, until)] {
            let mut last = None;
            for (id, active) in self.calls.range_mut::<Bytes, _>(part).take(left) {
                left -= 1;
                last = Some(id);
                if now.monotonic_ms < active.alive_until_ms {
                    continue;
                }
                match look(&active.call, &self.settings, now, streams) {
                    Look::AliveUntil(ms) => active.alive_until_ms = ms,
                    Look::DeleteIsDue => due.push(id.clone()),
                    Look::TriggersAreDue => triggers.push(id.clone()),
                    Look::Over(ending) => over.push((id.clone(), ending)),
                }
            }
            if let Some(last) = last {
                self.rounds.last = Some(last.clone());
            }
        }
        let mut actions = Vec::new();
        for id in due {
            actions.extend(self.sweep(&id, now, streams));
        }
        for id in triggers {
            actions.extend(self.end_triggers(&id, now));
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

/// Whether the call is over, and if not, until when it surely is not. A call lives while one of its streams has seen a packet
/// within its limit; the longest of the limits is the one that ended it.
fn look(call: &Call, settings: &Settings, now: Timestamp, streams: &dyn StreamReader) -> Look {
    if call.has_due_delete(now) {
        return Look::DeleteIsDue;
    }
    let final_limit = match settings.final_timeout.saturating_mul(1000) {
        0 => u64::MAX,
        limit => call.created.monotonic_ms.saturating_add(limit),
    };
    if now.monotonic_ms >= final_limit {
        return Look::Over(Ending::FinalTimeout);
    }
    let triggers_due = dtmf::due_ms(call);
    if is_due(triggers_due, now) {
        return Look::TriggersAreDue;
    }
    let next = call.next_delete().into_iter().chain(triggers_due);
    let at_most = next.fold(final_limit, u64::min);
    let mut longest = 0;
    let mut ending = None;
    for (name, media) in call.medias() {
        // Who only listens does not keep a call that nobody speaks in.
        let party = call.party(name.party);
        if party.is_some_and(|party| party.is_subscriber) && !media.receives {
            continue;
        }
        let (limit, reason) = limit(media, settings);
        for port in ports(media) {
            let until = match limit.saturating_mul(1000) {
                0 => u64::MAX,
                limit => last_seen(media, port, streams).saturating_add(limit),
            };
            if now.monotonic_ms < until {
                return Look::AliveUntil(until.min(at_most));
            }
            if limit >= longest {
                (longest, ending) = (limit, Some(reason));
            }
        }
    }
    if let Some(ending) = ending {
        return Look::Over(ending);
    }
    // All of its media are rejected or not relayed: it has nothing to wait for but signalling.
    let until = match settings.silent_timeout.saturating_mul(1000) {
        0 => u64::MAX,
        limit => call.last_signal.monotonic_ms.saturating_add(limit),
    };
    if now.monotonic_ms < until {
        Look::AliveUntil(until.min(at_most))
    } else {
        Look::Over(Ending::SilentTimeout)
    }
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
