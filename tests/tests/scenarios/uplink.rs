//! Relays that are reached through an interface of the node: established media turns around there, and never enters
//! their namespaces.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;

use lab::capture::Capture;
use lab::endpoint::now_ns;
use lab::table::{self, Route, Table};
use lab::tenant::{self, SOMEBODY, Tenant};
use lab::uplink::{UPLINK, UplinkNet, pod_address};
use lab::{Agent, Call, Endpoint, Engine, Lab, Netns, NgClient, Node, Relay, wait_until};
use nix::sys::socket::{MsgFlags, recv, send};
use serde_json::json;
use underpass_abi::{Flow, Outcome};

struct Ground {
    net: UplinkNet,
    node: Arc<Node>,
    agent: Agent,
    engine: Engine,
}

fn ground(lab: &Lab, engine: Engine) -> Ground {
    let net = UplinkNet::build(lab, engine == Engine::Xdp);
    let node = Node::new();
    let agent = Agent::of(&node).option(&format!("--uplink={UPLINK}"));
    let agent = agent.start(&net.node);
    Ground {
        net,
        node,
        agent,
        engine,
    }
}

/// The relay of a pod, without privilege.
fn relay(ground: &Ground, pod: usize) -> (Relay, NgClient) {
    let relay = Relay::underpass()
        .with(&ground.agent)
        .as_nobody()
        .engine(ground.engine)
        .option(&format!("--identity=pod-{pod}"))
        .option(&format!("--name=pod-{pod}"))
        .interface(&format!("eth0/{}", pod_address(pod)))
        .start(&ground.net.pods[pod]);
    let ng = relay.client(&ground.net.pods[pod]);
    (relay, ng)
}

/// What has come to a party from the relay, and where a pod's own interface would have shown it.
fn rtp_in(capture: &Capture, call: &Call) -> usize {
    let of = |from: &Endpoint, to: SocketAddr| {
        let mark = from.stream().mark.to_be_bytes();
        capture
            .received(|found| {
                found.destination == to && found.payload().windows(8).any(|bytes| bytes == mark)
            })
            .len()
    };
    of(&call.caller, call.caller_to) + of(&call.callee, call.callee_to)
}

/// A call through the pod's relay: its media is seen in the pod at first, then turns around at the uplink, the same
/// packets from the same link-layer address.
#[track_caller]
fn turns_around(ground: &Ground, pod: usize, source: &str) {
    let (relay, ng) = relay(ground, pod);
    let inside = Capture::start(&ground.net.pods[pod], "eth0");
    let network = Capture::start(&ground.net.network, "eth0");
    let call = ground.net.call(&ng);
    call.talk(5);
    // What is not RTP comes up, and is seen.
    call.exchange_rtcp();
    let rtcp =
        |found: &lab::checksum::Datagram| found.destination == lab::sdp::rtcp_of(call.caller_to);
    wait_until("RTCP seen inside the pod", || {
        !inside.received(rtcp).is_empty()
    });
    bring_into_kernel(&call, &ng);
    let listed = ground.node.tables()[0]["interfaces"].clone();
    let engine = match ground.engine {
        Engine::Xdp => "xdp",
        _ => "tc",
    };
    let interfaces = listed.as_array().into_iter().flatten();
    let mut uplinks = interfaces.filter(|interface| interface["shape"] == "uplink");
    assert!(uplinks.any(|uplink| uplink["engine"] == engine), "{listed}");
    let counted = || {
        let metrics = relay.metrics(&ground.net.pods[pod]);
        (metrics.kernel_packets(), metrics.userspace_packets())
    };
    // RTP, and one RTCP packet each way.
    let sent = || u64::from(call.caller.sent() + call.callee.sent()) + 2;
    let settled = || {
        wait_until("the counters of every packet", || {
            counted().0 + counted().1 == sent()
        });
        counted()
    };
    let before = (settled(), rtp_in(&inside, &call));
    call.talk(400);
    assert_eq!(rtp_in(&inside, &call), before.1, "RTP seen inside the pod");
    assert_eq!(settled(), (before.0.0 + 800, before.0.1));
    assert_eq!(network.faults(), vec![]);
    let source = table::mac(source);
    let frames = network.frames();
    let from_relay = frames.iter().filter(|frame| carries_rtp_of(frame, &call));
    let sources: std::collections::BTreeSet<_> = from_relay.map(|frame| &frame[6..12]).collect();
    assert_eq!(
        sources.into_iter().collect::<Vec<_>>(),
        [&source[..]],
        "link-layer sources"
    );
    // What the relay itself sends and what the kernel sends for it are the same packets but for their numbers.
    for (from, to) in [
        (call.callee_to, &call.callee),
        (call.caller_to, &call.caller),
    ] {
        let packets =
            network.received(|found| found.source == from && found.destination == to.address());
        let heads: std::collections::BTreeSet<_> = packets.iter().map(head).collect();
        assert_eq!(heads.len(), 1, "from {from}: {heads:?}");
    }
    call.hang_up(&ng);
}

