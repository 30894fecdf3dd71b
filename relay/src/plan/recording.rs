//! What signalling asks of the recorder.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Names one recording for the life of the process; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordingId(pub u64);

/// What is to happen to a recording. Times are wall clock, µs since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recording {
    /// Begins it: files are made.
    Begin {
        /// Its name.
        id: RecordingId,
        /// What its files are called, without directory and suffix. Fit for a file's name.
        name: String,
    },
    /// An SDP body was sent to a party.
    Sdp {
        /// The recording.
        id: RecordingId,
        /// The command that it answers.
        mode: &'static str,
        /// The label of the party that the body came from.
        label: Option<Bytes>,
        /// When that party appeared.
        started_us: u64,
        /// What was sent.
        body: Bytes,
    },
    /// No packets are recorded from here on.
    Pause {
        /// The recording.
        id: RecordingId,
        /// Now.
        at_us: u64,
    },
    /// Packets are recorded again.
    Resume {
        /// The recording.
        id: RecordingId,
        /// Now.
        at_us: u64,
    },
    /// Ends it; its files are complete.
    End {
        /// The recording.
        id: RecordingId,
        /// When the call began.
        created_us: u64,
        /// When the call ended; 0 if it goes on.
        terminated_us: u64,
        /// Now.
        at_us: u64,
        /// The call's `metadata`.
        metadata: Option<Bytes>,
    },
    /// Ends it and removes its files.
    Discard {
        /// The recording.
        id: RecordingId,
    },
}

impl Recording {
    /// Whose it is.
    #[must_use]
    pub fn id(&self) -> RecordingId {
        match self {
            Self::Begin { id, .. }
            | Self::Sdp { id, .. }
            | Self::Pause { id, .. }
            | Self::Resume { id, .. }
            | Self::End { id, .. }
            | Self::Discard { id } => *id,
        }
    }

    /// Nothing comes after it.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::End { .. } | Self::Discard { .. })
    }
}
