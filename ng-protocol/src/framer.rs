//! Requests one after the other in a stream of bytes (ng over TCP): where one ends, the next begins.
//!
//! Nothing stands between them but the length of their dictionaries. The scanner remembers how far it came, so that a request
//! that arrives byte by byte costs no more than one that arrives at once.

use crate::ProtocolError;
use crate::bencode::{DecodeError, MAX_DEPTH, MAX_DIGITS};

/// The longest cookie, in bytes.
pub const MAX_COOKIE: usize = 1024;

/// The longest dictionary, in bytes.
pub const MAX_DICTIONARY: usize = 64 << 10;

/// What the bytes of a stream are so far, from the beginning of a request on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// So many bytes are one request; more may follow it.
    Whole(usize),
    /// The request goes on.
    Partial,
    /// No request, and nobody knows where the next one begins. The error can be answered if there is a cookie.
    Broken(Option<ProtocolError>),
}

/// Finds the end of one request after the other.
#[derive(Clone, Debug, Default)]
pub struct Framer {
    /// Bytes that need not be looked at again.
    scanned: usize,
    part: Part,
}

#[derive(Clone, Copy, Debug, Default)]
enum Part {
    #[default]
    Cookie,
    /// The dictionary's first byte, at this place.
    Opening(usize),
    Bencode {
        start: usize,
        depth: usize,
    },
    Json {
        start: usize,
        depth: usize,
        string: bool,
        escaped: bool,
    },
}

impl Framer {
    /// Looks at the bytes received since the last whole request; all those of earlier calls must still be in front.
    pub fn scan(&mut self, bytes: &[u8]) -> Frame {
        loop {
            let outcome = match self.part {
                Part::Cookie => self.cookie(bytes),
                Part::Opening(start) => self.opening(bytes, start),
                Part::Bencode { start, depth } => self.bencode(bytes, start, depth),
                Part::Json { .. } => self.json(bytes),
            };
            match outcome {
                Some(Frame::Whole(length)) => {
                    *self = Self::default();
                    return Frame::Whole(length);
                }
                Some(frame) => return frame,
                None => {}
            }
        }
    }

    /// `None`: the next part is to be scanned.
    fn cookie(&mut self, bytes: &[u8]) -> Option<Frame> {
        let rest = &bytes[self.scanned..];
        let Some(space) = rest.iter().position(|&byte| byte == b' ') else {
            self.scanned = bytes.len();
            return Some(if bytes.len() > MAX_COOKIE {
                Frame::Broken(None)
            } else {
                Frame::Partial
            });
        };
        let length = self.scanned + space;
        if length == 0 || length > MAX_COOKIE {
            return Some(Frame::Broken(None));
        }
        self.scanned = length + 1;
        self.part = Part::Opening(self.scanned);
        None
    }

    fn opening(&mut self, bytes: &[u8], start: usize) -> Option<Frame> {
        self.part = match bytes.get(start) {
            None => return Some(Frame::Partial),
            Some(b'd') => Part::Bencode { start, depth: 0 },
            Some(b'{') => Part::Json {
                start,
                depth: 0,
                string: false,
                escaped: false,
            },
            Some(_) => return Some(Frame::Broken(Some(ProtocolError::Format))),
        };
        None
    }

    /// Steps over one value's beginning, or its end.
    fn bencode(&mut self, bytes: &[u8], start: usize, depth: usize) -> Option<Frame> {
        let broken = |error| Some(Frame::Broken(Some(ProtocolError::Bencode(error))));
        let here = self.scanned - start;
        if self.scanned - start >= MAX_DICTIONARY {
            return broken(DecodeError::TooLong);
        }
        let Some(&byte) = bytes.get(self.scanned) else {
            return Some(Frame::Partial);
        };
        let depth = match byte {
            b'd' | b'l' if depth > MAX_DEPTH => return broken(DecodeError::Depth),
            b'd' | b'l' => depth + 1,
            b'e' => depth - 1,
            b'i' | b'0'..=b'9' => {
                let number = &bytes[self.scanned..];
                let stop = if byte == b'i' { b'e' } else { b':' };
                let Some(length) = number.iter().take(MAX_DIGITS + 2).position(|&b| b == stop)
                else {
                    return if number.len() > MAX_DIGITS + 1 {
                        broken(DecodeError::Number(here))
                    } else {
                        Some(Frame::Partial)
                    };
                };
                let Some(skipped) = string_length(byte, &number[..length]) else {
                    return broken(DecodeError::Number(here));
                };
                let end = self.scanned + length + 1 + skipped;
                if end - start > MAX_DICTIONARY {
                    return broken(DecodeError::TooLong);
                }
                if end > bytes.len() {
                    return Some(Frame::Partial);
                }
                self.scanned = end;
                return None;
            }
            _ => return broken(DecodeError::NotAValue(here)),
        };
        self.scanned += 1;
        self.part = Part::Bencode { start, depth };
        (depth == 0).then_some(Frame::Whole(self.scanned))
    }

    fn json(&mut self, bytes: &[u8]) -> Option<Frame> {
        let Part::Json {
            start,
            mut depth,
            mut string,
            mut escaped,
        } = self.part
        else {
            return None;
        };
        for (place, &byte) in bytes.iter().enumerate().skip(self.scanned) {
            if place - start >= MAX_DICTIONARY {
                return Some(Frame::Broken(Some(ProtocolError::JsonLimit)));
            }
            match byte {
                _ if escaped => escaped = false,
                b'\\' if string => escaped = true,
                b'"' => string = !string,
                b'{' if !string => depth += 1,
                b'}' if !string => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return Some(Frame::Whole(place + 1));
            }
        }
        self.scanned = bytes.len();
        self.part = Part::Json {
            start,
            depth,
            string,
            escaped,
        };
        Some(Frame::Partial)
    }
}

/// How many bytes follow the number and its stop: a string's length; none after an integer, whatever it says.
fn string_length(first: u8, digits: &[u8]) -> Option<usize> {
    if first == b'i' {
        return Some(0);
    }
    let length: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (length <= MAX_DICTIONARY).then_some(length)
}

#[cfg(test)]
mod tests;
