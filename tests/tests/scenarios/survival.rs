//! Relay, agent or both are killed under 200 calls and come back: not one packet of an established flow is lost, and the
//! calls go on as if nothing had been.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use lab::agent::AgentLaunch;
use lab::endpoint::now_ns;
use lab::load::unreachables;
use lab::relay::Launch;
use lab::{
    Agent, Call, CallOptions, Engine, Lab, Load, Netns, NgClient, Node, Relay, TwoNetworks, Wiring,
    wait_until,
};
use nix::sys::signal::Signal;

/// How long who was killed stays away.
const AWAY: Duration = Duration::from_secs(2);

/// For 300 packets of a stream.
const COUNTING: Duration = Duration::from_secs(6);

/// How long the journal takes to know what user space has counted.
const JOURNALED: Duration = Duration::from_secs(6);

/// Calls up, 50 packets per second and direction each; `LAB_CALLS` says otherwise where the machine is emulated.
fn calls() -> usize {
    let asked = std::env::var("LAB_CALLS").ok();
    asked.and_then(|calls| calls.parse().ok()).unwrap_or(200)
}

/// Loads take turns: two at once would only show that the machine has few processors.
static TURN: Mutex<()> = Mutex::new(());

/// A relay under load, all its streams in the kernel.
pub(super) struct Scene {
    pub(super) load: Load,
    pub(super) relay: Relay,
    pub(super) agent: Option<Agent>,
    pub(super) ng: NgClient,
    /// What starts the relay again.
    pub(super) launch: Launch,
    /// What starts the agent again.
    pub(super) agent_launch: AgentLaunch,
    pub(super) net: TwoNetworks,
    pub(super) node: Netns,
    counters: Vec<Vec<u64>>,
    counted: Instant,
    unreachables: u64,
    _turn: MutexGuard<'static, ()>,
}

/// Where the agent is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AgentIs {
    Embedded,
    Beside,
}

impl Scene {
    /// Starts it on veth; `choose` says more of the relay and of the agent beside it.
    #[track_caller]
    pub(super) fn begin(
        lab: &Lab,
        agent_is: AgentIs,
        choose: impl FnOnce(Launch, AgentLaunch) -> (Launch, AgentLaunch),
    ) -> Self {
        Self::begin_on(lab, Wiring::Veth, agent_is, choose)
    }

