//! Bencode for the lab's own ng client. Not the relay's codec on purpose: a client that shares the codec with the
//! server cannot see its mistakes.

use serde_json::{Map, Number, Value};

/// The bencoding of a value made of objects, arrays, strings and integers; keys keep their order, as real clients send them.
///
/// # Panics
/// For null, booleans and fractions, which bencode does not have.
#[must_use]
pub fn encode(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(value, &mut out);
    out
}

/// Reads one value that fills `input`; `None` if it is malformed.
#[must_use]
pub fn decode(input: &[u8]) -> Option<Value> {
    let (value, rest) = read(input)?;
    rest.is_empty().then_some(value)
}

fn write(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::String(text) => write_string(text, out),
        Value::Number(number) => out.extend(format!("i{number}e").bytes()),
        Value::Array(items) => {
            out.push(b'l');
            items.iter().for_each(|item| write(item, out));
            out.push(b'e');
        }
        Value::Object(entries) => {
            out.push(b'd');
            for (key, value) in entries {
                write_string(key, out);
                write(value, out);
            }
            out.push(b'e');
        }
        Value::Null | Value::Bool(_) => panic!("bencode has no {value}"),
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    out.extend(format!("{}:{text}", text.len()).bytes());
}

fn read(input: &[u8]) -> Option<(Value, &[u8])> {
    match input.first()? {
        b'i' => {
            let end = input.iter().position(|byte| *byte == b'e')?;
            let number: i64 = std::str::from_utf8(&input[1..end]).ok()?.parse().ok()?;
            Some((Value::Number(Number::from(number)), &input[end + 1..]))
        }
        b'l' => {
            let (mut items, mut rest) = (Vec::new(), &input[1..]);
            while rest.first()? != &b'e' {
                let (item, after) = read(rest)?;
                items.push(item);
                rest = after;
            }
            Some((Value::Array(items), &rest[1..]))
        }
        b'd' => {
            let (mut entries, mut rest) = (Map::new(), &input[1..]);
            while rest.first()? != &b'e' {
                let (key, after) = read_string(rest)?;
                let (value, after) = read(after)?;
                entries.insert(key, value);
                rest = after;
            }
            Some((Value::Object(entries), &rest[1..]))
        }
        _ => read_string(input).map(|(text, rest)| (Value::String(text), rest)),
    }
}

fn read_string(input: &[u8]) -> Option<(String, &[u8])> {
    let colon = input.iter().position(|byte| *byte == b':')?;
    let length: usize = std::str::from_utf8(&input[..colon]).ok()?.parse().ok()?;
    let text = input.get(colon + 1..colon + 1 + length)?;
    Some((
        String::from_utf8_lossy(text).into_owned(),
        &input[colon + 1 + length..],
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_encoded_with_its_keys_in_their_order() {
        let request = json!({"command": "ping", "a": [1, "x"]});
        assert_eq!(encode(&request), b"d7:command4:ping1:ali1e1:xee");
    }

    #[test]
    fn a_reply_with_unsorted_keys_is_read() {
        let reply = decode(b"d6:result4:pong1:ai-3ee");
        assert_eq!(reply, Some(json!({"result": "pong", "a": -3})));
    }

    #[test]
    fn a_truncated_reply_is_refused() {
        assert_eq!(decode(b"d6:result4:po"), None);
    }
}
