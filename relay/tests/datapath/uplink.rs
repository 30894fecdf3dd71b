//! A relay in a pod, whose flows turn around at the node's own interface.

use std::net::SocketAddr;

use underpass::datapath::{Engine, EngineChoice, Flow, Receiver};
use underpass::tables::client::AgentChoice;
use underpass::tables::protocol::Shape;

use crate::agent::{Agent, socket};
use crate::net::{CALLER, Net, RELAY_A, relayed, skipped};
use crate::relay::{Directory, Relay};
use crate::{flow, is_in_kernel};

/// From one port of the caller's to another, through a pod.
fn through(pod: &str) -> Flow {
    let at = |port| SocketAddr::new(pod.parse().unwrap(), port);
    Flow {
        local: at(30_000),
        from: at(40_000),
        to: SocketAddr::new(CALLER.parse().unwrap(), 5000),
        ..flow(30_000)
    }
}

/// The same, and to another port beside.
fn through_to_two(pod: &str) -> Flow {
    let second = Receiver {
        from: SocketAddr::new(pod.parse().unwrap(), 40_002),
        to: SocketAddr::new(CALLER.parse().unwrap(), 5002),
        tos: 0,
    };
    Flow {
        further: Box::new([second]),
        ..through(pod)
    }
}

/// Forwards through the pod's address, at `r0` of the node.
fn forwards_at_the_uplink(net: &Net, pod: &str, flow: &Flow) {
    let directory = Directory::new();
    let agent = Agent::start(net, "r", &directory, &["--uplink", "r0"]);
    let relay = Relay::in_namespace(net, "p", &directory, |config| {
        config.agent = AgentChoice::At(socket(directory.path()));
        config.claim.addresses = vec![pod.parse().unwrap()];
        // So that what is forwarded has not been in the pod.
        config.claim.interface_engines = [("eth0".to_owned(), EngineChoice::Null)].into();
    });
    let caller = net.socket("a", CALLER, 4000);
    let interfaces = relay.started().monitor.interfaces();
    let [uplink, own] = &interfaces[..] else {
        panic!("{interfaces:?}");
    };
    assert_eq!(
        (uplink.name.as_str(), uplink.shape),
        ("r0", Some(Shape::Uplink))
    );
    assert_eq!(uplink.engine, Some(Engine::Tc));
    assert_eq!((own.name.as_str(), own.engine), ("eth0", None));

    let report = relay.install(1, flow.clone());

    for receiver in flow.receivers() {
        let callee = net.socket("a", CALLER, receiver.to.port());
        let from = relayed(&caller, flow.local, &callee);
        assert_eq!(from, Some(receiver.from));
    }
    assert!(is_in_kernel(&report));
    drop(relay);
    drop(agent);
}

/// With a pod on a macvlan of `r0`.
fn on_macvlan(flow: impl Fn(&str) -> Flow) {
    if skipped() {
        return;
    }
    let net = Net::new();
    net.add_pod();
    net.ip(
        "r",
        &["link", "add", "link", "r0", "name", "m0", "type", "macvlan"],
    );
    net.move_to_pod("m0", "10.71.0.9/24");
    forwards_at_the_uplink(&net, "10.71.0.9", &flow("10.71.0.9"));
}

#[test]
fn flows_of_a_macvlan_pod_turn_around_at_the_parent() {
    on_macvlan(through);
}

#[test]
fn flows_of_a_macvlan_pod_to_several_turn_around_at_the_parent() {
    on_macvlan(through_to_two);
}

#[test]
fn flows_of_a_routed_pod_turn_around_at_the_nodes_interface() {
    if skipped() {
        return;
    }
    let net = Net::new();
    net.add_pod();
    net.ip(
        "r",
        &["link", "add", "v0", "type", "veth", "peer", "name", "v1"],
    );
    net.ip("r", &["address", "add", "10.75.0.1/24", "dev", "v0"]);
    net.ip("r", &["link", "set", "v0", "up"]);
    net.move_to_pod("v1", "10.75.0.2/24");
    net.ip("p", &["route", "add", "default", "via", "10.75.0.1"]);
    net.ip("a", &["route", "add", "10.75.0.0/24", "via", RELAY_A]);
    net.run("r", "sysctl", &["-qw", "net.ipv4.ip_forward=1"]);
    forwards_at_the_uplink(&net, "10.75.0.2", &through("10.75.0.2"));
}
