//! Why a body is not SDP that can be relayed.

/// What [`parse`](super::parse()) refuses. Displays as the `error-reason` that rtpengine sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// A line that is not SDP, or more of it than the bounds allow.
    #[error("Failed to parse SDP")]
    Malformed {
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it, for the log.
        reason: &'static str,
    },
    /// A media section without a `c=` line of its own or of the session.
    #[error("Incomplete SDP specification")]
    NoConnection {
        /// Index of the media section, from 0.
        media: usize,
    },
    /// An RTP section with a format that is no payload type.
    #[error("Incomplete SDP specification")]
    NoPayloadType {
        /// Index of the media section, from 0.
        media: usize,
    },
}
