//! Options under names.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use bytes::Bytes;
use ng_protocol::{Dict, Ice, Options, Request, Templates, Value};

fn templates() -> Templates {
    [
        ("default", "trust-address ICE=remove"),
        ("offer", "replace-origin"),
        ("start recording", "recording-file=x"),
        ("browser", "ICE=force rtcp-mux=[offer require]"),
        ("nested", "template=browser fatal"),
    ]
    .into_iter()
    .map(|(name, options)| (Bytes::from(name), Bytes::from(options)))
    .collect()
}

fn options(command: &'static str, entries: &[(&'static str, &'static str)]) -> Options {
    let mut dict = Dict::new();
    dict.insert("command", command);
    for (key, value) in entries {
        dict.insert(key, *value);
    }
    Request::from_dict_with(&dict, &templates())
        .unwrap()
        .options
}

#[test]
fn the_default_and_the_commands_own_come_first() {
    let offer = options("offer", &[]);
    assert!(offer.flags.trust_address && offer.replace.origin);
    assert_eq!(offer.ice, Ice::Remove);
    assert_eq!(options("offer", &[("ICE", "optional")]).ice, Ice::Optional);
    let recording = options("start recording", &[]);
    assert!(recording.recording.file.is_some() && !recording.replace.origin);
}

#[test]
fn a_request_names_one_in_any_place() {
    for (key, value) in [
        ("template", "browser"),
        ("rtpp-flags", "template=browser"),
        ("flags", "template=browser"),
    ] {
        let options = options("answer", &[(key, value)]);
        assert_eq!(options.ice, Ice::Force, "{key}");
        assert!(
            options.rtcp_mux.require && options.unknown.is_empty(),
            "{key}"
        );
    }
}

#[test]
fn what_follows_a_template_overrides_it() {
    let after = options("answer", &[("rtpp-flags", "template=browser ICE=default")]);
    assert_eq!(after.ice, Ice::Default);
    let before = options("answer", &[("rtpp-flags", "ICE=default template=browser")]);
    assert_eq!(before.ice, Ice::Force);
}

#[test]
fn templates_do_not_nest_and_unknown_ones_are_noted() {
    let nested = options("answer", &[("template", "nested")]);
    assert_eq!(nested.ice, Ice::Remove);
    assert!(nested.flags.fatal);
    assert_eq!(nested.unknown, ["template=browser"]);
    let unknown = options("answer", &[("template", "bogus")]);
    assert_eq!(unknown.unknown, ["template=bogus"]);
    let mut dict = Dict::new();
    dict.insert("command", "answer");
    dict.insert("template", Value::from("browser"));
    let none = Request::from_dict(&dict).unwrap();
    assert_eq!(none.options.unknown, ["template=browser"]);
}
