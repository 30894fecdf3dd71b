//! The call itself. What fails here panics and names its place; the networks are taken down all the same.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;
use lab::endpoint::Arrival;
use lab::relay::Launch;
use lab::sip::{Callees, Callers, Kamailio, Play};
use lab::{
    Endpoint, Family, Lab, NgClient, Relay, Report, Side, TwoNetworks, Wiring, rtp, wait_until,
};
use serde_json::{Value, json};

use super::account::{Account, Forwarding, Stream, quantiles};
use crate::shell::say;

/// 6 seconds of G.711, a packet each 20 ms.
const PACKETS: u32 = 300;
const SPACING: Duration = Duration::from_millis(20);

/// Plays one call through Kamailio and the relay, both ways at once, and accounts for it.
pub(super) fn call(name: &str, relay: Launch) -> anyhow::Result<Account> {
    let lab = Lab::open().context("network namespaces need root")?;
    say(
        "building two networks that have no route to each other, the relay and Kamailio between them",
    );
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = relay.two_networks().start(&net.relay);
    let ng = relay.client(&net.relay);
    let callee = Side::B.far(Family::V4);
    let _kamailio = Kamailio::start(&net, Family::V4, &[callee]);
    let hop = one_hop(&net);
    say("a sipp calls another through Kamailio");
    let mut callees = Callees::start(&net, callee, Play::Talk, 1);
    let mut callers = Callers::start(&net, Play::Talk, 1);
    let answer = callers.wait_for_answers(1).remove(0);
    let to = answer.relay.context("the call was not answered")?;
    say(&format!(
        "answered: {PACKETS} packets, {} ms apart, and each of them back",
        SPACING.as_millis()
    ));
    let (speaker, echo) = (&callers.media[0], &callees.media[0]);
    speaker.send_every(to, PACKETS, SPACING);
    wait_until("the last packet's echo", || {
        speaker.count_from(speaker) >= PACKETS
    });
    let (there, back) = both_ways(speaker, echo);
    let forwarding = forwarding(&ng, &answer.call);
    wait_until("the relay's counters", || {
        counted(&relay, &net) >= u64::from(2 * PACKETS)
    });
    let metrics = relay.metrics(&net.relay);
    let of = |peer: SocketAddr| forwarding.get(&peer).cloned().unwrap_or_default();
    let streams = vec![
        Stream::new("caller to callee", &there, hop, of(speaker.address())),
        Stream::new("callee to caller", &back, hop, of(echo.address())),
    ];
    callers.cue(1);
    callers.finish();
    callees.finish();
    wait_until("the end of the call", || relay.calls(&net.relay).is_empty());
    Ok(Account {
        relay: name.to_owned(),
        streams,
        kernel_packets: metrics.kernel_packets(),
        userspace_packets: metrics.userspace_packets(),
    })
}

fn counted(relay: &Relay, net: &TwoNetworks) -> u64 {
    let metrics = relay.metrics(&net.relay);
    metrics.kernel_packets() + metrics.userspace_packets()
}

/// What a packet takes over one hop and no relay, in ns, as [`quantiles`].
fn one_hop(net: &TwoNetworks) -> [u64; 2] {
    let receiver = Endpoint::bind(&net.relay, Side::A.relay(Family::V4));
    let sender = Endpoint::bind(&net.caller, Side::A.far(Family::V4));
    sender.send_every(receiver.address(), 100, SPACING);
    wait_until("packets over one hop", || {
        receiver.count_from(&sender) >= 100
    });
    quantiles(&receiver.report_of(&sender))
}

/// The accounts of the caller's stream at the callee, and of its echo at the caller, whose packets set out when they came in.
fn both_ways(speaker: &Endpoint, echo: &Endpoint) -> (Report, Report) {
    let there = echo.report_of(speaker);
    let number = |arrival: &Arrival| rtp::read(&arrival.bytes).map(|packet| packet.number);
    let arrivals = echo.arrivals();
    let turned: BTreeMap<_, _> = arrivals
        .iter()
        .filter_map(|a| Some((number(a)?, a.at_ns)))
        .collect();
    let mut back = speaker.report_of(speaker);
    let home = speaker.arrivals();
    let delay = |arrival: &Arrival| {
        Some(
            arrival
                .at_ns
                .saturating_sub(*turned.get(&number(arrival)?)?),
        )
    };
    back.delays_ns = home.iter().filter_map(delay).collect();
    (there, back)
}

/// Where each RTP stream is forwarded, by the address of the party that sends it.
fn forwarding(ng: &NgClient, call: &str) -> BTreeMap<SocketAddr, Forwarding> {
    let reply = ng.ok(&json!({"command": "query", "call-id": call}));
    let tags = reply["tags"].as_object().cloned().unwrap_or_default();
    let medias = tags
        .values()
        .filter_map(|tag| tag["medias"].as_array())
        .flatten();
    medias
        .filter_map(|media| stream(&media["streams"][0]))
        .collect()
}

fn stream(stream: &Value) -> Option<(SocketAddr, Forwarding)> {
    let endpoint = &stream["endpoint"];
    let port = u16::try_from(endpoint["port"].as_u64()?).ok()?;
    let address = SocketAddr::new(endpoint["address"].as_str()?.parse().ok()?, port);
    let flag = |name: &str| {
        stream["flags"]
            .as_array()
            .is_some_and(|flags| flags.iter().any(|flag| flag == name))
    };
    let in_kernel = flag("kernelized") && !flag("no kernel support");
    let reason = stream["kernel reason"]
        .as_str()
        .unwrap_or("the relay gives no reason")
        .to_owned();
    Some((
        address,
        if in_kernel {
            Forwarding::Kernel
        } else {
            Forwarding::UserSpace(reason)
        },
    ))
}
