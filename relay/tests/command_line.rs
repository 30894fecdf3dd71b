//! The binary as a shell sees it: exit status, standard output, standard error.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails where it stands, and says what it skips"
)]

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStderr, Command, Output, Stdio};

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
    assert!(words.contains(&vec!["default/127.0.0.1", "ports", "30000-39999"]));
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
fn help_on_a_command_has_that_commands_options() {
    let output = underpass(&["help", "agent"]);
    assert!(output.status.success());
    assert!(text(&output.stdout).starts_with("Usage: underpass agent "));
    assert!(text(&output.stdout).contains("--uplink=INTERFACE"));
    let output = underpass(&["tables", "--help"]);
    assert!(text(&output.stdout).contains("underpass tables release N [--force]"));
}

#[test]
fn an_option_of_another_command_is_one_line_and_status_2() {
    for arguments in [
        &["run", "--uplink=eth0"][..],
        &["agent", "--interface=127.0.0.1"],
        &["tables", "release"],
        &["tables", "release", "64"],
        &["tables", "--force"],
    ] {
        let output = underpass(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert_eq!(text(&output.stderr).lines().count(), 1, "{arguments:?}");
    }
}

/// Places of a node's own, so that no other test's tables are seen or touched.
struct Node {
    directory: tempfile::TempDir,
    bpffs: std::path::PathBuf,
}

impl Node {
    /// `None` without root.
    fn new(name: &str) -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: needs root");
            return None;
        }
        let name = format!("underpass-command-line-{name}-{}", std::process::id());
        let bpffs = std::path::Path::new("/sys/fs/bpf").join(name);
        std::fs::create_dir(&bpffs).unwrap();
        Some(Self {
            directory: tempfile::tempdir().unwrap(),
            bpffs,
        })
    }

    fn socket(&self) -> String {
        let socket = self.directory.path().join("agent.sock");
        socket.display().to_string()
    }

    fn places(&self) -> [String; 3] {
        let registry = self.directory.path().join("tables");
        [
            "--config-file=none".to_owned(),
            format!("--registry={}", registry.display()),
            format!("--bpffs={}", self.bpffs.display()),
        ]
    }

    fn underpass(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_underpass"))
            .args(arguments)
            .args(self.places())
            .env_clear()
            .output()
            .unwrap()
    }

    /// An agent that listens, and its log so far.
    fn agent(&self) -> Agent {
        let mut process = Command::new(env!("CARGO_BIN_EXE_underpass"))
            .args(["agent", "-f", "--socket", &self.socket()])
            .args(self.places())
            .env_clear()
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap()).lines();
        let listens = log.any(|line| line.unwrap().contains("tables are granted at"));
        assert!(listens, "the agent does not listen");
        Agent { process, log }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.bpffs);
    }
}

struct Agent {
    process: Child,
    log: Lines<BufReader<ChildStderr>>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn tables_are_printed_for_people_and_for_programs() {
    let Some(node) = Node::new("tables") else {
        return;
    };
    let output = node.underpass(&["tables", "--agent=embedded"]);
    assert!(output.status.success(), "{output:?}");
    assert!(text(&output.stdout).trim_start().starts_with("TABLE "));
    let output = node.underpass(&["tables", "--json", "--agent=embedded"]);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json, serde_json::json!([]));
}

#[test]
fn a_table_that_nobody_has_cannot_be_released() {
    let Some(node) = Node::new("release") else {
        return;
    };
    let _agent = node.agent();
    let agent = format!("--agent={}", node.socket());
    for choice in ["--agent=embedded", agent.as_str()] {
        let output = node.underpass(&["tables", "release", "7", choice]);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert_eq!(
            text(&output.stderr),
            "underpass: table 7 is free already; see `underpass tables`\n"
        );
    }
}

#[test]
fn an_agent_listens_until_it_is_told_to_stop_and_has_no_second_beside_it() {
    let Some(node) = Node::new("agent") else {
        return;
    };
    let mut agent = node.agent();
    let listed = node.underpass(&["tables", "--agent", &node.socket()]);
    assert!(listed.status.success(), "{listed:?}");
    let second = node.underpass(&["agent", "-f", "--socket", &node.socket()]);
    assert_eq!(second.status.code(), Some(1), "{second:?}");

    let pid = nix::unistd::Pid::from_raw(agent.process.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    assert!(agent.process.wait().unwrap().success());
    let last = agent.log.by_ref().map_while(Result::ok).last();
    assert!(last.unwrap().contains("stopping"));
}

#[test]
fn no_agent_where_one_is_asked_for_is_said() {
    for command in [&["tables"][..], &["tables", "release", "1"]] {
        let mut arguments = command.to_vec();
        arguments.extend(["--config-file=none", "--agent=/nowhere/agent.sock"]);
        let output = underpass(&arguments);
        assert_eq!(output.status.code(), Some(1));
        let line = text(&output.stderr);
        assert!(line.contains("no agent at /nowhere/agent.sock"), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

fn doctor(arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
    let mut all = vec!["doctor", "--json", "--config-file=none", "-i", "127.0.0.1"];
    all.extend(arguments);
    let output = underpass(&all);
    let report = serde_json::from_slice(&output.stdout).unwrap();
    (output.status.code(), report)
}

fn verdict<'a>(report: &'a serde_json::Value, check: &str) -> &'a serde_json::Value {
    let findings = report["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["check"] == check);
    &finding.unwrap()["verdict"]
}

#[test]
fn doctor_says_by_its_status_that_something_is_bad() {
    let (status, report) = doctor(&["--agent=/nowhere/agent.sock"]);
    assert_eq!((status, &report["healthy"]), (Some(1), &false.into()));
    assert_eq!(verdict(&report, "agent"), "bad");
}

#[test]
fn doctor_finds_nothing_bad_where_the_kernel_is_not_asked_for() {
    let (status, report) = doctor(&["--table=-1"]);
    assert_eq!(
        (status, &report["healthy"]),
        (Some(0), &true.into()),
        "{report}"
    );
}

#[test]
fn doctor_takes_a_configuration_that_is_wrong_for_a_finding() {
    let (status, report) = doctor(&["--tos=300"]);
    assert_eq!(status, Some(1));
    assert_eq!(verdict(&report, "configuration"), "bad");
}

#[test]
fn doctor_tells_people_one_line_a_finding() {
    let output = underpass(&["doctor", "--config-file=none", "-i", "127.0.0.1"]);
    for line in text(&output.stdout).lines() {
        let word = line.split(' ').next().unwrap();
        assert!(["ok", "unseen", "warn", "bad"].contains(&word), "{line}");
    }
}

#[test]
fn doctor_sees_an_agent_that_answers() {
    let Some(node) = Node::new("doctor") else {
        return;
    };
    let _agent = node.agent();
    let (_, report) = doctor(&["--agent", &node.socket()]);
    assert_eq!(verdict(&report, "agent"), "ok", "{report}");
    assert_eq!(verdict(&report, "capabilities"), "ok");
}
