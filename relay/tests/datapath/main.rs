//! The kernel datapath in real namespaces: no user-space relay stands by, so what arrives was forwarded by the kernel.
#![cfg(feature = "kernel")]
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that can't go on says so and fails"
)]

mod agent;
mod away;
mod lease;
mod net;
mod receivers;
mod relay;
mod unprivileged;
mod uplink;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use net::{CALLEE, CALLEE6, CALLER, Net, RELAY_A, RELAY_B, RELAY_B6, relayed, rtp, skipped, until};
use relay::Relay;
use underpass::datapath::{
    Engine, EngineChoice, Flow, FlowId, FlowReport, FlowState, PayloadTypes, Reason, SsrcFilter,
};
use underpass::tables::protocol::Claim;

fn local(port: u16) -> SocketAddr {
    SocketAddr::new(RELAY_A.parse().unwrap(), port)
}

/// From the caller's port 4000 to the callee's port 5000, through `port` of the relay.
fn flow(port: u16) -> Flow {
    Flow {
        local: local(port),
        source: SocketAddr::new(CALLER.parse().unwrap(), 4000),
        from: SocketAddr::new(RELAY_B.parse().unwrap(), 40_000),
        to: SocketAddr::new(CALLEE.parse().unwrap(), 5000),
        tos: 0xb8,
        further: Box::default(),
        payload_types: PayloadTypes::ALL,
        ssrcs: SsrcFilter::Any,
        clock_rate: 8000,
    }
}

fn is_in_kernel(report: &FlowReport) -> bool {
    report.state() == FlowState::Kernel
}

fn is_out(report: &FlowReport, reason: Reason) -> bool {
    report.state() == FlowState::UserSpace(reason)
}

#[test]
fn an_installed_flow_is_forwarded_and_counted_until_it_is_removed() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |_| {});
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    let tc = Some(Engine::Tc);
    assert_eq!(relay.engines(), [("r0".into(), tc), ("r1".into(), tc)]);

    let report = relay.install(1, flow(30_000));

    until("in the kernel", || is_in_kernel(&report));
    let from = relayed(&caller, local(30_000), &callee);
    assert_eq!(from, Some(flow(30_000).from));
    relay.started().datapath.refresh();
    let packets = report.packets();
    assert!(packets > 0);
    assert_eq!(report.bytes(), packets * 172);
    assert_eq!(report.ssrcs()[0].ssrc, 0x1234_5678);

    relay.started().datapath.remove(FlowId(1));
    until("removed", || is_out(&report, Reason::NotInstalled));
    assert_eq!(report.packets(), packets);
}

#[test]
fn a_flow_replaced_under_its_packets_loses_none_and_counts_every_one() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |_| {});
    let caller = net.socket("a", CALLER, 4000);
    let callees = [5000, 5001].map(|port| net.socket("b", CALLEE, port));
    let to = |port| Flow {
        to: SocketAddr::new(CALLEE.parse().unwrap(), port),
        ..flow(30_000)
    };
    let report = relay.install(1, to(5000));
    until("in the kernel", || is_in_kernel(&report));
    for callee in &callees {
        callee.set_nonblocking(true).unwrap();
    }
    // Fewer than there are records to spare: nothing has to wait.
    for round in 0..150 {
        let datapath = &relay.started().datapath;
        datapath.install(FlowId(1), to(5000 + round % 2), report.clone());
        for sequence in 0..10 {
            let packet = rtp(round * 10 + sequence);
            caller.send_to(&packet, local(30_000)).unwrap();
        }
        let mut arrived = 0;
        until("all packets at either callee", || {
            for callee in &callees {
                arrived += std::iter::from_fn(|| callee.recv(&mut [0; 2048]).ok()).count();
            }
            arrived == 10
        });
    }
    relay.started().datapath.refresh();
    assert_eq!(report.packets(), 1500);
    assert_eq!(report.bytes(), 1500 * 172);
    assert_eq!(
        (report.ssrcs()[0].packets, report.ssrcs()[0].lost),
        (1500, 0)
    );
}

