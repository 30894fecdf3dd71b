//! Beside Debian's rtpengine 10.5: the same calls, offered, answered, offered again and deleted with whatever options, and
//! both replies say the same. Where rtpengine's newer versions do otherwise, or we do, it stands in [`differences`] with
//! its reason; anything else fails.

mod calls;
mod differences;
mod reply;

use lab::{Engine, Lab, Relay};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use calls::Conversation;
use reply::Ports;

/// Calls of one run; each has two to eight commands.
const CALLS: u64 = 3000;

fn beside_rtpengine(seeds: impl Iterator<Item = u64>) {
    let Some(lab) = Lab::beside_rtpengine() else {
        return;
    };
    let ns = lab.netns("both");
    for address in ["192.0.2.1/32", "10.0.0.1/32", "2001:db8::1/128"] {
        ns.ip(&format!("addr add {address} dev lo"));
    }
    let with_interfaces = |launch: lab::relay::Launch, ports: u16| {
        launch
            .interface("ext/192.0.2.1!203.0.113.1")
            .interface("ext/2001:db8::1")
            .interface("int/10.0.0.1")
            .option(&format!("--port-min={ports}"))
            .option(&format!("--port-max={}", ports + 9999))
    };
    let ours = with_interfaces(Relay::underpass().engine(Engine::Null), 30_000).start(&ns);
    let theirs = with_interfaces(Relay::rtpengine(), 40_000)
        .listen("127.0.0.1:2224", "127.0.0.1:9102")
        .start(&ns);
    let (our_client, their_client) = (ours.client(&ns), theirs.client(&ns));

    let mut commands = 0;
    let mut differing = Vec::new();
    for seed in seeds {
        let mut conversation = Conversation::new(StdRng::seed_from_u64(seed), seed);
        let (mut our_ports, mut their_ports) = (Ports::default(), Ports::default());
        let mut said: Vec<Value> = Vec::new();
        while let Some(command) = conversation.next() {
            commands += 1;
            let (our_reply, their_reply) =
                (our_client.request(&command), their_client.request(&command));
            conversation.hear(&our_reply);
            said.push(command);
            let mut our_body = reply::read(&our_reply, &mut our_ports);
            let mut their_body = reply::read(&their_reply, &mut their_ports);
            differences::settle(&said, &mut our_body, &mut their_body);
            if our_body != their_body {
                let said: Vec<String> = said.iter().map(reply::show).collect();
                differing.push(format!(
                    "seed {seed}\n{}\nours:\n{our_body}\nrtpengine's:\n{their_body}",
                    said.join("\n")
                ));
                break;
            }
        }
    }
    assert!(commands > 0, "nothing was said");
    assert!(
        differing.is_empty(),
        "{} calls differ, of which some are:\n{}",
        differing.len(),
        differing[..differing.len().min(8)].join("\n\n")
    );
}

#[test]
fn calls_with_any_options_are_answered_alike() {
    let only = std::env::var("BESIDE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    match only {
        Some(seed) => beside_rtpengine(std::iter::once(seed)),
        None => beside_rtpengine(0..CALLS),
    }
}