/// As [`Call::bring_into_kernel`]; says what is in the way.
#[track_caller]
fn bring_into_kernel(call: &Call, ng: &NgClient) {
    for _ in 0..100 {
        call.talk(2);
        if call.is_in_kernel(ng) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    panic!("not in the kernel: {:?}", call.rtp_streams(ng));
}

/// A received frame with a packet of either party.
fn carries_rtp_of(frame: &[u8], call: &Call) -> bool {
    let marks = [&call.caller, &call.callee].map(|party| party.stream().mark.to_be_bytes());
    frame
        .windows(8)
        .any(|bytes| marks.iter().any(|mark| bytes == mark))
}

/// IP header and UDP ports, less what differs from packet to packet, identification and checksum, and the hop limit: what
/// a routed pod sends itself has come through one router, the node.
fn head(found: &lab::checksum::Datagram) -> Vec<u8> {
    let mut head = found.packet[..found.udp + 4].to_vec();
    head[4..6].fill(0);
    head[8] = 0;
    head[10..12].fill(0);
    head
}

#[test]
fn media_of_a_macvlan_pod_turns_around_at_the_uplink_by_tc() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab, Engine::Tc);
    turns_around(&ground, 0, &ground.net.pods[0].mac("eth0"));
}

#[test]
fn media_of_a_macvlan_pod_turns_around_at_the_uplink_by_native_xdp() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab, Engine::Xdp);
    turns_around(&ground, 0, &ground.net.pods[0].mac("eth0"));
}

#[test]
fn media_of_a_routed_pod_turns_around_at_the_uplink() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab, Engine::Tc);
    turns_around(&ground, 2, &ground.net.node.mac(UPLINK));
}

#[test]
fn two_pods_and_a_routed_one_share_the_uplink() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab, Engine::Tc);
    let relays = [0, 1, 2].map(|pod| relay(&ground, pod));
    let calls = relays.each_ref().map(|(_, ng)| ground.net.call(ng));
    for (call, (_, ng)) in calls.iter().zip(&relays) {
        bring_into_kernel(call, ng);
    }
    let inside = ground
        .net
        .pods
        .each_ref()
        .map(|pod| Capture::start(pod, "eth0"));
    std::thread::scope(|scope| {
        for call in &calls {
            scope.spawn(|| call.talk(200));
        }
    });
    for (pod, (capture, call)) in inside.iter().zip(&calls).enumerate() {
        assert_eq!(rtp_in(capture, call), 0, "RTP seen inside pod {pod}");
    }
}

#[test]
fn a_child_removed_in_the_middle_of_a_call_leaves_no_flow_behind_and_the_others_alone() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab, Engine::Tc);
    let relays = [0, 1].map(|pod| relay(&ground, pod));
    let calls = relays.each_ref().map(|(_, ng)| ground.net.call(ng));
    for (call, (_, ng)) in calls.iter().zip(&relays) {
        bring_into_kernel(call, ng);
    }
    let network = Capture::start(&ground.net.network, "eth0");
    std::thread::scope(|scope| {
        let talking = scope.spawn(|| calls[1].send_both(1000));
        ground.net.pods[0].ip("link delete eth0");
        let removed = Capture::start(&ground.net.network, "eth0");
        let listed = || {
            let tables = ground.node.tables();
            tables
                .into_iter()
                .find(|table| table["identity"] == "pod-0")
        };
        wait_until("the end of the removed child's flows", || {
            listed().is_none_or(|table| table["usage"]["flows"] == 0)
        });
        drop(removed);
        let after = Capture::start(&ground.net.network, "eth0");
        calls[0].send_both(50);
        talking.join().unwrap();
        let forwarded = after.frames();
        let forwarded = forwarded
            .iter()
            .filter(|frame| carries_rtp_of(frame, &calls[0]));
        assert_eq!(
            forwarded.count(),
            0,
            "forwarded for a pod without interface"
        );
    });
    drop(network);
    wait_until("every packet of the other's call", || {
        calls[1].callee.has_all_since(&calls[1].caller, 0)
            && calls[1].caller.has_all_since(&calls[1].callee, 0)
    });
    calls[1].assert_complete();
    assert!(calls[1].is_in_kernel(&relays[1].1));
}

