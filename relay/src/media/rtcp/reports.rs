//! Sender and receiver reports: when they passed, and how long they took to come back.

use rtcp_types::{ReceiverReport, ReportBlock, RtcpPacket, RtcpPacketParser, SenderReport};

use super::compound::packets;
use crate::media::clock::Now;
use crate::media::counters::SSRCS;
use crate::plan::Sample;

/// Sender reports of one SSRC that may still be answered.
const REMEMBERED: usize = 8;
/// A longer round trip is none: clocks or bytes are wrong.
const MAX_ROUND_TRIP_US: u64 = 10_000_000;

/// The report of a receiver on one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::media) struct Block {
    /// The receiver's own SSRC.
    pub(in crate::media) receiver: u32,
    /// The source it reports on.
    pub(in crate::media) source: u32,
    fraction_lost: u8,
    jitter: u32,
    /// The middle of the NTP time of the source's last sender report; 0 none.
    last_report: u32,
    /// Since that arrived, in 1/65536 s.
    delay: u32,
}

/// The sender report of a compound: whose, and the middle of its NTP time.
pub(in crate::media) fn sender_report(compound: &[u8]) -> Option<(u32, u32)> {
    let report = packets(compound)
        .filter(|packet| packet[1] == SenderReport::PACKET_TYPE)
        .find_map(|packet| SenderReport::parse(packet).ok())?;
    Some((report.ssrc(), middle(report.ntp_timestamp())))
}

/// The report blocks of a compound.
pub(in crate::media) fn blocks(compound: &[u8]) -> impl Iterator<Item = Block> {
    packets(compound).flat_map(|packet| {
        let (sender, receiver) = match packet[1] {
            SenderReport::PACKET_TYPE => (SenderReport::parse(packet).ok(), None),
            ReceiverReport::PACKET_TYPE => (None, ReceiverReport::parse(packet).ok()),
            _ => (None, None),
        };
        let ssrc = sender.as_ref().map(SenderReport::ssrc);
        let ssrc = ssrc.or_else(|| Some(receiver.as_ref()?.ssrc()));
        // Header and SSRC, and of a sender report what it says of itself.
        let begin = if sender.is_some() { 28 } else { 8 };
        let count = ssrc.map_or(0, |_| usize::from(packet[0] & 0x1f));
        let blocks = packet.get(begin..).unwrap_or_default().chunks_exact(24);
        blocks.take(count).filter_map(move |bytes| {
            let block = ReportBlock::parse(bytes).ok()?;
            Some(Block {
                receiver: ssrc?,
                source: block.ssrc(),
                fraction_lost: block.fraction_lost(),
                jitter: block.interarrival_jitter(),
                last_report: block.last_sender_report_timestamp(),
                delay: block.delay_since_last_sender_report_timestamp(),
            })
        })
    })
}

/// The part of an NTP time that reports are told apart by.
pub(super) fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

impl Block {
    /// What it says in plain units. `leg_us` is the round trip between us and the receiver, `other_leg_us` that between us and
    /// the source; 0 unknown.
    pub(in crate::media) fn sample(
        &self,
        clock_rate: u32,
        leg_us: u32,
        other_leg_us: u32,
        now: Now,
    ) -> Sample {
        let jitter = u64::from(self.jitter) * 1000 / u64::from(clock_rate.max(1));
        let known = leg_us > 0 && other_leg_us > 0;
        Sample {
            at_ms: now.ms(),
            mos: 0,
            round_trip_us: if known { leg_us + other_leg_us } else { 0 },
            round_trip_leg_us: leg_us,
            jitter_ms: u32::try_from(jitter).unwrap_or(u32::MAX),
            // Less than a hundred.
            loss_percent: (u32::from(self.fraction_lost) * 100 / 256) as u8,
        }
    }
}

/// What sources said of themselves at one stream, and how far those are who heard it.
#[derive(Debug, Default)]
pub(in crate::media) struct Reports {
    sources: Vec<Source>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Source {
    ssrc: u32,
    /// The latest sender reports: the middle of the NTP time, and when it passed, µs. The oldest gives way.
    sent: [(u32, u64); REMEMBERED],
    next: usize,
    /// The last of them that was its own: the middle of the NTP time, and when it passed, µs.
    own: Option<(u32, u64)>,
    /// The last round trip between us and a receiver of it, µs; 0 unknown.
    leg_us: u32,
}

impl Reports {
    /// A sender report of `ssrc` has just passed.
    pub(in crate::media) fn passed(&mut self, ssrc: u32, middle: u32, now: Now) {
        let source = self.remember(ssrc, middle, now);
        source.own = Some((middle, now.us()));
    }

    /// A sender report on `ssrc` was made here.
    pub(in crate::media) fn made(&mut self, ssrc: u32, middle: u32, now: Now) {
        self.remember(ssrc, middle, now);
    }

    fn remember(&mut self, ssrc: u32, middle: u32, now: Now) -> &mut Source {
        let known = self.sources.iter().position(|source| source.ssrc == ssrc);
        let index = known.unwrap_or_else(|| {
            if self.sources.len() >= SSRCS {
                self.sources.remove(0);
            }
            self.sources.push(Source {
                ssrc,
                ..Source::default()
            });
            self.sources.len() - 1
        });
        let source = &mut self.sources[index];
        source.sent[source.next] = (middle, now.us());
        source.next = (source.next + 1) % REMEMBERED;
        source
    }

