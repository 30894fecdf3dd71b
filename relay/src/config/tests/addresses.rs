//! Addresses for media and for listening.

use super::*;

/// `name/address!advertised` of all that results from `interface` values.
fn interfaces(values: &[&str]) -> Vec<String> {
    let mut arguments = Vec::new();
    for value in values {
        arguments.extend(["--interface", value]);
    }
    shown(&load_arguments(&arguments).config)
}

fn shown(config: &Config) -> Vec<String> {
    let mut shown = Vec::new();
    for interface in &config.interfaces {
        for local in &interface.addresses {
            let (address, advertised) = (local.address, local.advertised);
            shown.push(format!("{}/{address}!{advertised}", interface.name));
        }
    }
    shown
}

fn listen(value: &str) -> Vec<String> {
    let config = load_arguments(&["--listen-ng", value]).config;
    config.listen_ng.iter().map(ToString::to_string).collect()
}

#[test]
fn an_interface_is_an_address_with_a_name_and_what_to_advertise() {
    assert_eq!(interfaces(&["192.0.2.1"]), ["default/192.0.2.1!192.0.2.1"]);
    assert_eq!(interfaces(&["pub/192.0.2.1"]), ["pub/192.0.2.1!192.0.2.1"]);
    assert_eq!(
        interfaces(&["192.0.2.1!203.0.113.7"]),
        ["default/192.0.2.1!203.0.113.7"]
    );
    assert_eq!(
        interfaces(&["pub/2001:db8::1!2001:db8::99"]),
        ["pub/2001:db8::1!2001:db8::99"]
    );
    assert_eq!(
        interfaces(&["[2001:db8::1]"]),
        ["default/2001:db8::1!2001:db8::1"]
    );
}

#[test]
fn interfaces_keep_their_order_and_gather_addresses_by_name() {
    assert_eq!(
        interfaces(&["pub/192.0.2.1;priv/10.0.0.5", "pub/2001:db8::1"]),
        [
            "pub/192.0.2.1!192.0.2.1",
            "pub/2001:db8::1!2001:db8::1",
            "priv/10.0.0.5!10.0.0.5"
        ]
    );
}

#[test]
fn a_device_stands_for_its_addresses_but_those_of_the_link() {
    assert_eq!(
        interfaces(&["ext/eth0"]),
        ["ext/192.0.2.1!192.0.2.1", "ext/2001:db8::1!2001:db8::1"]
    );
    assert_eq!(
        interfaces(&["lo"]),
        ["default/127.0.0.1!127.0.0.1", "default/::1!::1"]
    );
}

#[test]
fn any_stands_for_all_addresses_but_loopback() {
    assert_eq!(
        interfaces(&["any"]),
        [
            "default/192.0.2.1!192.0.2.1",
            "default/2001:db8::1!2001:db8::1",
            "default/10.0.0.5!10.0.0.5",
            "default/198.51.100.9!198.51.100.9",
        ]
    );
}

#[test]
fn a_host_name_stands_for_its_addresses_that_are_here() {
    assert_eq!(
        interfaces(&["relay.example"]),
        ["default/192.0.2.1!192.0.2.1"]
    );
}

#[test]
fn the_same_address_twice_under_a_name_is_one() {
    assert_eq!(
        interfaces(&["192.0.2.1!203.0.113.7", "eth0"]),
        [
            "default/192.0.2.1!203.0.113.7",
            "default/2001:db8::1!2001:db8::1"
        ]
    );
}

#[test]
fn an_alias_is_a_second_name() {
    assert_eq!(
        interfaces(&["pub/192.0.2.1", "external=pub"]),
        ["pub/192.0.2.1!192.0.2.1", "external/192.0.2.1!192.0.2.1"]
    );
}

#[test]
fn without_interface_media_is_on_the_addresses_of_what_is_up_and_the_log_says_so() {
    let loaded = load_arguments(&[]);
    assert_eq!(
        shown(&loaded.config),
        [
            "default/192.0.2.1!192.0.2.1",
            "default/2001:db8::1!2001:db8::1",
            "default/10.0.0.5!10.0.0.5",
        ]
    );
    assert_eq!(
        loaded.notes,
        [
            "no interface given: media on this machine's own addresses 192.0.2.1, 2001:db8::1, 10.0.0.5"
        ]
    );
}

