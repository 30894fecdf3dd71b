//! A relay is killed and never comes back: its table forwards for the lease, not longer, and nothing of it stays.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use lab::endpoint::now_ns;
use lab::load::unreachables;
use lab::pinned::Object;
use lab::relay::Launch;
use lab::{
    Agent, Engine, Lab, Load, Netns, NgClient, Node, Relay, TwoNetworks, Wiring, wait_until,
};

/// Seconds.
const LEASE: u64 = 4;
/// How much later than the lease the forwarding may end, seconds.
const GRACE: u64 = 5;
/// Nothing has arrived for so long: nothing is forwarded any more.
const SILENCE: Duration = Duration::from_secs(1);

const SECOND: u64 = 1_000_000_000;

/// A relay with calls that the kernel forwards.
struct Scene {
    load: Load,
    relay: Relay,
    agent: Option<Agent>,
    launch: Launch,
    net: TwoNetworks,
    node_ns: Netns,
}

impl Scene {
    #[track_caller]
    fn begin(with_agent: bool) -> Option<Self> {
        let lab = Lab::for_kernel_path()?;
        let net = TwoNetworks::build(&lab, Wiring::Veth);
        let node_ns = lab.netns("node");
        let launch = Relay::underpass().engine(Engine::Tc).two_networks();
        let agent = with_agent.then(|| start_agent(launch.node(), &node_ns));
        let launch = match &agent {
            Some(agent) => launch.with(agent),
            None => launch.option(&format!("--table-lease={LEASE}")),
        };
        let relay = launch.clone().start(&net.relay);
        let ng = relay.client(&net.relay);
        let load = Load::start(&net, &ng, 3);
        load.bring_into_kernel(&ng);
        Some(Self {
            load,
            relay,
            agent,
            launch,
            net,
            node_ns,
        })
    }

    fn node(&self) -> Arc<Node> {
        self.relay.node().clone()
    }

    fn client(&self) -> NgClient {
        self.relay.client(&self.net.relay)
    }

    /// Kills the relay and watches until nothing is forwarded any more.
    #[track_caller]
    fn forwarding_ends_with_the_lease(&mut self) {
        let before = unreachables(&self.net);
        self.relay.process().kill();
        let killed = now_ns();
        let mut first_error = None;
        wait_until("the end of the forwarding", || {
            if first_error.is_none() && unreachables(&self.net) != before {
                first_error = Some(now_ns());
            }
            let last = self.load.last_arrival_ns().max(killed);
            now_ns().saturating_sub(last) > SILENCE.as_nanos() as u64
        });
        let after = |at: u64| (at - killed) as f64 / SECOND as f64;
        let ended = after(self.load.last_arrival_ns());
        let (least, most) = (LEASE as f64, (LEASE + GRACE) as f64);
        assert!(
            (least..=most).contains(&ended),
            "forwarding ended after {ended:.2} s, the lease being {LEASE} s"
        );
        if let Some(at) = first_error.map(after) {
            assert!(at >= least, "ICMP errors reached a caller after {at:.2} s");
        }
    }
}

#[track_caller]
fn start_agent(node: &Arc<Node>, ns: &Netns) -> Agent {
    Agent::of(node)
        .option(&format!("--table-lease={LEASE}"))
        .start(ns)
}

/// What is pinned, and which objects those are.
#[track_caller]
fn objects(node: &Node) -> Vec<(PathBuf, Object)> {
    let pins = node.pins().into_iter();
    let found: Vec<_> = pins
        .filter_map(|path| Some((path.clone(), Object::pinned(&path)?)))
        .collect();
    let has = |kind: fn(&Object) -> bool| found.iter().any(|(_, object)| kind(object));
    assert!(has(|object| matches!(object, Object::Map(_))), "{found:?}");
    found
}

/// Waits until no record, pin, map, program or link of the dead is left.
#[track_caller]
fn nothing_is_left(node: &Node, objects: &[(PathBuf, Object)]) {
    wait_until("the dead relay's record to go", || {
        node.records().is_empty()
    });
    wait_until("the dead relay's pins to go", || node.pins().is_empty());
    for (path, object) in objects {
        wait_until(
            &format!("the end of {object:?}, pinned at {}", path.display()),
            || !object.exists(),
        );
    }
}