    /// As [`Self::begin`], on any wiring.
    #[track_caller]
    pub(super) fn begin_on(
        lab: &Lab,
        wiring: Wiring,
        agent_is: AgentIs,
        choose: impl FnOnce(Launch, AgentLaunch) -> (Launch, AgentLaunch),
    ) -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let net = TwoNetworks::build(lab, wiring);
        let node = lab.netns("node");
        let launch = Relay::underpass().engine(Engine::Tc).two_networks();
        let agent_launch = Agent::of(&Node::new());
        let (launch, agent_launch) = choose(launch, agent_launch);
        let agent = (agent_is == AgentIs::Beside).then(|| agent_launch.start(&node));
        let launch = match &agent {
            Some(agent) => launch.with(agent),
            None => launch,
        };
        let relay = launch.clone().start(&net.relay);
        let ng = relay.client(&net.relay);
        let mut load = Load::start(&net, &ng, calls());
        load.bring_into_kernel(&ng);
        load.measure();
        let (counters, unreachables) = (load.counters(&ng), unreachables(&net));
        Self {
            load,
            relay,
            agent,
            ng,
            launch,
            agent_launch,
            net,
            node,
            counters,
            counted: Instant::now(),
            unreachables,
            _turn: turn,
        }
    }

    /// Kills it, once the journal knows of the counters that are not to fall.
    pub(super) fn kill_relay(&mut self) {
        sleep(JOURNALED.saturating_sub(self.counted.elapsed()));
        self.load.note("kill -9 of the relay");
        self.relay.process().kill();
    }

    pub(super) fn kill_agent(&mut self) {
        self.load.note("kill -9 of the agent");
        self.agent
            .as_mut()
            .expect("an agent beside")
            .process()
            .kill();
    }

    /// The relay goes, leaving all to its successor.
    #[track_caller]
    pub(super) fn hand_over(&mut self) {
        self.load.note("handover");
        self.relay.process().signal(Signal::SIGUSR2);
        let ended = self.relay.process().wait();
        assert!(ended.success(), "{}", self.relay.process().log());
        self.load.note("the relay has gone");
    }

    #[track_caller]
    pub(super) fn start_relay(&mut self) {
        self.load.note("the relay is started");
        self.relay = self.launch.clone().start(&self.net.relay);
        self.load.note("the relay answers");
    }

    #[track_caller]
    pub(super) fn start_agent(&mut self) {
        self.load.note("the agent is started");
        self.agent = Some(self.agent_launch.start(&self.node));
        self.load.note("the agent listens");
    }

    /// A new call is made, and the kernel forwards it.
    #[track_caller]
    pub(super) fn new_call_gets_into_the_kernel(&mut self) {
        let call = Call::set_up(&self.net, &self.ng, &CallOptions::default());
        call.bring_into_kernel(&self.ng);
        call.hang_up(&self.ng);
        self.load.note("a new call was in the kernel");
    }

    /// The kernel forwards on, whatever the relay thinks.
    #[track_caller]
    pub(super) fn the_kernel_forwards(&self) {
        let packets = || self.relay.metrics(&self.net.relay).kernel_packets();
        let before = packets();
        let more = 20 * self.load.ids().len() as u64;
        wait_until("packets that the kernel forwards", || {
            packets() > before + more
        });
    }

    /// The calls go on: queried, offered again, in the kernel, with RTCP.
    #[track_caller]
    pub(super) fn calls_go_on(&mut self) {
        self.load.wait_for_kernel(&self.ng);
        self.the_kernel_forwards();
        self.load.note("every stream is in the kernel");
        let now = self.load.counters(&self.ng);
        for ((id, before), now) in self.load.ids().iter().zip(&self.counters).zip(&now) {
            let none_fell = before.iter().zip(now).all(|(before, now)| before <= now);
            let kept = before.len() == now.len() && none_fell;
            assert!(kept, "counters of {id} fell from {before:?} to {now:?}");
        }
        self.load.reinvite(&self.ng);
        self.load.note("every call was offered again");
        self.load.wait_for_kernel(&self.ng);
        let since = now_ns();
        wait_until("RTCP at every party", || self.load.oldest_rtcp_ns() > since);
    }

    /// The calls talk until their counters are large, so that what is lost of them is not soon made up for.
    pub(super) fn talk_for_long(&mut self) {
        sleep(COUNTING);
        self.counters = self.load.counters(&self.ng);
        self.counted = Instant::now();
    }

    /// From here on other counters count.
    pub(super) fn forget_counters(&mut self) {
        self.counters.clear();
    }

    /// Nothing was lost; the calls end, then the relay, and nothing is left.
    #[track_caller]
    pub(super) fn ends_complete(mut self) {
        self.load.stop().assert_complete();
        let now = unreachables(&self.net);
        assert_eq!(now - self.unreachables, 0, "ICMP errors reached a caller");
        self.load.hang_up(&self.ng);
        self.relay.assert_idle(&self.net.relay);
        self.relay.process().signal(Signal::SIGTERM);
        let ended = self.relay.process().wait();
        assert!(ended.success(), "{}", self.relay.process().log());
        self.relay.node().assert_empty();
    }
}

#[track_caller]
fn scene(agent_is: AgentIs) -> Option<Scene> {
    let lab = Lab::for_kernel_path()?;
    Some(Scene::begin(&lab, agent_is, |relay, agent| (relay, agent)))
}

#[test]
fn calls_lose_nothing_while_nothing_happens() {
    let Some(mut scene) = scene(AgentIs::Embedded) else {
        return;
    };
    scene.calls_go_on();
    scene.ends_complete();
}

#[test]
fn the_relay_is_killed() {
    let Some(mut scene) = scene(AgentIs::Embedded) else {
        return;
    };
    scene.kill_relay();
    sleep(AWAY);
    scene.start_relay();
    scene.calls_go_on();
    scene.new_call_gets_into_the_kernel();
    scene.ends_complete();
}

#[test]
fn the_relay_is_killed_beside_a_standalone_agent() {
    let Some(mut scene) = scene(AgentIs::Beside) else {
        return;
    };
    scene.kill_relay();
    sleep(AWAY);
    scene.start_relay();
    scene.calls_go_on();
    scene.new_call_gets_into_the_kernel();
    scene.ends_complete();
}

