//! The examples in `deploy/` say what the program understands.

#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::fs;
use std::path::Path;

use underpass::config::options::by_long;
use underpass::config::{Command, parse};

fn example(name: &str) -> String {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
    fs::read_to_string(directory.join(name)).unwrap()
}

fn command(arguments: &[String]) -> Command {
    parse(arguments).unwrap().command
}

fn started_by(unit: &str) -> Command {
    let unit = example(unit);
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="));
    let arguments: Vec<String> = line
        .unwrap()
        .split(' ')
        .skip(1)
        .map(str::to_owned)
        .collect();
    command(&arguments)
}

#[test]
fn the_units_of_systemd_start_an_agent_and_a_relay() {
    assert_eq!(started_by("underpass-agent.service"), Command::Agent);
    assert_eq!(started_by("underpass.service"), Command::Run);
}

#[test]
fn a_restart_by_systemd_hands_calls_over() {
    let unit = example("underpass.service");
    assert!(unit.lines().any(|line| line == "RestartKillSignal=SIGUSR2"));
}

#[test]
fn the_pods_of_kubernetes_are_an_agent_and_a_relay() {
    let text = example("kubernetes.yaml");
    let lists = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("args: "));
    let commands: Vec<Command> = lists
        .map(|list| command(&serde_json::from_str::<Vec<String>>(list).unwrap()))
        .collect();
    assert_eq!(commands, [Command::Agent, Command::Run]);
}

#[test]
fn variables_of_the_examples_are_options() {
    let text = example("kubernetes.yaml");
    let names = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- name: UNDERPASS_"));
    let options: Vec<String> = names
        .map(|name| name.to_lowercase().replace('_', "-"))
        .collect();
    assert!(!options.is_empty());
    for option in options {
        assert!(by_long(&option).is_some(), "{option}");
    }
}
