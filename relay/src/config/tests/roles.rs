//! Relay, agent and list of tables: whose options are whose.

use super::*;
use crate::config::options::{OPTIONS, Role};
use crate::tables::AgentChoice;

const FILE: &str = "/etc/underpass/underpass.conf";
const BOTH: &str = "[underpass]\nlog-level = 5\nagent = none\nregistry = /relays\n\
                    [agent]\nlog-level = 4\nuplink = eth0;eth1\nregistry = /agents\n";

fn load_agent_on(machine: &FakeMachine, arguments: &[&str]) -> Result<AgentConfig, ConfigError> {
    let command_line = parse(["agent"].iter().chain(arguments))?;
    Ok(load_agent(&command_line, [], machine)?.config)
}

fn agent_of(arguments: &[&str]) -> AgentConfig {
    load_agent_on(&FakeMachine::usual(), arguments).unwrap()
}

#[test]
fn nothing_given_is_the_agent_that_relays_look_for() {
    let config = agent_of(&[]);
    assert_eq!(config.socket, PathBuf::from("/run/underpass/agent.sock"));
    assert_eq!(config.registry, PathBuf::from("/run/underpass/tables"));
    assert_eq!(config.bpffs, PathBuf::from("/sys/fs/bpf"));
    assert_eq!(config.table_lease, Duration::from_secs(60));
    assert_eq!((config.policy, config.uplinks), (None, vec![]));
    let relay = load_arguments(&[]).config;
    assert_eq!(relay.agent, AgentChoice::Auto);
    assert_eq!(
        (relay.registry, relay.bpffs),
        (config.registry, config.bpffs)
    );
    assert_eq!(relay.table_lease, config.table_lease);
    assert_eq!(relay.state_dir, Some("/run/underpass/state".into()));
    assert_eq!(relay.identity, None);
}

#[test]
fn what_is_said_to_the_agent_is_understood() {
    let config = agent_of(&[
        "--socket=/run/a.sock",
        "--policy=/etc/policy.toml",
        "--table-lease=5",
        "--uplink=eth0",
        "--uplink",
        "eth1;eth0",
        "-L7",
    ]);
    assert_eq!(config.socket, PathBuf::from("/run/a.sock"));
    assert_eq!(config.policy, Some("/etc/policy.toml".into()));
    assert_eq!(config.table_lease, Duration::from_secs(5));
    assert_eq!(config.uplinks, ["eth0", "eth1"]);
    assert_eq!(config.process.log_levels.general, 7);
}

#[test]
fn what_is_said_to_a_relay_about_its_node_is_understood() {
    let config = load_arguments(&[
        "--agent=/run/a.sock",
        "--identity=media-1",
        "--state-dir=none",
        "--table-lease=5",
    ])
    .config;
    assert_eq!(config.agent, AgentChoice::At("/run/a.sock".into()));
    assert_eq!(config.identity.as_deref(), Some("media-1"));
    assert_eq!(config.state_dir, None);
    assert_eq!(config.table_lease, Duration::from_secs(5));
}

#[test]
fn requiring_the_kernel_has_our_name_and_rtpengines() {
    for option in ["--require-kernel", "--no-fallback", "-F"] {
        assert!(load_arguments(&[option]).config.require_kernel, "{option}");
    }
}

#[test]
fn each_has_a_section_of_its_own_in_one_file() {
    let machine = FakeMachine::usual().with_file(FILE, BOTH);
    let relay = load_on(&machine, &[], &[]).unwrap().config;
    assert_eq!(relay.process.log_levels.general, 5);
    let agent = load_agent_on(&machine, &[]).unwrap();
    assert_eq!(agent.process.log_levels.general, 4);
    assert_eq!(agent.uplinks, ["eth0", "eth1"]);
    let tables = load_tables(&parse(["tables"]).unwrap(), [], &machine).unwrap();
    assert_eq!(tables.config.agent, AgentChoice::None);
    assert_eq!(tables.config.registry, PathBuf::from("/relays"));
    assert_eq!(tables.warnings, Vec::<String>::new());
}

