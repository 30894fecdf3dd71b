//! Where values come from, and which one counts.

use super::*;
use crate::config::options::{Kind, OPTIONS, OptionSpec, Role};
use crate::media::{Formula, Mos};

const FILE: &str = "/etc/underpass/underpass.conf";

/// Two values that an option may have, different from each other and from its default.
fn samples(option: &OptionSpec) -> [&'static str; 2] {
    match option.long {
        "table" => ["3", "-1"],
        "interface" => ["192.0.2.1", "10.0.0.5"],
        "engine" => ["tc", "xdp"],
        "listen-ng" | "listen-tcp-ng" | "listen-cli" | "listen-http" | "listen-https" => {
            ["127.0.0.1:5000", "127.0.0.1:6000"]
        }
        "max-cpu" | "max-load" => ["1.5", "80"],
        "https-cert" | "https-key" => ["/one.pem", "/two.pem"],
        "name" => ["one", "two"],
        "agent" => ["embedded", "/run/other.sock"],
        "identity" => ["one", "two"],
        "mos" => ["LQ", "legacy"],
        "state-dir" => ["/var/one", "none"],
        "registry" | "bpffs" => ["/one", "/two"],
        "b2b-url" => ["http://one/", "http://two/"],
        "xmlrpc-format" => ["1", "2"],
        "dtmf-log-dest" => ["127.0.0.1:5000", "127.0.0.1:6000"],
        "recording-dir" => ["/var/one", "/var/two"],
        "templates" | "interfaces-config" => ["one", "two"],
        code if code.starts_with("vsc-") => ["*1", "#A"],
        "exclude-ports" => ["31000", "32000-32999"],
        "pidfile" => ["/run/one.pid", "/run/two.pid"],
        "config-file" => [FILE, FILE],
        "config-section" => ["underpass", "underpass"],
        "port-max" => ["41000", "42000"],
        "log-level" | "log-level-control" | "log-level-http" | "log-level-internals" => ["3", "4"],
        "log-facility" | "log-facility-cdr" | "log-facility-dtmf" => ["local1", "local2"],
        _ => match option.kind {
            Kind::Integer { .. } => ["77", "78"],
            Kind::Choice(words) => [words[0], words[1]],
            Kind::Flag => ["true", "false"],
            _ => panic!("no sample for {}", option.long),
        },
    }
}

fn variable(option: &OptionSpec) -> String {
    format!("UNDERPASS_{}", option.long.to_uppercase().replace('-', "_"))
}

fn is_a_relays(option: &&OptionSpec) -> bool {
    option.is_for(Role::Relay)
}

/// Options that say where to read are not read there.
fn may_stand_in_a_file(option: &&OptionSpec) -> bool {
    is_a_relays(option) && !matches!(option.long, "config-file" | "config-section")
}

fn assert_given(loaded: &Loaded, option: &OptionSpec, value: &str, origin: &str) {
    let setting = loaded.settings.get(option.long).unwrap();
    let found: Vec<&str> = setting.values.iter().map(|given| &*given.text).collect();
    assert_eq!(found, [value], "{}", option.long);
    assert_eq!(setting.origin.to_string(), origin, "{}", option.long);
}

#[test]
fn every_option_can_be_given_in_every_spelling_of_the_command_line() {
    let machine = FakeMachine::usual().with_file(FILE, "[underpass]\n");
    for option in OPTIONS.iter().filter(is_a_relays) {
        let [value, _] = samples(option);
        let long = format!("--{}", option.long);
        let load = |arguments: &[&str]| load_on(&machine, arguments, &[]).unwrap();
        if option.kind == Kind::Flag {
            assert_given(
                &load(&[&long]),
                option,
                "true",
                &format!("command line {long}"),
            );
        } else {
            assert_given(
                &load(&[&long, value]),
                option,
                value,
                &format!("command line {long}"),
            );
        }
        let joined = format!("{long}={value}");
        assert_given(
            &load(&[&joined]),
            option,
            value,
            &format!("command line {long}"),
        );
        let Some(letter) = option.short else {
            continue;
        };
        let short = format!("-{letter}");
        let origin = format!("command line {short}");
        if option.kind == Kind::Flag {
            assert_given(&load(&[&short]), option, "true", &origin);
        } else {
            assert_given(&load(&[&short, value]), option, value, &origin);
            assert_given(&load(&[&format!("{short}{value}")]), option, value, &origin);
        }
    }
}

