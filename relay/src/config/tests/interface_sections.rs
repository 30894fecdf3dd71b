//! `interfaces-config`: interfaces from sections of their own, and ports that are an address's own.

use super::*;

const NAMED: &str = "/tmp/relay.conf";

fn load_file(content: &str, arguments: &[&str]) -> Result<Loaded, ConfigError> {
    let machine = FakeMachine::usual().with_file(NAMED, content);
    let arguments = [&["--config-file", NAMED], arguments].concat();
    load_on(&machine, &arguments, &[])
}

/// Loads a file whose sections count.
fn load_sections(sections: &str) -> Result<Loaded, ConfigError> {
    let content = format!("[rtpengine]\ninterfaces-config = interface\n{sections}");
    load_file(&content, &[])
}

fn error_in(sections: &str) -> String {
    load_sections(sections).unwrap_err().to_string()
}

/// `NAME/ADDRESS!ADVERTISED PORTS` for every address, in order.
fn shown(loaded: &Loaded) -> Vec<String> {
    let mut shown = Vec::new();
    for interface in &loaded.config.interfaces {
        for local in &interface.addresses {
            let ports = &loaded.config.media_ports[&local.address];
            let (name, address, advertised) = (&interface.name, local.address, local.advertised);
            shown.push(format!("{name}/{address}!{advertised} {ports}"));
        }
    }
    shown
}

#[test]
fn rtpengines_sample_section_takes_all_addresses() {
    let loaded = load_sections("[interface-default]\naddress = any\n").unwrap();
    assert_eq!(
        shown(&loaded),
        [
            "default/192.0.2.1!192.0.2.1 30000-39999",
            "default/2001:db8::1!2001:db8::1 30000-39999",
            "default/10.0.0.5!10.0.0.5 30000-39999",
            "default/198.51.100.9!198.51.100.9 30000-39999",
        ]
    );
    assert_eq!(loaded.warnings, [""; 0]);
}

#[test]
fn sections_have_ports_of_their_own_and_come_in_the_files_order() {
    let sections = "[interface-pub]\naddress = 192.0.2.1\nadvertised = 203.0.113.7\nport-min = 40000\n\
                    port-max = 40999\n[interface-lan]\naddress = eth1\n";
    let loaded = load_sections(sections).unwrap();
    assert_eq!(
        shown(&loaded),
        [
            "pub/192.0.2.1!203.0.113.7 40000-40999",
            "lan/10.0.0.5!10.0.0.5 30000-39999",
        ]
    );
}

#[test]
fn half_a_range_is_filled_up_from_the_general_one() {
    let sections = "[interface-a]\naddress = 192.0.2.1\nport-min = 35000\n[interface-b]\naddress = 10.0.0.5\n\
                    port-max = 34999\n";
    let loaded = load_sections(sections).unwrap();
    assert_eq!(
        shown(&loaded),
        [
            "a/192.0.2.1!192.0.2.1 35000-39999",
            "b/10.0.0.5!10.0.0.5 30000-34999",
        ]
    );
}

#[test]
fn several_sections_of_one_name_are_one_interface() {
    let sections = "[interface-v4]\nname = pub\naddress = 192.0.2.1\n[interface-v6]\nname = pub\n\
                    address = 2001:db8::1\nport-max = 30999\n";
    let loaded = load_sections(sections).unwrap();
    assert_eq!(loaded.config.interfaces.len(), 1);
    assert_eq!(
        shown(&loaded),
        [
            "pub/192.0.2.1!192.0.2.1 30000-39999",
            "pub/2001:db8::1!2001:db8::1 30000-30999",
        ]
    );
}

#[test]
fn an_alias_is_another_name_wherever_it_stands() {
    let sections = "[interface-ext]\nalias = pub\n[interface-pub]\naddress = 192.0.2.1\n";
    let loaded = load_sections(sections).unwrap();
    assert_eq!(
        shown(&loaded),
        [
            "pub/192.0.2.1!192.0.2.1 30000-39999",
            "ext/192.0.2.1!192.0.2.1 30000-39999",
        ]
    );
}

