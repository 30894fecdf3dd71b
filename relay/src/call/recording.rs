//! Which calls are recorded, and what the recorder is told: `record-call` in offers and answers, and the commands `start recording`,
//! `pause recording` and `stop recording`.

use std::collections::BTreeMap;

use bytes::Bytes;
use ng_protocol::{Command, Reply, Request, Value};
use serde::{Deserialize, Serialize};

use super::graph::Call;
use super::party::PartyId;
use super::{Calls, Notice, Refusal, Timestamp, copy};
use crate::plan::{Action, Recording, RecordingId};

/// What of a call-id stands in a file's name at most, bytes: with all that goes around it, it must not be longer than 255.
const LONGEST_PREFIX: usize = 200;

/// What a command wants to become of a call's recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// A recording, unless there is one.
    Start,
    /// A recording that goes on, even if it was paused.
    Resume,
    Pause,
    Stop,
    /// None, and no trace of it.
    Discard,
}

impl Wish {
    /// What a command says about it, if it does.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let options = &request.options;
        let (asked, discard) = (options.recording.call, options.flags.discard_recording);
        match request.command {
            Command::StartRecording => Some(Self::Resume),
            Command::PauseRecording => Some(Self::Pause),
            Command::StopRecording if options.recording.pause => Some(Self::Pause),
            Command::StopRecording if discard => Some(Self::Discard),
            Command::StopRecording => Some(Self::Stop),
            _ => match asked {
                Some(true) => Some(Self::Start),
                Some(false) => Some(Self::Stop),
                None => discard.then_some(Self::Discard),
            },
        }
    }
}

/// A call's recording as long as its files are open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Running {
    id: RecordingId,
    /// What its files are called.
    name: String,
    paused: bool,
}

impl Running {
    pub(super) fn is_paused(&self) -> bool {
        self.paused
    }

    /// Where packets go; nowhere during a pause.
    pub(super) fn sink(&self) -> Option<RecordingId> {
        (!self.paused).then_some(self.id)
    }
}

/// Names recordings, and knows whose they are.
#[derive(Debug)]
pub(super) struct Recordings {
    seed: u64,
    next: u64,
    calls: BTreeMap<RecordingId, Bytes>,
}

impl Recordings {
    /// `seed` is random.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            next: 0,
            calls: BTreeMap::new(),
        }
    }

    /// A call goes by another of its call-ids.
    pub(super) fn rename(&mut self, before: &Bytes, now: &Bytes) {
        for call in self.calls.values_mut().filter(|call| *call == before) {
            *call = copy(now);
        }
    }

    fn begin(&mut self, call_id: &Bytes, paused: bool, now: Timestamp) -> Running {
        let id = RecordingId(self.next);
        self.next += 1;
        self.calls.insert(id, copy(call_id));
        // Other recordings of this call-id, before a restart, too, were begun at other times.
        let tag = mix(self.seed ^ mix(now.wall_us ^ mix(id.0)));
        Running {
            id,
            name: format!("{}-{tag:016x}", escape(call_id)),
            paused,
        }
    }
}

impl Calls {
    /// `start recording`, `pause recording`, `stop recording`.
    pub(super) fn control_recording(
        &mut self,
        request: &Request,
        now: Timestamp,
    ) -> Result<(Reply, Vec<Action>), Refusal> {
        let id = request.call_id.as_ref().ok_or(Refusal::NoCallId)?;
        let active = self.get(id).ok_or(Refusal::UnknownCall)?;
        let mut call = active.call.clone();
        if let Some(metadata) = &request.options.metadata {
            call.metadata = Some(copy(metadata));
        }
        let mut actions = self.record(request, id, &mut call, now);
        actions.extend(self.commit(id, call));
        Ok((Reply::ok(), actions))
    }

    /// Does to a call's recording what the request says. Not to be followed by a failure.
    pub(super) fn record(
        &mut self,
        request: &Request,
        call_id: &Bytes,
        call: &mut Call,
        now: Timestamp,
    ) -> Vec<Action> {
        self.wish(Wish::of(request), call_id, call, now)
    }

