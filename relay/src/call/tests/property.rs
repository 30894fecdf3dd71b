//! Whatever is commanded in whatever order: ports held are ports of calls, none is closed twice, every port that a party
//! is told is held by its call. (The first two are checked in `World` after every step.) And saying the same thing twice does
//! nothing the second time, but count.

use bytes::Bytes;
use ng_protocol::{Dict, Value};
use proptest::prelude::*;

use super::world::*;
use crate::call::Settings;

#[derive(Clone, Debug)]
pub(super) enum Step {
    Exchange {
        is_offer: bool,
        call: &'static str,
        from: &'static str,
        to: Option<&'static str>,
        branch: Option<&'static str>,
        sdp: String,
        flags: Vec<&'static str>,
        mux: Vec<&'static str>,
        replace: Vec<&'static str>,
        direction: Vec<&'static str>,
        family: &'static str,
        options: Vec<&'static str>,
    },
    Delete {
        call: &'static str,
        from: Option<&'static str>,
        to: Option<&'static str>,
        branch: Option<&'static str>,
        delay: Option<i64>,
    },
    Query(&'static str),
    /// Any other command.
    Other(&'static str, Command),
    Packets,
    Pass(u64),
    Ports(usize),
}

/// Whatever changes SDP, as a script writes it.
pub(super) const OPTIONS: &[&str] = &[
    "codec-strip-PCMU",
    "codec-strip-all",
    "codec-except-opus",
    "codec=[strip=[all] offer=[PCMA telephone-event]]",
    "codec-mask-opus",
    "transcode-PCMA",
    "single-codec",
    "extmap=[strip=[urn:one]]",
    "extmap=[mask=[urn:two]]",
    "strip-extmap",
    "sdp-media-remove=[video]",
    "sdp-media-remove=[audio other]",
    "sdp-media-remove=[audio video image message other]",
    "sdp-attr=[audio=[add=[x-new] remove=[rtcp] substitute=[[sendrecv x-any]]]]",
    "sdp-attr-add-none-x-session",
    "ptime=40",
    "ptime-reverse=60",
    "transport-protocol=RTP/AVPF",
    "transport-protocol=RTP/SAVP",
    "transport-protocol=accept",
    "original-sendrecv",
    "inactive",
    "generate-mid",
    "full-rtcp-attribute",
    "no-rtcp-attribute",
    "ICE=remove",
    "reject-ICE",
    "media-address=192.0.2.77",
    "BUNDLE-accept",
    "BUNDLE-offer",
    "BUNDLE-require",
    "BUNDLE-reject",
    "OSRTP-accept",
    "WebRTC",
    "fragment",
    "trust-address",
    "asymmetric",
    "TOS=8",
    "media-echo=both",
    "media-echo=forward",
    "media-echo=blackhole",
    "drop-traffic=start",
    "drop-traffic=stop",
    "NAT-wait",
    "block-DTMF",
    "DTMF-security=random",
    "trigger=*1",
    "recording-vsc",
    "vsc-start-rec=*2",
    "pierce-NAT",
    "block-short",
    "generate-RTCP=on",
    "static-codecs",
    "reuse-codecs",
    "allow-asymmetric-codecs",
    "allow-no-codec-media",
    "alias-key=address",
    "alias-key=SDP",
    "reset",
];

fn tag() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["a", "b", "c", "d"])
}

fn call() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["x", "y"])
}

fn branch() -> impl Strategy<Value = Option<&'static str>> {
    prop::option::of(prop::sample::select(vec!["z1", "z2"]))
}

fn section() -> impl Strategy<Value = String> {
    let port = prop::sample::select(vec![0u16, 4000, 4002, 4004]);
    let shape = prop::sample::select(vec![
        "audio {} RTP/AVP 0",
        "audio {} RTP/AVP 0 8 96 101\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:101 telephone-event/8000",
        "audio {} RTP/AVPF 96\r\na=rtpmap:96 opus/48000/2\r\na=extmap:1 urn:one\r\na=extmap:2 urn:two",
        "video {} RTP/SAVPF 99 100",
        "video {} UDP/TLS/RTP/SAVPF 99\r\na=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na=mid:v",
        "image {} udptl t38",
        "message {} TCP/MSRP *",
        "foobar {} RTP/AVP 0\r\na=ptime:20\r\na=mid:f",
    ]);
    let direction = prop::sample::select(vec!["", "sendonly", "recvonly", "inactive"]);
    (port, shape, direction, any::<bool>()).prop_map(|(port, shape, direction, mux)| {
        let mut section = format!("m={}\r\n", shape.replace("{}", &port.to_string()));
        if !direction.is_empty() {
            section += &format!("a={direction}\r\n");
        }
        if mux {
            section += "a=rtcp-mux\r\n";
        }
        section
    })
}

