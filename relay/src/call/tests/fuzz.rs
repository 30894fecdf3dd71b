//! Fuzz target: `cargo bolero test call::tests::fuzz::any_exchange`: an offer, its answer and a second offer, with real bodies
//! that were tampered with, and any options.

use bytes::Bytes;

use super::{property::OPTIONS, world::*};

/// What is done to a body: whose it is, where, and with what.
type Edit = (bool, u16, u8);

const BODIES: &[&str] = &[
    include_str!("../../sdp/tests/fixtures/browser.sdp"),
    include_str!("../../sdp/tests/fixtures/fax.sdp"),
    include_str!("../../sdp/tests/fixtures/ipv6.sdp"),
    include_str!("../../sdp/tests/fixtures/linphone.sdp"),
    include_str!("../../sdp/tests/fixtures/sdes.sdp"),
    include_str!("../../sdp/tests/fixtures/sipp.sdp"),
];

const LINES: &[&str] = &[
    "",
    "m=audio 4000 RTP/AVP 0 8 101",
    "m=video 0 RTP/AVPF 96",
    "m=video 4004/2 UDP/TLS/RTP/SAVPF 96 97",
    "m=message 9 TCP/MSRP *",
    "m=audio 99999 RTP/AVP",
    "c=IN IP6 ::",
    "c=IN IP4 0.0.0.0",
    "c=",
    "a=rtcp:",
    "a=rtcp:65535 IN IP4 192.0.2.1",
    "a=rtcp-mux",
    "a=rtpmap:0 PCMU/8000",
    "a=rtpmap:96 opus/48000/2",
    "a=rtpmap:",
    "a=fmtp:96 apt=97",
    "a=ptime:x",
    "a=extmap:1 urn:one",
    "a=extmap:15/sendonly urn:two",
    "a=group:BUNDLE 0 1 2",
    "a=group:BUNDLE",
    "a=mid:0",
    "a=mid:1",
    "a=bundle-only",
    "a=inactive",
    "b=AS:64",
    "o=- 1 99999999999999999999 IN IP4 192.0.2.1",
];

#[test]
fn any_exchange() {
    bolero::check!()
        .with_iterations(1000)
        .with_type::<(u8, u8, u64, Vec<Edit>)>()
        .for_each(|(offered, answered, options, edits)| {
            let edits = &edits[..edits.len().min(16)];
            let offered = tampered(*offered, edits.iter().filter(|edit| edit.0));
            let answered = tampered(*answered, edits.iter().filter(|edit| !edit.0));
            exchange(&offered, &answered, *options);
        });
}

fn exchange(offered: &Bytes, answered: &Bytes, options: u64) {
    let mut world = World::new();
    let options = chosen(options);
    let both = |name| {
        command(name)
            .with("call-id", "c")
            .with("from-tag", "a")
            .with("rtpp-flags", options.clone())
    };
    for request in [
        both("offer").with("sdp", offered.clone()),
        both("answer")
            .with("to-tag", "b")
            .with("sdp", answered.clone()),
        both("offer")
            .with("to-tag", "b")
            .with("sdp", answered.clone()),
    ] {
        let reply = world.send(request.clone());
        if reply.result() != "ok" {
            assert_eq!(world.actions, [], "an error with actions");
            continue;
        }
        ports_are_held(&world, &reply);
        let again = world.send(request);
        assert_eq!(again.0, reply.0, "the same again has another reply");
        assert_eq!(world.news, [], "the same again did something");
    }
    world.send(delete().with("delete-delay", 0));
    assert!(world.pool.held.is_empty(), "ports without a call");
}

/// Every bit takes an option.
fn chosen(bits: u64) -> String {
    let options = OPTIONS.iter().enumerate();
    let options = options.filter(|(index, _)| bits >> (index % 64) & 1 == 1);
    options
        .map(|(_, option)| *option)
        .take(5)
        .collect::<Vec<_>>()
        .join(" ")
}

fn ports_are_held(world: &World, reply: &Outcome) {
    let sent = reply.0.dict().get("sdp").and_then(|sdp| sdp.as_bytes());
    // A fragment has none.
    let Some(sent) = sent else { return };
    let session = crate::sdp::parse(&Bytes::copy_from_slice(sent)).unwrap();
    let relayed = session.medias.iter().filter(|media| media.can_be_relayed());
    for media in relayed.filter(|media| media.port != 0) {
        let mut held = world.pool.held.values();
        assert!(
            held.any(|pair| pair.rtp.address.port() == media.port),
            "port {} is not held",
            media.port
        );
    }
}

/// Every edit puts a line in, takes one's place, or overwrites a byte.
fn tampered<'a>(body: u8, edits: impl Iterator<Item = &'a Edit>) -> Bytes {
    let body = BODIES[usize::from(body) % BODIES.len()];
    let mut lines: Vec<Vec<u8>> = body.lines().map(|line| line.as_bytes().to_vec()).collect();
    for (_, position, what) in edits {
        let at = usize::from(*position) % lines.len();
        let what = usize::from(*what);
        let line = LINES[what % LINES.len()].as_bytes().to_vec();
        match what / LINES.len() % 3 {
            0 => lines.insert(at, line),
            1 => lines[at] = line,
            _ => {
                let inside = usize::from(*position) / lines.len();
                let line = &mut lines[at];
                let length = line.len().max(1);
                if let Some(byte) = line.get_mut(inside % length) {
                    *byte = u8::try_from(what % 256).unwrap_or_default();
                }
            }
        }
    }
    let mut body = lines.join(&b"\r\n"[..]);
    body.extend(b"\r\n");
    body.into()
}
