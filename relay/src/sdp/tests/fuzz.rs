//! Fuzz target: `cargo bolero test sdp::tests::fuzz::any_body`; `cargo test` replays its corpus and mutates it.

use proptest::prelude::*;

use super::*;

#[test]
fn any_body() {
    bolero::check!()
        .with_iterations(1000)
        .for_each(|input: &[u8]| read_and_write(input));
}

proptest! {
    #[test]
    fn mutated_real_bodies(mut input in real_body(), mutations in prop::collection::vec(mutation(), 0..8)) {
        for (position, bytes) in mutations {
            let position = position.index(input.len());
            let end = (position + bytes.len()).min(input.len());
            input.splice(position..end, bytes);
        }
        read_and_write(&input);
    }
}

/// Whatever is read can be written, and what is written is read again and says the same.
fn read_and_write(input: &[u8]) {
    let Ok(session) = parse(&Bytes::copy_from_slice(input)) else {
        return;
    };
    let _ = relayed_bytes(&session, true);
    let written = write(&session, &Changes::default());
    match parse(&written) {
        Ok(read) => {
            assert_eq!(write(&read, &Changes::default()), written);
            assert_eq!(read.medias.len(), session.medias.len());
        }
        // What is filled in may exceed the bounds of reading.
        Err(error) => assert!(
            written.len() > MAX_BYTES || written.split(|b| *b == b'\n').count() > MAX_LINES,
            "{error:?}"
        ),
    }
}

fn real_body() -> impl Strategy<Value = Vec<u8>> {
    prop::sample::select(vec![
        include_str!("fixtures/browser.sdp"),
        include_str!("fixtures/fax.sdp"),
        include_str!("fixtures/ipv6.sdp"),
        include_str!("fixtures/linphone.sdp"),
        include_str!("fixtures/sdes.sdp"),
        include_str!("fixtures/sipp.sdp"),
    ])
    .prop_map(|fixture| body(fixture).to_vec())
}

/// Where to overwrite a body, and with what.
fn mutation() -> impl Strategy<Value = (prop::sample::Index, Vec<u8>)> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..4),
        prop::sample::select(vec![
            " ",
            ":",
            "=",
            "/",
            "\r\n",
            "0",
            "a=",
            "m=audio 9 RTP/AVP 0\r\n",
            "c=IN IP6 ::\r\n"
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    (any::<prop::sample::Index>(), bytes)
}