#[test]
fn the_agent_is_killed() {
    let Some(mut scene) = scene(AgentIs::Beside) else {
        return;
    };
    scene.kill_agent();
    sleep(AWAY);
    scene.new_call_gets_into_the_kernel();
    scene.start_agent();
    scene.calls_go_on();
    scene.new_call_gets_into_the_kernel();
    scene.ends_complete();
}

#[test]
fn relay_and_agent_are_killed() {
    let Some(mut scene) = scene(AgentIs::Beside) else {
        return;
    };
    scene.kill_agent();
    scene.kill_relay();
    sleep(AWAY);
    scene.start_agent();
    scene.start_relay();
    scene.calls_go_on();
    scene.new_call_gets_into_the_kernel();
    scene.ends_complete();
}

#[test]
fn an_unprivileged_relay_is_killed() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let mut scene = Scene::begin(&lab, AgentIs::Beside, |relay, agent| {
        (relay.as_nobody(), agent)
    });
    scene.kill_relay();
    sleep(AWAY);
    scene.start_relay();
    scene.calls_go_on();
    scene.new_call_gets_into_the_kernel();
    scene.ends_complete();
}

#[test]
fn the_relay_hands_over() {
    let Some(mut scene) = scene(AgentIs::Embedded) else {
        return;
    };
    scene.hand_over();
    scene.start_relay();
    scene.calls_go_on();
    scene.new_call_gets_into_the_kernel();
    scene.ends_complete();
}

/// Killed again before it has settled, once it has and before it serves, and after that.
#[test]
fn the_relay_is_killed_again_and_again() {
    let Some(mut scene) = scene(AgentIs::Embedded) else {
        return;
    };
    scene.talk_for_long();
    for away in [Duration::ZERO, Duration::from_millis(300)] {
        scene.kill_relay();
        scene.load.note("the relay is started, to be killed early");
        scene.relay = scene.launch.clone().spawn(&scene.net.relay);
        sleep(away);
        scene.kill_relay();
    }
    for _ in 0..2 {
        scene.relay = scene.launch.clone().spawn(&scene.net.relay);
        wait_until("the table taken over", || {
            let log = scene.relay.process().log();
            log.contains("has taken its predecessor's place")
        });
        scene.kill_relay();
    }
    scene.start_relay();
    scene.calls_go_on();
    scene.kill_relay();
    scene.start_relay();
    scene.calls_go_on();
    scene.ends_complete();
}

#[test]
fn the_relay_is_killed_while_native_xdp_forwards() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let wiring = Wiring::VethWithXdpPeer;
    let mut scene = Scene::begin_on(&lab, wiring, AgentIs::Embedded, |relay, agent| {
        (relay.engine(Engine::Xdp), agent)
    });
    scene.kill_relay();
    sleep(AWAY);
    scene.start_relay();
    scene.calls_go_on();
    scene.new_call_gets_into_the_kernel();
    scene.ends_complete();
}

/// A second relay comes to the interfaces, sees the first one die and come back, and goes.
#[test]
fn the_relay_is_killed_on_interfaces_it_shares() {
    let Some(mut scene) = scene(AgentIs::Beside) else {
        return;
    };
    let second = Relay::underpass().engine(Engine::Tc).two_networks();
    let second = second
        .with(scene.agent.as_ref().expect("an agent beside"))
        .listen("127.0.0.1:2224", "127.0.0.1:9102")
        .option("--port-min=40000")
        .option("--port-max=40099");
    let mut second = second.start(&scene.net.relay);
    scene.load.note("a second relay is there");
    let ng = second.client(&scene.net.relay);
    let call = Call::set_up(&scene.net, &ng, &CallOptions::default());
    call.bring_into_kernel(&ng);
    scene.the_kernel_forwards();
    scene.kill_relay();
    sleep(AWAY);
    call.talk(20);
    scene.start_relay();
    scene.calls_go_on();
    scene.new_call_gets_into_the_kernel();
    call.talk(20);
    assert!(call.is_in_kernel(&ng));
    second.process().signal(Signal::SIGTERM);
    assert!(second.process().wait().success());
    scene.load.note("the second relay has gone");
    scene.the_kernel_forwards();
    scene.ends_complete();
}
