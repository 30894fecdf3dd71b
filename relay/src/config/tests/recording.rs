//! Where and how calls are recorded.

use super::*;
use crate::recording::{Format, Sides};

fn recording_of(arguments: &[&str]) -> (Option<RecordingConfig>, Vec<String>) {
    let loaded = load_arguments(arguments);
    (loaded.config.recording, loaded.warnings)
}

#[test]
fn without_a_directory_nothing_is_recorded() {
    assert_eq!(recording_of(&[]), (None, vec![]));
}

#[test]
fn pcap_is_the_method_and_raw_the_format_unless_said() {
    let (recording, warnings) = recording_of(&["--recording-dir=/var/spool/rtpengine"]);
    let expected = RecordingConfig {
        directory: "/var/spool/rtpengine".into(),
        format: Format::Raw,
        sides: Sides::default(),
    };
    assert_eq!((recording, warnings), (Some(expected), vec![]));
    let (recording, _) = recording_of(&["--recording-dir=/x", "--recording-format=eth"]);
    assert_eq!(recording.unwrap().format, Format::Ethernet);
}

#[test]
fn what_arrives_is_recorded_unless_what_is_sent_is_or_both_are() {
    for (arguments, ingress, egress) in [
        (&["--recording-dir=/x"][..], true, false),
        (&["--recording-dir=/x", "--record-egress"], false, true),
        (&["--recording-dir=/x", "--record-both"], true, true),
    ] {
        let (recording, _) = recording_of(arguments);
        assert_eq!(recording.unwrap().sides, Sides { ingress, egress });
    }
}

#[test]
fn the_method_proc_records_nothing_and_says_so() {
    let (recording, warnings) = recording_of(&["--recording-dir=/x", "--recording-method=proc"]);
    assert_eq!(recording, None);
    assert_eq!(
        warnings,
        [
            "recording-method proc (command line --recording-method): there is no /proc/rtpengine here for a recording daemon \
             to read, so no call is recorded; set it to pcap"
        ]
    );
    assert_eq!(recording_of(&["--recording-method=proc"]).1, [""; 0]);
}

#[test]
fn the_method_all_is_pcap_and_says_so() {
    let (recording, warnings) = recording_of(&["--recording-dir=/x", "--recording-method=all"]);
    assert!(recording.is_some());
    assert_eq!(
        warnings,
        [
            "recording-method all (command line --recording-method): calls are recorded into pcap files alone"
        ]
    );
}

#[test]
fn other_methods_and_formats_are_errors() {
    let error = error_of(&["--recording-method=tape"]);
    assert!(error.contains("expected pcap, proc or all"), "{error}");
    let error = error_of(&["--recording-format=mp3"]);
    assert!(error.contains("expected raw or eth"), "{error}");
}
