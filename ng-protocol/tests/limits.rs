//! How much one request may ask for.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use ng_protocol::{Dict, ProtocolError, Request, Value};

fn dict(entries: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let mut dict = Dict::new();
    for (key, value) in entries {
        dict.insert(key, value);
    }
    dict.into()
}

fn repeated(value: impl Into<Value>, count: usize) -> Value {
    Value::List(vec![value.into(); count])
}

/// Asserts that so many are taken, and one more is refused. `value` makes a key's value of so many.
#[track_caller]
fn at_most(limit: usize, what: &'static str, key: &'static str, value: impl Fn(usize) -> Value) {
    let read = |count| {
        let mut request = Dict::new();
        request.insert("command", "offer");
        request.insert(key, value(count));
        Request::from_dict(&request)
    };
    assert!(read(limit).is_ok(), "{key}");
    let refused = read(limit + 1).unwrap_err();
    assert_eq!(refused, ProtocolError::TooMany(what), "{key}");
}

#[test]
fn codecs_of_all_lists_together_are_bounded() {
    at_most(128, "codecs", "codec-strip", |count| {
        repeated("PCMU", count)
    });
    at_most(128, "codecs", "codec", |count| {
        dict([
            ("mask", repeated("PCMU", count / 2)),
            ("offer", repeated("PCMA", count - count / 2)),
        ])
    });
    at_most(128, "codecs", "flags", |count| {
        repeated("codec-except-PCMU", count)
    });
}

#[test]
fn changes_of_attributes_are_bounded() {
    at_most(64, "changes of attributes", "sdp-attr", |count| {
        let pair = repeated("x", 2);
        dict([
            ("audio", dict([("add", repeated("x", count / 2))])),
            ("global", dict([("remove", repeated("x", count / 4))])),
            (
                "video",
                dict([("substitute", repeated(pair, count - count / 2 - count / 4))]),
            ),
        ])
    });
}

#[test]
fn header_extensions_are_bounded() {
    at_most(256, "header extensions", "extmap", |count| {
        dict([("strip", repeated("urn:x", count))])
    });
}

#[test]
fn media_and_their_codecs_are_bounded() {
    at_most(128, "media", "media", |count| repeated(dict([]), count));
    at_most(128, "codecs of one medium", "media", |count| {
        repeated(dict([("codec", repeated("PCMU", count))]), 1)
    });
}

#[test]
fn calls_parties_and_flows_are_bounded() {
    at_most(256, "calls", "calls", |count| repeated("x", count));
    at_most(256, "parties", "from-tags", |count| repeated("x", count));
    at_most(4096, "flows", "tags", |count| {
        repeated(
            dict([("from", "x".into()), ("to", repeated("y", count))]),
            1,
        )
    });
    at_most(4096, "flows", "tags", |count| repeated(dict([]), count));
}