#[test]
fn every_option_can_be_given_in_the_environment() {
    let machine = FakeMachine::usual().with_file(FILE, "[underpass]\n");
    for option in OPTIONS.iter().filter(is_a_relays) {
        let [value, _] = samples(option);
        let variable = variable(option);
        let loaded = load_on(&machine, &[], &[(&variable, value)]).unwrap();
        assert_given(&loaded, option, value, &format!("environment {variable}"));
    }
}

#[test]
fn every_option_can_be_given_in_a_file() {
    for option in OPTIONS.iter().filter(may_stand_in_a_file) {
        let [value, _] = samples(option);
        let content = format!("# a comment\n\n[underpass]\n{} = {value}\n", option.long);
        let machine = FakeMachine::usual().with_file(FILE, &content);
        let loaded = load_on(&machine, &[], &[]).unwrap();
        assert_given(&loaded, option, value, &format!("{FILE}:4"));
    }
}

#[test]
fn the_environment_counts_before_the_file() {
    for option in OPTIONS.iter().filter(may_stand_in_a_file) {
        let [in_file, in_environment] = samples(option);
        let content = format!("[underpass]\n{} = {in_file}\n", option.long);
        let machine = FakeMachine::usual().with_file(FILE, &content);
        let variable = variable(option);
        let loaded = load_on(&machine, &[], &[(&variable, in_environment)]).unwrap();
        assert_given(
            &loaded,
            option,
            in_environment,
            &format!("environment {variable}"),
        );
    }
}

#[test]
fn the_command_line_counts_before_the_environment() {
    for option in OPTIONS.iter().filter(may_stand_in_a_file) {
        let [in_environment, on_command_line] = samples(option);
        let machine = FakeMachine::usual();
        let argument = format!("--{}={on_command_line}", option.long);
        let loaded = load_on(
            &machine,
            &[&argument],
            &[(&variable(option), in_environment)],
        )
        .unwrap();
        assert_given(
            &loaded,
            option,
            on_command_line,
            &format!("command line --{}", option.long),
        );
    }
}

#[test]
fn of_several_on_the_command_line_the_last_counts() {
    let loaded = load_arguments(&["--timeout=10", "-o", "20"]);
    assert_eq!(loaded.config.timeout, Duration::from_secs(20));
}

#[test]
fn letters_can_be_joined_and_a_value_may_begin_with_a_dash() {
    let loaded = load_arguments(&["-fEt", "-1"]);
    assert!(loaded.config.process.foreground && loaded.config.process.log_stderr);
    assert_eq!(loaded.config.table, TableRequest::None);
}

#[test]
fn a_list_is_repeated_or_separated_by_semicolons() {
    let expected = ["127.0.0.1:1", "127.0.0.1:2", "[::1]:3"];
    let expected = expected.map(|address| address.parse().unwrap());
    let loaded = load_arguments(&["-n", "127.0.0.1:1; 127.0.0.1:2", "-n", "[::1]:3"]);
    assert_eq!(loaded.config.listen_ng, expected);
}

#[test]
fn a_list_of_a_later_source_replaces_the_earlier_whole() {
    let machine = FakeMachine::usual().with_file(FILE, "[underpass]\nlisten-ng = 1;2;3\n");
    let loaded = load_on(&machine, &["--listen-ng=127.0.0.1:9"], &[]).unwrap();
    assert_eq!(loaded.config.listen_ng, ["127.0.0.1:9".parse().unwrap()]);
}

