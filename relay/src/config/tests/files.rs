//! INI files: which one, which section, which lines.

use super::*;

const OURS: &str = "/etc/underpass/underpass.conf";
const THEIRS: &str = "/etc/rtpengine/rtpengine.conf";
const NAMED: &str = "/tmp/relay.conf";

fn tos_of(machine: &FakeMachine, arguments: &[&str]) -> u8 {
    load_on(machine, arguments, &[]).unwrap().config.tos
}

fn error_in(content: &str) -> String {
    let machine = FakeMachine::usual().with_file(NAMED, content);
    let loaded = load_on(&machine, &["--config-file", NAMED], &[]);
    loaded.unwrap_err().to_string()
}

#[test]
fn our_own_file_is_read_before_rtpengines() {
    let theirs = FakeMachine::usual().with_file(THEIRS, "[rtpengine]\ntos = 1\n");
    assert_eq!(tos_of(&theirs, &[]), 1);
    let both = theirs.with_file(OURS, "[underpass]\ntos = 2\n");
    assert_eq!(tos_of(&both, &[]), 2);
}

#[test]
fn a_named_file_is_read_instead() {
    let machine = FakeMachine::usual()
        .with_file(OURS, "[underpass]\ntos = 2\n")
        .with_file(NAMED, "[rtpengine]\ntos = 3\n");
    assert_eq!(tos_of(&machine, &["--config-file", NAMED]), 3);
    let loaded = load_on(&machine, &[], &[("UNDERPASS_CONFIG_FILE", NAMED)]).unwrap();
    assert_eq!(loaded.config.tos, 3);
}

#[test]
fn none_is_no_file() {
    let machine = FakeMachine::usual().with_file(OURS, "[underpass]\ntos = 2\n");
    assert_eq!(tos_of(&machine, &["--config-file=none"]), 0);
}

#[test]
fn the_log_says_which_file_and_section_was_read() {
    let machine = FakeMachine::usual().with_file(THEIRS, "[rtpengine]\ninterface = any\n");
    let loaded = load_on(&machine, &[], &[]).unwrap();
    assert_eq!(
        loaded.notes,
        ["configuration from /etc/rtpengine/rtpengine.conf [rtpengine]"]
    );
}

#[test]
fn a_section_made_for_us_is_read_before_rtpengines() {
    let machine =
        FakeMachine::usual().with_file(THEIRS, "[rtpengine]\ntos = 1\n[underpass]\ntos = 2\n");
    assert_eq!(tos_of(&machine, &[]), 2);
    assert_eq!(tos_of(&machine, &["--config-section=rtpengine"]), 1);
}

#[test]
fn other_sections_are_not_looked_into() {
    let machine = FakeMachine::usual()
        .with_file(THEIRS, "[rtpengine]\ntos = 1\n[other]\nno-such-thing = 2\n");
    assert_eq!(tos_of(&machine, &[]), 1);
}

#[test]
fn a_missing_file_that_was_asked_for_is_an_error() {
    assert_eq!(
        error_of(&["--config-file=/nowhere.conf"]),
        "cannot read /nowhere.conf: no such file; name another with --config-file, or none"
    );
}

#[test]
fn a_missing_section_that_was_asked_for_is_an_error() {
    let machine = FakeMachine::usual().with_file(NAMED, "[rtpengine]\n[rtpengine-testing]\n");
    let loaded = load_on(
        &machine,
        &["--config-file", NAMED, "--config-section=lab"],
        &[],
    );
    assert_eq!(
        loaded.unwrap_err().to_string(),
        "/tmp/relay.conf has no section [lab] (asked for by command line --config-section); it has [rtpengine], \
         [rtpengine-testing]"
    );
}

#[test]
fn a_file_without_a_section_for_us_is_warned_about() {
    let machine = FakeMachine::usual().with_file(OURS, "[other]\n");
    let loaded = load_on(&machine, &[], &[]).unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "/etc/underpass/underpass.conf has no section [underpass] or [rtpengine] and has no effect"
        ]
    );
}

#[test]
fn an_unknown_key_is_named_with_file_and_line() {
    assert_eq!(
        error_in("[rtpengine]\n\ntabel = 0\n"),
        "unknown option tabel (/tmp/relay.conf:3): did you mean table?"
    );
}

#[test]
fn a_bad_value_is_named_with_file_and_line() {
    assert_eq!(
        error_in("[rtpengine]\ntos = 184 # EF\n"),
        "tos = 184 # EF (/tmp/relay.conf:2): expected a whole number from 0 to 255"
    );
}

