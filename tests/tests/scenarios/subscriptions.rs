//! Subscriptions: one stream, several outputs; and parties of two calls that become one.

use std::net::SocketAddr;
use std::thread;

use lab::{
    Call, Endpoint, Engine, Family, Lab, NgClient, Relay, Side, Stage, TwoNetworks, rtp, wait_until,
};
use serde_json::json;

/// Somebody who hears the caller.
pub(super) struct Subscriber {
    tag: String,
    pub(super) endpoint: Endpoint,
}

impl Subscriber {
    pub(super) fn to(call: &Call, net: &TwoNetworks, ng: &NgClient) -> Self {
        let endpoint = Endpoint::bind(&net.callee, Side::B.far(Family::V4));
        Self::at(endpoint, call, ng)
    }

    /// Hears at `endpoint`, in the callee's network.
    pub(super) fn at(endpoint: Endpoint, call: &Call, ng: &NgClient) -> Self {
        let family = match endpoint.address() {
            SocketAddr::V4(_) => "IP4",
            SocketAddr::V6(_) => "IP6",
        };
        let offered = ng.ok(&json!({
            "command": "subscribe request", "call-id": call.id, "from-tag": "caller", "interface": "b",
            "address family": family,
        }));
        assert!(
            offered["sdp"].as_str().unwrap().contains("a=sendonly\r\n"),
            "{offered}"
        );
        let tag = offered["to-tag"].as_str().unwrap().to_owned();
        let answer = lab::sdp::audio_with(endpoint.address(), "recvonly");
        ng.ok(&json!({
            "command": "subscribe answer", "call-id": call.id, "to-tag": tag, "sdp": answer,
        }));
        Self { tag, endpoint }
    }

    pub(super) fn leave(&self, call: &Call, ng: &NgClient) {
        ng.ok(&json!({"command": "unsubscribe", "call-id": call.id, "to-tag": self.tag}));
    }

    /// What has arrived of the packets that `sender` has sent since its number `first`, in order of their bytes.
    pub(super) fn heard_since(&self, sender: &Endpoint, first: u32) -> Vec<Vec<u8>> {
        let mark = sender.stream().mark;
        let is_meant = |bytes: &Vec<u8>| {
            let packet = rtp::read(bytes);
            packet.is_some_and(|packet| packet.mark == mark && packet.number >= first)
        };
        let arrivals = self.endpoint.arrivals().into_iter();
        let mut bytes: Vec<_> = arrivals
            .map(|arrival| arrival.bytes)
            .filter(is_meant)
            .collect();
        bytes.sort_unstable();
        bytes
    }
}

/// What the caller says is forwarded by the kernel, as `query` tells it.
pub(super) fn is_in_kernel(call: &Call, ng: &NgClient) -> bool {
    let stream = call.query(ng)["tags"]["caller"]["medias"][0]["streams"][0].clone();
    let flags = stream["flags"].as_array().cloned().unwrap_or_default();
    let has = |flag: &str| flags.iter().any(|known| known == flag);
    has("kernelized") && !has("no kernel support")
}

/// Lets both parties talk until the kernel forwards what the caller says, to whomever.
pub(super) fn bring_into_kernel(call: &Call, ng: &NgClient) {
    wait_until("the caller in the kernel", || {
        call.talk(2);
        is_in_kernel(call, ng)
    });
}

/// Three hear the same bytes as the callee; one leaves in the middle, and the others miss nothing.
fn three_subscribers(engine: Engine) {
    let Some(stage) = Stage::with(engine) else {
        return;
    };
    let Stage { ng, relay, net } = &stage;
    let call = stage.call();
    call.talk(10);
    let subscribers: Vec<_> = (0..3).map(|_| Subscriber::to(&call, net, ng)).collect();
    // The reply does not wait for the kernel.
    wait_until("all three hear", || {
        call.talk(1);
        let hears = |subscriber: &Subscriber| !subscriber.endpoint.arrivals().is_empty();
        subscribers.iter().all(hears)
    });
    let first = call.caller.sent();
    let heard = |subscriber: usize| subscribers[subscriber].heard_since(&call.caller, first);
    thread::scope(|scope| {
        scope.spawn(|| call.caller.send(call.caller_to, 400));
        wait_until("some of it", || heard(1).len() > 100);
        subscribers[1].leave(&call, ng);
    });
    wait_until(
        "every packet at the callee and the subscribers that stay",
        || {
            let stay = [
                &call.callee,
                &subscribers[0].endpoint,
                &subscribers[2].endpoint,
            ];
            stay.iter()
                .all(|endpoint| endpoint.has_all_since(&call.caller, first))
        },
    );
    assert_eq!(heard(0).len(), 400);
    assert_eq!(heard(0), heard(2));
    let left = heard(1);
    assert!(!left.is_empty() && left.len() < 400, "{}", left.len());
    assert!(left.iter().all(|packet| heard(0).contains(packet)));
    call.talk(10);
    assert_eq!(heard(1), left);
    call.hang_up(ng);
    relay.assert_idle(&net.relay);
}

