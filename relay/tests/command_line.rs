//! The binary as a shell sees it: exit status, standard output, standard error.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::process::{Command, Output};

fn underpass(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_underpass"))
        .args(arguments)
        .env_clear()
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_wrong_command_line_is_one_line_and_status_2() {
    for arguments in [
        &["--frobnicate"][..],
        &["walk"],
        &["--config-file=none", "-i", "192.0.2.253"],
        &["--config-file=none", "-m", "40000", "-M", "30000"],
        &["--config-file=/nowhere.conf", "config"],
    ] {
        let output = underpass(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stdout), "", "{arguments:?}");
        let line = text(&output.stderr);
        assert!(line.starts_with("underpass: "), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn a_wrong_environment_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_underpass"))
        .args(["--config-file=none", "config"])
        .env_clear()
        .env("UNDERPASS_TOS", "300")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "underpass: tos = 300 (environment UNDERPASS_TOS): expected a whole number from 0 to 255\n"
    );
}

#[test]
fn config_prints_values_with_origins_on_this_machine() {
    let output = underpass(&[
        "config",
        "--config-file=none",
        "-i",
        "127.0.0.1",
        "-T",
        "184",
    ]);
    assert_eq!(output.status.code(), Some(0));
    let words: Vec<Vec<&str>> = text(&output.stdout)
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert!(words.contains(&vec!["tos", "184", "command", "line", "-T"]));
    assert!(words.contains(&vec!["timeout", "60", "default"]));
    assert!(words.contains(&vec!["default/127.0.0.1"]));
}

#[test]
fn config_prints_json_for_programs() {
    let output = underpass(&["config", "--json", "--config-file=none"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["options"][0]["option"], "config-file");
}

#[test]
fn version_and_help_are_printed_on_standard_output() {
    for arguments in [["version"], ["-v"], ["--version"]] {
        let output = underpass(&arguments);
        assert!(output.status.success());
        assert!(
            text(&output.stdout).starts_with("underpass "),
            "{arguments:?}"
        );
    }
    for arguments in [["help"], ["-h"], ["--help"]] {
        let output = underpass(&arguments);
        assert!(output.status.success());
        assert!(
            text(&output.stdout).starts_with("Usage: underpass "),
            "{arguments:?}"
        );
    }
}

#[test]
fn rtpengines_one_shot_actions_end_well() {
    let output = underpass(&["--nftables-start", "--table=0"]);
    assert!(output.status.success());
    assert_eq!(text(&output.stdout), "--nftables-start: nothing to do\n");
}

#[test]
fn tables_are_printed_for_people_and_for_programs() {
    let output = underpass(&["tables"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).trim_start().starts_with("TABLE "));
    let output = underpass(&["tables", "--json"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json.is_array());
}
