//! Facts of a network namespace made for the purpose.

use std::net::IpAddr;
use std::process::Command;

use aya::programs::{Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};
use nix::sched::{CloneFlags, unshare};

use super::super::facts::{Facts, Interface, Wanted};
use super::super::{Finding, Verdict, examine};
use super::look;
use super::programs::{self, Programs};
use crate::datapath::{Engine, EngineChoice};
use crate::netlink::{Link, Netlink};
use crate::tables::AgentChoice;

const LOCAL: &str = "192.0.2.1";

/// Runs `act` in a network namespace of its own, with a veth `d0` that has an address; not at all without root.
fn in_a_namespace(act: impl FnOnce() + Send) {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            run("ip link add d0 type veth peer name d1");
            run("ip address add 192.0.2.1/24 dev d0");
            run("ip link set d0 up");
            run("ip link set d1 up");
            act();
        });
        inside.join().unwrap();
    });
}

fn run(line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    let status = Command::new(words[0]).args(&words[1..]).status();
    assert!(status.unwrap().success(), "{line}");
}

fn facts() -> Facts {
    let directory = tempfile::tempdir().unwrap();
    let wanted = Wanted {
        agent: AgentChoice::Embedded,
        addresses: vec![LOCAL.parse().unwrap()],
        registry: directory.path().to_owned(),
        ..Wanted::unknown()
    };
    look(wanted, None)
}

fn interface() -> Interface {
    facts().interfaces.remove(0)
}

fn findings(check: &str) -> Vec<Finding> {
    let mut findings = examine(&facts());
    findings.retain(|finding| finding.check == check);
    findings
}

/// Attached for as long as it is held.
fn xdp_program() -> Ebpf {
    let mut ebpf = EbpfLoader::new().load(underpass_object::INSTANCE).unwrap();
    let program: &mut Xdp = ebpf
        .program_mut(underpass_object::XDP)
        .unwrap()
        .try_into()
        .unwrap();
    program.load().unwrap();
    program.attach("d0", XdpMode::Skb).unwrap();
    ebpf
}

#[test]
fn the_interface_that_carries_a_media_address_is_described() {
    in_a_namespace(|| {
        let found = interface();
        assert_eq!(
            (found.name.as_str(), found.kind.as_deref()),
            ("d0", Some("veth"))
        );
        assert!(found.up && found.is_ethernet && !found.is_anchor);
        assert_eq!((found.mtu, found.choice), (1500, EngineChoice::Auto));
        assert_eq!(found.foreign_xdp, Ok(vec![]));
        assert_eq!(found.foreign_tcx, Ok(vec![]));
        assert_eq!(found.foreign_filters, Ok(vec![]));
        let finding = findings("interface").remove(0);
        assert_eq!(finding.text, "d0 (veth) would get tc, else xdp-generic");
    });
}

#[test]
fn an_address_that_nobody_carries_is_missed() {
    in_a_namespace(|| {
        run("ip address del 192.0.2.1/24 dev d0");
        let found = facts();
        assert_eq!(found.homeless, [LOCAL.parse::<IpAddr>().unwrap()]);
        assert!(found.interfaces.is_empty());
    });
}

#[test]
fn our_own_xdp_program_is_told_from_anothers() {
    in_a_namespace(|| {
        let _attached = xdp_program();
        let found = interface();
        assert_eq!(
            (found.foreign_xdp, found.attached),
            (Ok(vec![]), vec![Engine::XdpGeneric])
        );
        let mut netlink = Netlink::open().unwrap();
        let index = nix::net::if_::if_nametoindex("d0").unwrap();
        let id = *netlink.xdp_programs(index).unwrap().ids.first().unwrap();
        let named = Programs(Some([(id, "other".to_owned())].into()));
        let link = Link::default();
        let found = programs::on(index, &link, &mut netlink, &named, false);
        assert_eq!(found.xdp.unwrap()[0].name, "other");
        assert_eq!(found.ours, []);
        let found = programs::on(index, &link, &mut netlink, &Programs(None), false);
        assert!(found.xdp.unwrap_err().contains("CAP_SYS_ADMIN"));
    });
}

#[test]
fn a_filter_of_somebody_else_is_seen() {
    in_a_namespace(|| {
        run("tc qdisc add dev d0 clsact");
        run("tc filter add dev d0 ingress pref 7 protocol all u32 match u32 0 0");
        let found = findings("clsact").remove(0);
        assert_eq!(found.verdict, Verdict::Warn);
        assert!(found.text.contains("u32 (7)"), "{}", found.text);
    });
}

#[test]
fn a_masquerading_rule_is_seen_unless_it_is_for_others() {
    in_a_namespace(|| {
        assert_eq!(findings("nat")[0].verdict, Verdict::Ok);
        run("nft add table ip nat");
        run("nft add chain ip nat post { type nat hook postrouting priority srcnat ; }");
        run("nft add rule ip nat post ip saddr 172.17.0.0/16 masquerade");
        assert_eq!(findings("nat")[0].verdict, Verdict::Ok);
        run("nft add rule ip nat post oifname d0 masquerade");
        let found = findings("nat").remove(0);
        assert_eq!(found.verdict, Verdict::Warn);
        assert!(
            found.text.ends_with("masquerade in nft chain ip nat post"),
            "{}",
            found.text
        );
    });
}

#[test]
fn ports_that_overlap_are_seen_until_they_are_reserved() {
    in_a_namespace(|| {
        let of_namespace = |name: &str, value: &str| {
            std::fs::write(format!("/proc/sys/net/ipv4/{name}"), value).unwrap();
        };
        of_namespace("ip_local_port_range", "32768 60999");
        assert_eq!(findings("ports")[0].verdict, Verdict::Warn);
        of_namespace("ip_local_reserved_ports", "30000-39999");
        assert_eq!(findings("ports")[0].verdict, Verdict::Ok);
    });
}

#[test]
fn strict_reverse_path_filtering_is_seen_on_the_interface() {
    in_a_namespace(|| {
        std::fs::write("/proc/sys/net/ipv4/conf/d0/rp_filter", "1").unwrap();
        assert_eq!(interface().rp_filter, Some(1));
        std::fs::write("/proc/sys/net/ipv4/conf/all/rp_filter", "2").unwrap();
        assert_eq!(interface().rp_filter, Some(2));
    });
}
