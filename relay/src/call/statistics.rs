//! The numbers behind `statistics`, and refusals, which are counted there.

use ng_protocol::Reply;

use super::graph::Call;
use super::party::PartyId;
use super::{Calls, Refusal, Timestamp};
use crate::plan::{Sampled, SequenceEvents, StreamReader, StreamView};

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By `delete`.
    Deleted,
    /// `timeout`
    Timeout,
    /// `silent-timeout`
    SilentTimeout,
    /// `offer-timeout`
    OfferTimeout,
    /// `final-timeout`
    FinalTimeout,
    /// By the operator or the end of the process.
    Forced,
}

impl Ending {
    /// Nobody asked for it: the proxy believes that the call goes on.
    #[must_use]
    pub fn is_timeout(self) -> bool {
        match self {
            Self::Timeout | Self::SilentTimeout | Self::OfferTimeout | Self::FinalTimeout => true,
            Self::Deleted | Self::Forced => false,
        }
    }
}

/// Counters since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Totals {
    /// Calls that were made.
    pub created: u64,
    /// Calls that were refused by a limit.
    pub rejected: u64,
    /// Calls ended by `delete`.
    pub deleted: u64,
    /// Calls ended by `timeout`.
    pub timeouts: u64,
    /// Calls ended by `silent-timeout`.
    pub silent_timeouts: u64,
    /// Calls ended by `offer-timeout`.
    pub offer_timeouts: u64,
    /// Calls ended by `final-timeout`.
    pub final_timeouts: u64,
    /// Calls ended by the operator.
    pub forced: u64,
    /// RTP streams that ended without a packet.
    pub zero_packet_streams: u64,
    /// Ended calls in which one party was heard and another was not.
    pub one_way: u64,
    /// How long ended calls lasted, ms.
    pub duration_ms: u64,
    /// The sum of the squares of that, in square seconds.
    pub duration_squared: f64,
    /// Interarrival jitter that was measured of the sources of ended calls, ms; where there was none, it is no sample.
    pub jitter_ms: Sampled,
    /// Packets of ended calls that did not arrive.
    pub packets_lost: u64,
    /// Sequence numbers of ended calls that did not follow the one before.
    pub sequence: SequenceEvents,
}

impl Totals {
    /// Calls that have ended.
    #[must_use]
    pub fn closed(&self) -> u64 {
        self.deleted
            + self.timeouts
            + self.silent_timeouts
            + self.offer_timeouts
            + self.final_timeouts
            + self.forced
    }

    pub(super) fn count(
        &mut self,
        call: &Call,
        ending: Ending,
        now: Timestamp,
        streams: &dyn StreamReader,
    ) {
        *match ending {
            Ending::Deleted => &mut self.deleted,
            Ending::Timeout => &mut self.timeouts,
            Ending::SilentTimeout => &mut self.silent_timeouts,
            Ending::OfferTimeout => &mut self.offer_timeouts,
            Ending::FinalTimeout => &mut self.final_timeouts,
            Ending::Forced => &mut self.forced,
        } += 1;
        let age_ms = now.monotonic_ms.saturating_sub(call.created.monotonic_ms);
        self.duration_ms += age_ms;
        self.duration_squared += (age_ms as f64 / 1000.0).powi(2);

        let mut heard: Vec<PartyId> = Vec::new();
        let mut unheard: Vec<PartyId> = Vec::new();
        for (name, media) in call.medias() {
            if media.ports().is_none() {
                continue;
            }
            let views = media
                .all_ports()
                .filter_map(|pair| streams.view(pair.rtp.id));
            let mut any = false;
            for view in views {
                any |= view.user_packets + view.kernel_packets > 0;
                self.count_reception(&view, media.clock_rate);
            }
            if any {
                heard.push(name.party);
            } else {
                self.zero_packet_streams += 1;
                unheard.push(name.party);
            }
        }
        unheard.retain(|party| !heard.contains(party));
        self.one_way += u64::from(!heard.is_empty() && !unheard.is_empty());
    }

    fn count_reception(&mut self, view: &StreamView, clock_rate: u32) {
        self.sequence += view.sequence;
        for source in &view.ssrcs {
            self.packets_lost += u64::from(source.lost);
            if source.jitter > 0 {
                let jitter_ms = u64::from(source.jitter) * 1000 / u64::from(clock_rate.max(1));
                self.jitter_ms.add(jitter_ms);
            }
        }
    }
}

impl Calls {
    /// A refusal as a reply; a limit in the words that the client knows. Those who do not know of limits know one only,
    /// whichever it is.
    pub(super) fn refuse(&mut self, refusal: Refusal, knows_load_limit: bool) -> Reply {
        if !refusal.is_limit() {
            return Reply::error(refusal.to_string());
        }
        self.totals.rejected += 1;
        if knows_load_limit {
            Reply::load_limit(refusal.to_string())
        } else {
            Reply::error(Refusal::SessionLimit.to_string())
        }
    }
}

/// A counter as the protocol's integer.
pub(super) fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