    /// The same with what is wished for, if anything is.
    pub(super) fn wish(
        &mut self,
        wish: Option<Wish>,
        call_id: &Bytes,
        call: &mut Call,
        now: Timestamp,
    ) -> Vec<Action> {
        let at_us = now.wall_us;
        let event = match (wish, call.recording.take()) {
            (Some(Wish::Start | Wish::Resume), None) => {
                return self.begin_recording(call_id, call, false, now);
            }
            (Some(Wish::Resume), Some(running)) if running.paused => {
                let id = running.id;
                call.recording = Some(Running {
                    paused: false,
                    ..running
                });
                Recording::Resume { id, at_us }
            }
            (Some(Wish::Pause), Some(running)) if !running.paused => {
                let id = running.id;
                call.recording = Some(Running {
                    paused: true,
                    ..running
                });
                Recording::Pause { id, at_us }
            }
            (Some(Wish::Stop), Some(running)) => self.end_recording(running.id, call, 0, now),
            (Some(Wish::Discard), Some(running)) => {
                self.recordings.calls.remove(&running.id);
                Recording::Discard { id: running.id }
            }
            (_, running) => {
                call.recording = running;
                return Vec::new();
            }
        };
        vec![Action::Record(event)]
    }

    /// Begins a recording, where there is a place for it.
    pub(super) fn begin_recording(
        &mut self,
        call_id: &Bytes,
        call: &mut Call,
        paused: bool,
        now: Timestamp,
    ) -> Vec<Action> {
        if self.settings.recording_dir.is_none() {
            self.notice(Notice::Warning {
                call_id: copy(call_id),
                text: "recording was asked for, but there is no recording-dir: nothing is recorded"
                    .to_owned(),
            });
            call.recording = None;
            return Vec::new();
        }
        let running = self.recordings.begin(call_id, paused, now);
        let begin = Recording::Begin {
            id: running.id,
            name: running.name.clone(),
        };
        call.recording = Some(running);
        vec![Action::Record(begin)]
    }

    /// The last that is heard of a call's recording; nothing if it has none. For a call that ends.
    pub(super) fn last_of_recording(&mut self, call: &Call, now: Timestamp) -> Option<Action> {
        let id = call.recording.as_ref()?.id;
        let end = self.end_recording(id, call, now.wall_us, now);
        Some(Action::Record(end))
    }

    /// Ends the recording of a call whose files cannot be written; the call goes on without.
    pub fn recording_failed(
        &mut self,
        id: RecordingId,
        reason: &str,
        now: Timestamp,
    ) -> Vec<Action> {
        // One that has ended meanwhile may have failed as well.
        let Some(call_id) = self.recordings.calls.get(&id).cloned() else {
            return Vec::new();
        };
        let Some(active) = self.get(&call_id) else {
            return Vec::new();
        };
        let mut call = active.call.clone();
        call.recording = None;
        let end = self.end_recording(id, &call, 0, now);
        let text = format!("the call is no longer recorded: {reason}");
        let mut actions = vec![Action::Record(end)];
        actions.extend(self.commit(&call_id, call));
        self.notice(Notice::Warning { call_id, text });
        actions
    }

    /// What the recorder is told of a body that answers an offer or answer.
    pub(super) fn record_sdp(
        request: &Request,
        call: &Call,
        sender: PartyId,
        body: &Bytes,
    ) -> Option<Action> {
        let running = call.recording.as_ref()?;
        let sender = call.party(sender)?;
        Some(Action::Record(Recording::Sdp {
            id: running.id,
            mode: request.command.name(),
            label: sender.label.clone(),
            started_us: sender.created.wall_us,
            body: body.clone(),
        }))
    }

    /// `recordings` of a reply: where the call is being recorded.
    pub(super) fn recordings(&self, call: &Call) -> Option<Value> {
        let running = call.recording.as_ref()?;
        let directory = self.settings.recording_dir.as_ref()?;
        let path = format!("{directory}/pcaps/{}.pcap", running.name);
        Some(vec![Value::from(path)].into())
    }

    fn end_recording(
        &mut self,
        id: RecordingId,
        call: &Call,
        terminated_us: u64,
        now: Timestamp,
    ) -> Recording {
        self.recordings.calls.remove(&id);
        Recording::End {
            id,
            created_us: call.created.wall_us,
            terminated_us,
            at_us: now.wall_us,
            metadata: call.metadata.clone(),
        }
    }
}

/// A call-id as a part of a file's name: whatever is not a letter, a digit or one of `-._~` is percent-encoded (RFC 3986). What is
/// too long is cut; the tag that follows tells files apart.
fn escape(call_id: &[u8]) -> String {
    let mut escaped = String::new();
    for byte in call_id {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
        let next = if is_plain {
            char::from(*byte).to_string()
        } else {
            format!("%{byte:02X}")
        };
        if escaped.len() + next.len() > LONGEST_PREFIX {
            break;
        }
        escaped += &next;
    }
    escaped
}

/// Spreads a number over 64 bits (splitmix64's finisher): others give others.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}
