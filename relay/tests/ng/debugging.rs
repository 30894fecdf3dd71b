//! The flag `debug`: what is logged of a call.

use std::io::{BufRead, BufReader};

use serde_json::json;

use super::asking::{Call, ENCODINGS};
use super::relay::Relay;

#[test]
fn every_command_about_the_call_is_logged_with_its_reply_and_of_others_none() {
    let (log, writer) = std::io::pipe().unwrap();
    let relay = Relay::logging(&["--log-level=3"], writer);
    let mut lines = BufReader::new(log).lines();
    for (encoding, flag) in ENCODINGS.into_iter().zip(["debug", "debugging"]) {
        let quiet = Call::new(&relay, encoding);
        quiet.offer(&json!({}));
        let call = Call::new(&relay, encoding);
        call.offer(&json!({"flags": [flag]}));
        call.answer(&json!({}));
        let id = call.id.clone();
        drop(call);
        for command in ["offer", "answer", "delete"] {
            let line = lines.next().unwrap().unwrap();
            for part in [&*id, command, "result"] {
                assert!(line.contains(part), "{part}: {line}");
            }
        }
    }
}