#[test]
fn three_hear_the_same_in_user_space_and_who_leaves_is_not_missed() {
    three_subscribers(Engine::Null);
}

#[test]
fn three_hear_the_same_by_the_engine_chosen_and_who_leaves_is_not_missed() {
    three_subscribers(Engine::Auto);
}

#[test]
fn blocked_media_stops_and_goes_on() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let stage = Stage::start(&lab, Relay::under_test());
    let Stage { ng, relay, net } = &stage;
    let call = stage.call_in_kernel();
    let about = |command| {
        ng.ok(&json!({"command": command, "call-id": call.id, "from-tag": "caller", "flags": ["directional"]}))
    };
    about("block media");
    let received = || call.query(ng)["totals"]["RTP"]["packets"].as_u64();
    let speak = |count| {
        let before = received().unwrap_or_default();
        call.caller.send(call.caller_to, count);
        wait_until("what was sent comes to the relay", || {
            received() >= Some(before + u64::from(count))
        });
    };
    // The reply does not wait for the kernel.
    wait_until("a packet is blocked", || {
        let before = call.callee.count_from(&call.caller);
        speak(1);
        call.callee.count_from(&call.caller) == before
    });
    let before = call.callee.count_from(&call.caller);
    speak(20);
    about("unblock media");
    let first = call.caller.sent();
    call.caller.send(call.caller_to, 20);
    wait_until("media again", || {
        call.callee.has_all_since(&call.caller, first)
    });
    assert_eq!(call.callee.count_from(&call.caller), before + 20);
    call.hang_up(ng);
    relay.assert_idle(&net.relay);
}

/// The callers of two calls talk to each other, whichever workers had them.
#[test]
fn parties_of_two_calls_are_connected() {
    let Some(lab) = Lab::open() else { return };
    let stage = Stage::start(&lab, Relay::under_test().engine(Engine::Null));
    let Stage { ng, relay, net } = &stage;
    let one = stage.call();
    for _ in 0..4 {
        let other = other_call(net, ng);
        one.caller.send(one.caller_to, 2);
        ng.ok(&json!({
            "command": "connect", "call-id": one.id, "from-tag": "caller", "to-tag": other.tag, "to-call-id": other.id,
        }));
        let (from_one, from_other) = (one.caller.sent(), other.endpoint.sent());
        one.caller.send(one.caller_to, 20);
        other.endpoint.send(other.to, 20);
        wait_until("each at the other's", || {
            other.endpoint.has_all_since(&one.caller, from_one)
                && one.caller.has_all_since(&other.endpoint, from_other)
        });
        ng.ok(&json!({"command": "delete", "call-id": other.id, "delete delay": 0}));
    }
    one.hang_up(ng);
    relay.assert_idle(&net.relay);
}

/// The callee of a call of its own.
struct Other {
    id: String,
    tag: String,
    pub(super) endpoint: Endpoint,
    to: SocketAddr,
}

fn other_call(net: &TwoNetworks, ng: &NgClient) -> Other {
    let endpoint = Endpoint::bind(&net.callee, Side::B.far(Family::V4));
    let created = ng.ok(&json!({"command": "create", "interface": "b"}));
    let text = |key: &str| created[key].as_str().unwrap().to_owned();
    let (id, tag) = (text("call-id"), text("from-tag"));
    let answer = lab::sdp::audio(endpoint.address());
    ng.ok(&json!({"command": "create answer", "call-id": id, "from-tag": tag, "sdp": answer}));
    let to = lab::sdp::media(created["sdp"].as_str().unwrap()).unwrap();
    Other {
        id,
        tag,
        endpoint,
        to,
    }
}