#[test]
fn sections_add_to_the_interfaces_of_the_option() {
    let content =
        "[underpass]\ninterface = lan/10.0.0.5\n[if-pub]\naddress = 192.0.2.1\nport-min = 38000\n";
    let loaded = load_file(content, &["--interfaces-config=if"]).unwrap();
    assert_eq!(
        shown(&loaded),
        [
            "lan/10.0.0.5!10.0.0.5 30000-39999",
            "pub/192.0.2.1!192.0.2.1 38000-39999",
        ]
    );
}

#[test]
fn a_sections_ports_are_the_addresses_own_where_the_option_has_it_too() {
    let content = "[underpass]\ninterface = any\n[if-pub]\naddress = 192.0.2.1\nport-min = 38000\n";
    let loaded = load_file(content, &["--interfaces-config=if"]).unwrap();
    assert_eq!(shown(&loaded)[0], "default/192.0.2.1!192.0.2.1 38000-39999");
}

#[test]
fn excluded_ports_are_left_out_whatever_separates_them() {
    let sections =
        "[interface-a]\naddress = 192.0.2.1\nexclude-ports = 31000; 32000-32999, 33000\n";
    let loaded = load_sections(sections).unwrap();
    assert_eq!(
        shown(&loaded),
        ["a/192.0.2.1!192.0.2.1 30000-30999,31001-31999,33001-39999"]
    );
}

#[test]
fn excluded_ports_of_the_option_hold_where_an_interface_has_none_of_its_own() {
    let content = "[rtpengine]\ninterfaces-config = interface\nexclude-ports = 30000-30999;35060\n\
                   [interface-a]\naddress = 192.0.2.1\nport-max = 34999\n\
                   [interface-b]\naddress = 10.0.0.5\nexclude-ports = 39999\n";
    let loaded = load_file(content, &[]).unwrap();
    assert_eq!(
        shown(&loaded),
        [
            "a/192.0.2.1!192.0.2.1 31000-34999",
            "b/10.0.0.5!10.0.0.5 30000-39998",
        ]
    );
}

#[test]
fn the_option_excludes_ports_of_every_interface() {
    let loaded = load_arguments(&["-i", "10.0.0.5", "--exclude-ports=31000,32000-39999"]);
    assert_eq!(
        shown(&loaded),
        ["default/10.0.0.5!10.0.0.5 30000-30999,31001-31999"]
    );
    assert_eq!(
        error_of(&["--exclude-ports=30000;sip"]),
        "exclude-ports = sip (command line --exclude-ports): sip is neither a port nor a range FIRST-LAST"
    );
    assert_eq!(
        error_of(&["--exclude-ports=1-65535"]),
        "exclude-ports = 1-65535 (command line --exclude-ports): leaves no even port with an odd one above it in \
         30000-39999"
    );
}

#[test]
fn an_address_keeps_the_first_ports_it_gets_with_a_warning() {
    let sections = "[interface-a]\naddress = 192.0.2.1\nport-max = 30999\n[interface-b]\naddress = 192.0.2.1\n\
                    advertised = 203.0.113.7\nport-min = 31000\n";
    let loaded = load_sections(sections).unwrap();
    assert_eq!(
        shown(&loaded),
        [
            "a/192.0.2.1!192.0.2.1 30000-30999",
            "b/192.0.2.1!203.0.113.7 30000-30999",
        ]
    );
    assert_eq!(
        loaded.warnings,
        [
            "an address has one set of ports: 192.0.2.1 has 30000-30999, and ports 31000-39999 of interface b have no \
             effect"
        ]
    );
}

#[test]
fn a_prefix_without_sections_is_warned_of() {
    let loaded = load_file("[underpass]\ninterfaces-config = if\n", &[]).unwrap();
    let warning = "interfaces-config = if (/tmp/relay.conf:2): the configuration file has no section [if-NAME]";
    assert_eq!(loaded.warnings, [warning]);
    assert_eq!(&*loaded.config.interfaces[0].name, "default");
}

