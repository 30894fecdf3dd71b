//! Clients written elsewhere: npm's rtpengine-client and Debian's rtpengine-ng-client, each with a whole call.

use std::path::PathBuf;

use lab::call::{answer_request, new_call_id, offer_request, sent_sdp};
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

/// A request by npm's client; offers and answers without the keys that only name what they are.
fn npm(ns: &Netns, method: &str, mut options: Value) -> Value {
    options.as_object_mut().unwrap().remove("command");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/rtpengine-client.cjs");
    let printed = output(
        ns,
        "node",
        &[script.to_owned(), method.to_owned(), options.to_string()],
    );
    serde_json::from_str(&printed).unwrap()
}

#[test]
fn npm_rtpengine_client_plays_a_call() {
    let Some(lab) = Lab::open() else { return };
    if !node_modules().join("rtpengine-client").is_dir() {
        lab::lab::skip("npm's rtpengine-client is not installed: cargo xtask setup");
        return;
    }
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test().two_networks().start(&net.relay);
    let ns = &net.relay;
    assert_eq!(npm(ns, "ping", json!({}))["result"], "pong");
    let (call, options) = (new_call_id(), CallOptions::default());
    let caller = Endpoint::bind(&net.caller, Side::A.far(Family::V4));
    let callee = Endpoint::bind(&net.callee, Side::B.far(Family::V4));
    let offer = offer_request(&call, &sdp::audio(caller.address()), &options);
    let callee_to = sent_sdp(&npm(ns, "offer", offer));
    let answer = answer_request(&call, &sdp::audio(callee.address()), &options);
    let caller_to = sent_sdp(&npm(ns, "answer", answer));
    let call = Call {
        id: call,
        caller,
        callee,
        caller_to,
        callee_to,
    };
    call.talk(50);
    assert_eq!(npm(ns, "list", json!({}))["calls"], json!([call.id]));
    let query = npm(ns, "query", json!({"call-id": call.id}));
    assert!(query["totals"]["RTP"]["packets"].is_u64(), "{query}");
    let statistics = npm(ns, "statistics", json!({}));
    assert_eq!(
        statistics["statistics"]["currentstatistics"]["sessionstotal"], 1,
        "{statistics}"
    );
    let end = json!({"call-id": call.id, "from-tag": "caller"});
    assert_eq!(npm(ns, "delete", end.clone())["result"], "ok");
    let again = npm(ns, "delete", end);
    assert_eq!(
        again["warning"], "Call-ID not found or tags didn't match",
        "{again}"
    );
    relay.assert_idle(&net.relay);
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
