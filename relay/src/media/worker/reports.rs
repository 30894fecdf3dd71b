//! RTCP reports that a worker makes itself (`generate RTCP`), when they are due.

use std::cmp::Reverse;

use super::Worker;
use crate::media::batch::send;
use crate::media::clock::Now;
use crate::media::rtcp::{self, Generator, Receiving};
use crate::plan::{CallKey, StreamId};

impl Worker {
    /// Begins or ends reporting, as the plans of a call say.
    pub(super) fn schedule_reports(&mut self, call: CallKey, now: Now) {
        let mut index = 0;
        while let Some(id) = self.table.of_call(call, index) {
            index += 1;
            let Some(stream) = self.table.get_mut(id) else {
                continue;
            };
            match stream.plan.rtcp.generated {
                None => stream.generator = None,
                Some(_) if stream.generator.is_some() => {}
                Some(generated) => {
                    let due_ms = rtcp::next_due_ms(generated.every_ms, now);
                    stream.generator = Some(Box::new(Generator::new(due_ms)));
                    self.due.push(Reverse((due_ms, id)));
                }
            }
        }
    }

    pub(super) fn report_what_is_due(&mut self, now: Now) {
        while let Some(Reverse((due_ms, id))) = self.due.peek().copied()
            && due_ms <= now.ms()
        {
            self.due.pop();
            // Otherwise it is of an earlier plan.
            if let Some(stream) = self.table.get_mut(id)
                && let Some(generated) = stream.plan.rtcp.generated
                && let Some(generator) = &mut stream.generator
                && generator.due_ms == due_ms
            {
                let next_ms = rtcp::next_due_ms(generated.every_ms, now);
                generator.due_ms = next_ms;
                self.due.push(Reverse((next_ms, id)));
                self.report(id, generated.media, now);
            }
        }
    }

    /// Sends a report through a stream on what comes and goes through `media`.
    fn report(&mut self, id: StreamId, media: StreamId, now: Now) {
        let (Some(stream), Some(heard)) = (self.table.get(id), self.table.get(media)) else {
            return;
        };
        let Some(to) = stream.send_to() else {
            return;
        };
        let source = self.table.source_of(stream.call, media);
        let sending = source.and_then(|source| Some((source.id, source.sending(media, now)?)));
        let last = |ssrc| {
            let here = stream
                .reports
                .as_ref()
                .and_then(|reports| reports.last(ssrc));
            here.or_else(|| heard.reports.as_ref()?.last(ssrc))
        };
        let views = heard.counters.view().ssrcs.into_iter();
        let receiving: Vec<Receiving> = views
            .map(|view| Receiving {
                view,
                last_report: last(view.ssrc),
            })
            .collect();
        let Some(stream) = self.table.get_mut(id) else {
            return;
        };
        let generator = stream.generator.as_mut();
        let on = sending.map(|(_, sending)| sending);
        let made = generator.and_then(|generator| generator.report(on, &receiving, now));
        let Some(made) = made else {
            return;
        };
        let sent = send(&stream.socket, to, &made.packet);
        let (count, length) = (u64::from(sent), made.packet.len() as u64);
        stream
            .counters
            .sent(count, count * length, u64::from(!sent));
        if sent
            && let Some((source, sending)) = sending
            && let Some(source) = self.table.get_mut(source)
        {
            let reports = source.reports.get_or_insert_default();
            reports.made(sending.ssrc, made.middle, now);
        }
    }
}