#[test]
fn a_flag_of_the_file_can_be_taken_back_on_the_command_line() {
    let machine = FakeMachine::usual().with_file(FILE, "[underpass]\nno-fallback = true\n");
    let loaded = load_on(&machine, &["--no-fallback=false"], &[]).unwrap();
    assert!(!loaded.config.require_kernel);
}

#[test]
fn an_empty_variable_counts_as_not_set() {
    let loaded = load_on(&FakeMachine::usual(), &[], &[("UNDERPASS_TIMEOUT", "")]).unwrap();
    assert_eq!(loaded.config.timeout, Duration::from_secs(60));
}

#[test]
fn a_variable_that_is_no_option_is_a_warning() {
    let variables = [("UNDERPASS_LISTEN_NH", "5000"), ("HOME", "/root")];
    let loaded = load_on(&FakeMachine::usual(), &[], &variables).unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "environment UNDERPASS_LISTEN_NH is no option and has no effect, did you mean UNDERPASS_LISTEN_NG?"
        ]
    );
}

#[test]
fn variables_that_kubernetes_makes_of_a_service_are_left_alone() {
    let variables = [
        ("UNDERPASS_SERVICE_HOST", "10.96.0.7"),
        ("UNDERPASS_SERVICE_PORT_NG", "2223"),
        ("UNDERPASS_PORT", "udp://10.96.0.7:2223"),
        ("UNDERPASS_PORT_2223_UDP_PROTO", "udp"),
    ];
    let loaded = load_on(&FakeMachine::usual(), &[], &variables).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
}

#[test]
fn nothing_given_is_a_standalone_relay() {
    let config = load_arguments(&[]).config;
    assert_eq!(config.listen_ng, ["127.0.0.1:2223".parse().unwrap()]);
    assert_eq!(config.listen_cli, []);
    assert_eq!(config.listen_http, []);
    assert_eq!(config.table, TableRequest::Auto);
    assert!(
        config
            .media_ports
            .values()
            .all(|ports| ports.to_string() == "30000-39999")
    );
    assert_eq!(config.timeout, Duration::from_secs(60));
    assert_eq!(config.silent_timeout, Duration::from_secs(3600));
    assert_eq!(config.offer_timeout, Duration::from_secs(3600));
    assert_eq!(config.final_timeout, None);
    assert_eq!(config.delete_delay, Duration::from_secs(30));
    assert_eq!(config.tos, 0);
    assert_eq!(config.max_sessions, None);
    assert_eq!(config.endpoint_learning, EndpointLearning::Heuristic);
    assert_eq!(config.num_threads, 4);
    assert_eq!(config.process.log_levels.general, 6);
    assert!(!config.process.foreground && !config.require_kernel && !config.sip_source);
}

#[test]
fn values_mean_what_they_mean_in_rtpengine() {
    let config = load_arguments(&[
        "--timeout=0",
        "--silent-timeout=-1",
        "--final-timeout=10800",
        "--max-sessions=0",
        "--tos=0xb8",
        "--endpoint-learning=Delayed",
        "--num-threads=2",
        "--delete-delay=0",
    ])
    .config;
    assert_eq!(
        config.timeout,
        Duration::from_secs(60),
        "not positive is the default"
    );
    assert_eq!(config.silent_timeout, Duration::from_secs(3600));
    assert_eq!(config.final_timeout, Some(Duration::from_secs(10800)));
    assert_eq!(config.max_sessions, Some(0));
    assert_eq!(config.tos, 184);
    assert_eq!(config.endpoint_learning, EndpointLearning::Delayed);
    assert_eq!(config.num_threads, 2);
    assert_eq!(config.delete_delay, Duration::ZERO);
}

#[test]
fn scores_can_be_made_in_other_ways() {
    let mos = |arguments: &[&str]| load_arguments(arguments).config.mos;
    assert_eq!(mos(&[]), Mos::default());
    assert_eq!(mos(&["--mos=CQ", "--mos=G.107"]), Mos::default());
    let legacy = Mos {
        formula: Formula::Legacy,
        listening_only: true,
    };
    assert_eq!(mos(&["--mos=legacy;LQ"]), legacy);
    let loaded = load_arguments(&["--mos=G.107.2"]);
    assert_eq!(loaded.config.mos, Mos::default());
    assert!(loaded.warnings[0].contains("G.107 for every codec"));
}