fn body() -> impl Strategy<Value = String> {
    let address = prop::sample::select(vec![A, B, "0.0.0.0", "2001:db8::20"]);
    let sections = prop::collection::vec(section(), 0..4);
    prop_oneof![
        20 => (address, sections).prop_map(|(address, sections)| {
            sdp_of(address, &[]) + &sections.concat()
        }),
        1 => Just(String::new()),
        1 => Just("not SDP".to_owned()),
    ]
}

fn words(words: &[&'static str]) -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(words.to_vec(), 0..=2)
}

pub(super) fn exchange() -> impl Strategy<Value = Step> {
    let who = (
        any::<bool>(),
        call(),
        tag(),
        prop::option::of(tag()),
        branch(),
    );
    let flags = words(&[
        "port-latching",
        "no-port-latching",
        "new-branch",
        "strict-source",
        "loop-protect",
        "SIP-source-address",
    ]);
    let mux = words(&["offer", "require", "demux", "accept", "reject"]);
    let replace = words(&[
        "origin",
        "origin-full",
        "sdp-version",
        "username",
        "zero-address",
    ]);
    let direction = words(&["ext", "int", "nope"]);
    let family = prop::sample::select(vec!["", "IP4", "IP6"]);
    let options = prop::sample::subsequence(OPTIONS.to_vec(), 0..=4);
    let lists = (mux, replace, direction);
    (who, body(), flags, lists, family, options).prop_map(
        |(
            (is_offer, call, from, to, branch),
            sdp,
            flags,
            (mux, replace, direction),
            family,
            options,
        )| {
            Step::Exchange {
                is_offer,
                call,
                from,
                to,
                branch,
                sdp,
                flags,
                mux,
                replace,
                direction,
                family,
                options,
            }
        },
    )
}

fn deletion() -> impl Strategy<Value = Step> {
    let delay = prop::option::of(0i64..3);
    let tags = (prop::option::of(tag()), prop::option::of(tag()));
    (call(), tags, branch(), delay).prop_map(|(call, (from, to), branch, delay)| Step::Delete {
        call,
        from,
        to,
        branch,
        delay,
    })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => exchange(),
        3 => deletion(),
        1 => call().prop_map(Step::Query),
        8 => other(),
        1 => Just(Step::Packets),
        2 => (1u64..40).prop_map(Step::Pass),
        1 => (0usize..12).prop_map(Step::Ports),
    ]
}

/// Every command that works on the call graph beside offer, answer and delete.
fn other() -> impl Strategy<Value = Step> {
    let name = prop::sample::select(vec![
        "block media",
        "unblock media",
        "silence media",
        "block DTMF",
        "unblock DTMF",
        "publish",
        "subscribe request",
        "subscribe request",
        "subscribe answer",
        "subscribe answer",
        "unsubscribe",
        "create",
        "create answer",
        "connect",
        "mesh",
        "inject start",
        "inject stop",
        "transform",
    ]);
    let tags = || prop::option::of(prop::sample::select(vec!["a", "b", "c", "s", "t"]));
    let who = (call(), tags(), tags(), prop::option::of(call()));
    let how = words(&[
        "directional",
        "all",
        "inactive",
        "mirror-rtcp",
        "bidirectional",
        "egress",
        "allow-transcoding",
        "unsubscribe",
    ]);
    let all = prop::option::of(prop::sample::select(vec![
        "flows",
        "offer-answer",
        "except-offer-answer",
    ]));
    (name, who, body(), how, all).prop_map(|(name, (call, from, to, other), sdp, flags, all)| {
        let command = command(name).with("call-id", call).with("sdp", sdp);
        let command = optional(command, "from-tag", from);
        let command = match (name, to, from) {
            // What is left to us to name has another name every time.
            ("subscribe request", None, _) => command.with("to-tag", "s"),
            ("publish" | "create" | "transform", _, None) => command.with("from-tag", "p"),
            _ => optional(command, "to-tag", to),
        };
        let command = optional(command, "to-call-id", other);
        let command = optional(command, "source-tag", from);
        let command = optional(command, "all", all).list("flags", &flags);
        let command = match name {
            "mesh" => command
                .list("calls", &["x", "y"])
                .with("tags", flows(from, to)),
            "transform" => command.with("media", transformed()),
            _ => command,
        };
        Step::Other(call, command)
    })
}

