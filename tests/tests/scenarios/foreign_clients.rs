//! Clients written elsewhere, each with a whole call: npm's rtpengine-client over each transport, Debian's rtpengine-ng-client
//! and rtpengine-ctl.

use std::path::PathBuf;

use lab::call::{answer_request, new_call_id, offer_request, sent_sdp};
use lab::relay::{HTTP, NG};
use lab::{
    Call, CallOptions, Endpoint, Engine, Family, Lab, Netns, Relay, Side, TwoNetworks, Wiring, sdp,
};
use serde_json::{Value, json};

/// Where `cargo xtask setup` installs npm's client.
fn node_modules() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.join("../target/lab/node_modules")
}

/// What a client program prints.
#[track_caller]
fn output(ns: &Netns, program: &str, arguments: &[String]) -> String {
    let mut command = ns.command(program);
    command.env("NODE_PATH", node_modules()).args(arguments);
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{program}: {e}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// How npm's client reaches the relay.
#[derive(Clone, Copy)]
enum Transport {
    Udp,
    Tcp,
    WebSocket,
}

/// Where the relay listens for ng over TCP, and for the CLI.
const TCP: &str = "127.0.0.1:2224";
const CLI: &str = "127.0.0.1:9900";

/// A request by npm's client; offers and answers without the keys that only name what they are.
fn npm(ns: &Netns, transport: Transport, method: &str, mut options: Value) -> Value {
    options.as_object_mut().unwrap().remove("command");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/rtpengine-client.cjs");
    let (transport, address) = match transport {
        Transport::Udp => ("udp", NG),
        Transport::Tcp => ("tcp", TCP),
        Transport::WebSocket => ("websocket", HTTP),
    };
    let arguments = [script, transport, address, method, &options.to_string()];
    let printed = output(ns, "node", &arguments.map(str::to_owned));
    let reply = printed.lines().last().unwrap_or_default();
    serde_json::from_str(reply).unwrap_or_else(|_| panic!("{printed}"))
}

fn npm_is_installed() -> bool {
    let there = node_modules().join("rtpengine-client").is_dir();
    if !there {
        lab::lab::skip("npm's rtpengine-client is not installed: cargo xtask setup");
    }
    there
}

fn npm_plays_a_call(transport: Transport) {
    let Some(lab) = Lab::open() else { return };
    if !npm_is_installed() {
        return;
    }
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test()
        .two_networks()
        .option(&format!("--listen-tcp-ng={TCP}"))
        .start(&net.relay);
    let npm = |method: &str, options| npm(&net.relay, transport, method, options);
    assert_eq!(npm("ping", json!({}))["result"], "pong");
    let (call, options) = (new_call_id(), CallOptions::default());
    let caller = Endpoint::bind(&net.caller, Side::A.far(Family::V4));
    let callee = Endpoint::bind(&net.callee, Side::B.far(Family::V4));
    let offer = offer_request(&call, &sdp::audio(caller.address()), &options);
    let callee_to = sent_sdp(&npm("offer", offer));
    let answer = answer_request(&call, &sdp::audio(callee.address()), &options);
    let caller_to = sent_sdp(&npm("answer", answer));
    let call = Call {
        id: call,
        caller,
        callee,
        caller_to,
        callee_to,
    };
    call.talk(50);
    assert_eq!(npm("list", json!({}))["calls"], json!([call.id]));
    let query = npm("query", json!({"call-id": call.id}));
    assert!(query["totals"]["RTP"]["packets"].is_u64(), "{query}");
    let blocked = npm("blockDTMF", json!({"call-id": call.id}));
    assert_eq!(blocked["result"], "ok", "{blocked}");
    let statistics = npm("statistics", json!({}));
    let sections = &statistics["statistics"];
    assert_eq!(
        sections["currentstatistics"]["sessionsown"], 1,
        "{statistics}"
    );
    assert!(sections["voip_metrics"].is_object(), "{statistics}");
    let played = npm(
        "playMedia",
        json!({"call-id": call.id, "from-tag": "caller"}),
    );
    assert_eq!(played["error-reason"], "unsupported", "{played}");
    let end = json!({"call-id": call.id, "from-tag": "caller"});
    assert_eq!(npm("delete", end.clone())["result"], "ok");
    let again = npm("delete", end);
    assert_eq!(
        again["warning"], "Call-ID not found or tags didn't match",
        "{again}"
    );
    relay.assert_idle(&net.relay);
}

#[test]
fn npm_rtpengine_client_plays_a_call_over_udp() {
    npm_plays_a_call(Transport::Udp);
}

#[test]
fn npm_rtpengine_client_plays_a_call_over_tcp() {
    npm_plays_a_call(Transport::Tcp);
}

#[test]
fn npm_rtpengine_client_plays_a_call_over_a_web_socket() {
    npm_plays_a_call(Transport::WebSocket);
}

/// jambonz takes a relay for alive that answers `statistics` with the number of sessions, or does not know the command.
#[test]
fn jambonz_finds_the_relay_healthy() {
    let Some(lab) = Lab::open() else { return };
    if !npm_is_installed() {
        return;
    }
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test().two_networks().start(&net.relay);
    let npm = |method: &str, options| npm(&net.relay, Transport::Udp, method, options);
    let sessions = || {
        let reply = npm("statistics", json!({}));
        assert_eq!(reply["result"], "ok", "{reply}");
        reply["statistics"]["currentstatistics"]["sessionstotal"].as_u64()
    };
    assert_eq!(sessions(), Some(0));
    let caller = Endpoint::bind(&net.caller, Side::A.far(Family::V4));
    let call = new_call_id();
    let offer = offer_request(
        &call,
        &sdp::audio(caller.address()),
        &CallOptions::default(),
    );
    npm("offer", offer);
    assert_eq!(sessions(), Some(1));
    let unknown = relay
        .client(&net.relay)
        .request(&json!({"command": "no such command"}));
    let alive = json!({"result": "error", "error-reason": "Unrecognized command"});
    assert_eq!(unknown, alive);
}

/// What Debian's rtpengine-ctl prints for a line.
fn ctl(ns: &Netns, line: &str) -> String {
    let mut arguments = vec![format!("--ip={CLI}"), "--config-file=/nowhere".to_owned()];
    arguments.extend(line.split_whitespace().map(str::to_owned));
    output(ns, "rtpengine-ctl", &arguments)
}

#[test]
fn debian_rtpengine_ctl_drains_a_relay() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test()
        .two_networks()
        .option(&format!("--listen-cli={CLI}"))
        .start(&net.relay);
    let ns = &net.relay;
    let client = relay.client(ns);
    let caller = Endpoint::bind(&net.caller, Side::A.far(Family::V4));
    let offer = |call: &str| {
        let sdp = sdp::audio(caller.address());
        client.request(&offer_request(call, &sdp, &CallOptions::default()))
    };
    let call = new_call_id();
    assert_eq!(offer(&call)["result"], "ok");
    assert!(ctl(ns, "list numsessions").contains("Current sessions own: 1"));
    assert!(ctl(ns, "list sessions all").contains(&call));
    assert!(
        ctl(ns, "list totals").contains("Statistics"),
        "{}",
        ctl(ns, "list totals")
    );
    // Drained: new calls are refused, those that are there are served to their end.
    ctl(ns, "set maxsessions 0");
    assert!(ctl(ns, "list maxsessions").contains('0'));
    let refused = offer(&new_call_id());
    assert_eq!(refused["error-reason"], "Parallel session limit reached");
    assert_eq!(offer(&call)["result"], "ok");
    ctl(ns, &format!("terminate {call}"));
    assert!(ctl(ns, "list numsessions").contains("Current sessions own: 0"));
    relay.assert_idle(ns);
}

