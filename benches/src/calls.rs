//! Calls between the two networks, set up by ng.

use std::net::SocketAddr;

use anyhow::{Context, Result, ensure};
use lab::{Relay, TwoNetworks};
use serde_json::json;

/// Offers and answers call `n`, whose caller sends from `source` and whose callee receives at `sink`; the relay's address that
/// the caller sends to.
///
/// # Errors
/// An answer without media, or with media of another family than the caller's.
pub(crate) fn set_up(
    relay: &Relay,
    net: &TwoNetworks,
    n: usize,
    [source, sink]: [SocketAddr; 2],
) -> Result<SocketAddr> {
    let client = relay.client(&net.relay);
    let id = format!("bench-{n}");
    let command = |name: &str, media: SocketAddr, towards: SocketAddr| {
        let family = if towards.is_ipv4() { "IP4" } else { "IP6" };
        json!({
            "command": name, "call-id": id, "from-tag": "a", "direction": ["a", "b"],
            "address family": family, "sdp": lab::sdp::audio(media),
        })
    };
    client.ok(&command("offer", source, sink));
    let mut answer = command("answer", sink, source);
    answer["to-tag"] = "b".into();
    let reply = client.ok(&answer);
    let target = lab::sdp::media(reply["sdp"].as_str().unwrap_or_default())
        .context("no media in the answer's SDP")?;
    ensure!(
        target.is_ipv4() == source.is_ipv4(),
        "the caller is told to send to {target}"
    );
    Ok(target)
}
