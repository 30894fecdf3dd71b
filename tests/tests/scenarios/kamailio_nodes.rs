//! Kamailio with its relays in a table: each way to take one out of service leaves its calls to it, and sends new ones elsewhere.
//! And Kamailio over a WebSocket.

use lab::relay::HTTP;
use lab::sip::{Callees, Callers, Kamailio, Node, Play};
use lab::{Engine, Family, Lab, Relay, Side, TwoNetworks, Wiring};

const OLD: &str = "127.0.0.1:2223";
const NEW: &str = "127.0.0.1:2225";

/// A relay in user space beside another one, with ports of its own.
fn relay(net: &TwoNetworks, ng: &str, http: &str, ports: (u16, u16)) -> Relay {
    Relay::underpass()
        .engine(Engine::Null)
        .table("-1")
        .two_networks()
        .listen(ng, http)
        .option(&format!("--port-min={}", ports.0))
        .option(&format!("--port-max={}", ports.1))
        .start(&net.relay)
}

/// A call begins while the old relay has all of them, the table is changed, and the call ends: the old relay is told so. A
/// call after that has the new one.
fn takes_out(out_of_service: &[Node<'_>], allow_op: bool) {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let old = relay(&net, OLD, HTTP, (30_000, 30_999));
    let new = relay(&net, NEW, "127.0.0.1:9102", (31_000, 31_999));
    let node = |url, weight| Node {
        url,
        weight,
        disabled: false,
    };
    let before = [node("udp:127.0.0.1:2223", 1), node("udp:127.0.0.1:2225", 0)];
    let kamailio = Kamailio::start_with_table(&net, &before, allow_op);
    let mut callees = Callees::start(&net, Side::B.far(Family::V4), Play::Talk, 2);
    let mut first = Callers::start(&net, Play::Talk, 1);
    first.wait_for_answers(1);
    let calls = || (old.calls(&net.relay).len(), new.calls(&net.relay).len());
    assert_eq!(calls(), (1, 0), "before");

    let mut after = out_of_service.to_vec();
    after.push(node("udp:127.0.0.1:2225", 1));
    kamailio.reload(&net, &after);
    first.cue(1);
    first.finish();
    drop(first);
    assert_eq!(calls(), (0, 0), "after its end:\n{}", kamailio.log());

    let mut second = Callers::start(&net, Play::Talk, 1);
    second.wait_for_answers(1);
    assert_eq!(calls(), (0, 1), "a new call");
    second.cue(1);
    second.finish();
    callees.finish();
    old.assert_idle(&net.relay);
    new.assert_idle(&net.relay);
}

/// The old relay's row.
fn old(weight: u32, disabled: bool) -> Node<'static> {
    Node {
        url: "udp:127.0.0.1:2223",
        weight,
        disabled,
    }
}

#[test]
fn a_relay_of_weight_0_keeps_its_calls_and_gets_no_more() {
    takes_out(&[old(0, false)], false);
}

#[test]
fn a_disabled_relay_keeps_its_calls_where_rtpengine_allow_op_is_set() {
    takes_out(&[old(1, true)], true);
}

#[test]
fn a_relay_whose_row_is_gone_keeps_its_calls_where_rtpengine_allow_op_is_set() {
    takes_out(&[], true);
}

#[test]
fn kamailio_controls_the_relay_over_a_web_socket() {
    let Some(lab) = Lab::open() else { return };
    let modules = "/var/lib/dpkg/info/kamailio-lwsc-modules.list";
    if !std::path::Path::new(modules).exists() {
        lab::lab::skip("Kamailio's WebSocket modules are not installed: cargo xtask setup");
        return;
    }
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::underpass().two_networks().start(&net.relay);
    let url = format!("ws://{HTTP}");
    let kamailio = Kamailio::start_at(&net, &url, "loadmodule \"lwsc.so\"\n");
    let mut callees = Callees::start(&net, Side::B.far(Family::V4), Play::Talk, 5);
    let mut callers = Callers::start(&net, Play::Talk, 5);
    let answers = callers.wait_for_answers(1);
    let relayed = |ip| ip == Side::A.relay(Family::V4);
    let all = answers
        .iter()
        .all(|answer| relayed(answer.relay.unwrap().ip()));
    assert!(all, "{answers:?}\n{}", kamailio.log());
    assert_eq!(relay.calls(&net.relay).len(), 5);
    callers.cue(1);
    callers.finish();
    callees.finish();
    relay.assert_idle(&net.relay);
}
