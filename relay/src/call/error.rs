//! Why a command is refused, in the words clients know.

use crate::plan::OutOfPorts;
use crate::sdp::SdpError;

/// Displays as the `error-reason` that rtpengine sends; some clients compare it byte for byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// An offer or answer without `sdp`.
    #[error("No SDP body in message")]
    NoSdp,
    /// No `call-id`.
    #[error("No call-id in message")]
    NoCallId,
    /// No `from-tag`.
    #[error("No from-tag in message")]
    NoFromTag,
    /// An answer without `to-tag`.
    #[error("No to-tag in message")]
    NoToTag,
    /// An answer or query for a call that is not known, or its recording.
    #[error("Unknown call-id")]
    UnknownCall,
    /// Another command for a call that is not known.
    #[error("Unknown call-ID")]
    NoSuchCall,
    /// A subscription or injection for a call that is not known.
    #[error("Unknown call-ID(s)")]
    NoSuchCalls,
    /// `connect` or `mesh` for a call that is not known.
    #[error("Unknown call ID(s)")]
    NothingToConnect,
    /// Two calls that are to become one have a tag in common.
    #[error("Failed to merge two calls into one (tag collision)")]
    TagCollision,
    /// `inject start` without `source-tag`.
    #[error("No source-tag in message")]
    NoSourceTag,
    /// `source-tag` names nobody.
    #[error("Source-tag not found")]
    UnknownSourceTag,
    /// `inject start` from a party to itself.
    #[error("Trying to inject to self")]
    InjectsItself,
    /// `inject stop` of what is not injected.
    #[error("Failed to stop inject")]
    NotInjected,
    /// `to-tag` names nobody.
    #[error("To-tag not found")]
    UnknownToTag,
    /// `from-tag` names nobody.
    #[error("From-tag not found")]
    NoSuchFromTag,
    /// There is nothing to say in a body.
    #[error("Failed to create SDP")]
    NoBody,
    /// A party that cannot be subscribed.
    #[error("Failed to request subscription")]
    NotRequested,
    /// An answer that does not fit what was offered to a subscriber.
    #[error("Failed to process subscription answer")]
    NotAnswered,
    /// What is to be created takes keys of ours.
    #[error("failed to set up call/monologue")]
    NotCreated,
    /// `create answer` for a call that is not known.
    #[error("unknown call-ID")]
    NoCreatedCall,
    /// `create answer` of a party that is not known.
    #[error("from-tag not found")]
    NoCreatedParty,
    /// An answer that does not fit what was offered by `create`.
    #[error("failed to perform answer")]
    NotPerformed,
    /// What is to be transformed was transformed here.
    #[error("Transform loop detected")]
    TransformLoop,
    /// What is to be transformed would have to be converted, or has nowhere to go.
    #[error("Failed to set up transform")]
    NotTransformed,
    /// `label` names nobody.
    #[error("No monologue matching the given label")]
    UnknownLabel,
    /// `address` is none.
    #[error("Failed to parse network address")]
    BadAddress,
    /// `address` is nobody's.
    #[error("Failed to match address to any tag")]
    UnknownAddress,
    /// `from-tag` names nobody.
    #[error("From-tag given, but no such tag exists")]
    UnknownFromTag,
    /// The other end of a flow, named by `to-tag`, is nobody.
    #[error("Media flow not found (to-tag not found)")]
    FlowToUnknownTag,
    /// The other end of a flow, named by `to-label`, is nobody.
    #[error("Media flow not found (to-label not found)")]
    FlowToUnknownLabel,
    /// There is no flow from the one party to the other.
    #[error("Media flow not found (to-tag not subscribed)")]
    NotSubscribed,
    /// There is no flow of the kind that was asked for.
    #[error("No eligible media subscriptions found")]
    NoSubscriptions,
    /// A command for several parties found none.
    #[error("No medias found (no monologues matched)")]
    NobodyMatched,
    /// Both tags name the same party, or the call has too many parties.
    #[error("Invalid dialogue association")]
    InvalidDialogue,
    /// The call would have more media than a call may have.
    #[error("Too many media in one call")]
    TooManyMedias,
    /// The call would have more flows than a call may have.
    #[error("Too many subscriptions in one call")]
    TooManySubscriptions,
    /// A body without media sections.
    #[error("Error rewriting SDP")]
    NothingToRewrite,
    /// What was rewritten does not fit into a reply.
    #[error("Error rewriting SDP")]
    TooLong,
    /// A body that is not SDP.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// The pool is used up.
    #[error(transparent)]
    OutOfPorts(#[from] OutOfPorts),
    /// `max-sessions` is reached.
    #[error("Parallel session limit reached")]
    SessionLimit,
    /// `max-cpu` is reached.
    #[error("CPU usage limit exceeded")]
    CpuLimit,
    /// `max-load` is reached.
    #[error("Load limit exceeded")]
    LoadLimit,
    /// `max-bandwidth` is reached.
    #[error("Bandwidth limit exceeded")]
    BandwidthLimit,
    /// A `delete` that found nothing; an error only with the flag `fatal`.
    #[error("Call-ID not found or tags didn't match")]
    NothingToDelete,
    /// A negative `limit` of `list`.
    #[error("invalid limit, must be >= 0")]
    InvalidLimit,
    /// A command of rtpengine's that is not implemented.
    #[error("Unrecognized command")]
    UnknownCommand,
    /// A command that would play media.
    #[error("unsupported")]
    Unsupported,
}

impl Refusal {
    /// Another relay may well take the call.
    pub(super) fn is_limit(self) -> bool {
        matches!(
            self,
            Self::SessionLimit | Self::CpuLimit | Self::LoadLimit | Self::BandwidthLimit
        )
    }
}
