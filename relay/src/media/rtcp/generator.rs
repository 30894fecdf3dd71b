//! Reports of our own (`generate-RTCP`): a sender report on what we send to a party, or a receiver report, with blocks on what we
//! receive from it.

use std::time::SystemTime;

use rtcp_types::{
    Compound, ReceiverReport, ReportBlock, ReportBlockBuilder, RtcpPacketWriterExt, Sdes,
    SdesChunk, SdesItem, SenderReport,
};

use super::reports::middle;
use crate::media::clock::Now;
use crate::plan::SsrcView;

/// From 1900, where NTP begins, to 1970.
const NTP_EPOCH_S: u64 = 2_208_988_800;
/// The largest loss that fits into its 24 bits.
const MAX_LOST: u32 = 0x7f_ffff;
const CNAME: u8 = 1;
/// Reports spread over up to a second beyond their interval, as rtpengine's do.
const SPREAD_MS: u32 = 1000;

/// What we send to a party.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::media) struct Sending {
    pub(in crate::media) ssrc: u32,
    /// The RTP timestamp of now.
    pub(in crate::media) timestamp: u32,
    pub(in crate::media) packets: u64,
    /// Without headers.
    pub(in crate::media) octets: u64,
}

/// What we receive from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::media) struct Receiving {
    pub(in crate::media) view: SsrcView,
    /// The party's last sender report: the middle of its NTP time, and when it passed, µs.
    pub(in crate::media) last_report: Option<(u32, u64)>,
}

/// The reports to one party.
#[derive(Debug)]
pub(in crate::media) struct Generator {
    /// When the next one is due, ms.
    pub(in crate::media) due_ms: u64,
    /// Reports as a receiver that sends nothing.
    ssrc: u32,
    cname: String,
    /// SSRC, packets and loss at the time of the report before.
    before: Vec<(u32, u64, u32)>,
}

/// A report that can be sent.
#[derive(Debug)]
pub(in crate::media) struct Made {
    pub(in crate::media) packet: Vec<u8>,
    /// The middle of its NTP time.
    pub(in crate::media) middle: u32,
}

/// When a report is due that comes after one at `now`.
pub(in crate::media) fn next_due_ms(every_ms: u32, now: Now) -> u64 {
    let spread = rand::random_range(0..=every_ms.min(SPREAD_MS));
    now.ms() + u64::from(every_ms) + u64::from(spread)
}

impl Generator {
    pub(in crate::media) fn new(due_ms: u64) -> Self {
        Self {
            due_ms,
            ssrc: rand::random(),
            cname: format!("{:016x}", rand::random::<u64>()),
            before: Vec::new(),
        }
    }

    /// The report that is due; `None`: there is nothing to report on.
    pub(in crate::media) fn report(
        &mut self,
        sending: Option<Sending>,
        receiving: &[Receiving],
        now: Now,
    ) -> Option<Made> {
        if sending.is_none() && receiving.is_empty() {
            return None;
        }
        let ntp = ntp_now();
        let ssrc = sending.map_or(self.ssrc, |sending| sending.ssrc);
        let blocks: Vec<_> = receiving.iter().map(|from| self.block(from, now)).collect();
        self.before = receiving
            .iter()
            .map(|Receiving { view, .. }| (view.ssrc, view.packets, view.lost))
            .collect();
        let item = SdesItem::builder(CNAME, &self.cname);
        let names = Sdes::builder().add_chunk(SdesChunk::builder(ssrc).add_item(item));
        let compound = match sending {
            Some(sending) => {
                let report = SenderReport::builder(ssrc)
                    .ntp_timestamp(ntp)
                    .rtp_timestamp(sending.timestamp)
                    // Both counters wrap.
                    .packet_count(sending.packets as u32)
                    .octet_count(sending.octets as u32);
                let add =
                    |report: rtcp_types::SenderReportBuilder, block| report.add_report_block(block);
                Compound::builder().add_packet(blocks.into_iter().fold(report, add))
            }
            None => {
                let report = ReceiverReport::builder(ssrc);
                let add = |report: rtcp_types::ReceiverReportBuilder, block| {
                    report.add_report_block(block)
                };
                Compound::builder().add_packet(blocks.into_iter().fold(report, add))
            }
        };
        let compound = compound.add_packet(names);
        let mut packet = vec![0; 512];
        let length = compound.write_into(&mut packet).ok()?;
        packet.truncate(length);
        Some(Made {
            packet,
            middle: middle(ntp),
        })
    }

