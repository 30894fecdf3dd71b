//! Groups of interfaces, `base:suffix`, that calls use in turn.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::world::*;
use crate::plan::{LocalAddress, LogicalInterface};

const FIRST: &str = "192.0.2.1";
const SECOND: &str = "192.0.2.2";
const LONE: &str = "10.0.0.1";

fn world() -> World {
    let interface = |name: &str, address: &str| LogicalInterface {
        name: name.into(),
        addresses: vec![LocalAddress {
            address: ip(address),
            advertised: ip(address),
        }],
    };
    World::on(vec![
        interface("pub:1", FIRST),
        interface("pub:2", SECOND),
        interface("priv", LONE),
    ])
}

/// The address that each of four calls is offered.
fn offered(direction: Option<&'static str>) -> Vec<IpAddr> {
    let mut world = world();
    let calls = (0..4).map(|number| {
        let offer = offer(&audio(A, 4000)).but("call-id", format!("c{number}"));
        let offer = match direction {
            Some(name) => offer.list("direction", &["priv", name]),
            None => offer,
        };
        world.send(offer).address()
    });
    calls.collect()
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