#[test]
fn a_flow_may_leave_in_the_other_address_family() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |claim| {
        claim.addresses.push(RELAY_B6.parse().unwrap());
    });
    let (caller, callee) = (
        net.socket("a", CALLER, 4000),
        net.socket("b", CALLEE6, 5000),
    );
    let to_v6 = Flow {
        from: SocketAddr::new(RELAY_B6.parse().unwrap(), 40_000),
        to: SocketAddr::new(CALLEE6.parse().unwrap(), 5000),
        ..flow(30_000)
    };
    let to_v4 = Flow {
        local: to_v6.from,
        source: to_v6.to,
        from: local(30_000),
        to: flow(30_000).source,
        ..flow(30_000)
    };
    relay.install(1, to_v6.clone());
    relay.install(2, to_v4.clone());
    let there = relayed(&caller, to_v6.local, &callee);
    let back = relayed(&callee, to_v4.local, &caller);
    assert_eq!((there, back), (Some(to_v6.from), Some(to_v4.from)));
}

#[test]
fn a_new_mac_of_the_next_hop_is_followed() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |_| {});
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    relay.install(1, flow(30_000));
    assert!(relayed(&caller, local(30_000), &callee).is_some());

    net.ip("b", &["link", "set", "b0", "address", "02:00:00:00:00:99"]);
    // The callee says so the way any host does: it asks for the relay's address.
    net.ip("b", &["neigh", "flush", "dev", "b0"]);
    callee.send_to(b"hello", (RELAY_B, 9)).unwrap();

    assert!(relayed(&caller, local(30_000), &callee).is_some());
}

#[test]
fn a_next_hop_that_moves_without_a_word_is_found_again() {
    if skipped() {
        return;
    }
    let net = Net::new();
    // The same in seconds that takes a minute by default.
    for (setting, value) in [
        ("base_reachable_time_ms", "1000"),
        ("delay_first_probe_time", "1"),
    ] {
        let setting = format!("net.ipv4.neigh.r1.{setting}={value}");
        net.run("r", "sysctl", &["-w", &setting]);
    }
    let relay = Relay::new(&net, |_| {});
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    relay.install(1, flow(30_000));
    assert!(relayed(&caller, local(30_000), &callee).is_some());

    net.ip("b", &["link", "set", "b0", "address", "02:00:00:00:00:99"]);

    assert!(relayed(&caller, local(30_000), &callee).is_some());
}

#[test]
fn an_address_on_loopback_is_served_by_the_interfaces_named() {
    if skipped() {
        return;
    }
    const ANCHORED: &str = "10.73.0.1";
    let net = Net::new();
    net.ip("r", &["address", "add", ANCHORED, "dev", "lo"]);
    net.ip("a", &["route", "add", ANCHORED, "via", RELAY_A]);
    let relay = Relay::at(&net, "r", &[ANCHORED, RELAY_B], |claim| {
        for name in ["r0", "r1"] {
            claim
                .interface_engines
                .insert(name.to_owned(), EngineChoice::Auto);
        }
    });
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    let anchored = SocketAddr::new(ANCHORED.parse().unwrap(), 30_000);
    relay.install(
        1,
        Flow {
            local: anchored,
            ..flow(30_000)
        },
    );
    assert!(relayed(&caller, anchored, &callee).is_some());
}

#[test]
fn a_macvlan_forwards_like_any_other_interface() {
    if skipped() {
        return;
    }
    let net = Net::new();
    // Else the parent answers for its child's address, too.
    net.run("r", "sysctl", &["-qw", "net.ipv4.conf.all.arp_ignore=1"]);
    let macvlan = ["link", "add", "link", "r0", "name", "m0", "type", "macvlan"];
    net.ip("r", &[&macvlan[..], &["mode", "bridge"]].concat());
    net.ip("r", &["address", "add", "10.71.0.9/24", "dev", "m0"]);
    net.ip("r", &["link", "set", "m0", "up"]);
    let relay = Relay::at(&net, "r", &["10.71.0.9", RELAY_B], |_| {});
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    let local = SocketAddr::new("10.71.0.9".parse().unwrap(), 30_000);
    let there = Flow {
        local,
        ..flow(30_000)
    };
    let back = Flow {
        local: there.from,
        source: there.to,
        from: local,
        to: there.source,
        ..flow(30_000)
    };
    relay.install(1, there.clone());
    relay.install(2, back.clone());
    assert_eq!(relayed(&caller, there.local, &callee), Some(there.from));
    assert_eq!(relayed(&callee, back.local, &caller), Some(back.from));
}

