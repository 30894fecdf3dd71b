//! Bencode: integers `i42e`, strings `3:abc`, lists `l…e`, dictionaries `d…e`.
//!
//! Lenient as rtpengine is: keys may be unsorted and repeated, and bytes after the dictionary are ignored.
//! Stricter than rtpengine where leniency would hide damage: a dictionary cut short is refused, and so is a number
//! beyond 64 bits.
//! Strings are slices of the datagram, not copies.

use bytes::Bytes;

use crate::{Dict, Value};

/// How deep lists and dictionaries may nest.
pub const MAX_DEPTH: usize = 32;
/// How many values one document may hold, itself included.
pub const MAX_VALUES: usize = 8192;

/// Why a document was refused. Positions are bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The document ends inside a value.
    #[error("document ends too early")]
    Truncated,
    /// A byte that no value begins with.
    #[error("no value begins at byte {0}")]
    NotAValue(usize),
    /// Not a decimal number, or one beyond 64 bits (a length: beyond the document).
    #[error("bad number at byte {0}")]
    Number(usize),
    /// A dictionary key that is not a string.
    #[error("dictionary key at byte {0} is not a string")]
    Key(usize),
    /// The document is not a dictionary.
    #[error("not a dictionary")]
    NotADict,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than {MAX_DEPTH}")]
    Depth,
    /// More values than [`MAX_VALUES`].
    #[error("more than {MAX_VALUES} values")]
    Values,
    /// Longer than a request of a stream may be.
    #[error("too long")]
    TooLong,
}

/// Decodes a dictionary.
///
/// # Errors
/// [`DecodeError`] says what is wrong and where.
pub fn decode_dict(document: &Bytes) -> Result<Dict, DecodeError> {
    match decode(document)? {
        Value::Dict(dict) => Ok(dict),
        _ => Err(DecodeError::NotADict),
    }
}

/// Decodes any value; bytes after it are ignored.
///
/// # Errors
/// [`DecodeError`] says what is wrong and where.
pub fn decode(document: &Bytes) -> Result<Value, DecodeError> {
    Decoder {
        document,
        position: 0,
        values: 0,
    }
    .value(0)
}

/// Appends a value.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Integer(integer) => {
            out.push(b'i');
            if *integer < 0 {
                out.push(b'-');
            }
            push_decimal(integer.unsigned_abs(), out);
            out.push(b'e');
        }
        Value::Bytes(bytes) => encode_bytes(bytes, out),
        Value::List(items) => {
            out.push(b'l');
            for item in items {
                encode(item, out);
            }
            out.push(b'e');
        }
        Value::Dict(dict) => encode_dict(dict, out),
    }
}

/// Appends a dictionary, its keys in their order.
pub fn encode_dict(dict: &Dict, out: &mut Vec<u8>) {
    out.push(b'd');
    for (key, value) in dict.iter() {
        encode_bytes(key, out);
        encode(value, out);
    }
    out.push(b'e');
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + LONGEST_DECIMAL + 1);
    push_decimal(bytes.len() as u64, out);
    out.push(b':');
    out.extend_from_slice(bytes);
}

/// Digits of the greatest number.
const LONGEST_DECIMAL: usize = 20;

/// Every string and integer has a number, most of one or two digits: the formatting machinery of `core::fmt` would take
/// more time than all the rest of a reply.
fn push_decimal(mut number: u64, out: &mut Vec<u8>) {
    if number < 10 {
        out.push(b'0' + number as u8);
        return;
    }
    if number < 100 {
        out.push(b'0' + (number / 10) as u8);
        out.push(b'0' + (number % 10) as u8);
        return;
    }
    let mut digits = [0; LONGEST_DECIMAL];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

struct Decoder<'a> {
    document: &'a Bytes,
    position: usize,
    values: usize,
}

impl Decoder<'_> {
    fn value(&mut self, depth: usize) -> Result<Value, DecodeError> {
        if depth > MAX_DEPTH {
            return Err(DecodeError::Depth);
        }
        self.values += 1;
        if self.values > MAX_VALUES {
            return Err(DecodeError::Values);
        }
        match self.peek()? {
            b'i' => {
                self.position += 1;
                let start = self.position;
                let digits = self.until(b'e')?;
                parse(digits)
                    .map(Value::Integer)
                    .ok_or(DecodeError::Number(start))
            }
            b'0'..=b'9' => self.string().map(Value::Bytes),
            b'l' => self.list(depth),
            b'd' => self.dict(depth),
            _ => Err(DecodeError::NotAValue(self.position)),
        }
    }

    fn list(&mut self, depth: usize) -> Result<Value, DecodeError> {
        self.position += 1;
        let mut items = Vec::new();
        while !self.end()? {
            items.push(self.value(depth + 1)?);
        }
        Ok(Value::List(items))
    }

    fn dict(&mut self, depth: usize) -> Result<Value, DecodeError> {
        self.position += 1;
        let mut dict = Dict::new();
        while !self.end()? {
            if !self.peek()?.is_ascii_digit() {
                return Err(DecodeError::Key(self.position));
            }
            let key = self.string()?;
            dict.push(key, self.value(depth + 1)?);
        }
        Ok(Value::Dict(dict))
    }

    fn string(&mut self) -> Result<Bytes, DecodeError> {
        let start = self.position;
        let length: usize = parse(self.until(b':')?).ok_or(DecodeError::Number(start))?;
        let end = self
            .position
            .checked_add(length)
            .ok_or(DecodeError::Number(start))?;
        if end > self.document.len() {
            return Err(DecodeError::Truncated);
        }
        let string = self.document.slice(self.position..end);
        self.position = end;
        Ok(string)
    }

    /// The bytes up to `stop`, which is consumed, too.
    fn until(&mut self, stop: u8) -> Result<&[u8], DecodeError> {
        let rest = &self.document[self.position..];
        let length = rest
            .iter()
            .take(MAX_DIGITS + 1)
            .position(|&byte| byte == stop)
            .ok_or(if rest.len() > MAX_DIGITS {
                DecodeError::Number(self.position)
            } else {
                DecodeError::Truncated
            })?;
        self.position += length + 1;
        Ok(&rest[..length])
    }

    /// Whether the list or dictionary ends here; its `e` is consumed.
    fn end(&mut self) -> Result<bool, DecodeError> {
        let end = self.peek()? == b'e';
        if end {
            self.position += 1;
        }
        Ok(end)
    }

    fn peek(&self) -> Result<u8, DecodeError> {
        self.document
            .get(self.position)
            .copied()
            .ok_or(DecodeError::Truncated)
    }
}

/// Sign and digits of the longest 64-bit number.
pub(crate) const MAX_DIGITS: usize = 20;

/// A decimal number: an optional `-`, then digits without leading zeros.
fn parse<T: std::str::FromStr>(number: &[u8]) -> Option<T> {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    let plain = digits.iter().all(u8::is_ascii_digit)
        && (digits.len() == 1 || digits.first() != Some(&b'0'));
    if !plain {
        return None;
    }
    std::str::from_utf8(number).ok()?.parse().ok()
}
