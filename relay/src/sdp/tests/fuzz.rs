//! Fuzz target: `cargo bolero test sdp::tests::fuzz::any_body`; `cargo test` replays its corpus.

use super::*;

/// Whatever is read can be written, and what is written can be read again and says the same.
#[test]
fn any_body() {
    bolero::check!()
        .with_iterations(1000)
        .for_each(|input: &[u8]| {
            let Ok(session) = parse(&Bytes::copy_from_slice(input)) else {
                return;
            };
            let medias = session
                .medias
                .iter()
                .map(|media| MediaChange::Relay(relay(media)))
                .collect();
            let _ = write(
                &session,
                &Changes {
                    medias,
                    remove_ice: true,
                    ..Changes::default()
                },
            );

            let written = write(&session, &Changes::default());
            // What is filled in can exceed the bounds of reading.
            let Ok(read) = parse(&written) else {
                assert!(written.len() > MAX_BYTES || session.lines.len() + 300 > MAX_LINES);
                return;
            };
            assert_eq!(write(&read, &Changes::default()), written);
            assert_eq!(read.medias.len(), session.medias.len());
        });
}