#[test]
fn what_is_no_line_of_an_ini_file_is_named_with_file_and_line() {
    let cases = [
        (
            "tos = 1\n",
            "/tmp/relay.conf:1: a key before the first [section]",
        ),
        (
            "[rtpengine\n",
            "/tmp/relay.conf:1: a section is written [name]",
        ),
        (
            "[rtpengine]\n[]\n",
            "/tmp/relay.conf:2: a section is written [name]",
        ),
        (
            "[rtpengine]\nforeground\n",
            "/tmp/relay.conf:2: expected key = value, [section] or # comment",
        ),
    ];
    for (content, message) in cases {
        assert_eq!(error_in(content), message, "{content:?}");
    }
}

#[test]
fn spaces_and_line_ends_of_any_kind_do_not_matter() {
    let machine =
        FakeMachine::usual().with_file(NAMED, "\r\n  # x\r\n[rtpengine]\r\n  tos=7  \r\n\r\n");
    assert_eq!(tos_of(&machine, &["--config-file", NAMED]), 7);
}

#[test]
fn a_key_given_twice_counts_the_last_time_with_a_warning() {
    let machine = FakeMachine::usual().with_file(
        NAMED,
        "[rtpengine]\ninterface = 192.0.2.1\ninterface = 10.0.0.5\n",
    );
    let loaded = load_on(&machine, &["--config-file", NAMED], &[]).unwrap();
    assert_eq!(
        &*loaded.config.interfaces[0].addresses[0].address.to_string(),
        "10.0.0.5"
    );
    assert_eq!(
        loaded.warnings,
        [
            "interface is given twice in /tmp/relay.conf, in lines 2 and 3: the first has no effect (several values go \
          in one line, separated by ;)"
        ]
    );
}

#[test]
fn escapes_are_glibs() {
    let machine = FakeMachine::usual().with_file(NAMED, "[rtpengine]\npidfile = /run/a\\sb\\\\c\n");
    let loaded = load_on(&machine, &["--config-file", NAMED], &[]).unwrap();
    assert_eq!(loaded.config.process.pidfile, Some("/run/a b\\c".into()));
}

proptest::proptest! {
    #[test]
    fn no_bytes_of_a_file_panic(content: Vec<u8>) {
        let _ = ini::parse(Path::new(NAMED), &content);
    }

    #[test]
    fn no_value_of_any_option_panics(index: proptest::sample::Index, value: String) {
        let option = &options::OPTIONS[index.index(options::OPTIONS.len())];
        let argument = format!("--{}={value}", option.long);
        let _ = load_on(&FakeMachine::usual(), &[&argument], &[]);
    }

    #[test]
    fn a_value_of_plain_text_is_read_back_as_it_was_written(value in "[!-\\[\\]-~]{1,40}") {
        let content = format!("[rtpengine]\npidfile = {value}\n");
        let sections = ini::parse(Path::new(NAMED), content.as_bytes()).unwrap();
        assert_eq!(sections["rtpengine"][0].value, value);
    }
}

#[test]
fn templates_are_the_lines_of_a_section_of_their_own() {
    let file = "[underpass]\ntemplates = flags\n[flags]\nbrowser = ICE=force rtcp-mux=[offer]\nstart recording = fatal\n";
    let machine = FakeMachine::usual().with_file(NAMED, file);
    let loaded = load_on(&machine, &["--config-file", NAMED], &[]).unwrap();
    let template = |name: &str| loaded.config.templates.get(name.as_bytes()).cloned();
    assert_eq!(
        template("browser").as_deref(),
        Some(&b"ICE=force rtcp-mux=[offer]"[..])
    );
    assert_eq!(template("start recording").as_deref(), Some(&b"fatal"[..]));
    assert_eq!(template("flags"), None);
}

#[test]
fn a_section_of_templates_that_is_not_there_is_warned_of() {
    let machine = FakeMachine::usual().with_file(NAMED, "[underpass]\n[flags]\nx = fatal\n");
    let arguments = ["--config-file", NAMED, "--templates=more"];
    let loaded = load_on(&machine, &arguments, &[]).unwrap();
    assert_eq!(loaded.config.templates, ng_protocol::Templates::NONE);
    let missing = "/tmp/relay.conf has no section [more]: there are no templates";
    assert!(loaded.warnings.iter().any(|warning| warning == missing));
    let there = load_on(
        &machine,
        &["--config-file", NAMED, "--templates=flags"],
        &[],
    )
    .unwrap();
    assert!(there.config.templates.get(b"x").is_some());
}