#[test]
fn sections_that_no_option_asks_for_do_not_count() {
    let loaded = load_file("[underpass]\n[interface-a]\nnonsense = 1\n", &[]).unwrap();
    assert_eq!(&*loaded.config.interfaces[0].name, "default");
}

#[test]
fn what_is_wrong_with_a_section_is_named_with_file_section_and_key() {
    let cases = [
        (
            "[interface-a]\n",
            "/tmp/relay.conf: [interface-a] has neither address nor alias: give one of them",
        ),
        (
            "[interface-a]\naddress =\n",
            "/tmp/relay.conf: [interface-a] has neither address nor alias: give one of them",
        ),
        (
            "[interface-a]\naddress = 203.0.113.80\n",
            "[interface-a] address = 203.0.113.80 (/tmp/relay.conf:4): no interface of this machine has the address 203.0.113.80",
        ),
        (
            "[interface-a]\naddress = 192.0.2.1\nadvertised = far.example\n",
            "[interface-a] advertised = far.example (/tmp/relay.conf:5): expected an IP address",
        ),
        (
            "[interface-a]\naddress = 192.0.2.1\nport-min = 70000\n",
            "[interface-a] port-min = 70000 (/tmp/relay.conf:5): expected a whole number from 1 to 65535",
        ),
        (
            "[interface-a]\naddress = 192.0.2.1\nport-max = 29000\n",
            "[interface-a] port-max = 29000 (/tmp/relay.conf:5): leaves no even port with an odd one above it in \
             30000-29000",
        ),
        (
            "[interface-a]\naddress = 192.0.2.1\nexclude-ports = 40-30\n",
            "[interface-a] exclude-ports = 40-30 (/tmp/relay.conf:5): 40-30 is neither a port nor a range FIRST-LAST",
        ),
        (
            "[interface-a]\nalias = b\n",
            "[interface-a] alias = b (/tmp/relay.conf:4): there is no interface b that a could be another name of: \
             define it before",
        ),
        (
            "[interface-a]\naddress = 192.0.2.1\nalias = b\n",
            "[interface-a] address = 192.0.2.1 (/tmp/relay.conf:4): the section is an alias, only another name of an \
             interface: remove one of them",
        ),
        (
            "[interface-a]\nport-min = 31000\nalias = b\n",
            "[interface-a] port-min = 31000 (/tmp/relay.conf:4): the section is an alias",
        ),
        (
            "[interface-a]\naddress = 192.0.2.1\nport_min = 31000\n",
            "[interface-a] port_min (/tmp/relay.conf:5): the keys of an interface are address, advertised, name, \
             port-min, port-max, exclude-ports, alias",
        ),
    ];
    for (sections, message) in cases {
        let said = error_in(sections);
        assert!(said.starts_with(message), "{said}");
    }
}

#[test]
fn ports_of_any_interface_that_any_program_may_get_are_warned_about() {
    let sections = "[interface-a]\naddress = 192.0.2.1\n[interface-b]\naddress = 10.0.0.5\nport-min = 50000\n\
                    port-max = 50999\n";
    assert_eq!(
        load_sections(sections).unwrap().warnings,
        [
            "media ports 30000-39999,50000-50999 overlap the ports 50000-60999 that the kernel gives to any program: \
             keep them for media with sysctl -w net.ipv4.ip_local_reserved_ports=30000-39999,50000-50999"
        ]
    );
}

#[test]
fn the_printed_configuration_shows_every_addresss_ports() {
    let sections =
        "[interface-a]\naddress = 192.0.2.1\nadvertised = 203.0.113.7\nexclude-ports = 31000\n";
    let loaded = load_sections(sections).unwrap();
    let line = "  a/192.0.2.1!203.0.113.7 ports 30000-30999,31001-39999\n";
    assert!(text(&loaded).contains(line), "{}", text(&loaded));
    let address = &json(&loaded)["interfaces"][0]["addresses"][0];
    assert_eq!(address["ports"], "30000-30999,31001-39999");
}
