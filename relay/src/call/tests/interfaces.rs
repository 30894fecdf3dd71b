//! The interface that a party is put on; groups of them, `base:suffix`, that calls use in turn.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::world::*;
use crate::plan::{LocalAddress, LogicalInterface};

const FIRST: &str = "192.0.2.1";
const SECOND: &str = "192.0.2.2";
const LONE: &str = "10.0.0.1";

const FIRST_V6: &str = "2001:db8::1";

fn world() -> World {
    let interface = |name: &str, addresses: &[&str]| LogicalInterface {
        name: name.into(),
        addresses: addresses
            .iter()
            .map(|address| LocalAddress {
                address: ip(address),
                advertised: ip(address),
            })
            .collect(),
    };
    World::on(vec![
        interface("pub:1", &[FIRST, FIRST_V6]),
        interface("pub:2", &[SECOND]),
        interface("priv", &[LONE]),
    ])
}

/// The address that each of four calls is offered.
fn offered(direction: Option<&'static str>) -> Vec<IpAddr> {
    four_offers(&mut world(), |offer| match direction {
        Some(name) => offer.list("direction", &["priv", name]),
        None => offer,
    })
}

fn four_offers(world: &mut World, change: impl Fn(Command) -> Command) -> Vec<IpAddr> {
    let calls = (0..4).map(|number| {
        let offer = offer(&audio(A, 4000)).but("call-id", format!("c{number}"));
        world.send(change(offer)).address()
    });
    calls.collect()
}

fn from_priv_to_pub(offer: Command) -> Command {
    offer.list("direction", &["priv", "pub"])
}

#[test]
fn a_groups_interfaces_are_used_in_turn() {
    let addresses = offered(Some("pub"));
    assert_eq!(addresses[..2], addresses[2..]);
    let both: BTreeSet<IpAddr> = addresses.into_iter().collect();
    assert_eq!(both, [ip(FIRST), ip(SECOND)].into());
}

#[test]
fn one_of_them_can_be_named() {
    assert_eq!(offered(Some("pub:2")), [ip(SECOND); 4]);
}

#[test]
fn others_are_not_of_the_group() {
    assert_eq!(offered(Some("priv")), [ip(LONE); 4]);
}

#[test]
fn a_group_that_comes_first_is_used_where_none_is_named() {
    let both: BTreeSet<IpAddr> = offered(None).into_iter().collect();
    assert_eq!(both, [ip(FIRST), ip(SECOND)].into());
}

#[test]
fn a_party_stays_on_the_interface_it_has() {
    let mut world = world();
    let offer = offer(&audio(A, 4000)).list("direction", &["priv", "pub"]);
    let first = world.send(offer.clone()).address();
    world.send(answer(&audio(B, 5000)));
    assert_eq!(world.send(offer).address(), first);
}

#[test]
fn one_without_ports_is_passed_over() {
    let mut world = world();
    world.pool.short.insert(ip(FIRST), 0);
    assert_eq!(four_offers(&mut world, from_priv_to_pub), [ip(SECOND); 4]);
}

#[test]
fn one_that_has_not_ports_for_all_sections_is_passed_over() {
    let body = sdp_of(A, &["m=audio 4000 RTP/AVP 0", "m=video 4002 RTP/AVP 96"]);
    let mut world = world();
    world.pool.short.insert(ip(FIRST), 1);
    let with_video = |offer| from_priv_to_pub(offer).but("sdp", body.clone());
    assert_eq!(four_offers(&mut world, with_video), [ip(SECOND); 4]);
}

#[test]
fn both_sides_of_a_call_find_room_where_one_interface_has_it_for_one_of_them() {
    let mut world = world();
    world.pool.short = [(ip(FIRST), 1), (ip(SECOND), 1), (ip(LONE), 0)].into();
    for turn in 0..3 {
        let id = format!("c{turn}");
        let offer = offer(&audio(A, 4000)).but("call-id", id.clone());
        let everywhere = ["round-robin-calls", "round-robin-calls"];
        let outcome = world.send(offer.list("direction", &everywhere));
        assert_eq!(outcome.result(), "ok", "turn {turn}: {}", outcome.reason());
        world.send(delete().but("call-id", id).with("delete delay", 0));
    }
}

#[test]
fn one_without_an_address_of_the_family_is_passed_over() {
    let to_ipv6 = |offer| from_priv_to_pub(offer).with("address family", "IP6");
    assert_eq!(four_offers(&mut world(), to_ipv6), [ip(FIRST_V6); 4]);
}

#[test]
fn where_none_has_ports_the_call_fails() {
    let mut world = world();
    world.pool.short = [(ip(FIRST), 0), (ip(SECOND), 0)].into();
    let outcome = world.send(from_priv_to_pub(offer(&audio(A, 4000))));
    assert_eq!(outcome.reason(), "Ran out of ports");
}

#[test]
fn all_interfaces_together_are_a_group() {
    let used: BTreeSet<IpAddr> = offered(Some("round-robin-calls")).into_iter().collect();
    assert_eq!(used, [ip(FIRST), ip(SECOND), ip(LONE)].into());
}

#[test]
fn an_empty_name_is_none() {
    let mut world = world();
    world.send(offer(&audio(A, 4000)).list("direction", &["", "priv"]));
    assert_eq!(world.calls.take_notices(), []);
}
