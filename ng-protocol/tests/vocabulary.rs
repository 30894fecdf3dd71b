//! `docs/ng-options.md` and the code know the same words, and say the same of them; every word is understood, in every
//! spelling and in every place that takes it, and no value fails a command.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use std::collections::BTreeSet;

use bytes::Bytes;
use ng_protocol::{
    Command, Dict, Options, Request, Support, Templates, Value, Vocabulary, vocabularies,
};
use proptest::prelude::*;

/// The places whose words are not values of a key of that name.
const NOT_OF_A_KEY: [&str; 8] = [
    "Keys",
    "Flags",
    "Flags with a value behind them",
    "prefixes of SDES",
    "sections of sdp-attr",
    "codecs of media",
    "media",
    "moh",
];

/// The keys whose values are dictionaries.
const DICTIONARIES: [&str; 3] = ["codec", "sdp-attr", "extmap"];

fn words(place: &str) -> Vec<(&'static str, Support)> {
    let mut all = vocabularies().into_iter();
    all.find(|words| words.place == place).unwrap().words
}

fn options(command: &'static str, key: impl Into<Bytes>, value: Value) -> Options {
    let mut dict = Dict::new();
    dict.insert("command", command);
    dict.push(key.into(), value);
    let templates = Templates::from_iter([(Bytes::from("7"), Bytes::new())]);
    let request = Request::from_dict_with(&dict, &templates);
    request.unwrap().options
}

fn flag(word: impl Into<Bytes>) -> Options {
    options("offer", "flags", Value::List(vec![word.into().into()]))
}

/// The ways to write a word that clients use.
fn spellings(word: &str) -> Vec<String> {
    let mut spellings = vec![
        word.to_owned(),
        word.replace('-', " "),
        word.replace('-', "_"),
        word.to_uppercase(),
        word.to_uppercase().replace('-', " "),
    ];
    spellings.dedup();
    spellings
}

/// The tables of the document: place, word and what becomes of it.
fn documented() -> Vec<(String, String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/ng-options.md");
    let document = std::fs::read_to_string(path).unwrap();
    let mut place = String::new();
    let mut rows = Vec::new();
    for line in document.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            place = title.to_owned();
        }
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, words, support, effect, _] = cells[..] else {
            continue;
        };
        if !words.starts_with('`') {
            continue;
        }
        assert!(!effect.is_empty(), "{line}");
        let row = |word: &str| {
            (
                place.clone(),
                word.trim_matches('`').to_owned(),
                support.to_owned(),
            )
        };
        rows.extend(words.split(", ").map(row));
    }
    rows
}

#[test]
fn the_document_has_the_words_of_the_code_and_says_the_same_of_them() {
    let documented = documented();
    let unique: BTreeSet<_> = documented.iter().cloned().collect();
    assert_eq!(unique.len(), documented.len(), "a word is there twice");
    let coded: BTreeSet<_> = vocabularies()
        .into_iter()
        .flat_map(|Vocabulary { place, words }| {
            let row = move |(word, support): (&str, Support)| {
                let support = format!("{support:?}").to_lowercase();
                (place.to_owned(), word.to_owned(), support)
            };
            words.into_iter().map(row)
        })
        .collect();
    let only_documented: Vec<_> = unique.difference(&coded).collect();
    let only_coded: Vec<_> = coded.difference(&unique).collect();
    assert!(
        only_documented.is_empty() && only_coded.is_empty(),
        "docs/ng-options.md says {only_documented:?}, the code {only_coded:?}"
    );
}

#[test]
fn no_word_stands_in_a_place_twice() {
    for Vocabulary { place, words } in vocabularies() {
        let unique: BTreeSet<_> = words.iter().map(|(word, _)| word).collect();
        assert_eq!(unique.len(), words.len(), "{place}");
    }
}

#[test]
fn a_key_is_done_if_and_only_if_one_of_its_words_is() {
    let keys = words("Keys");
    for Vocabulary { place, words } in vocabularies() {
        if NOT_OF_A_KEY.contains(&place) {
            continue;
        }
        let key = place.to_lowercase().replace(' ', "-");
        let (_, support) = keys.iter().find(|(word, _)| *word == key).unwrap();
        let any_done = words.iter().any(|(_, support)| *support == Support::Done);
        assert_eq!(*support == Support::Done, any_done, "{place}");
    }
}

#[test]
fn every_flag_is_understood_in_every_spelling() {
    for (word, support) in words("Flags") {
        for spelling in spellings(word) {
            let mut options = flag(spelling.clone());
            assert!(options.unknown.is_empty(), "{spelling}");
            let ignored = std::mem::take(&mut options.ignored);
            assert_eq!(ignored.contains(&word), support != Support::Done, "{word}");
            if support == Support::Done {
                assert_ne!(options, Options::default(), "{spelling}");
            }
        }
    }
}

