//! Subscribers of a stream that the kernel forwards: one packet in, several out.

use std::thread;
use std::time::Duration;

use lab::relay::Launch;
use lab::{Call, CallOptions, Engine, Lab, NgClient, Relay, TwoNetworks, Wiring, wait_until};
use serde_json::Value;

use crate::subscriptions::{Subscriber, bring_into_kernel, is_in_kernel};

/// How long the journal takes to know what user space has counted.
const JOURNALED: Duration = Duration::from_secs(6);

/// A call with three subscribers; the kernel forwards what the caller says to all four.
struct Scene {
    net: TwoNetworks,
    launch: Launch,
    relay: Relay,
    ng: NgClient,
    call: Call,
    subscribers: Vec<Subscriber>,
}

impl Scene {
    fn begin(lab: &Lab) -> Self {
        let net = TwoNetworks::build(lab, Wiring::Veth);
        let launch = Relay::underpass().engine(Engine::Tc).two_networks();
        let relay = launch.clone().start(&net.relay);
        let ng = relay.client(&net.relay);
        let call = Call::set_up(&net, &ng, &CallOptions::default());
        call.talk(10);
        let subscribers = (0..3).map(|_| Subscriber::to(&call, &net, &ng)).collect();
        bring_into_kernel(&call, &ng);
        Self {
            net,
            launch,
            relay,
            ng,
            call,
            subscribers,
        }
    }

    /// Packets that came up, once every packet so far is counted somewhere.
    fn came_up(&self) -> u64 {
        let sent = u64::from(self.call.caller.sent() + self.call.callee.sent());
        let metrics = || self.relay.metrics(&self.net.relay);
        wait_until("the counters of all packets so far", || {
            metrics().kernel_packets() + metrics().userspace_packets() == sent
        });
        metrics().userspace_packets()
    }

    /// What `query` has counted of what the caller says.
    fn counted(&self) -> Value {
        let query = self.call.query(&self.ng);
        query["tags"]["caller"]["medias"][0]["streams"][0]["stats"]["packets"].clone()
    }

    /// The callee and these subscribers get what the caller has said since its packet `first`, each packet once.
    #[track_caller]
    fn assert_all_get(&self, first: u32, subscribers: &[usize]) {
        let sent = (self.call.caller.sent() - first) as usize;
        wait_until("every packet at the callee", || {
            self.call.callee.has_all_since(&self.call.caller, first)
        });
        for n in subscribers {
            let subscriber = &self.subscribers[*n];
            wait_until("every packet at every subscriber", || {
                subscriber.endpoint.has_all_since(&self.call.caller, first)
            });
            let heard = subscriber.heard_since(&self.call.caller, first);
            assert_eq!(heard.len(), sent, "subscriber {n}");
        }
    }

    #[track_caller]
    fn end(self) {
        self.call.hang_up(&self.ng);
        self.relay.assert_idle(&self.net.relay);
    }
}

#[test]
fn the_kernel_sends_to_all_and_counts_what_came_in_once() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let scene = Scene::begin(&lab);
    let (before, first) = (scene.came_up(), scene.call.caller.sent());
    scene.call.talk(200);
    scene.assert_all_get(first, &[0, 1, 2]);
    assert_eq!(scene.came_up(), before);
    assert!(is_in_kernel(&scene.call, &scene.ng));
    assert_eq!(scene.counted(), scene.call.caller.sent());
    scene.end();
}

#[test]
fn who_comes_and_goes_brings_no_packet_of_the_others_up() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let scene = Scene::begin(&lab);
    let Scene { net, ng, call, .. } = &scene;
    let (before, first) = (scene.came_up(), call.caller.sent());
    thread::scope(|scope| {
        let talking = scope.spawn(|| call.caller.send(call.caller_to, 400));
        scene.subscribers[1].leave(call, ng);
        let newcomer = Subscriber::to(call, net, ng);
        talking.join().unwrap();
        wait_until("the newcomer hears, too", || {
            call.caller.send(call.caller_to, 1);
            !newcomer.endpoint.arrivals().is_empty()
        });
    });
    scene.assert_all_get(first, &[0, 2]);
    assert_eq!(scene.came_up(), before);
    scene.end();
}

#[test]
fn what_comes_up_goes_to_all_and_the_kernel_takes_over_again() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let scene = Scene::begin(&lab);
    let (before, first) = (scene.came_up(), scene.call.caller.sent());
    // Another SSRC is new to the kernel.
    scene.call.caller.change_stream(8, 0x1234_5678);
    scene.call.talk(50);
    bring_into_kernel(&scene.call, &scene.ng);
    scene.assert_all_get(first, &[0, 1, 2]);
    assert!(scene.came_up() > before);
    assert_eq!(scene.counted(), scene.call.caller.sent());
    scene.end();
}

#[test]
fn the_kernel_sends_to_all_while_the_relay_is_dead_and_after() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let mut scene = Scene::begin(&lab);
    let counted = scene.counted().as_u64();
    thread::sleep(JOURNALED);
    let first = scene.call.caller.sent();
    scene.relay.process().kill();
    scene.call.talk(50);
    scene.assert_all_get(first, &[0, 1, 2]);
    scene.relay = scene.launch.clone().start(&scene.net.relay);
    scene.call.talk(50);
    bring_into_kernel(&scene.call, &scene.ng);
    scene.assert_all_get(first, &[0, 1, 2]);
    assert!(scene.counted().as_u64() >= counted.map(|counted| counted + 100));
    let first = scene.call.caller.sent();
    scene.subscribers[1].leave(&scene.call, &scene.ng);
    scene.call.talk(50);
    scene.assert_all_get(first, &[0, 2]);
    scene.end();
}
