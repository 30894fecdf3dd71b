//! A node whose pods are reached through one interface of its own.
//!
//! ```text
//!   network                      node            pods
//!   eth0 10.9.0.2, .3 ------ uplink 10.9.0.1 --- eth0 10.9.0.11, .12: macvlan children, mode bridge
//!                                            --- eth0 10.9.1.11/32: a veth pair, routed by the node
//! ```

use std::net::IpAddr;

use serde_json::{Value, json};

use crate::call::{Call, CallOptions};
use crate::endpoint::Endpoint;
use crate::lab::Lab;
use crate::netns::Netns;
use crate::ng::NgClient;
use crate::sdp;
use crate::xdp_pass::XdpPass;

/// The node's interface.
pub const UPLINK: &str = "uplink";

/// The namespaces; the interface is `eth0` in all but the node's.
#[derive(Debug)]
pub struct UplinkNet {
    /// Where both parties of every call are.
    pub network: Netns,
    /// Where the agent is.
    pub node: Netns,
    /// Where relays are: two with macvlan children, then the one with a routed veth.
    pub pods: [Netns; 3],
    _peer: Option<XdpPass>,
}

impl UplinkNet {
    /// Builds it; `xdp`: the network's end of the uplink co-operates with native XDP.
    #[must_use]
    pub fn build(lab: &Lab, xdp: bool) -> Self {
        let (network, node) = (lab.netns("network"), lab.netns("node"));
        let pods = ["pod-0", "pod-1", "pod-2"].map(|role| lab.netns(role));
        network.veth("eth0", &node, UPLINK);
        node.address(UPLINK, "10.9.0.1/24");
        network.address("eth0", "10.9.0.2/24");
        network.address("eth0", "10.9.0.3/24");
        node.sysctl("net/ipv4/ip_forward", "1");
        for (number, pod) in pods[..2].iter().enumerate() {
            node.ip(&format!(
                "link add link {UPLINK} name child-{number} type macvlan mode bridge"
            ));
            node.ip(&format!(
                "link set dev child-{number} netns {} name eth0",
                pod.name()
            ));
            pod.address("eth0", &format!("{}/24", pod_address(number)));
        }
        node.veth("pod-2", &pods[2], "eth0");
        node.ip("link set dev pod-2 up");
        // Answers for the pod's gateway, which no interface has, wherever the node has a route to it.
        node.ip("route add default via 10.9.0.2");
        node.sysctl("net/ipv4/conf/pod-2/proxy_arp", "1");
        node.sysctl("net/ipv4/neigh/pod-2/proxy_delay", "0");
        let routed = pod_address(2);
        pods[2].address("eth0", &format!("{routed}/32"));
        pods[2].ip("route add 169.254.1.1 dev eth0 scope link");
        pods[2].ip("route add default via 169.254.1.1 dev eth0");
        node.ip(&format!("route add {routed}/32 dev pod-2"));
        network.ip(&format!("route add {routed}/32 via 10.9.0.1"));
        let peer = xdp.then(|| {
            network.offload("eth0", "gro", true);
            XdpPass::attach(&network, "eth0")
        });
        Self {
            network,
            node,
            pods,
            _peer: peer,
        }
    }

    /// Sets a call up between two parties in the network, through a pod's relay.
    #[must_use]
    #[track_caller]
    pub fn call(&self, ng: &NgClient) -> Call {
        let party = |host: u8| Endpoint::bind(&self.network, IpAddr::from([10, 9, 0, host]));
        let (caller, callee) = (party(2), party(3));
        let (offer, answer) = (sdp::audio(caller.address()), sdp::audio(callee.address()));
        Call::set_up_with(ng, &options(), (caller, &offer), (callee, &answer))
    }
}

/// The address of pod 0, 1 or 2.
#[must_use]
pub fn pod_address(number: usize) -> IpAddr {
    IpAddr::from(match number {
        0 => [10, 9, 0, 11],
        1 => [10, 9, 0, 12],
        _ => [10, 9, 1, 11],
    })
}

/// Both sides of the call are at the relay's one interface.
fn options() -> CallOptions {
    let mut options = CallOptions::default();
    let both: Value = json!(["eth0", "eth0"]);
    options.keys.insert("direction".to_owned(), both);
    options
}
