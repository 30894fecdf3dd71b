//! What is wrong is said in one line: what, where, what to do.

use super::*;

#[test]
fn bad_values_stop_the_start_with_one_clear_line() {
    let cases: [(&[&str], &str); 25] = [
        (
            &["-i", "198.51.100.1"],
            "interface = 198.51.100.1 (command line -i): no interface of this machine has the address 198.51.100.1; it has 127.0.0.1, 192.0.2.1, 10.0.0.5, 198.51.100.9",
        ),
        (
            &["-i", "eth7"],
            "interface = eth7 (command line -i): eth7 is neither an address, nor a device, nor a host name that resolves; devices here: lo, eth0, eth1, eth9, bare0",
        ),
        (
            &["-i", "bare0"],
            "interface = bare0 (command line -i): the device bare0 has no address that media can use",
        ),
        (
            &["-i", "far.example"],
            "interface = far.example (command line -i): no interface of this machine has the address 203.0.113.80; it has 127.0.0.1, 192.0.2.1, 10.0.0.5, 198.51.100.9",
        ),
        (
            &["-i", "0.0.0.0"],
            "interface = 0.0.0.0 (command line -i): 0.0.0.0 is no address media can be sent from: give one, or any",
        ),
        (
            &["-i", "fe80::1"],
            "interface = fe80::1 (command line -i): fe80::1 is valid on one link only and cannot be announced: give a global address",
        ),
        (
            &["-i", "192.0.2.1!example.com"],
            "interface = 192.0.2.1!example.com (command line -i): the advertised address example.com is not an IP address: give one after the !",
        ),
        (
            &["-i", "/192.0.2.1"],
            "interface = /192.0.2.1 (command line -i): expected [NAME/]ADDRESS[!ADVERTISED]",
        ),
        (
            &["-i", "a=b"],
            "interface = a=b (command line -i): there is no interface b that a could be another name of: define it before",
        ),
        (
            &["-m", "40000", "-M", "30000"],
            "port-min 40000 (command line -m) and port-max 30000 (command line -M) leave no even port with an odd one above it: raise port-max or lower port-min",
        ),
        (
            &["-m", "39999"],
            "port-min 39999 (command line -m) and port-max 39999 (default) leave no even port with an odd one above it: raise port-max or lower port-min",
        ),
        (
            &["-m", "0"],
            "port-min = 0 (command line -m): expected a whole number from 1 to 65535",
        ),
        (
            &["-M", "65536"],
            "port-max = 65536 (command line -M): expected a whole number from 1 to 65535",
        ),
        (
            &["--timeout=soon"],
            "timeout = soon (command line --timeout): expected a whole number",
        ),
        (
            &["--delete-delay=-1"],
            "delete-delay = -1 (command line --delete-delay): expected a whole number, 0 or more",
        ),
        (
            &["--tos=256"],
            "tos = 256 (command line --tos): expected a whole number from 0 to 255",
        ),
        (
            &["-L", "8"],
            "log-level = 8 (command line -L): expected a whole number from 0 to 7",
        ),
        (
            &["-t", "first"],
            "table = first (command line -t): expected auto, a number from 0 to 63, or -1 for user space",
        ),
        (
            &["--engine=ebpf"],
            "engine = ebpf (command line --engine): expected [DEVICE:] and auto, xdp, xdp-generic, tc or null",
        ),
        (
            &["--engine=eth7:tc"],
            "engine = eth7:tc (command line --engine): there is no device eth7; devices here: lo, eth0, eth1, eth9, bare0",
        ),
        (
            &["--endpoint-learning=fast"],
            "endpoint-learning = fast (command line --endpoint-learning): expected delayed, immediate, off or heuristic",
        ),
        (
            &["--mos=best"],
            "mos = best (command line --mos): expected CQ or LQ, and G.107, G.107.2 or legacy",
        ),
        (
            &["--sip-source=yes"],
            "sip-source = yes (command line --sip-source): expected true or false",
        ),
        (
            &["-n", "198.51.100.1:2223"],
            "listen-ng = 198.51.100.1:2223 (command line -n): no interface of this machine has the address 198.51.100.1; it has 127.0.0.1, 192.0.2.1, 10.0.0.5, 198.51.100.9",
        ),
        (
            &["-n", ";"],
            "listen-ng =  (command line -n): expected [ADDRESS:]PORT",
        ),
    ];
    for (arguments, message) in cases {
        assert_eq!(error_of(arguments), message, "{arguments:?}");
    }
}

#[test]
fn addresses_to_listen_on_need_a_port_that_can_be() {
    for value in [
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "0",
        "65536",
        "x:y",
    ] {
        let message = format!(
            "listen-http = {value} (command line --listen-http): expected [ADDRESS:]PORT with a port from 1 to 65535"
        );
        assert_eq!(error_of(&["--listen-http", value]), message);
    }
    assert_eq!(
        error_of(&["--listen-http", "nowhere.example:80"]),
        "listen-http = nowhere.example:80 (command line --listen-http): nowhere.example is neither an address nor a \
         host name that resolves"
    );
}

#[test]
fn an_unknown_option_is_named_with_the_nearest_known_one() {
    assert_eq!(
        error_of(&["--listen-gn=5"]),
        "unknown option --listen-gn (command line --listen-gn): did you mean --listen-ng?"
    );
    assert_eq!(
        error_of(&["--frobnicate"]),
        "unknown option --frobnicate (command line --frobnicate): see underpass help"
    );
    assert_eq!(
        error_of(&["-Z"]),
        "unknown option -Z (command line -Z): see underpass help"
    );
    assert_eq!(
        error_of(&["run", "--json"]),
        "unknown option --json (command line --json): see underpass help"
    );
}

#[test]
fn an_option_without_its_value_is_told_what_it_needs() {
    assert_eq!(error_of(&["-n"]), "-n needs a value: -n [ADDRESS:]PORT");
    assert_eq!(
        error_of(&["--port-min"]),
        "--port-min needs a value: --port-min PORT"
    );
}

#[test]
fn a_word_that_is_no_command_is_refused() {
    let known = "commands are run, agent, config, tables, tables release, doctor, version, help";
    assert_eq!(
        error_of(&["walk"]),
        format!("unknown command walk: {known}")
    );
    assert_eq!(
        error_of(&["run", "config"]),
        format!("unknown command config: {known}")
    );
}

#[test]
fn a_taken_port_is_named_with_how_to_find_who_has_it() {
    let address = "127.0.0.1:2223".parse().unwrap();
    let error = ListenError::new("listen-ng", "UDP", address, io::ErrorKind::AddrInUse.into());
    assert_eq!(
        error.to_string(),
        "listen-ng = 127.0.0.1:2223: the UDP port is taken by another program: stop it (ss -ulpn 'sport = 2223' shows \
         it) or choose another with --listen-ng"
    );
}