    /// The last sender report of `ssrc`: the middle of its NTP time, and when it passed, µs.
    pub(in crate::media) fn last(&self, ssrc: u32) -> Option<(u32, u64)> {
        self.sources.iter().find(|source| source.ssrc == ssrc)?.own
    }

    /// A receiver reports on one of these sources: the round trip between us and it, µs. `None` if that can't be told.
    pub(in crate::media) fn came_back(&mut self, block: &Block, now: Now) -> Option<u32> {
        let mut sources = self.sources.iter_mut();
        let source = sources.find(|source| source.ssrc == block.source)?;
        if block.last_report == 0 || block.delay == 0 {
            return None;
        }
        let mut sent = source.sent.iter();
        let (_, at_us) = sent.find(|(middle, at_us)| *middle == block.last_report && *at_us > 0)?;
        let delay_us = u64::from(block.delay) * 1_000_000 / 65_536;
        let round_trip = now.us().checked_sub(at_us + delay_us)?;
        let valid = (1..=MAX_ROUND_TRIP_US).contains(&round_trip);
        // At most ten million.
        let round_trip = valid.then_some(round_trip as u32)?;
        source.leg_us = round_trip;
        Some(round_trip)
    }

    /// The last round trip between us and a receiver of `ssrc`, µs; 0 unknown.
    pub(in crate::media) fn leg_us(&self, ssrc: u32) -> u32 {
        let mut sources = self.sources.iter();
        sources
            .find(|source| source.ssrc == ssrc)
            .map_or(0, |source| source.leg_us)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    fn words(words: &[u32]) -> Vec<u8> {
        words.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    /// A sender report of `ssrc` at the given NTP time with one block on `source`.
    fn report(ssrc: u32, ntp: u64, source: u32, last_report: u32, delay: u32) -> Vec<u8> {
        words(&[
            0x81c8_000c,
            ssrc,
            (ntp >> 32) as u32,
            ntp as u32,
            160,
            1,
            160,
            source,
            0x4000_0003,
            7,
            80,
            last_report,
            delay,
        ])
    }

    #[test]
    fn reports_are_read_from_sender_and_receiver_reports_alike() {
        let receiver = words(&[0x81c9_0007, 9, 3, 0x4000_0003, 7, 80, 5, 6]);
        let compound = [receiver, words(&[0x81ca_0001, 9]), report(9, 1, 3, 5, 6)].concat();
        let expected = Block {
            receiver: 9,
            source: 3,
            fraction_lost: 64,
            jitter: 80,
            last_report: 5,
            delay: 6,
        };
        assert_eq!(blocks(&compound).collect::<Vec<_>>(), [expected; 2]);
        assert_eq!(sender_report(&compound), Some((9, 0)));
    }

    #[test]
    fn a_block_in_plain_units() {
        let block = blocks(&report(9, 1, 3, 5, 6)).next().unwrap();
        let sample = block.sample(8000, 20_000, 30_000, Now(5_000 * MS));
        let expected = Sample {
            at_ms: 5_000,
            mos: 0,
            round_trip_us: 50_000,
            round_trip_leg_us: 20_000,
            jitter_ms: 10,
            loss_percent: 25,
        };
        assert_eq!(sample, expected);
        assert_eq!(block.sample(8000, 20_000, 0, Now(0)).round_trip_us, 0);
    }

    #[test]
    fn the_round_trip_is_without_the_time_at_the_receiver() {
        let mut reports = Reports::default();
        reports.passed(3, 0xabcd_1234, Now(1_000 * MS));
        // Held for half a second.
        let back = report(9, 1, 3, 0xabcd_1234, 32_768);
        let block = blocks(&back).next().unwrap();
        assert_eq!(reports.came_back(&block, Now(1_540 * MS)), Some(40_000));
        assert_eq!(reports.leg_us(3), 40_000);
        assert_eq!(reports.leg_us(4), 0);
    }

    #[test]
    fn a_report_that_is_not_known_or_lies_about_time_says_nothing() {
        let mut reports = Reports::default();
        reports.passed(3, 7, Now(1_000 * MS));
        for (source, last_report, delay) in [
            (4, 7, 100),
            (3, 8, 100),
            (3, 0, 100),
            (3, 7, 0),
            (3, 7, 65_536),
        ] {
            let back = report(9, 1, source, last_report, delay);
            let block = blocks(&back).next().unwrap();
            assert_eq!(reports.came_back(&block, Now(1_500 * MS)), None);
        }
        let late = report(9, 1, 3, 7, 1);
        let block = blocks(&late).next().unwrap();
        assert_eq!(reports.came_back(&block, Now(12_000 * MS)), None);
    }

    #[test]
    fn sources_that_are_remembered_are_few() {
        let mut reports = Reports::default();
        for ssrc in 0..100 {
            reports.passed(ssrc, 7, Now(MS));
        }
        assert_eq!(reports.sources.len(), SSRCS);
    }

    proptest! {
        #[test]
        fn any_bytes_can_be_read(bytes in prop::collection::vec(prop_oneof![
            Just(0x81), Just(200), Just(201), Just(0), any::<u8>(),
        ], 0..100)) {
            let mut reports = Reports::default();
            if let Some((ssrc, middle)) = sender_report(&bytes) {
                reports.passed(ssrc, middle, Now(MS));
            }
            for block in blocks(&bytes) {
                reports.came_back(&block, Now(2 * MS));
                block.sample(0, u32::MAX / 2, u32::MAX / 2, Now(MS));
            }
        }
    }
}