/// Arguments of rtpengine-ng-client: the encoding, the command, its options.
fn ng_client(ns: &Netns, json: bool, command: &str, options: &[&str]) -> String {
    let mut arguments: Vec<String> = ["--proxy-address=127.0.0.1", command]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(json.then(|| "--json".to_owned()));
    arguments.extend(options.iter().map(|option| (*option).to_owned()));
    output(ns, "rtpengine-ng-client", &arguments)
}

fn new_sdp(printed: &str) -> std::net::SocketAddr {
    let (_, new) = printed
        .split_once("New SDP")
        .unwrap_or_else(|| panic!("no SDP in {printed}"));
    sdp::media(new).unwrap_or_else(|| panic!("no media in {new}"))
}

fn debian_client_plays_a_call(json: bool) {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test()
        .engine(Engine::Auto)
        .two_networks()
        .start(&net.relay);
    let ns = &net.relay;
    assert!(ng_client(ns, json, "ping", &[]).contains("pong"));
    let id = new_call_id();
    let caller = Endpoint::bind(&net.caller, Side::A.far(Family::V4));
    let callee = Endpoint::bind(&net.callee, Side::B.far(Family::V6));
    let (call_id, tags) = (
        format!("--call-id={id}"),
        ["--from-tag=caller", "--to-tag=callee"],
    );
    let common = [
        "--trust-address",
        "--replace-origin",
        "--replace-session-connection",
        "--ICE=remove",
    ];
    let offer = format!("--sdp={}", sdp::audio(caller.address()));
    let mut options = vec![
        &*call_id,
        tags[0],
        &*offer,
        "--direction=a,b",
        "--address-family=IP6",
    ];
    options.extend(common);
    let callee_to = new_sdp(&ng_client(ns, json, "offer", &options));
    let answer = format!("--sdp={}", sdp::audio(callee.address()));
    let mut options = vec![&*call_id, tags[0], tags[1], &*answer];
    options.extend(common);
    let caller_to = new_sdp(&ng_client(ns, json, "answer", &options));
    let call = Call {
        id,
        caller,
        callee,
        caller_to,
        callee_to,
    };
    call.talk(50);
    assert!(ng_client(ns, json, "list", &[]).contains(&call.id));
    assert!(ng_client(ns, json, "query", &[&call_id]).contains("totals"));
    assert!(ng_client(ns, json, "statistics", &[]).contains("currentstatistics"));
    ng_client(ns, json, "delete", &[&call_id, tags[0]]);
    relay.assert_idle(&net.relay);
}

#[test]
fn debian_ng_client_plays_a_call_in_bencode() {
    debian_client_plays_a_call(false);
}

#[test]
fn debian_ng_client_plays_a_call_in_json() {
    debian_client_plays_a_call(true);
}
