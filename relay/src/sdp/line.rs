//! Lines of an SDP body: a letter, `=`, a value (RFC 8866 section 5).

use bytes::Bytes;

use super::{Direction, SdpError};

/// Longest body read, bytes: what fits into an ng datagram.
pub const MAX_BYTES: usize = 0xffff;

/// Most lines read.
pub const MAX_LINES: usize = 8192;

/// What most lines are longer than, bytes.
const COMMON_LENGTH: usize = 16;

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

    /// What follows the colon of the attribute of this name; empty where there is no colon.
    #[must_use]
    pub fn argument_of(&self, name: &[u8]) -> Option<&[u8]> {
        let rest = self.value.strip_prefix(name)?;
        match rest {
            _ if self.letter != b'a' => None,
            [] => Some(rest),
            [b':', argument @ ..] => Some(argument),
            _ => None,
        }
    }

    /// Whether it is one of the direction attributes.
    #[must_use]
    pub fn is_direction(&self) -> bool {
        self.attribute()
            .is_some_and(|name| Direction::from_attribute(name).is_some())
    }

    /// Whether it belongs to ICE.
    #[must_use]
    pub fn is_ice(&self) -> bool {
        super::order::is_ice(self)
    }
}

/// Splits a body into lines, which end in CRLF or LF. An empty line ends the body, as does a last single byte (some send
/// a NUL).
pub(super) fn split(body: &Bytes) -> Result<Vec<Line>, SdpError> {
    if body.len() > MAX_BYTES {
        return Err(SdpError::Malformed {
            line: 0,
            reason: "longer than 65535 bytes",
        });
    }
    let mut lines = Vec::with_capacity(body.len() / COMMON_LENGTH);
    let mut rest: &[u8] = body;
    while rest.len() >= 2 && !matches!(rest[0], b'\r' | b'\n') {
        let number = lines.len() + 1;
        let end = rest
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(rest.len());
        let raw = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        let [letter, b'=', value @ ..] = raw.strip_suffix(b"\r").unwrap_or(raw) else {
            return Err(SdpError::Malformed {
                line: number,
                reason: "not a letter followed by '='",
            });
        };
        if number > MAX_LINES {
            return Err(SdpError::Malformed {
                line: number,
                reason: "more than 8192 lines",
            });
        }
        lines.push(Line {
            letter: *letter,
            value: body.slice_ref(value),
        });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(body: &'static [u8]) -> Result<String, SdpError> {
        Ok(split(&Bytes::from_static(body))?
            .iter()
            .map(|line| char::from(line.letter))
            .collect())
    }

    #[test]
    fn lines_end_in_crlf_or_lf_or_with_the_body() {
        assert_eq!(letters(b"v=0\r\ns=x\nt=0 0"), Ok("vst".to_owned()));
    }

    #[test]
    fn an_empty_line_ends_the_body() {
        assert_eq!(letters(b"v=0\r\n\r\ngarbage"), Ok("v".to_owned()));
    }

    #[test]
    fn a_trailing_nul_is_passed_over() {
        assert_eq!(letters(b"v=0\r\n\0"), Ok("v".to_owned()));
    }

    #[test]
    fn a_carriage_return_inside_a_value_is_kept() {
        let lines = split(&Bytes::from_static(b"s=a\rb\r\n")).unwrap();
        assert_eq!(lines[0].value, "a\rb");
    }

    #[test]
    fn what_has_no_equals_sign_is_malformed() {
        let expected = SdpError::Malformed {
            line: 2,
            reason: "not a letter followed by '='",
        };
        assert_eq!(letters(b"v=0\r\nhello\r\n"), Err(expected));
    }

    #[test]
    fn bodies_and_lines_are_bounded() {
        assert!(split(&Bytes::from(vec![b'a'; MAX_BYTES + 1])).is_err());
        assert!(split(&Bytes::from(b"a=\n".repeat(MAX_LINES))).is_ok());
        assert!(split(&Bytes::from(b"a=\n".repeat(MAX_LINES + 1))).is_err());
    }

    #[test]
    fn an_attribute_is_a_name_and_an_argument() {
        let line = Line {
            letter: b'a',
            value: Bytes::from_static(b"rtcp:5005 IN IP6 ::1"),
        };
        assert_eq!(
            (line.attribute(), line.argument()),
            (Some(&b"rtcp"[..]), &b"5005 IN IP6 ::1"[..])
        );
        let flag = Line {
            letter: b'a',
            value: Bytes::from_static(b"rtcp-mux"),
        };
        assert_eq!(
            (flag.attribute(), flag.argument()),
            (Some(&b"rtcp-mux"[..]), &b""[..])
        );
        let other = Line {
            letter: b's',
            value: Bytes::from_static(b"x:y"),
        };
        assert_eq!(other.attribute(), None);
    }
}