#[test]
fn a_file_without_its_section_says_nothing_to_the_agent() {
    let machine = FakeMachine::usual().with_file(FILE, "[underpass]\nlog-level = 5\n");
    let loaded = load_agent(&parse(["agent"]).unwrap(), [], &machine).unwrap();
    assert_eq!(loaded.config.process.log_levels.general, 6);
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn the_list_of_tables_does_not_mind_what_keeps_a_relay_from_starting() {
    let content = "[underpass]\ninterface = 203.0.113.99\nregistry = /there\n";
    let machine = FakeMachine::usual().with_file(FILE, content);
    let tables = load_tables(&parse(["tables"]).unwrap(), [], &machine).unwrap();
    assert_eq!(tables.config.registry, PathBuf::from("/there"));
}

#[test]
fn one_environment_may_be_several_commands() {
    let variables = [("UNDERPASS_UPLINK", "eth0"), ("UNDERPASS_TOS", "8")];
    let loaded = load_on(&FakeMachine::usual(), &[], &variables).unwrap();
    assert_eq!((loaded.config.tos, loaded.warnings), (8, vec![]));
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let loaded = load_agent(&parse(["agent"]).unwrap(), variables, &FakeMachine::usual()).unwrap();
    assert_eq!(loaded.config.uplinks, ["eth0"]);
}

#[test]
fn an_option_of_another_command_is_refused_naming_its_own() {
    assert_eq!(
        error_of(&["--uplink=eth0"]),
        "uplink (command line --uplink) says nothing to underpass run: it is for underpass agent"
    );
    assert_eq!(
        error_of(&["agent", "-i", "192.0.2.1"]),
        "interface (command line -i) says nothing to underpass agent: it is for underpass run"
    );
    assert_eq!(
        error_of(&["tables", "--table-lease=9"]),
        "table-lease (command line --table-lease) says nothing to underpass tables: it is for underpass run and \
         underpass agent"
    );
    let machine = FakeMachine::usual().with_file(FILE, "[underpass]\nuplink = eth0\n");
    let error = load_on(&machine, &[], &[]).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("uplink ({FILE}:2) says nothing to underpass run: it is for underpass agent")
    );
    let machine = FakeMachine::usual().with_file(FILE, "[agent]\ntos = 8\n");
    let error = load_agent_on(&machine, &[]).unwrap_err();
    assert!(
        error.to_string().contains("it is for underpass run"),
        "{error}"
    );
}

#[test]
fn doctor_takes_everybodys_options() {
    assert!(parse(["doctor", "--uplink=eth0", "--interface=192.0.2.1"]).is_ok());
}

#[test]
fn what_cannot_be_said_about_a_node_is_refused() {
    let long = format!("--agent=/{}", "a".repeat(107));
    for (arguments, expected) in [
        (
            &["--agent=embeded"][..],
            "expected auto, embedded, none, or the path",
        ),
        (&[&long], "at most 107 bytes"),
        (&["--identity=a/b"], "expected at most 128 letters, digits"),
        (&["--identity=.."], "not beginning with a dot"),
        (&["--state-dir=here"], "expected a path from / on"),
        (
            &["--table-lease=0"],
            "expected a whole number from 1 to 86400",
        ),
        (&["--registry="], "expected a path from / on"),
    ] {
        let error = error_of(arguments);
        assert!(error.contains(expected), "{error}");
    }
    for argument in [
        "--uplink=a/b",
        "--uplink=far-too-long-name",
        "--socket=agent.sock",
    ] {
        let refused = load_agent_on(&FakeMachine::usual(), &[argument]);
        assert!(refused.is_err(), "{argument}");
    }
}

#[test]
fn commands_for_a_node_are_words() {
    let release = |force| Command::Release { table: 7, force };
    let commands: [(&[&str], Command); 8] = [
        (&["agent", "-f"], Command::Agent),
        (&["doctor", "--json"], Command::Doctor { json: true }),
        (&["tables", "release", "7"], release(false)),
        (&["tables", "release", "--force", "7"], release(true)),
        (&["help"], Command::Help(Topic::Run)),
        (&["help", "agent"], Command::Help(Topic::Agent)),
        (&["tables", "release", "-h"], Command::Help(Topic::Tables)),
        (&["doctor", "--help"], Command::Help(Topic::Doctor)),
    ];
    for (arguments, command) in commands {
        assert_eq!(parse(arguments).unwrap().command, command, "{arguments:?}");
    }
    for (arguments, expected) in [
        (&["tables", "release"][..], "needs the number of a table"),
        (&["tables", "release", "64"], "tables are 0 to 63"),
        (&["tables", "release", "1", "2"], "unknown command 2"),
        (&["tables", "--force"], "unknown option --force"),
        (&["agent", "--json"], "unknown option --json"),
        (&["help", "me"], "unknown command me"),
    ] {
        let error = parse(arguments).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn every_option_is_in_the_help_of_its_commands_and_no_others() {
    for (role, topic) in [
        (Role::Relay, Topic::Run),
        (Role::Agent, Topic::Agent),
        (Role::Tables, Topic::Tables),
    ] {
        let text = help(topic);
        for option in OPTIONS {
            let listed = text.lines().any(|line| {
                let name = line.trim_start().split(['=', ' ']).next_back();
                let flag = line.contains(&format!("--{}=", option.long));
                line.starts_with("  ") && (flag || name == Some(&format!("--{}", option.long)))
            });
            assert_eq!(listed, option.is_for(role), "{} {role:?}", option.long);
        }
    }
}