#[test]
fn every_word_of_a_key_is_understood_in_every_spelling_as_string_list_and_option() {
    for Vocabulary { place, words } in vocabularies() {
        if NOT_OF_A_KEY.contains(&place) || DICTIONARIES.contains(&place) {
            continue;
        }
        for (word, _) in words {
            for spelling in spellings(word) {
                let string = Value::from(spelling.clone());
                let list = Value::List(vec![string.clone()]);
                let expected = options("offer", place, list);
                assert!(expected.unknown.is_empty(), "{place}: {spelling}");
                assert_eq!(options("offer", place, string), expected, "{spelling}");
                assert_eq!(flag(format!("{place}={spelling}")), expected, "{spelling}");
            }
            let whole = Value::from(format!("{}={word}", place.replace(' ', "-")));
            let option = options("offer", "rtpp-flags", whole);
            assert!(option.unknown.is_empty(), "{place}={word}");
        }
    }
}

#[test]
fn every_key_takes_some_value_in_every_spelling() {
    let words = every_word().into_iter().map(Value::from);
    let data = ["7", "192.0.2.1", "192.0.2.1:5060", "audio-x", "none-a>b"].map(Value::from);
    let empty = [Value::List(Vec::new()), Value::Dict(Dict::new())];
    let values: Vec<Value> = data.into_iter().chain(empty).chain(words).collect();
    // `command` in another spelling than its own is no command.
    for (key, _) in self::words("Keys").into_iter().skip(1) {
        let understood = |spelling: &str, value: &Value| {
            let options = options("offer", spelling.to_owned(), value.clone());
            options.unknown.is_empty()
        };
        let value = values.iter().find(|value| understood(key, value)).unwrap();
        for spelling in spellings(key) {
            assert!(understood(&spelling, value), "{spelling}");
        }
    }
    assert_eq!(
        options("offer", "bogus", Value::from("1")).unknown,
        ["bogus=1"]
    );
}

#[test]
fn every_prefix_takes_the_words_of_its_key() {
    for (flag_word, place) in [
        ("replace-origin", "replace"),
        ("rtcp-mux-demux", "rtcp-mux"),
        ("endpoint-learning-off", "endpoint-learning"),
        ("ICE-lite-both", "ICE-lite"),
        ("ICE-force", "ICE"),
        ("OSRTP-accept-RFC", "OSRTP"),
        ("BUNDLE-strict", "bundle"),
        ("SDES-unencrypted_srtp", "SDES"),
        ("T38-no-ECM", "T.38"),
        ("T.38-no-V.17", "T.38"),
    ] {
        let options = flag(flag_word);
        assert!(options.unknown.is_empty(), "{flag_word} of {place}");
        assert_ne!(options, Options::default(), "{flag_word} of {place}");
    }
    let lists = flag("SDES-order:AES_CM_128_HMAC_SHA1_80;AES_CM_128_HMAC_SHA1_32").sdes;
    assert_eq!(lists.order.len(), 2);
    assert_eq!(
        flag("SDES-no-NULL_HMAC_SHA1_32").sdes.no,
        ["NULL_HMAC_SHA1_32"]
    );
    assert_eq!(flag("SDES-only-F8_128").sdes.only, ["F8_128"]);
    assert_eq!(flag("from-tags-a b").from_tags, ["a b"]);
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        any::<Vec<u8>>(),
        "[a-z0-9=,;:>. \\[\\]-]{0,20}".prop_map(String::into_bytes),
        prop::sample::select(every_word()).prop_map(|word| word.as_bytes().to_vec()),
    ];
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Integer),
        text.prop_map(|text| Value::Bytes(text.into())),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key =
            prop::sample::select(every_word()).prop_map(|key| Bytes::from_static(key.as_bytes()));
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::List),
            prop::collection::vec((key, inner), 0..4)
                .prop_map(|entries| Value::Dict(entries.into_iter().collect())),
        ]
    })
}

fn every_word() -> Vec<&'static str> {
    let all = vocabularies().into_iter().flat_map(|place| place.words);
    all.map(|(word, _)| word).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn no_value_of_any_type_for_any_key_fails_a_command(
        command in prop::sample::select(Command::all().collect::<Vec<_>>()),
        entries in prop::collection::vec(
            (prop::sample::select(words("Keys")), any_value()),
            1..6,
        ),
    ) {
        let mut dict = Dict::new();
        dict.insert("command", command.name());
        for ((key, _), value) in entries {
            dict.insert(key, value);
        }
        let request = Request::from_dict(&dict);
        prop_assert_eq!(request.map(|request| request.command), Ok(command));
    }
}