fn flows(from: Option<&'static str>, to: Option<&'static str>) -> Vec<Value> {
    let mut flow = Dict::new();
    flow.insert("from", from.unwrap_or_default());
    flow.insert("to", vec![Value::from(to.unwrap_or_default())]);
    vec![flow.into()]
}

fn transformed() -> Vec<Value> {
    let mut destination = Dict::new();
    destination.insert("address", B);
    destination.insert("port", 7000);
    let mut media = Dict::new();
    media.insert("destination", destination);
    vec![media.into()]
}

fn optional(command: Command, key: &'static str, value: Option<&'static str>) -> Command {
    match value {
        Some(value) => command.with(key, value),
        None => command,
    }
}

pub(super) fn take(world: &mut World, step: Step) {
    match step {
        Step::Exchange {
            is_offer,
            call,
            from,
            to,
            branch,
            sdp,
            flags,
            mux,
            replace,
            direction,
            family,
            options,
        } => {
            let name = if is_offer { "offer" } else { "answer" };
            let request = command(name)
                .with("call-id", call)
                .with("from-tag", from)
                .with("sdp", sdp)
                .list("flags", &flags)
                .list("rtcp-mux", &mux)
                .list("replace", &replace)
                .list("direction", &direction)
                .with("address family", family)
                .with("rtpp-flags", options.join(" "));
            let request = optional(request, "to-tag", to);
            let request = optional(request, "via-branch", branch);
            let looping = flags.contains(&"loop-protect");
            let resets = is_offer && options.contains(&"reset");
            let reply = world.send(request.clone());
            let is_fragment = reply.text("sdp").is_empty();
            if reply.result() == "ok" && !looping && !is_fragment {
                ports_are_held(world, call, &reply);
                let again = world.send(request);
                assert_eq!(again.sdp(), reply.sdp());
                let does_nothing = resets || world.news.is_empty();
                assert!(does_nothing, "the same again did {:?}", world.news);
            } else if reply.result() == "error" {
                assert_eq!(world.actions, [], "an error with actions");
            }
        }
        Step::Delete {
            call,
            from,
            to,
            branch,
            delay,
        } => {
            let request = command("delete").with("call-id", call);
            let request = optional(request, "from-tag", from);
            let request = optional(request, "to-tag", to);
            let mut request = optional(request, "via-branch", branch).list("flags", &["to-tag"]);
            if let Some(delay) = delay {
                request = request.with("delete-delay", delay);
            }
            assert_eq!(world.send(request).result(), "ok");
        }
        Step::Query(call) => {
            world.send(command("query").with("call-id", call));
        }
        Step::Other(call, command) => {
            let reply = world.send(command);
            if reply.result() == "error" {
                assert_eq!(world.actions, [], "an error with actions");
            } else if reply.text("sdp").starts_with("v=") {
                ports_are_held(world, call, &reply);
            }
        }
        Step::Packets => {
            let ports: Vec<u64> = world.plans.keys().map(|id| id.0).collect();
            for port in ports.into_iter().step_by(3) {
                world.packet(u16::try_from(port).unwrap());
            }
        }
        Step::Pass(seconds) => world.pass(seconds),
        Step::Ports(left) => world.pool.left = left,
    }
}

fn ports_are_held(world: &World, call: &'static str, reply: &Outcome) {
    let call = Bytes::from_static(call.as_bytes());
    let active = world.calls.get(&call).unwrap();
    let held: Vec<u16> = active
        .call
        .ports()
        .map(|pair| pair.rtp.address.port())
        .collect();
    let session = reply.session();
    let relayed = session.medias.iter().filter(|media| media.can_be_relayed());
    for media in relayed.filter(|media| media.port != 0) {
        assert!(held.contains(&media.port), "a port that is not held");
    }
}

proptest! {
    #[test]
    fn any_sequence_of_commands_leaves_ports_and_calls_in_step(
        steps in prop::collection::vec(step(), 1..40)
    ) {
        let mut world = World::with(Settings { timeout: 30, silent_timeout: 60, ..Settings::default() });
        for step in steps {
            take(&mut world, step);
        }
        end(&mut world);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn so_do_ten_thousand_commands(steps in prop::collection::vec(step(), 10_000)) {
        let mut world = World::with(Settings { timeout: 30, silent_timeout: 60, ..Settings::default() });
        for step in steps {
            take(&mut world, step);
        }
        end(&mut world);
    }
}

/// With the calls all ports go.
fn end(world: &mut World) {
    let actions = world.calls.close_all(world.now, &world.streams);
    world.finish(actions);
    assert!(world.pool.held.is_empty());
}
