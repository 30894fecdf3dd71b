//! A relay whose agent is away for a while.

use std::net::SocketAddr;

use underpass::datapath::{Flow, FlowId, Reason};
use underpass::tables::client::AgentChoice;

use crate::agent::{Agent, socket};
use crate::net::{CALLEE, CALLER, Net, RELAY_A, relayed, skipped, until};
use crate::relay::{Directory, Relay};
use crate::{flow, is_in_kernel, is_out, local};

#[test]
fn flows_go_on_come_and_go_while_the_agent_is_away_and_what_only_it_can_do_waits() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let directory = Directory::new();
    let agent = Agent::start(&net, "r", &directory, &[]);
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    let relay = Relay::among(&net, &directory, |config| {
        config.agent = AgentChoice::At(socket(directory.path()));
    });
    // Another way out, that no media address is at.
    net.ip("r", &["link", "add", "d0", "type", "veth", "peer", "d1"]);
    net.ip("r", &["address", "add", "10.79.0.1/24", "dev", "d0"]);
    for device in ["d0", "d1"] {
        net.ip("r", &["link", "set", device, "up"]);
    }
    let lladdr = ["lladdr", "02:00:00:00:00:77", "dev", "d0"];
    net.ip(
        "r",
        &[&["neigh", "replace", "10.79.0.2"], &lladdr[..]].concat(),
    );
    let first = relay.install(1, flow(30_000));
    assert!(relayed(&caller, local(30_000), &callee).is_some());

    drop(agent);

    assert!(relayed(&caller, local(30_000), &callee).is_some());
    assert!(is_in_kernel(&first));
    let second = relay.install(2, flow(30_002));
    assert!(relayed(&caller, local(30_002), &callee).is_some());
    until("in the kernel", || is_in_kernel(&second));
    relay.started().datapath.remove(FlowId(2));
    until("removed", || is_out(&second, Reason::NotInstalled));
    let elsewhere = Flow {
        from: SocketAddr::new(RELAY_A.parse().unwrap(), 40_000),
        to: "10.79.0.2:5000".parse().unwrap(),
        ..flow(30_004)
    };
    let waits = relay.install(3, elsewhere);
    until("no way out", || is_out(&waits, Reason::EgressNotGranted));

    let _agent = Agent::start(&net, "r", &directory, &[]);

    until("a way out", || is_in_kernel(&waits));
    assert!(relayed(&caller, local(30_000), &callee).is_some());
}