#[test]
fn two_pods_behind_one_uplink_never_get_the_same_address_and_port() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab, Engine::Tc);
    let (_relay, ng) = relay(&ground, 0);
    let call = ground.net.call(&ng);
    bring_into_kernel(&call, &ng);
    // The pod gives itself its neighbour's address, as one with the privilege over its own network may.
    ground.net.pods[1].ip("address add 10.9.0.11/32 dev eth0");
    let thief = tenant_in(&ground, 1);
    let claim = tenant::claim("thief", &["10.9.0.11"], [30_000, 39_999]);
    let refused = Table::claim(&thief, &claim).unwrap_err();
    assert_eq!(refused["reason"], "overlap", "{refused}");
    assert!(
        refused["text"].as_str().unwrap().contains("pod-0"),
        "{refused}"
    );
    ground.net.pods[1].ip("address delete 10.9.0.11/32 dev eth0");
    call.talk(50);
    assert!(call.is_in_kernel(&ng));
}

fn tenant_in(ground: &Ground, pod: usize) -> Tenant {
    Tenant::connect(&ground.net.pods[pod], &ground.node.socket(), SOMEBODY).unwrap()
}

/// A hostile pod: what leaves by the uplink has its own addresses, of every layer.
#[test]
fn nothing_leaves_the_uplink_in_the_name_of_another() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab, Engine::Tc);
    let (_relay, ng) = relay(&ground, 0);
    let call = ground.net.call(&ng);
    bring_into_kernel(&call, &ng);
    let tenant = tenant_in(&ground, 1);
    let claim = tenant::claim("hostile", &["10.9.0.12"], [42_000, 42_099]);
    let table = Table::settled(&tenant, &claim).unwrap();
    let pod: &Netns = &ground.net.pods[1];
    let sender = Endpoint::bind_at(&ground.net.network, "10.9.0.2:20000".parse().unwrap());
    let own = Endpoint::bind_at(pod, "10.9.0.12:42000".parse().unwrap());
    let network = Capture::start(&ground.net.network, "eth0");
    let others = [0, 2].map(|pod| Capture::start(&ground.net.pods[pod], "eth0"));
    let route = Route {
        local: own.address(),
        source: sender.address(),
        from: "10.9.0.12:42002".parse().unwrap(),
        to: "10.9.0.3:30000".parse().unwrap(),
    };
    let (mine, far) = (pod.mac("eth0"), ground.net.network.mac("eth0"));
    let egress = table.egress("own", pod.index("eth0"));
    let lawful = table::flow(&route.addressing(&mine, &far), egress, 0);
    let escaped = || {
        let carries = |frame: &Vec<u8>| {
            let mark = sender.stream().mark.to_be_bytes();
            frame.windows(8).any(|bytes| bytes == mark)
        };
        let of = |capture: &Capture| capture.frames().iter().filter(|f| carries(f)).count();
        of(&network) + others.iter().map(of).sum::<usize>()
    };
    let packets = 5;
    let attempt = |flow: Flow| {
        table.install(0, flow, 0, 42_000);
        table.give_sign_of_life(now_ns());
        let before = (own.count_from(&sender) as usize, escaped());
        sender.send(own.address(), packets);
        wait_until("every packet, up or out", || {
            own.count_from(&sender) as usize + escaped() >= before.0 + before.1 + packets as usize
        });
        (
            own.count_from(&sender) as usize - before.0,
            escaped() - before.1,
        )
    };
    assert_eq!(attempt(lawful), (0, 5), "the lawful flow: up, and out");
    let from = |from: &str| {
        let route = Route {
            from: from.parse().unwrap(),
            ..route
        };
        table::flow(&route.addressing(&mine, &far), egress, 0)
    };
    let macs = [
        ground.net.node.mac(UPLINK),
        ground.net.pods[0].mac("eth0"),
        far.clone(),
    ];
    let mut attempts: Vec<(String, Flow)> = [
        "10.9.0.11:42002",
        "10.9.0.1:42002",
        "10.9.1.11:42002",
        "10.9.0.12:41999",
        "10.9.0.2:42002",
    ]
    .map(|address| (format!("from {address}"), from(address)))
    .into();
    attempts.extend(macs.map(|mac| {
        let flow = table::flow(&route.addressing(&mac, &far), egress, 0);
        (format!("from {mac}"), flow)
    }));
    attempts.extend((0..34).filter(|slot| *slot != egress).map(|slot| {
        let flow = table::flow(&route.addressing(&mine, &far), slot, 0);
        (format!("way out {slot}"), flow)
    }));
    for (what, flow) in attempts {
        let counted = table.outcome(Outcome::OutsideGrant);
        assert_eq!(attempt(flow), (5, 0), "{what}: up, and out");
        assert!(
            table.outcome(Outcome::OutsideGrant) >= counted + 5,
            "{what}"
        );
    }
    call.talk(50);
    assert!(call.is_in_kernel(&ng));
}

