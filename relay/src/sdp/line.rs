//! Lines of an SDP body: a letter, `=`, a value (RFC 8866 section 5).

use bytes::Bytes;

use super::SdpError;

/// Longest body read, bytes: what fits into an ng datagram.
pub const MAX_BYTES: usize = 0xffff;

/// Most lines read.
pub const MAX_LINES: usize = 8192;

/// One line, a slice of the body it came in, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The letter before `=`.
    pub letter: u8,
    /// All after `=`, as it came.
    pub value: Bytes,
}

impl Line {
    /// The attribute's name, for an `a=` line: up to the colon.
    #[must_use]
    pub fn attribute(&self) -> Option<&[u8]> {
        if self.letter != b'a' {
            return None;
        }
        self.value.split(|byte| *byte == b':').next()
    }

    /// What follows the colon of an `a=` line; empty where there is no colon.
    #[must_use]
    pub fn argument(&self) -> &[u8] {
        match self.value.iter().position(|byte| *byte == b':') {
            Some(colon) => &self.value[colon + 1..],
            None => &[],
        }
    }
}

/// Splits a body into numbered lines. Lines end in CRLF or LF; empty ones are passed over.
pub(super) fn split(body: &Bytes) -> Result<Vec<(usize, Line)>, SdpError> {
    if body.len() > MAX_BYTES {
        return Err(SdpError::Malformed {
            line: 0,
            reason: "longer than 65535 bytes",
        });
    }
    let mut lines = Vec::new();
    for (index, raw) in body.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        let [letter, b'=', value @ ..] = raw else {
            if raw.is_empty() {
                continue;
            }
            return Err(SdpError::Malformed {
                line: number,
                reason: "not a letter followed by '='",
            });
        };
        if lines.len() == MAX_LINES {
            return Err(SdpError::Malformed {
                line: number,
                reason: "more than 8192 lines",
            });
        }
        lines.push((
            number,
            Line {
                letter: *letter,
                value: body.slice_ref(value),
            },
        ));
    }
    Ok(lines)
}
