//! The text CLI beside Debian's rtpengine: what rtpengine-ctl prints has the same shape, so that scripts go on reading it.

use lab::{Call, CallOptions, Lab, Netns, Relay, TwoNetworks, Wiring};
use serde_json::{Value, json};

const CLI: &str = "127.0.0.1:9901";

/// What Debian's rtpengine-ctl prints for a line.
#[track_caller]
fn ctl(ns: &Netns, line: &str) -> String {
    let mut command = ns.command("rtpengine-ctl");
    command.args([&format!("--ip={CLI}"), "--config-file=/nowhere"]);
    let output = command.args(line.split_whitespace()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Plays a call with either relay and asks each of the lines in turn.
fn answers(lab: &Lab, lines: &[&str]) -> [Vec<String>; 2] {
    [Relay::rtpengine(), Relay::underpass()].map(|launch| {
        let net = TwoNetworks::build(lab, Wiring::Veth);
        let relay = launch
            .two_networks()
            .option(&format!("--listen-cli={CLI}"))
            .start(&net.relay);
        let client = relay.client(&net.relay);
        let call = Call::set_up(&net, &client, &CallOptions::default());
        let answers = lines.iter().map(|line| ctl(&net.relay, line));
        answers.map(|text| text.replace(&call.id, "ID")).collect()
    })
}

/// Numbers of the moment, and how wide they are printed, make no difference.
fn shape(text: &str) -> String {
    let mut shape = String::new();
    for letter in text.chars() {
        let letter = if letter.is_ascii_digit() { '#' } else { letter };
        if !(matches!(letter, '#' | ' ') && shape.ends_with(letter)) {
            shape.push(letter);
        }
    }
    shape
}

#[test]
fn answers_have_the_shape_of_rtpengines() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let lines = [
        "list numsessions",
        "list sessions all",
        "list sessions own",
        "list sessions foreign",
        "list sessions nope",
        "list maxsessions",
        "list maxcpu",
        "list maxload",
        "list maxbw",
        "list maxopenfiles",
        "list timeout",
        "list silenttimeout",
        "list offertimeout",
        "list finaltimeout",
        "list deletedelay",
        "list controltos",
        "list counters",
        "list transcoders",
        "list nope",
        "set maxsessions 5",
        "set maxsessions x",
        "set maxsessions -7",
        "set maxcpu 50",
        "set maxload 5",
        "set maxbw 1000",
        "set maxbw x",
        "set timeout 70",
        "set timeout x",
        "set deletedelay 5",
        "set deletedelay x",
        "set maxopenfiles 100",
        "set loglevel 5",
        "get timeout",
        "get maxcpu",
        "params help",
        "call nope info",
        "terminate nope",
        "kslist",
        "active",
        "terminate own",
        "terminate all",
        "list sessions all",
        "nope",
    ];
    let [theirs, ours] = answers(&lab, &lines);
    for ((line, theirs), ours) in lines.iter().zip(theirs).zip(ours) {
        assert_eq!(shape(&ours), shape(&theirs), "{line}");
    }
}

/// Commands that rtpengine counts since version 11.
const NEWER_COMMANDS: [&str; 3] = ["pause recording", "connect", "cli"];

/// What is said of those, by the name in keys of proxies or the whole one.
fn is_newer(key: &str) -> bool {
    let counted = ["pauserec", "conn", "cli"].into_iter().any(|short| {
        let own = key
            .strip_prefix(short)
            .or_else(|| key.strip_prefix("total")?.strip_prefix(short));
        matches!(own, Some("count" | "duration"))
    });
    counted
        || NEWER_COMMANDS.into_iter().any(|name| {
            key.contains(&format!("{name}delay")) || key.contains(&format!("{name}requestrate"))
        })
}

/// The keys of a value and of what is in it, one path each, in order; of a list, those of its first item.
fn paths(value: &Value, path: &str, out: &mut Vec<String>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let path = format!("{path}/{key}");
                out.push(path.clone());
                paths(value, &path, out);
            }
        }
        Value::Array(items) => {
            if let Some(first) = items.first() {
                paths(first, path, out);
            }
        }
        _ => {}
    }
}

/// Asserts that the keys are the same but for these: what rtpengine has since version 11, and the port used last, which there is
/// none of.
#[track_caller]
fn assert_keys(ours: &Value, theirs: &Value) {
    let keys = |value: &Value| {
        let mut keys = Vec::new();
        paths(value, "", &mut keys);
        keys.retain(|path| {
            let (_, key) = path.rsplit_once('/').unwrap();
            !path.starts_with("/voip_metrics") && path != "/interfaces/ports/last" && !is_newer(key)
        });
        keys
    };
    assert_eq!(keys(ours), keys(theirs));
}

#[test]
fn statistics_have_rtpengines_keys_and_lines() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let [theirs, ours] = answers(&lab, &["list jsonstats", "list interfaces", "list totals"]);
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (rtpengines, own) = (parse(&theirs[0]), parse(&ours[0]));
    assert_keys(&own, &rtpengines);
    let lines = |answers: &[String]| -> Vec<String> {
        answers
            .iter()
            .skip(1)
            .flat_map(|text| text.lines().map(shape))
            .collect()
    };
    let (theirs, ours) = (lines(&theirs), lines(&ours));
    // The table of proxies is wider by the newer commands.
    let is_extra = |line: &str| {
        let of_newer = NEWER_COMMANDS
            .into_iter()
            .any(|name| line.contains(&format!(" {name} ")));
        of_newer || line.contains(" | ")
    };
    let voip = ours
        .iter()
        .position(|line| line == "VoIP metrics:")
        .unwrap();
    let control = ours
        .iter()
        .position(|line| line == "Control statistics:")
        .unwrap();
    for (index, line) in ours.iter().enumerate() {
        let known = theirs.contains(line) || is_extra(line) || (voip..control).contains(&index);
        assert!(known, "{line}");
    }
    for line in &theirs {
        let known = ours.contains(line) || is_extra(line) || line.contains("Last port used");
        assert!(known, "{line}");
    }
}

#[test]
fn the_ng_command_has_rtpengines_keys_and_kinds_of_values() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let [theirs, ours] = [Relay::rtpengine(), Relay::underpass()].map(|launch| {
        let net = TwoNetworks::build(&lab, Wiring::Veth);
        let relay = launch.two_networks().start(&net.relay);
        let client = relay.client(&net.relay);
        let _call = Call::set_up(&net, &client, &CallOptions::default());
        let reply = client.request(&json!({"command": "statistics"}));
        reply["statistics"].clone()
    });
    assert_keys(&ours, &theirs);
    let mut wrong = Vec::new();
    for (section, entries) in theirs.as_object().unwrap() {
        for (key, value) in entries.as_object().into_iter().flatten() {
            let own = &ours[section][key];
            if std::mem::discriminant(own) != std::mem::discriminant(value) {
                wrong.push(format!("{section} {key}: {own}, not {value}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