#[test]
fn a_way_out_that_carries_no_media_address_is_asked_for() {
    if skipped() {
        return;
    }
    let net = Net::new();
    net.ip("b", &["route", "add", RELAY_A, "via", RELAY_B]);
    let relay = Relay::at(&net, "r", &[RELAY_A], |_| {});
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    let out = Flow {
        from: local(40_000),
        ..flow(30_000)
    };
    let report = relay.install(1, out.clone());
    assert_eq!(relayed(&caller, out.local, &callee), Some(out.from));
    assert!(is_in_kernel(&report));
}

#[test]
fn native_xdp_is_not_put_below_another_media_interface() {
    if skipped() {
        return;
    }
    let net = Net::new();
    net.ip(
        "r",
        &["link", "add", "link", "r0", "name", "m0", "type", "macvlan"],
    );
    net.ip("r", &["address", "add", "10.71.0.9/24", "dev", "m0"]);
    net.ip("r", &["link", "set", "m0", "up"]);
    let relay = Relay::at(&net, "r", &[RELAY_A, "10.71.0.9"], |claim| {
        claim.engine = EngineChoice::Xdp;
    });
    let tc = Some(Engine::Tc);
    assert_eq!(relay.engines(), [("r0".into(), tc), ("m0".into(), tc)]);
    net.ip("r", &["link", "delete", "m0"]);
    until("native XDP", || {
        relay.engines()[0] == ("r0".into(), Some(Engine::Xdp))
    });
}

#[test]
fn an_egress_interface_that_goes_down_takes_the_flow_out_until_it_is_up() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |_| {});
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    let report = relay.install(1, flow(30_000));
    until("in the kernel", || is_in_kernel(&report));

    net.ip("r", &["link", "set", "r1", "down"]);
    until("out", || is_out(&report, Reason::InterfaceDown));

    net.ip("r", &["link", "set", "r1", "up"]);
    until("back", || is_in_kernel(&report));
    assert!(relayed(&caller, local(30_000), &callee).is_some());
}

#[test]
fn an_interface_made_anew_gets_its_engine_again() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |_| {});
    let callee = net.socket("b", CALLEE, 5000);
    let report = relay.install(1, flow(30_000));
    until("in the kernel", || is_in_kernel(&report));

    net.ip("r", &["link", "delete", "r0"]);
    until("out", || is_out(&report, Reason::NoEngineOnInterface));

    net.connect_caller();
    until("back", || is_in_kernel(&report));
    let caller = net.socket("a", CALLER, 4000);
    assert!(relayed(&caller, local(30_000), &callee).is_some());
}

#[test]
fn native_xdp_forwards_where_the_other_ends_co_operate() {
    if skipped() {
        return;
    }
    let net = Net::new();
    // A veth takes XDP's packets only if its own end has a program; any will do. And native XDP can't know that a
    // sender on the same machine has left the checksum to a device.
    let native = |claim: &mut Claim| claim.engine = EngineChoice::Xdp;
    let _caller_end = Relay::at(&net, "a", &[CALLER], native);
    let _callee_end = Relay::at(&net, "b", &[CALLEE], native);
    net.run("a", "ethtool", &["-K", "a0", "tx", "off"]);
    let relay = Relay::new(&net, native);
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));

    let report = relay.install(1, flow(30_000));

    until("in the kernel", || is_in_kernel(&report));
    // Through several of the watchdog's windows: it must see that the devices do send.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) {
        assert!(relayed(&caller, local(30_000), &callee).is_some());
    }
    let xdp = Some(Engine::Xdp);
    assert_eq!(relay.engines(), [("r0".into(), xdp), ("r1".into(), xdp)]);
}