#[test]
fn with_the_agent_alive_forwarding_ends_and_nothing_is_left() {
    let Some(mut scene) = Scene::begin(true) else {
        return;
    };
    let (node, objects) = (scene.node(), objects(&scene.node()));
    scene.forwarding_ends_with_the_lease();
    nothing_is_left(&node, &objects);
    assert!(
        scene
            .agent
            .as_mut()
            .expect("an agent")
            .process()
            .is_running()
    );
}

#[test]
fn with_the_agent_dead_forwarding_ends_and_the_next_agent_leaves_nothing() {
    let Some(mut scene) = Scene::begin(true) else {
        return;
    };
    let (node, objects) = (scene.node(), objects(&scene.node()));
    scene.agent.as_mut().expect("an agent").process().kill();
    scene.forwarding_ends_with_the_lease();
    // The program has stopped by itself: all of it is still there.
    let kept: Vec<_> = objects
        .iter()
        .filter(|(_, object)| !object.exists())
        .collect();
    assert!(kept.is_empty(), "gone before any agent ran: {kept:?}");
    let _agent = start_agent(&node, &scene.node_ns);
    nothing_is_left(&node, &objects);
}

#[test]
fn after_an_embedded_agent_s_death_the_next_relay_clears_up_and_may_have_the_ports() {
    let Some(mut scene) = Scene::begin(false) else {
        return;
    };
    let (node, objects) = (scene.node(), objects(&scene.node()));
    scene.forwarding_ends_with_the_lease();
    // Another identity, the same addresses and ports.
    let next = Relay::underpass()
        .engine(Engine::Tc)
        .two_networks()
        .on(&node);
    let mut next = next.option("--require-kernel").start(&scene.net.relay);
    for (path, object) in &objects {
        wait_until(
            &format!("the end of {object:?}, pinned at {}", path.display()),
            || !object.exists(),
        );
    }
    assert_eq!(node.records().len(), 1);
    next.process().signal(nix::sys::signal::Signal::SIGTERM);
    assert!(next.process().wait().success());
    nothing_is_left(&node, &[]);
}

#[test]
fn back_after_its_lease_it_starts_empty_and_says_so() {
    let Some(mut scene) = Scene::begin(false) else {
        return;
    };
    scene.forwarding_ends_with_the_lease();
    let _ = scene.load.stop();
    scene.relay = scene.launch.clone().start(&scene.net.relay);
    assert_eq!(scene.relay.calls(&scene.net.relay), [""; 0]);
    let log = scene.relay.process().log();
    let told = log
        .lines()
        .any(|line| line.contains("lease") && line.contains("calls"));
    assert!(told, "{log}");
    scene.relay.assert_idle(&scene.net.relay);
}

#[test]
fn back_within_its_lease_again_and_again_it_never_loses_it() {
    let Some(mut scene) = Scene::begin(false) else {
        return;
    };
    scene.load.measure();
    // Longer than the lease in all, never in one.
    for _ in 0..3 {
        scene.load.note("kill -9 of the relay");
        scene.relay.process().kill();
        sleep(Duration::from_secs(LEASE / 2));
        scene.relay = scene.launch.clone().start(&scene.net.relay);
        scene.load.note("the relay answers");
        scene.load.bring_into_kernel(&scene.client());
    }
    scene.load.stop().assert_complete();
}

#[test]
fn the_lease_that_counts_is_the_agent_s_not_the_relay_s() {
    let Some(mut scene) = Scene::begin(true) else {
        return;
    };
    scene.launch = scene.launch.clone().option("--table-lease=1");
    scene.load.measure();
    scene.load.note("kill -9 of the relay");
    scene.relay.process().kill();
    sleep(Duration::from_secs(LEASE) - Duration::from_millis(500));
    scene.relay = scene.launch.clone().start(&scene.net.relay);
    scene.load.note("the relay answers");
    scene.load.bring_into_kernel(&scene.client());
    scene.load.stop().assert_complete();
}
