//! Tenants of one node: what one is granted no other gets, whatever it writes and whatever it says.

mod claims;
mod lifetime;
mod receivers;
mod writes;

use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use lab::capture::Capture;
use lab::endpoint::now_ns;
use lab::fake_agent::{FakeAgent, Manner};
use lab::memory::Memory;
use lab::table::{self, Route, Table};
use lab::tenant::{self, NOBODY, SOMEBODY, Tenant, as_user};
use lab::{
    Agent, Call, CallOptions, Endpoint, Engine, Lab, NgClient, Node, Relay, TwoNetworks, Wiring,
    bpf, pod, wait_until,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use underpass_abi::{Flow, MAX_EGRESSES, Outcome, Record};

/// The hostile tenant's ports; the victim's begin at 40000.
const PORTS: [u16; 2] = [42_000, 42_099];
/// Where packets for the hostile tenant arrive.
const LOCAL: u16 = PORTS[0];
/// A port of the victim.
const VICTIMS: u16 = 40_000;
/// Packets of one attempt.
const PACKETS: u32 = 5;

/// A node, its agent, and a well-behaved tenant with a call that the kernel forwards.
struct Ground {
    net: TwoNetworks,
    agent: Agent,
    victim: Relay,
    ng: NgClient,
    call: Call,
}

fn ground(lab: &Lab) -> Ground {
    let net = TwoNetworks::build(lab, Wiring::Veth);
    let agent = Agent::of(&Node::new()).start(&net.relay);
    let victim = Relay::underpass()
        .with(&agent)
        .as_nobody()
        .engine(Engine::Tc)
        .two_networks()
        .option("--identity=victim")
        .option("--name=victim")
        .option("--port-min=40000")
        .option("--port-max=40099")
        .start(&net.relay);
    let ng = victim.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    call.bring_into_kernel(&ng);
    Ground {
        net,
        agent,
        victim,
        ng,
        call,
    }
}

impl Ground {
    fn tenant(&self, uid: u32) -> Tenant {
        Tenant::connect(&self.net.relay, &self.agent.node().socket(), uid).unwrap()
    }

    /// The victim's calls are in the kernel and lose nothing.
    #[track_caller]
    fn assert_victim_is_well(&self) {
        let before = self.victim.metrics(&self.net.relay).userspace_packets();
        self.call.talk(50);
        assert!(self.call.is_in_kernel(&self.ng));
        let after = self.victim.metrics(&self.net.relay).userspace_packets();
        assert_eq!(after, before, "packets of the victim's flows came up");
    }
}

/// A tenant that has a table on the interfaces it shares with the victim, and what it takes to see what leaves.
struct Hostile<'a> {
    ground: &'a Ground,
    _tenant: Tenant,
    table: Table,
    /// Sends to the hostile tenant's port.
    sender: Endpoint,
    /// Where packets go that are passed up.
    own: Endpoint,
    neighbours: [Capture; 2],
    egress: u32,
}

/// 10.1.0.1 and 10.2.0.1 at [`PORTS`].
fn hostile_claim() -> Value {
    tenant::claim("hostile", &["10.1.0.1", "10.2.0.1"], PORTS)
}

impl<'a> Hostile<'a> {
    fn on(ground: &'a Ground) -> Self {
        let tenant = ground.tenant(SOMEBODY);
        let table = Table::settled(&tenant, &hostile_claim()).unwrap();
        let net = &ground.net;
        let egress = table.egress("own", net.relay.index("b"));
        Self {
            ground,
            _tenant: tenant,
            table,
            sender: Endpoint::bind_at(&net.caller, "10.1.0.2:20000".parse().unwrap()),
            own: Endpoint::bind_at(&net.relay, format!("10.1.0.1:{LOCAL}").parse().unwrap()),
            neighbours: [&net.caller, &net.callee].map(|ns| Capture::start(ns, "eth0")),
            egress,
        }
    }

    /// What the tenant is granted: in at one of its addresses, out from the other.
    fn lawful_route(&self) -> Route {
        Route {
            local: self.own.address(),
            source: self.sender.address(),
            from: format!("10.2.0.1:{}", LOCAL + 2).parse().unwrap(),
            to: "10.2.0.2:30000".parse().unwrap(),
        }
    }

    fn flow_of(&self, route: Route) -> Flow {
        let net = &self.ground.net;
        let addressing = route.addressing(&net.relay.mac("b"), &net.callee.mac("eth0"));
        table::flow(&addressing, self.egress, 1)
    }