#[test]
fn an_engine_can_be_chosen_for_all_devices_and_for_one() {
    let config = load_arguments(&["--engine=tc;eth0:xdp", "--engine", "eth1:null"]).config;
    assert_eq!(config.engine, EngineChoice::Tc);
    let expected = [("eth0", EngineChoice::Xdp), ("eth1", EngineChoice::Null)];
    let expected = expected.map(|(device, engine)| (device.to_owned(), engine));
    assert_eq!(config.device_engines, expected.into());
}

#[test]
fn commands_are_words_and_run_is_the_default() {
    let commands: [(&[&str], Command); 8] = [
        (&[], Command::Run),
        (&["run", "-f"], Command::Run),
        (&["--tos=1", "config"], Command::Config { json: false }),
        (&["config", "--json"], Command::Config { json: true }),
        (&["tables", "--json"], Command::Tables { json: true }),
        (&["-v"], Command::Version),
        (&["--help-all"], Command::Help(Topic::Run)),
        (
            &["--nftables-start", "-t", "0"],
            Command::NothingToDo("nftables-start"),
        ),
    ];
    for (arguments, command) in commands {
        assert_eq!(parse(arguments).unwrap().command, command, "{arguments:?}");
    }
}

#[test]
fn every_letter_and_every_name_is_one_option_only() {
    let all = || OPTIONS.iter().chain(crate::config::without_effect::OPTIONS);
    for option in all() {
        let same_name = all().filter(|other| other.long == option.long).count();
        assert_eq!(same_name, 1, "{}", option.long);
        if option.short.is_some() {
            let same_letter = all().filter(|other| other.short == option.short).count();
            assert_eq!(same_letter, 1, "{}", option.long);
        }
    }
}

#[test]
fn every_value_is_printed_with_its_origin() {
    let machine = FakeMachine::usual().with_file(
        FILE,
        "[underpass]\ninterface = 192.0.2.1!203.0.113.7;in/eth1\nhomer = 1.2.3.4:5\n",
    );
    let variables = [("UNDERPASS_TOS", "184")];
    let loaded = load_on(&machine, &["config", "-t", "-1"], &variables).unwrap();
    insta::assert_snapshot!(text(&loaded));
}

#[test]
fn every_value_is_printed_for_programs() {
    let machine = FakeMachine::usual().with_file(FILE, "[underpass]\ntimeout = 30\nhomer = x\n");
    let loaded = load_on(
        &machine,
        &["config", "--json", "-f"],
        &[("UNDERPASS_TOS", "184")],
    )
    .unwrap();
    let json = json(&loaded);
    let option = |name: &str| {
        let options = json["options"].as_array().unwrap();
        options
            .iter()
            .find(|option| option["option"] == name)
            .unwrap()
            .clone()
    };
    assert_eq!(option("timeout")["value"], 30);
    assert_eq!(option("timeout")["source"]["kind"], "file");
    assert_eq!(option("timeout")["source"]["line"], 2);
    assert_eq!(option("tos")["source"]["variable"], "UNDERPASS_TOS");
    assert_eq!(option("foreground")["value"], true);
    assert_eq!(option("foreground")["source"]["option"], "-f");
    assert_eq!(option("listen-ng")["value"][0], "127.0.0.1:2223");
    assert_eq!(option("listen-ng")["source"]["kind"], "default");
    assert_eq!(json["without effect"][0]["option"], "homer");
    assert_eq!(
        json["interfaces"][0]["addresses"][0]["address"],
        "192.0.2.1"
    );
}

#[test]
fn help_names_every_option_that_does_something() {
    let help = help(Topic::Run);
    for option in OPTIONS.iter().filter(is_a_relays) {
        assert!(
            help.contains(&format!("--{}", option.long)),
            "{}",
            option.long
        );
    }
}