#[test]
fn native_xdp_that_turns_packets_around_in_vain_is_given_up_for_tc() {
    if skipped() {
        return;
    }
    let net = Net::new();
    net.run("a", "ethtool", &["-K", "a0", "tx", "off"]);
    let relay = Relay::new(&net, |claim| claim.engine = EngineChoice::Xdp);
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("a", CALLER, 5000));
    let back = Flow {
        from: local(40_000),
        to: SocketAddr::new(CALLER.parse().unwrap(), 5000),
        ..flow(30_000)
    };
    relay.install(1, back.clone());

    let from = relayed(&caller, local(30_000), &callee);

    assert_eq!(from, Some(back.from));
    let (tc, xdp) = (Some(Engine::Tc), Some(Engine::Xdp));
    until("given up where it was in vain", || {
        relay.engines() == [("r0".into(), tc), ("r1".into(), xdp)]
    });
}

#[test]
fn native_xdp_on_a_device_that_does_not_send_is_given_up_for_tc() {
    if skipped() {
        return;
    }
    let net = Net::new();
    net.run("a", "ethtool", &["-K", "a0", "tx", "off"]);
    let relay = Relay::new(&net, |claim| claim.engine = EngineChoice::Xdp);
    let xdp = Some(Engine::Xdp);
    assert_eq!(relay.engines(), [("r0".into(), xdp), ("r1".into(), xdp)]);
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    let report = relay.install(1, flow(30_000));

    assert!(relayed(&caller, local(30_000), &callee).is_some());

    let tc = Some(Engine::Tc);
    until("given up on both sides", || {
        relay.engines() == [("r0".into(), tc), ("r1".into(), tc)]
    });
    let interfaces = relay.started().monitor.interfaces();
    assert!(interfaces[0].note.contains("given up"));
    until("in the kernel", || is_in_kernel(&report));
    assert!(relayed(&caller, local(30_000), &callee).is_some());
}

#[test]
fn generic_xdp_forwards_when_asked_for() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |claim| claim.engine = EngineChoice::XdpGeneric);
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    relay.install(1, flow(30_000));
    assert!(relayed(&caller, local(30_000), &callee).is_some());
    let generic = Some(Engine::XdpGeneric);
    assert_eq!(
        relay.engines(),
        [("r0".into(), generic), ("r1".into(), generic)]
    );
}

#[test]
fn a_full_table_leaves_a_flow_in_user_space_until_another_ends() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |claim| claim.max_flows = 1);
    let first = relay.install(1, flow(30_000));
    until("in the kernel", || is_in_kernel(&first));
    let second = relay.install(2, flow(30_002));
    until("no room", || is_out(&second, Reason::TableFull));
    relay.started().datapath.remove(FlowId(1));
    until("room", || is_in_kernel(&second));
}

#[test]
fn flows_that_cannot_be_forwarded_say_why() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let relay = Relay::new(&net, |claim| {
        claim
            .interface_engines
            .insert("r1".to_owned(), EngineChoice::Null);
    });
    let to = |to: &str| Flow {
        to: to.parse().unwrap(),
        ..flow(30_000)
    };
    let through_b = Flow {
        local: SocketAddr::new(RELAY_B.parse().unwrap(), 30_000),
        ..flow(30_000)
    };
    let foreign = Flow {
        from: "10.72.0.9:40000".parse().unwrap(),
        ..flow(30_000)
    };
    for (id, flow, reason) in [
        (0, foreign, Reason::NotGranted),
        (1, to("10.71.0.1:5000"), Reason::DestinationIsLocal),
        (2, to("192.0.2.1:5000"), Reason::NoRoute),
        (3, to("10.72.0.77:5000"), Reason::NextHopUnresolved),
        (4, through_b, Reason::NoEngineOnInterface),
    ] {
        let report = relay.install(id, flow);
        until(reason.text(), || is_out(&report, reason));
    }
}
