//! How RTP flows fall on the receive queues of a network card: the card's hash over the flows' addresses and ports, its
//! low bits through an indirection table of 128 entries, filled in turns as drivers do.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::balance::fullest;
use super::toeplitz::{Fields, Key, hash};
use crate::effort::Effort;
use crate::results::{Point, Question, Series};
use crate::spread::Spread;

const QUEUES: usize = 32;
const TABLE: u32 = 128;
const RELAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const TRUNK: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);

type Flow = (SocketAddr, SocketAddr);

/// Who sends to the relay.
#[derive(Clone, Copy)]
enum Senders {
    /// One address with many ports: a carrier's media gateway, which takes ports as they come.
    Trunk,
    /// The same, both ends taking even ports in order, so that all flows differ in few bits.
    TrunkInOrder,
    /// An address each.
    Clients,
}

const CASES: [(&str, Senders, Fields); 5] = [
    (
        "one trunk, sd (addresses)",
        Senders::Trunk,
        Fields::Addresses,
    ),
    (
        "one trunk, sdfn (and ports)",
        Senders::Trunk,
        Fields::AddressesAndPorts,
    ),
    (
        "one trunk, ports in order, sdfn",
        Senders::TrunkInOrder,
        Fields::AddressesAndPorts,
    ),
    ("many clients, sd", Senders::Clients, Fields::Addresses),
    (
        "many clients, sdfn",
        Senders::Clients,
        Fields::AddressesAndPorts,
    ),
];

/// The fullest of 32 queues against the mean, by flows; every sample with another key, as drivers choose one at start.
pub(super) fn question(effort: Effort) -> Question {
    let places = effort.pick(
        vec![100, 1_000, 10_000],
        vec![100, 1_000, 10_000],
        vec![100, 1_000, 10_000, 20_000],
    );
    let mut random = SmallRng::seed_from_u64(32);
    let keys: Vec<Key> = (0..effort.rounds.max(9)).map(|_| random.random()).collect();
    let mut series: Vec<Series> = CASES
        .iter()
        .map(|&(name, senders, fields)| {
            by_flows(name, &places, |count| {
                let flows = flows(senders, count, &mut random);
                let queue =
                    |key: &Key| fullest(QUEUES, flows.iter().map(|f| queue(key, *f, fields)));
                keys.iter().map(queue).collect()
            })
        })
        .collect();
    series.push(by_flows(
        "any flow to any queue by chance",
        &places,
        |count| {
            let mut throw = || fullest(QUEUES, (0..count).map(|_| random.random_range(0..QUEUES)));
            keys.iter().map(|_| throw()).collect()
        },
    ));
    Question {
        id: "cores-receive-queues".to_owned(),
        title: "How full is the fullest of 32 receive queues, against the mean?".to_owned(),
        unit: "x".to_owned(),
        axis: "flows".to_owned(),
        series,
        notes: vec![
            "Simulated: the card's Toeplitz hash with random keys, an indirection table of 128 entries, every flow 50 packets/s.".to_owned(),
            "1 is even; 32 is one queue, and so one core, for everything. sd is what many drivers begin with for UDP.".to_owned(),
        ],
    }
}

fn by_flows(name: &str, places: &[usize], mut samples: impl FnMut(usize) -> Vec<f64>) -> Series {
    let points = places.iter().map(|&count| Point {
        at: count as f64,
        value: Spread::of(samples(count)),
    });
    Series {
        name: name.to_owned(),
        points: points.collect(),
    }
}

fn queue(key: &Key, (source, destination): Flow, fields: Fields) -> usize {
    (hash(key, source, destination, fields) % TABLE) as usize % QUEUES
}

/// `count` different flows to even ports of the relay.
fn flows(senders: Senders, count: usize, random: &mut SmallRng) -> Vec<Flow> {
    let mut taken = HashSet::new();
    let mut flows = Vec::with_capacity(count);
    while flows.len() < count {
        let n = flows.len() as u16;
        let any_even = |random: &mut SmallRng| 10_000 + 2 * random.random_range(0..22_500u16);
        let (from, port, at) = match senders {
            Senders::Trunk => (TRUNK, any_even(random), any_even(random)),
            Senders::TrunkInOrder => (TRUNK, 16_384 + 2 * n, 10_000 + 2 * n),
            Senders::Clients => {
                let address = Ipv4Addr::from(random.random_range(0x0100_0000..0xdf00_0000u32));
                (
                    address,
                    random.random_range(1024..=u16::MAX),
                    any_even(random),
                )
            }
        };
        let flow = (
            SocketAddr::from((from, port)),
            SocketAddr::from((RELAY, at)),
        );
        if taken.insert(flow) {
            flows.push(flow);
        }
    }
    flows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effort::Depth;

    fn median(question: &Question, name: &str, flows: f64) -> f64 {
        let series = question.series.iter().find(|series| series.name == name);
        series.unwrap().at(flows).unwrap().median
    }

    #[test]
    fn a_trunk_hashed_by_addresses_falls_on_one_queue() {
        let question = question(Effort::new(Depth::Quick, None));
        assert_eq!(median(&question, "one trunk, sd (addresses)", 1000.0), 32.0);
    }

    #[test]
    fn a_trunk_hashed_with_ports_is_spread() {
        let question = question(Effort::new(Depth::Quick, None));
        let fullest = median(&question, "one trunk, sdfn (and ports)", 10_000.0);
        assert!((1.0..1.5).contains(&fullest), "{fullest}");
    }

    #[test]
    fn flows_are_all_different() {
        let mut random = SmallRng::seed_from_u64(1);
        for senders in [Senders::Trunk, Senders::TrunkInOrder, Senders::Clients] {
            let flows = flows(senders, 20_000, &mut random);
            assert_eq!(flows.iter().collect::<HashSet<_>>().len(), 20_000);
        }
    }
}
