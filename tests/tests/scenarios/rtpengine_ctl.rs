//! The text CLI beside Debian's rtpengine: what rtpengine-ctl prints has the same shape, so that scripts go on reading it.

use lab::{Call, CallOptions, Lab, Netns, Relay, TwoNetworks, Wiring};
use serde_json::Value;

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

#[test]
fn statistics_have_rtpengines_keys_and_lines() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let [theirs, ours] = answers(&lab, &["list jsonstats", "list interfaces", "list totals"]);
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let (rtpengines, own) = (parse(&theirs[0]), parse(&ours[0]));
    for part in ["currentstatistics", "totalstatistics", "controlstatistics"] {
        let keys = |stats: &Value| {
            let keys = stats[part].as_object().unwrap().keys();
            keys.cloned().collect::<Vec<_>>()
        };
        assert_eq!(keys(&own), keys(&rtpengines), "{part}");
    }
    // Every line but those about what is not there: the port used last, Graphite, MOS.
    for (theirs, ours) in theirs.iter().zip(&ours).skip(1) {
        let theirs: Vec<String> = theirs.lines().map(shape).collect();
        for line in ours.lines().map(shape) {
            assert!(theirs.contains(&line), "{line}");
        }
    }
}