/// Whoever makes a network of his own gives himself any address there.
#[test]
fn an_address_that_the_node_routes_elsewhere_is_nobody_else_s_at_the_uplink() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab, Engine::Tc);
    let elsewhere = lab.netns("elsewhere");
    elsewhere.veth("eth0", &elsewhere, "eth1");
    elsewhere.address("eth0", "10.9.1.11/32");
    elsewhere.ip("link set dev eth1 up");
    let thief = Tenant::connect(&elsewhere, &ground.node.socket(), SOMEBODY).unwrap();
    let claim = tenant::claim("thief", &["10.9.1.11"], [20_000, 39_999]);
    if let Ok(table) = Table::settled(&thief, &claim) {
        let placement = &table.granted["placement"];
        let mut interfaces = placement["interfaces"].as_array().into_iter().flatten();
        assert!(
            !interfaces.any(|interface| interface["place"] == "node"),
            "{placement}"
        );
        assert_eq!(
            table.granted["has_node_sockets"], false,
            "{}",
            table.granted
        );
    }
    let (_relay, ng) = relay(&ground, 2);
    let call = ground.net.call(&ng);
    bring_into_kernel(&call, &ng);
    call.talk(50);
}

/// A routed pod looks its next hops up at the node, by sockets that the agent opened there. They are for looking.
#[test]
fn the_node_s_route_sockets_change_nothing_even_in_privileged_hands() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab, Engine::Tc);
    for uid in [SOMEBODY, 0] {
        let tenant = Tenant::connect(&ground.net.pods[2], &ground.node.socket(), uid).unwrap();
        let claim = tenant::claim(&format!("user-{uid}"), &["10.9.1.11"], [42_000, 42_099]);
        let table = Table::settled(&tenant, &claim).unwrap();
        assert_eq!(table.granted["has_node_sockets"], true, "{}", table.granted);
        for socket in &table.rest {
            // The test has every privilege that a container with NET_ADMIN in its own network has, and more.
            let answer = set_link_down(socket.as_raw_fd(), ground.net.node.index(UPLINK));
            assert_eq!(answer, -libc::EPERM, "taking the uplink down as user {uid}");
        }
        let shown = ground
            .net
            .node
            .ip_output(&format!("-o link show dev {UPLINK}"));
        assert!(shown.contains(",UP"), "{shown}");
        tenant.say(&json!({"message": "release"}), &[]).unwrap();
        let _ = tenant.hear_of(&["released"]);
    }
}

/// Asks rtnetlink to take a link down (RTM_NEWLINK without IFF_UP); its answer, 0 or a negative error number.
fn set_link_down(socket: i32, ifindex: u32) -> i32 {
    let mut message = Vec::new();
    message.extend(32_u32.to_ne_bytes());
    message.extend(libc::RTM_NEWLINK.to_ne_bytes());
    message.extend(((libc::NLM_F_REQUEST | libc::NLM_F_ACK) as u16).to_ne_bytes());
    message.extend(77_u32.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend([0; 4]);
    message.extend(ifindex.to_ne_bytes());
    message.extend(0_u32.to_ne_bytes());
    message.extend((libc::IFF_UP as u32).to_ne_bytes());
    if let Err(error) = send(socket, &message, MsgFlags::MSG_DONTWAIT) {
        return -(error as i32);
    }
    lab::wait::wait_for("rtnetlink's answer", || {
        let mut answer = [0_u8; 8192];
        let length = recv(socket, &mut answer, MsgFlags::MSG_DONTWAIT).ok()?;
        let word = |at: usize| u32::from_ne_bytes(answer[at..at + 4].try_into().unwrap());
        let is_answer = length >= 20 && answer[4..6] == (libc::NLMSG_ERROR as u16).to_ne_bytes();
        (is_answer && word(8) == 77).then(|| word(16).cast_signed())
    })
}

/// So that a failure elsewhere is not one of the lab.
#[test]
fn the_pods_of_the_lab_are_reached_as_is_said() {
    let Some(lab) = Lab::open() else { return };
    let net = UplinkNet::build(&lab, true);
    let outside = Endpoint::bind(&net.network, "10.9.0.2".parse().unwrap());
    let capture = Capture::start(&net.network, "eth0");
    for (number, pod) in net.pods.iter().enumerate() {
        let inside = Endpoint::bind(pod, pod_address(number));
        outside.send(inside.address(), 3);
        inside.send(outside.address(), 3);
        wait_until("both streams", || {
            inside.count_from(&outside) == outside.sent() - 3 * number as u32
                && outside.count_from(&inside) == 3
        });
        let mac = if number == 2 {
            net.node.mac(UPLINK)
        } else {
            pod.mac("eth0")
        };
        let mark = inside.stream().mark.to_be_bytes();
        let frames = capture.frames();
        let mut from_pod = frames
            .iter()
            .filter(|f| f.windows(8).any(|bytes| bytes == mark));
        assert!(
            from_pod.all(|frame| frame[6..12] == table::mac(&mac)),
            "pod {number}"
        );
    }
}
