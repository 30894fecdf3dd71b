//! Both encodings, as a specification.

use bytes::Bytes;
use ng_protocol::bencode::{self, DecodeError, MAX_DEPTH, MAX_VALUES};
use ng_protocol::{Dict, Value, json};
use proptest::prelude::*;

fn bencoded(value: &Value) -> Bytes {
    let mut out = Vec::new();
    bencode::encode(value, &mut out);
    out.into()
}

fn decode(text: impl Into<Vec<u8>>) -> Result<Value, DecodeError> {
    bencode::decode(&Bytes::from(text.into()))
}

fn decode_json(text: &str) -> Result<Dict, json::DecodeError> {
    json::decode_dict(&Bytes::copy_from_slice(text.as_bytes()))
}

fn dict<const N: usize>(entries: [(&'static str, Value); N]) -> Dict {
    entries
        .into_iter()
        .map(|(key, value)| (Bytes::from(key), value))
        .collect()
}

#[test]
fn keys_keep_their_order_and_may_be_repeated() {
    let decoded = bencode::decode_dict(&Bytes::from("d1:bi1e1:ai2e1:bi3ee")).unwrap();
    assert_eq!(
        decoded,
        dict([("b", 1.into()), ("a", 2.into()), ("b", 3.into())])
    );
    assert_eq!(decoded.get("b"), Some(&Value::Integer(1)));
}

#[test]
fn strings_are_slices_of_the_document() {
    let document = Bytes::from("3:abc");
    let Ok(Value::Bytes(string)) = bencode::decode(&document) else {
        panic!("not a string");
    };
    assert_eq!(string.as_ptr(), document[2..].as_ptr());
}

#[test]
fn strings_are_binary() {
    assert_eq!(
        decode(b"4:\x00\xff:e"),
        Ok(Value::from(Bytes::from_static(b"\x00\xff:e")))
    );
}

#[test]
fn bytes_after_the_value_are_ignored() {
    assert_eq!(decode("i1egarbage"), Ok(Value::Integer(1)));
    assert!(bencode::decode_dict(&Bytes::from("de\n")).is_ok());
}

#[test]
fn integers_take_64_bits_and_no_more() {
    for integer in [0, -1, i64::MAX, i64::MIN] {
        assert_eq!(decode(format!("i{integer}e")), Ok(Value::Integer(integer)));
    }
    for beyond in [
        "9223372036854775808",
        "-9223372036854775809",
        &"9".repeat(1_000),
    ] {
        assert_eq!(decode(format!("i{beyond}e")), Err(DecodeError::Number(1)));
    }
}

#[test]
fn malformed_numbers_are_refused() {
    for number in ["", "-", "+1", "007", "1x", " 1", "1 "] {
        assert_eq!(
            decode(format!("i{number}e")),
            Err(DecodeError::Number(1)),
            "{number}"
        );
    }
    assert_eq!(decode("03:abc"), Err(DecodeError::Number(0)));
    assert_eq!(
        decode("99999999999999999999:a"),
        Err(DecodeError::Number(0))
    );
    assert_eq!(
        decode("18446744073709551615:a"),
        Err(DecodeError::Number(0))
    );
}

#[test]
fn what_is_cut_short_is_refused() {
    let whole = "d1:ali1e3:abce1:cd1:bi2eee";
    for length in 0..whole.len() {
        assert_eq!(
            decode(&whole[..length]),
            Err(DecodeError::Truncated),
            "{length}"
        );
    }
    assert!(decode(whole).is_ok());
}

#[test]
fn a_dictionary_needs_strings_as_keys() {
    assert_eq!(decode("di1ei2ee"), Err(DecodeError::Key(1)));
    assert_eq!(
        bencode::decode_dict(&Bytes::from("le")),
        Err(DecodeError::NotADict)
    );
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| "l".repeat(depth) + &"e".repeat(depth);
    assert!(decode(nested(MAX_DEPTH + 1)).is_ok());
    assert_eq!(decode(nested(MAX_DEPTH + 2)), Err(DecodeError::Depth));
    assert_eq!(decode("l".repeat(65_000)), Err(DecodeError::Depth));
}

#[test]
fn the_number_of_values_is_bounded() {
    let list = |items: usize| format!("l{}e", "i0e".repeat(items));
    assert!(decode(list(MAX_VALUES - 1)).is_ok());
    assert_eq!(decode(list(MAX_VALUES)), Err(DecodeError::Values));
}

#[test]
fn json_depth_and_values_are_bounded_too() {
    let nested = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(decode_json(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(
        decode_json(&nested(MAX_DEPTH + 1)),
        Err(json::DecodeError::Limit)
    );
    let many = format!(r#"{{"a":[{}0]}}"#, "0,".repeat(MAX_VALUES));
    assert_eq!(decode_json(&many), Err(json::DecodeError::Limit));
}

#[test]
fn json_has_the_same_values() {
    let decoded = decode_json(r#"{"b":"x","a":[1,-2],"c":{"d":"\r\n"}}"#).unwrap();
    let list = Value::List(vec![1.into(), (-2).into()]);
    let inner = dict([("d", "\r\n".into())]);
    assert_eq!(
        decoded,
        dict([("b", "x".into()), ("a", list), ("c", inner.into())])
    );
}

#[test]
fn json_truth_is_a_number_and_null_is_absent() {
    let decoded = decode_json(r#"{"t":true,"f":false,"n":null,"l":[null,1]}"#).unwrap();
    let list = Value::List(vec![1.into()]);
    assert_eq!(
        decoded,
        dict([("t", 1.into()), ("f", 0.into()), ("l", list)])
    );
}

#[test]
fn json_numbers_that_are_no_integer_keep_their_text() {
    let decoded = decode_json(r#"{"a":0.5,"b":18446744073709551615}"#).unwrap();
    assert_eq!(
        decoded,
        dict([("a", "0.5".into()), ("b", "18446744073709551615".into())])
    );
}

#[test]
fn malformed_json_is_refused() {
    for text in ["", "{", "{}x", r#"{"a":}"#, r#"{"a":"\ud800"}"#, "{'a':1}"] {
        assert_eq!(decode_json(text), Err(json::DecodeError::Syntax), "{text}");
    }
    assert!(decode_json("{} \r\n").is_ok());
    assert_eq!(decode_json("[]"), Err(json::DecodeError::Limit));
}

#[test]
fn bytes_that_are_not_utf8_become_replacement_characters_in_json() {
    let mut out = Vec::new();
    json::encode(&Value::from(Bytes::from_static(b"a\xff\"\x01")), &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "\"a\u{fffd}\\\"\\u0001\"");
}

fn any_bytes() -> BoxedStrategy<Bytes> {
    prop::collection::vec(any::<u8>(), 0..12)
        .prop_map(Bytes::from)
        .boxed()
}

fn any_text() -> BoxedStrategy<Bytes> {
    "\\PC{0,6}[\r\n\"\\\\]{0,2}".prop_map(Bytes::from).boxed()
}

fn any_value(string: BoxedStrategy<Bytes>) -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        string.clone().prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 40, 6, move |inner| {
        let entries = prop::collection::vec((string.clone(), inner.clone()), 0..6);
        prop_oneof![
            prop::collection::vec(inner, 0..6).prop_map(Value::List),
            entries.prop_map(|entries| Value::Dict(entries.into_iter().collect())),
        ]
    })
}

/// The value with the keys of its dictionaries sorted and none repeated, as bencode proper wants them.
fn sorted(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::List(items.iter().map(sorted).collect()),
        Value::Dict(dict) => {
            let mut entries: Vec<_> = dict
                .iter()
                .map(|(key, value)| (key.clone(), sorted(value)))
                .collect();
            entries.sort_by(|(left, _), (right, _)| left.cmp(right));
            entries.dedup_by(|(left, _), (right, _)| left == right);
            Value::Dict(entries.into_iter().collect())
        }
        leaf => leaf.clone(),
    }
}

fn peer(value: &Value) -> bt_bencode::Value {
    match value {
        Value::Integer(integer) => match u64::try_from(*integer) {
            Ok(positive) => bt_bencode::Value::from(positive),
            Err(_) => bt_bencode::Value::from(*integer),
        },
        Value::Bytes(bytes) => bt_bencode::Value::ByteStr(bytes.to_vec().into()),
        Value::List(items) => bt_bencode::Value::List(items.iter().map(peer).collect()),
        Value::Dict(dict) => bt_bencode::Value::Dict(
            dict.iter()
                .map(|(key, value)| (key.to_vec().into(), peer(value)))
                .collect(),
        ),
    }
}

proptest! {
    #[test]
    fn bencode_comes_back_as_it_went(value in any_value(any_bytes())) {
        prop_assert_eq!(bencode::decode(&bencoded(&value)), Ok(value));
    }

    #[test]
    fn json_comes_back_as_it_went(entries in prop::collection::vec((any_text(), any_value(any_text())), 0..6)) {
        let dict: Dict = entries.into_iter().collect();
        let mut encoded = Vec::new();
        json::encode_dict(&dict, &mut encoded);
        prop_assert_eq!(json::decode_dict(&encoded.into()), Ok(dict));
    }

    #[test]
    fn bencode_agrees_with_a_codec_written_elsewhere(value in any_value(any_bytes())) {
        let value = sorted(&value);
        let encoded = bencoded(&value);
        prop_assert_eq!(&bt_bencode::to_vec(&peer(&value)).unwrap(), &encoded);
        let decoded: bt_bencode::Value = bt_bencode::from_slice(&encoded).unwrap();
        prop_assert_eq!(decoded, peer(&value));
    }

    #[test]
    fn what_we_decode_of_noise_a_codec_written_elsewhere_does_not_contradict(
        noise in "[dlie0-9:a-]{0,24}"
    ) {
        let ours = bencode::decode(&Bytes::from(noise.clone()));
        let theirs = bt_bencode::from_slice::<bt_bencode::Value>(noise.as_bytes());
        if let (Ok(ours), Ok(theirs)) = (ours, theirs) {
            prop_assert_eq!(peer(&sorted(&ours)), theirs);
        }
    }
}
