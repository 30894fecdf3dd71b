//! `publish`, `subscribe request`, `subscribe answer`, `unsubscribe`.

mod answers;
mod endings;
mod errors;
mod flows;
mod publishing;
mod sources;
mod subscribers;

use super::world::*;

/// Where subscribers listen.
const C: &str = "198.51.100.30";
const D: &str = "198.51.100.40";

fn publish(sdp: &str) -> Command {
    command("publish")
        .with("call-id", "c")
        .with("from-tag", "a")
        .with("sdp", sdp.to_owned())
}

fn request() -> Command {
    command("subscribe request").with("call-id", "c")
}

fn subscribe_answer(tag: &str, sdp: &str) -> Command {
    command("subscribe answer")
        .with("call-id", "c")
        .with("to-tag", tag.to_owned())
        .with("sdp", sdp.to_owned())
}

fn unsubscribe(tag: &str) -> Command {
    command("unsubscribe")
        .with("call-id", "c")
        .with("to-tag", tag.to_owned())
}

/// An SDP with one audio section and a direction.
fn directed(address: &str, port: u16, direction: &str) -> String {
    audio(address, port) + &format!("a={direction}\r\n")
}

fn sinks(world: &World, port: u16) -> Vec<u64> {
    let sinks = world.plan(port).sinks.iter();
    sinks.map(|sink| sink.stream.0).collect()
}

/// Somebody who hears party a: the tag, and the port it is sent to from.
fn listener(world: &mut World, address: &str) -> (String, u16) {
    let offered = world.send(request().with("from-tag", "a"));
    let tag = offered.text("to-tag").to_owned();
    let answered = world.send(subscribe_answer(&tag, &directed(address, 6000, "recvonly")));
    assert_eq!(answered.result(), "ok", "{}", answered.reason());
    (tag, offered.port())
}
