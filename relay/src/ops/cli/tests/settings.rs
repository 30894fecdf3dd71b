//! What can be changed at run time, and what cannot.

use super::*;

#[test]
fn maxsessions_is_set_shown_and_taken_back() {
    assert_dialogue(&[
        (
            "list maxsessions",
            "Maximum sessions configured on rtpengine: -1\n",
        ),
        ("set maxsessions 0", "Success setting maxsessions to 0\n"),
        (
            "list maxsessions",
            "Maximum sessions configured on rtpengine: 0\n",
        ),
        (
            "set maxsessions -1",
            "Success setting maxsessions to -1; disable feature\n",
        ),
        (
            "get maxsessions",
            "Maximum sessions configured on rtpengine: -1\n",
        ),
        (
            "set maxsessions x",
            "Fail setting maxsessions to x; no digists found\n",
        ),
        (
            "set maxsessions -5",
            "Fail setting maxsessions to -5; either positive or -1 values allowed\n",
        ),
    ]);
}

#[test]
fn limits_of_load_are_set_and_shown() {
    assert_dialogue(&[
        ("set maxcpu 50", "Success setting maxcpu to 50.0\n"),
        (
            "list maxcpu",
            "Maximum CPU usage configured on rtpengine: 50.0\n",
        ),
        ("set maxload 1.25", "Success setting maxload to 1.25\n"),
        (
            "list maxload",
            "Maximum load average configured on rtpengine: 1.25\n",
        ),
        ("set maxbw 1000", "Success setting maxbw to 1000\n"),
        (
            "list maxbw",
            "Maximum bandwidth configured on rtpengine: 1000\n",
        ),
        (
            "set maxcpu x",
            "Fail setting maxcpu to x; no digists found\n",
        ),
        (
            "set maxload nan",
            "Fail setting maxload to nan; no digists found\n",
        ),
        (
            "set maxbw -1",
            "Fail setting maxbw to -1; no digists found\n",
        ),
        (
            "list maxcpu",
            "Maximum CPU usage configured on rtpengine: 50.0\n",
        ),
    ]);
}

#[test]
fn lifetimes_are_set_and_shown() {
    assert_dialogue(&[
        ("list timeout", "TIMEOUT=60\n"),
        ("set timeout 70", "Success setting timeout to 70\n"),
        ("get timeout", "TIMEOUT=70\n"),
        ("set silenttimeout 71", "Success setting timeout to 71\n"),
        ("list silenttimeout", "SILENT_TIMEOUT=71\n"),
        ("set offertimeout 72", "Success setting timeout to 72\n"),
        ("list offertimeout", "OFFER_TIMEOUT=72\n"),
        ("set finaltimeout 73", "Success setting timeout to 73\n"),
        ("list finaltimeout", "FINAL_TIMEOUT=73\n"),
        ("set deletedelay 5", "Success setting delete-delay to 5\n"),
        ("list deletedelay", "5\n"),
        ("set deletedelay -1", "Invalid delete-delay value\n"),
        (
            "set timeout x",
            "Fail setting timeout to x; no digists found\n",
        ),
        ("get timeout", "TIMEOUT=70\n"),
    ]);
}

#[test]
fn log_level_and_control_tos_are_set_and_shown() {
    assert_dialogue(&[
        ("list loglevel core", "6\n"),
        ("set loglevel 7", "Success setting loglevel to 7\n"),
        ("list loglevel core", "7\n"),
        ("set loglevel core 5", "Success setting loglevel to 5\n"),
        ("list loglevel internals", "5\n"),
        ("set loglevel 9", "Invalid loglevel value\n"),
        (
            "set loglevel ice 7",
            "ice has no log level of its own: set loglevel LEVEL is for all\n",
        ),
        ("set controltos 184", "Success setting control-tos to 184\n"),
        ("list controltos", "184\n"),
        ("set controltos 256", "Invalid control-tos value\n"),
    ]);
}

#[test]
fn open_files_are_shown_and_not_set_too_low() {
    let pid = std::process::id();
    let text = first_said("list maxopenfiles");
    assert!(text.starts_with("Maximum open-files configured on rtpengine: "));
    assert!(text.ends_with(&format!("; cat /proc/{pid}/limits\n")));
    assert_dialogue(&[
        (
            "set maxopenfiles 100",
            "Fail setting open_files to 100; can't set it under 65536\n",
        ),
        (
            "set maxopenfiles x",
            "Fail setting open_files to x; no digists found\n",
        ),
    ]);
}

#[test]
fn parameters_are_listed_compared_and_reverted() {
    let start = "listen-ng = 127.0.0.1:2223\nport-min = 30000\nport-max = 39999\ntimeout = 60\nmax-cpu = 0.0\n";
    assert_dialogue(&[
        ("params start", start),
        ("params current", start),
        ("params diff", ""),
        ("set timeout 70", "Success setting timeout to 70\n"),
        ("set maxcpu 4", "Success setting maxcpu to 4.0\n"),
        ("params diff", "max-cpu: 0.0 => 4.0\ntimeout: 60 => 70\n"),
        ("params start", start),
        (
            "params current",
            "listen-ng = 127.0.0.1:2223\nport-min = 30000\nport-max = 39999\ntimeout = 70\nmax-cpu = 4.0\n",
        ),
        ("params revert", ""),
        ("params diff", ""),
    ]);
}

#[test]
fn interfaces_have_their_ports() {
    assert_eq!(
        first_said("list interfaces"),
        "Interface 'default' address '127.0.0.1' (IPv4)\n Port range: 30000 - 39999\n \
         Ports used:     4 /   200 (  2.0%)\n"
    );
}
