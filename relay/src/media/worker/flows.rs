//! Which of a worker's streams the kernel is asked to forward.

use std::sync::Arc;

use super::Worker;
use crate::datapath::FlowId;
use crate::media::clock::Now;
use crate::media::handoff::{Step, wanted};
use crate::media::stream::Stream;
use crate::plan::{CallKey, StreamId};

impl Worker {
    /// Brings the kernel up to date with all streams of a call: a change of one may concern those that lead to it.
    ///
    /// Packets that wait in a socket while its flow is installed are still passed on from here, so a few of them may be
    /// overtaken by those that follow in the kernel.
    pub(super) fn reconsider(&mut self, call: CallKey, signalled: bool, now: Now) {
        let mut index = 0;
        while let Some(id) = self.table.of_call(call, index) {
            self.reconsider_stream(id, signalled, now);
            index += 1;
        }
    }

    fn reconsider_stream(&mut self, id: StreamId, signalled: bool, now: Now) {
        let Some(stream) = self.table.get(id) else {
            return;
        };
        let exit = |sink| self.table.get(sink).map(Stream::exit);
        let wanted = wanted(stream.local, &stream.plan, stream.sender(), exit);
        let held_back = wanted.as_ref().err().copied();
        let Some(stream) = self.table.get_mut(id) else {
            return;
        };
        stream.stirred = false;
        let (step, later) = stream.handoff.step(wanted.ok(), signalled, now.ms());
        if let (Some(due_ms), false) = (later, stream.deferred) {
            stream.deferred = true;
            self.deferred.push((due_ms, id));
        }
        stream
            .counters
            .decide(|standing| standing.held_back = held_back);
        let report = &stream.counters.report;
        match step {
            Step::Keep => {}
            Step::Install(flow) => {
                self.datapath
                    .install(FlowId(id.0), flow, Arc::clone(report));
            }
            Step::Remove => self.datapath.remove(FlowId(id.0)),
        }
    }

    pub(super) fn take_up_deferred(&mut self, now: Now) {
        while let Some(position) = self
            .deferred
            .iter()
            .position(|(due_ms, _)| *due_ms <= now.ms())
        {
            let (_, id) = self.deferred.swap_remove(position);
            if let Some(stream) = self.table.get_mut(id) {
                stream.deferred = false;
                self.reconsider_stream(id, false, now);
            }
        }
    }
}