#[test]
fn a_machine_with_nothing_but_loopback_uses_loopback() {
    let mut machine = FakeMachine::usual();
    machine.addresses.retain(|local| local.loopback);
    let loaded = load_on(&machine, &[], &[]).unwrap();
    assert_eq!(
        shown(&loaded.config),
        ["default/127.0.0.1!127.0.0.1", "default/::1!::1"]
    );
}

#[test]
fn the_interfaces_of_a_group_keep_their_names() {
    let loaded = load_arguments(&["-i", "pub:1/192.0.2.1;pub:2/10.0.0.5"]);
    assert_eq!(
        shown(&loaded.config),
        ["pub:1/192.0.2.1!192.0.2.1", "pub:2/10.0.0.5!10.0.0.5"]
    );
    assert_eq!(loaded.warnings, [""; 0]);
}

#[test]
fn a_fail_over_address_may_be_elsewhere_where_the_kernel_lets_it() {
    let machine = FakeMachine::usual().with_sysctl("net/ipv4/ip_nonlocal_bind", "1\n");
    let loaded = load_on(&machine, &["-i", "198.51.100.200"], &[]).unwrap();
    assert_eq!(
        shown(&loaded.config),
        ["default/198.51.100.200!198.51.100.200"]
    );
}

#[test]
fn a_port_alone_listens_on_all_addresses_of_both_families() {
    assert_eq!(listen("22222"), ["0.0.0.0:22222", "[::]:22222"]);
}

#[test]
fn a_port_alone_is_ipv4_where_there_is_no_ipv6() {
    let mut machine = FakeMachine::usual();
    machine.addresses.retain(|local| local.address.is_ipv4());
    let loaded = load_on(&machine, &["-n", "2223"], &[]).unwrap();
    assert_eq!(loaded.config.listen_ng, ["0.0.0.0:2223".parse().unwrap()]);
}

#[test]
fn listening_addresses_come_in_all_of_rtpengines_forms() {
    assert_eq!(listen("127.0.0.1:1"), ["127.0.0.1:1"]);
    assert_eq!(listen("[::1]:1"), ["[::1]:1"]);
    assert_eq!(listen("::1:1"), ["[::1]:1"]);
    assert_eq!(listen("0.0.0.0:1"), ["0.0.0.0:1"]);
    assert_eq!(listen("localhost:1"), ["[::1]:1", "127.0.0.1:1"]);
    assert_eq!(listen("192.0.2.1:1;192.0.2.1:1"), ["192.0.2.1:1"]);
}

#[test]
fn a_host_name_that_is_partly_here_listens_on_that_part() {
    let mut machine = FakeMachine::usual();
    machine.addresses.retain(|local| local.address.is_ipv4());
    let loaded = load_on(&machine, &["-n", "localhost:2223"], &[]).unwrap();
    assert_eq!(loaded.config.listen_ng, ["127.0.0.1:2223".parse().unwrap()]);
}

fn port_warnings(range: &'static str, reserved: &'static str) -> Vec<String> {
    let machine = FakeMachine::usual()
        .with_sysctl("net/ipv4/ip_local_port_range", range)
        .with_sysctl("net/ipv4/ip_local_reserved_ports", reserved);
    load_on(&machine, &[], &[]).unwrap().warnings
}

#[test]
fn media_ports_that_any_program_may_get_are_warned_about_with_the_cure() {
    assert_eq!(
        port_warnings("32768\t60999\n", "\n"),
        [
            "media ports 30000-39999 overlap the ports 32768-60999 that the kernel gives to any program: keep them for \
          media with sysctl -w net.ipv4.ip_local_reserved_ports=30000-39999"
        ]
    );
}

#[test]
fn the_cure_keeps_what_is_reserved_already() {
    let warnings = port_warnings("32768\t60999\n", "8080,35000-36000\n");
    assert!(
        warnings[0].ends_with("ip_local_reserved_ports=8080,35000-36000,30000-39999"),
        "{warnings:?}"
    );
}

#[test]
fn reserved_or_disjoint_media_ports_are_no_warning() {
    let none = Vec::<String>::new();
    assert_eq!(port_warnings("32768\t60999\n", "30000-39999\n"), none);
    assert_eq!(
        port_warnings("32768\t60999\n", "32768-36000,36001-40000\n"),
        none
    );
    assert_eq!(port_warnings("40000\t60999\n", "\n"), none);
}
