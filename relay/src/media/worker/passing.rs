//! How a worker passes packets on: to every sink of a stream, as each is to have them.

use std::net::SocketAddr;

use super::Worker;
use crate::media::batch::{BATCH, Batch, Mask};
use crate::media::rtcp;
use crate::media::stream::{Route, Stream};
use crate::media::treatment::treat;
use crate::plan::RecordingId;
use crate::recording::Tap;

/// Where packets go, too, as they are sent.
type Record<'t> = Option<(RecordingId, &'t Tap)>;

impl Worker {
    /// Sends datagrams of the batch to every sink of the route; returns those that did not get to all of them.
    pub(super) fn pass_on(&mut self, slot: usize, route: Route, chosen: Mask) -> Mask {
        if chosen == 0 {
            return 0;
        }
        let Some(stream) = self.table.at(slot) else {
            return chosen;
        };
        let mut failed = 0;
        let tap = self.tap.as_ref().filter(|tap| tap.sides().egress);
        let record = stream.plan.recording.zip(tap);
        let exit = |link| {
            let sink = self.table.linked(link)?;
            Some((sink, sink.send_to()?))
        };
        if route == Route::Rtcp {
            if stream.plan.rtcp.consumed {
                return 0;
            }
            for link in &stream.rtcp_sinks {
                failed |= match exit(*link) {
                    Some((sink, to)) if sink.plan.rtcp.without_feedback => pass_altered(
                        &mut self.batch,
                        sink,
                        to,
                        chosen,
                        record,
                        rtcp::without_feedback,
                    ),
                    Some((sink, to)) => pass_unaltered(&mut self.batch, sink, to, chosen, record),
                    None => chosen,
                };
            }
            return failed;
        }
        for (link, planned) in stream.sinks.iter().zip(&stream.plan.sinks) {
            let treatment = &planned.treatment;
            failed |= match exit(*link) {
                Some((sink, to)) if treatment.is_none() => {
                    pass_unaltered(&mut self.batch, sink, to, chosen, record)
                }
                Some((sink, to)) => {
                    let alter = |packet: &mut [u8]| treat(packet, &stream.plan, treatment);
                    pass_altered(&mut self.batch, sink, to, chosen, record, alter)
                }
                None => chosen,
            };
        }
        failed
    }
}

/// Sends datagrams of the batch through a sink; returns those that could not be sent.
fn pass_unaltered(
    batch: &mut Batch,
    sink: &Stream,
    to: SocketAddr,
    chosen: Mask,
    record: Record<'_>,
) -> Mask {
    if let Some((recording, tap)) = record {
        for index in (0..BATCH).filter(|index| chosen & (1 << index) != 0) {
            tap.record(recording, sink.local, to, batch.payload(index));
        }
    }
    let failed = batch.send(&sink.socket, to, chosen);
    let sent = chosen & !failed;
    let packets = u64::from(sent.count_ones());
    let errors = u64::from(failed.count_ones());
    sink.counters.sent(packets, batch.bytes(sent), errors);
    failed
}

/// The same of what `alter` makes of them; `None`: it is not sent.
fn pass_altered(
    batch: &mut Batch,
    sink: &Stream,
    to: SocketAddr,
    chosen: Mask,
    record: Record<'_>,
    mut alter: impl FnMut(&mut [u8]) -> Option<usize>,
) -> Mask {
    let (mut packets, mut bytes) = (0, 0);
    let failed = batch.send_altered(&sink.socket, to, chosen, |packet| {
        let length = alter(packet)?;
        if let Some((recording, tap)) = record {
            tap.record(recording, sink.local, to, &packet[..length]);
        }
        packets += 1;
        bytes += length as u64;
        Some(length)
    });
    let errors = u64::from(failed.count_ones());
    let lost = batch.bytes(failed).min(bytes);
    sink.counters.sent(packets - errors, bytes - lost, errors);
    failed
}