    /// Frames at the neighbours, of any kind, that carry a packet of the sender.
    fn escaped(&self) -> u32 {
        let mark = self.sender.stream().mark.to_be_bytes();
        let carries = |frame: &Vec<u8>| frame.windows(8).any(|bytes| bytes == mark);
        let of = |capture: &Capture| capture.frames().iter().filter(|f| carries(f)).count();
        u32::try_from(self.neighbours.iter().map(of).sum::<usize>()).expect("few frames")
    }

    fn passed_up(&self) -> u32 {
        self.own.count_from(&self.sender)
    }

    /// Sends packets and waits until each has gone up or out; how many went up, and how many out.
    fn send(&self, count: u32) -> (u32, u32) {
        let before = (self.passed_up(), self.escaped());
        let now = || (self.passed_up() - before.0, self.escaped() - before.1);
        self.table.give_sign_of_life(now_ns());
        self.sender.send(self.own.address(), count);
        let patience = Instant::now();
        while now().0 + now().1 < count && patience.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(5));
        }
        now()
    }

    /// Nothing of what arrives for this flow is forwarded; all of it goes up, and is counted as outside the grant.
    #[track_caller]
    fn assert_refused(&self, what: &str, flow: Flow) {
        self.table.install(1, flow, 0, LOCAL);
        let counted = self.table.outcome(Outcome::OutsideGrant);
        let (up, out) = self.send(PACKETS);
        assert_eq!(
            (up, out),
            (PACKETS, 0),
            "{what}: packets passed up, and forwarded"
        );
        let counted = self.table.outcome(Outcome::OutsideGrant) - counted;
        assert_eq!(
            counted,
            u64::from(PACKETS),
            "{what}: counted as outside the grant"
        );
    }

    /// The flow that all attempts are made from is forwarded.
    #[track_caller]
    fn assert_lawful_flow_is_forwarded(&self) {
        self.table
            .install(0, self.flow_of(self.lawful_route()), 0, LOCAL);
        assert_eq!(self.send(PACKETS), (0, PACKETS), "passed up, and forwarded");
    }
}

#[test]
fn two_unprivileged_relays_on_one_interface_both_forward_in_the_kernel() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let second = Relay::underpass()
        .with(&ground.agent)
        .as_nobody()
        .engine(Engine::Tc)
        .two_networks()
        .option("--port-min=41000")
        .option("--port-max=41099")
        .listen("127.0.0.1:2224", "127.0.0.1:9102")
        .start(&ground.net.relay);
    let ng = second.client(&ground.net.relay);
    let call = Call::set_up(&ground.net, &ng, &CallOptions::default());
    call.bring_into_kernel(&ng);
    let before = second.metrics(&ground.net.relay).userspace_packets();
    thread::scope(|scope| {
        scope.spawn(|| ground.assert_victim_is_well());
        call.talk(50);
    });
    let after = second.metrics(&ground.net.relay).userspace_packets();
    assert_eq!(after, before);
}

#[test]
fn a_flow_within_the_grant_is_forwarded() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    hostile.assert_lawful_flow_is_forwarded();
    ground.assert_victim_is_well();
}

/// So that a failure elsewhere is not one of the lab.
#[test]
fn a_tenant_of_the_lab_is_who_it_says() {
    let Some(lab) = Lab::open() else { return };
    let (ns, node) = (lab.netns("tenant"), Node::new());
    as_user(SOMEBODY, || {
        assert!(std::fs::write("/proc/sys/kernel/panic", "0").is_err());
        assert_eq!(nix::unistd::geteuid().as_raw(), SOMEBODY);
    });
    assert!(nix::unistd::geteuid().is_root());
    let answer = Manner::Answers(br#"{"message":"refused"}"#.to_vec(), 2);
    let _agent = FakeAgent::listen(&node.socket(), answer);
    let tenant = Tenant::connect(&ns, &node.socket(), SOMEBODY).unwrap();
    assert_eq!(
        (pod::user(tenant.pid()), pod::capabilities(tenant.pid())),
        (SOMEBODY, 0)
    );
    let own = std::fs::File::from(tenant.namespace().try_clone_to_owned().unwrap());
    let its = std::fs::metadata(format!("/proc/{}/ns/net", tenant.pid())).unwrap();
    assert_eq!(own.metadata().unwrap().ino(), its.ino());
    tenant.say(&hostile_claim(), &[tenant.namespace()]).unwrap();
    let (answer, descriptors) = tenant.hear().unwrap();
    assert_eq!(
        (answer["message"].as_str(), descriptors.len()),
        (Some("refused"), 2)
    );
}
