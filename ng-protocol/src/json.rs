//! JSON with the same values as bencode.
//!
//! Lenient: `true` is 1 and `false` 0, `null` is left out as if it were not there, a fraction becomes its text.
//! Strings without escapes are slices of the datagram.

use bytes::Bytes;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::bencode::{MAX_DEPTH, MAX_VALUES};
use crate::{Dict, Value};

/// Why a document was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not a JSON document, or more than one.
    #[error("not a JSON document")]
    Syntax,
    /// Not a dictionary, or beyond [`MAX_DEPTH`] or [`MAX_VALUES`].
    #[error("not a dictionary within the limits of depth and size")]
    Limit,
}

/// Decodes a dictionary.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_dict(document: &Bytes) -> Result<Dict, DecodeError> {
    let mut limit = Limit {
        values: 0,
        exceeded: false,
    };
    let mut deserializer = serde_json::Deserializer::from_slice(document);
    let decoded = Seed {
        document,
        depth: 0,
        limit: &mut limit,
    }
    .deserialize(&mut deserializer)
    .and_then(|value| deserializer.end().map(|()| value));
    match decoded {
        Ok(Some(Value::Dict(dict))) => Ok(dict),
        Ok(_) => Err(DecodeError::Limit),
        Err(_) if limit.exceeded => Err(DecodeError::Limit),
        Err(_) => Err(DecodeError::Syntax),
    }
}

/// Appends a value. Bytes that are not UTF-8 become U+FFFD: JSON has no other strings.
pub fn encode(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Integer(integer) => out.extend_from_slice(integer.to_string().as_bytes()),
        Value::Bytes(bytes) => encode_bytes(bytes, out),
        Value::List(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                encode(item, out);
            }
            out.push(b']');
        }
        Value::Dict(dict) => encode_dict(dict, out),
    }
}

/// Appends a dictionary, its keys in their order.
pub fn encode_dict(dict: &Dict, out: &mut Vec<u8>) {
    out.push(b'{');
    for (index, (key, value)) in dict.iter().enumerate() {
        separate(index, out);
        encode_bytes(key, out);
        out.push(b':');
        encode(value, out);
    }
    out.push(b'}');
}

fn encode_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    // A string always serialises, and writing to a Vec cannot fail.
    let _ = serde_json::to_writer(out, &String::from_utf8_lossy(bytes));
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

struct Limit {
    values: usize,
    exceeded: bool,
}

/// Reads one value at `depth`; `None` for `null`.
struct Seed<'a> {
    document: &'a Bytes,
    depth: usize,
    limit: &'a mut Limit,
}

impl Seed<'_> {
    fn inner(&mut self) -> Seed<'_> {
        Seed {
            document: self.document,
            depth: self.depth + 1,
            limit: self.limit,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Seed<'_> {
    type Value = Option<Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        self.limit.values += 1;
        if self.depth > MAX_DEPTH || self.limit.values > MAX_VALUES {
            self.limit.exceeded = true;
            return Err(de::Error::custom("limit"));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed<'_> {
    type Value = Option<Value>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::Integer(value.into())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::Integer(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(match i64::try_from(value) {
            Ok(integer) => Value::Integer(integer),
            Err(_) => Value::from(value.to_string()),
        }))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::from(value.to_string())))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Value::Bytes(share(self.document, value))))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::from(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element_seed(self.inner())? {
            items.extend(item);
        }
        Ok(Some(Value::List(items)))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut dict = Dict::new();
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            if let Some(value) = map.next_value_seed(self.inner())? {
                dict.push(Bytes::from(key.into_owned()), value);
            }
        }
        Ok(Some(Value::Dict(dict)))
    }
}

/// The text as a slice of the document where it lies inside it, else a copy.
fn share(document: &Bytes, text: &str) -> Bytes {
    let inside = document.as_ptr_range();
    let range = text.as_bytes().as_ptr_range();
    if inside.start <= range.start && range.end <= inside.end {
        document.slice_ref(text.as_bytes())
    } else {
        Bytes::copy_from_slice(text.as_bytes())
    }
}