    fn block(&self, Receiving { view, last_report }: &Receiving, now: Now) -> ReportBlockBuilder {
        let mut before = self.before.iter();
        let before = before.find(|(ssrc, ..)| *ssrc == view.ssrc);
        let (packets, lost) = before.map_or((0, 0), |(_, packets, lost)| (*packets, *lost));
        let received = view.packets.saturating_sub(packets);
        let lost = u64::from(view.lost.saturating_sub(lost));
        let expected = (received + lost).max(1);
        let (middle, at_us) = last_report.unwrap_or((0, now.us()));
        let delay = now.us().saturating_sub(at_us) * 65_536 / 1_000_000;
        ReportBlock::builder(view.ssrc)
            // Less than 256, or all of it.
            .fraction_lost((lost * 256 / expected).min(255) as u8)
            .cumulative_lost(view.lost.min(MAX_LOST))
            .extended_sequence_number(view.highest_sequence)
            .interarrival_jitter(view.jitter)
            .last_sender_report_timestamp(middle)
            .delay_since_last_sender_report_timestamp(u32::try_from(delay).unwrap_or(u32::MAX))
    }
}

fn ntp_now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    // A clock before 1970 is set wrong, and any time does.
    let since = since.unwrap_or_default();
    let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
    (since.as_secs() + NTP_EPOCH_S) << 32 | fraction
}

#[cfg(test)]
mod tests {
    use rtcp_types::RtcpPacketParser;

    use super::*;
    use crate::media::rtcp::{blocks, sender_report};

    const MS: u64 = 1_000_000;

    fn receiving(packets: u64, lost: u32) -> Receiving {
        Receiving {
            view: SsrcView {
                ssrc: 3,
                packets,
                lost,
                highest_sequence: 0x1_0005,
                jitter: 80,
                ..SsrcView::default()
            },
            last_report: Some((0xabcd, 1_000_000)),
        }
    }

    fn sending() -> Option<Sending> {
        Some(Sending {
            ssrc: 7,
            timestamp: 160,
            packets: 10,
            octets: 1600,
        })
    }

    #[test]
    fn a_sender_is_reported_on_with_what_is_received_from_the_other_side() {
        let mut generator = Generator::new(0);
        let made = generator.report(sending(), &[receiving(90, 30)], Now(1_500 * MS));
        let made = made.unwrap();
        assert_eq!(sender_report(&made.packet), Some((7, made.middle)));
        let packets = Compound::parse(&made.packet).unwrap();
        assert_eq!(packets.count(), 2, "a report and a name");
        let report = SenderReport::parse(&made.packet[..52]).unwrap();
        assert_eq!(
            (
                report.rtp_timestamp(),
                report.packet_count(),
                report.octet_count()
            ),
            (160, 10, 1600)
        );
        let block = report.report_blocks().next().unwrap();
        assert_eq!(
            (block.ssrc(), block.fraction_lost(), block.cumulative_lost()),
            (3, 64, 30)
        );
        assert_eq!(
            (
                block.extended_sequence_number(),
                block.interarrival_jitter()
            ),
            (0x1_0005, 80)
        );
        assert_eq!(block.last_sender_report_timestamp(), 0xabcd);
        assert_eq!(block.delay_since_last_sender_report_timestamp(), 32_768);
    }

    #[test]
    fn the_fraction_is_of_what_came_since_the_report_before() {
        let mut generator = Generator::new(0);
        let mut fraction = |packets, lost| {
            let made = generator.report(sending(), &[receiving(packets, lost)], Now(2_000 * MS));
            let made = made.unwrap().packet;
            let block = blocks(&made).next().unwrap();
            block.sample(8000, 0, 0, Now(0)).loss_percent
        };
        assert_eq!(fraction(50, 50), 50);
        assert_eq!(fraction(150, 50), 0);
        assert_eq!(fraction(151, 54), 79);
    }

    #[test]
    fn who_is_sent_nothing_gets_a_receiver_report() {
        let mut generator = Generator::new(0);
        let made = generator
            .report(None, &[receiving(1, 0)], Now(2_000 * MS))
            .unwrap();
        assert_eq!(sender_report(&made.packet), None);
        assert_eq!(blocks(&made.packet).count(), 1);
    }

    #[test]
    fn about_nothing_there_is_no_report() {
        assert!(Generator::new(0).report(None, &[], Now(0)).is_none());
    }
}
