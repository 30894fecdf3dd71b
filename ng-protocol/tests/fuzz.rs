//! Fuzz targets. Under `cargo test` each replays its corpus in `__fuzz__/NAME/corpus` and a fixed number of random inputs;
//! `cargo bolero test NAME` fuzzes for real and adds to the corpus.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test")]

use bolero::check;
use bytes::Bytes;
use ng_protocol::{Datagram, Encoding, Reply, bencode, json};
use proptest::prelude::*;

/// Random inputs a run.
const ITERATIONS: usize = 2_000;

#[test]
fn bencode() {
    check!(name = "bencode")
        .with_iterations(ITERATIONS)
        .for_each(|input: &[u8]| {
            let Ok(value) = bencode::decode(&Bytes::copy_from_slice(input)) else {
                return;
            };
            let mut encoded = Vec::new();
            bencode::encode(&value, &mut encoded);
            assert_eq!(bencode::decode(&encoded.into()), Ok(value));
        });
}

#[test]
fn json() {
    check!(name = "json")
        .with_iterations(ITERATIONS)
        .for_each(|input: &[u8]| {
            let Ok(dict) = json::decode_dict(&Bytes::copy_from_slice(input)) else {
                return;
            };
            let mut encoded = Vec::new();
            json::encode_dict(&dict, &mut encoded);
            assert_eq!(json::decode_dict(&encoded.into()), Ok(dict));
        });
}

#[test]
fn datagram() {
    check!(name = "datagram")
        .with_iterations(ITERATIONS)
        .for_each(|input: &[u8]| answer(Bytes::copy_from_slice(input)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn real_datagrams_with_bytes_changed(
        datagram in prop::sample::select(corpus("datagram")),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut datagram = datagram;
        for (place, byte) in changes {
            let place = place.index(datagram.len());
            datagram[place] = byte;
        }
        answer(datagram.into());
    }
}

/// Whatever comes is answered in its own encoding with its own cookie, or has no cookie.
fn answer(input: Bytes) {
    let Ok(datagram) = Datagram::split(input.clone()) else {
        assert!(input.first() == Some(&b' ') || !input.contains(&b' '));
        return;
    };
    let reply = match datagram.request() {
        Ok(_) => Reply::ok(),
        Err(error) => error.reply(),
    };
    let answer = Datagram::split(datagram.reply(&reply).into()).unwrap();
    assert_eq!(answer.cookie, datagram.cookie);
    assert_eq!(answer.encoding(), datagram.encoding());
    let dict = match answer.encoding() {
        Encoding::Bencode => bencode::decode_dict(&answer.payload).unwrap(),
        Encoding::Json => json::decode_dict(&answer.payload).unwrap(),
    };
    assert_eq!(&dict, reply.dict());
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let directory = format!(
        "{}/tests/__fuzz__/{target}/corpus",
        env!("CARGO_MANIFEST_DIR")
    );
    let files = std::fs::read_dir(directory).unwrap();
    let mut corpus: Vec<_> = files
        .map(|file| std::fs::read(file.unwrap().path()).unwrap())
        .filter(|input| !input.is_empty())
        .collect();
    corpus.sort();
    corpus
}

#[test]
fn every_target_has_a_corpus() {
    for target in ["bencode", "json", "datagram"] {
        assert!(corpus(target).len() > 5, "{target}");
    }
}
