use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::agent::registry::Contents;
use crate::datapath::EngineChoice;
use crate::tables::Owner;
use crate::tables::protocol::{Place, Ports, Shape};

const NAMESPACE: NamespaceId = NamespaceId {
    device: 4,
    inode: 1,
};

/// Grants a claim as the agent does, less the kernel.
fn granted(claim: &Claim, caller: &Caller, namespace: NamespaceId, table: u32) -> Record {
    Record {
        table,
        identity: claim.identity.clone(),
        owner: Owner {
            pid: caller.pid,
            name: claim.name.clone(),
            since: 0,
            command: claim.command.clone(),
        },
        uid: caller.uid,
        pod: caller.pod.clone(),
        cgroup: caller.cgroup.clone(),
        namespace,
        claimed_ns: 0,
        current: Contents {
            generation: 1,
            layout: 3,
            addresses: claim.addresses.clone(),
            ports: claim.ports.clone(),
            max_flows: claim.max_flows,
            lease_ms: 60_000,
            engine: EngineChoice::Auto,
            interface_engines: BTreeMap::new(),
            is_trusted: false,
        },
        previous: None,
        interfaces: Vec::new(),
    }
}

fn held(claim: &Claim, table: u32, life: Life) -> BTreeMap<u32, Standing> {
    let record = Some(granted(claim, &sample::caller(), NAMESPACE, table));
    BTreeMap::from([(table, Standing { record, life })])
}

const GONE: Life = Life::Lapsing { left_ms: 12_345 };

fn decision(claim: &Claim, tables: &BTreeMap<u32, Standing>) -> Result<Decision, Refused> {
    decide(claim, &sample::caller(), NAMESPACE, tables, None)
}

fn numbered(identity: &str, table: u32) -> Claim {
    Claim {
        table: TableRequest::Number(table),
        ..sample::claim(identity)
    }
}

fn reason<T: std::fmt::Debug>(outcome: Result<T, Refused>) -> Refusal {
    outcome.unwrap_err().reason
}

#[test]
fn what_can_not_be_granted_to_anybody_is_malformed() {
    let wrong = |change: fn(&mut Claim)| {
        let mut claim = sample::claim("a");
        change(&mut claim);
        let refused = check(&claim).unwrap_err();
        assert_eq!(refused.reason, Refusal::Malformed);
        assert!(!refused.text.contains('\n'));
    };
    check(&sample::claim("a")).unwrap();
    wrong(|claim| claim.table = TableRequest::None);
    wrong(|claim| claim.identity.clear());
    wrong(|claim| claim.identity = "x".repeat(MAX_NAME + 1));
    wrong(|claim| claim.name = "two\nlines".to_owned());
    wrong(|claim| claim.addresses.clear());
    wrong(|claim| claim.addresses.push(claim.addresses[0]));
    for address in [
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "ff02::1",
        "255.255.255.255",
        "::ffff:192.0.2.1",
    ] {
        let mut claim = sample::claim("a");
        claim.addresses = vec![address.parse().unwrap()];
        assert_eq!(reason(check(&claim)), Refusal::Malformed, "{address}");
    }
    wrong(|claim| claim.addresses = (1..=33).map(|last| [192, 0, 2, last].into()).collect());
    wrong(|claim| claim.ports = Ports { first: 0, last: 9 }.into());
    wrong(|claim| claim.ports = Ports { first: 9, last: 8 }.into());
    wrong(|claim| at(claim, "192.0.2.1", [0, 30_999]));
    wrong(|claim| at(claim, "192.0.2.1", [30_999, 30_000]));
    wrong(|claim| at(claim, "192.0.2.1", [29_999, 30_999]));
    wrong(|claim| at(claim, "192.0.2.2", [30_000, 30_999]));
    wrong(|claim| claim.max_flows = 0);
    wrong(|claim| claim.max_flows = u32::MAX);
    wrong(|claim| {
        let name = "x".repeat(MAX_INTERFACE_NAME + 1);
        claim.interface_engines.insert(name, EngineChoice::Tc);
    });
    wrong(|claim| {
        let names = (0..=MAX_INTERFACES).map(|number| format!("eth{number}"));
        claim.interface_engines = names.map(|name| (name, EngineChoice::Tc)).collect();
    });
}

#[test]
fn thirty_two_addresses_of_each_family_are_granted() {
    let mut claim = sample::claim("a");
    claim.addresses = (1..=32).map(|last| [192, 0, 2, last].into()).collect();
    claim
        .addresses
        .extend((1..=32).map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last])));
    check(&claim).unwrap();
}

#[test]
fn a_number_that_does_not_exist_is_refused() {
    let outcome = decision(&numbered("a", TABLES), &BTreeMap::new());
    assert_eq!(reason(outcome), Refusal::NoSuchTable);
}

#[test]
fn the_dead_of_the_same_identity_are_taken_over_whatever_is_asked_for() {
    let tables = held(&sample::claim("a"), 5, GONE);
    for claim in [sample::claim("a"), numbered("a", 5)] {
        let taken = decision(&claim, &tables).unwrap();
        let expected = Decision {
            table: 5,
            takes_over: true,
            gives_up: None,
        };
        assert_eq!(taken, expected);
    }
}

#[test]
fn an_identity_that_asks_for_another_number_gives_its_old_table_up() {
    let tables = held(&sample::claim("a"), 5, GONE);
    let moved = decision(&numbered("a", 6), &tables).unwrap();
    let expected = Decision {
        table: 6,
        takes_over: false,
        gives_up: Some(5),
    };
    assert_eq!(moved, expected);
}

#[test]
fn the_living_are_not_taken_over() {
    let tables = held(&sample::claim("a"), 5, Life::Alive);
    let refused = decision(&sample::claim("a"), &tables).unwrap_err();
    assert_eq!(refused.reason, Refusal::IdentityInUse);
    assert!(refused.text.contains("pid 4711"), "{}", refused.text);
}

#[test]
fn the_dead_are_not_taken_over_by_another_user_pod_or_namespace() {
    let tables = held(&sample::claim("a"), 5, GONE);
    let other_user = Caller {
        uid: 1002,
        ..sample::caller()
    };
    let in_pod = Caller {
        pod: Some("p".to_owned()),
        ..sample::caller()
    };
    let elsewhere = NamespaceId {
        inode: 2,
        ..NAMESPACE
    };
    for caller in [other_user, in_pod] {
        let outcome = decide(&sample::claim("a"), &caller, NAMESPACE, &tables, None);
        assert_eq!(reason(outcome), Refusal::Overlap);
    }
    let refused = decide(
        &sample::claim("a"),
        &sample::caller(),
        elsewhere,
        &tables,
        None,
    );
    let refused = refused.unwrap_err();
    assert_eq!(refused.reason, Refusal::IdentityInUse);
    assert!(refused.text.contains("wait 13 s"), "{}", refused.text);
}

#[test]
fn nobody_keeps_an_identity_from_another_user() {
    let tables = held(&sample::claim("a"), 5, Life::Alive);
    let other_user = Caller {
        uid: 1002,
        ..sample::caller()
    };
    let mut same_name = sample::claim("a");
    same_name.addresses = vec!["192.0.2.2".parse().unwrap()];
    let outcome = decide(&same_name, &other_user, NAMESPACE, &tables, None);
    assert!(outcome.is_ok_and(|decision| !decision.takes_over));
}

#[test]
fn one_pods_containers_of_different_users_do_not_take_each_other_over() {
    let pod = |uid| Caller {
        uid,
        pod: Some("p".to_owned()),
        ..sample::caller()
    };
    let record = Some(granted(&sample::claim("a"), &pod(1), NAMESPACE, 0));
    let tables = BTreeMap::from([(0, Standing { record, life: GONE })]);
    let outcome = decide(&sample::claim("a"), &pod(2), NAMESPACE, &tables, None);
    assert_eq!(reason(outcome), Refusal::Overlap);
    assert!(decide(&sample::claim("a"), &pod(1), NAMESPACE, &tables, None).is_ok());
}

#[test]
fn a_table_whose_record_is_damaged_is_taken() {
    let standing = Standing {
        record: None,
        life: GONE,
    };
    let tables = BTreeMap::from([(0, standing)]);
    assert_eq!(decision(&sample::claim("a"), &tables).unwrap().table, 1);
    assert_eq!(reason(decision(&numbered("a", 0), &tables)), Refusal::Taken);
}

#[test]
fn what_the_dead_were_granted_is_theirs_until_their_lease_is_over() {
    let tables = held(&sample::claim("a"), 5, GONE);
    let refused = decision(&sample::claim("b"), &tables).unwrap_err();
    assert_eq!(refused.reason, Refusal::Overlap);
    assert!(refused.text.contains("13 s more"), "{}", refused.text);
}

#[test]
fn the_same_address_in_another_namespace_is_another() {
    let tables = held(&sample::claim("a"), 5, Life::Alive);
    let elsewhere = NamespaceId {
        inode: 2,
        ..NAMESPACE
    };
    let outcome = decide(
        &sample::claim("b"),
        &sample::caller(),
        elsewhere,
        &tables,
        None,
    );
    assert_eq!(outcome.unwrap().table, 0);
}

#[test]
fn what_forwards_on_during_a_restart_is_granted_still() {
    let mut tables = held(&sample::claim("a"), 5, Life::Alive);
    let record = tables.get_mut(&5).unwrap().record.as_mut().unwrap();
    let mut before = record.current.clone();
    before.addresses = vec!["192.0.2.9".parse().unwrap()];
    record.previous = Some(before);
    let claim = Claim {
        addresses: vec!["192.0.2.9".parse().unwrap()],
        ..sample::claim("b")
    };
    assert_eq!(reason(decision(&claim, &tables)), Refusal::Overlap);
}

#[test]
fn a_limit_counts_a_users_tables_and_a_pods_together() {
    let mut tables = held(&sample::claim("a"), 0, Life::Alive);
    tables.extend(held(&sample::claim("b"), 1, GONE));
    let claim = Claim {
        ports: Ports {
            first: 40_000,
            last: 40_001,
        }
        .into(),
        ..sample::claim("c")
    };
    let of = |uid, pod: Option<&str>| Caller {
        uid,
        pod: pod.map(str::to_owned),
        ..sample::caller()
    };
    let outcome = |caller: Caller, limit| decide(&claim, &caller, NAMESPACE, &tables, Some(limit));
    assert_eq!(reason(outcome(of(1001, None), 2)), Refusal::NotAllowed);
    assert!(outcome(of(1001, None), 3).is_ok());
    assert!(outcome(of(1002, None), 2).is_ok());
    assert!(outcome(of(1001, Some("p")), 2).is_ok());
    // Coming back is no further table.
    assert!(
        decide(
            &sample::claim("b"),
            &of(1001, None),
            NAMESPACE,
            &BTreeMap::from_iter(held(&sample::claim("b"), 1, GONE)),
            Some(1)
        )
        .is_ok()
    );
}

/// Gives one address a range of its own.
fn at(claim: &mut Claim, address: &str, [first, last]: [u16; 2]) {
    let ports = Ports { first, last };
    claim.ports.at.insert(address.parse().unwrap(), ports);
}

#[test]
fn ranges_are_compared_address_by_address() {
    // 192.0.2.1 is shared by halves; each has all ports of another address.
    let claim_of = |identity, own: &str, half| {
        let mut claim = sample::claim(identity);
        claim.addresses.push(own.parse().unwrap());
        at(&mut claim, "192.0.2.1", half);
        check(&claim).unwrap();
        claim
    };
    let tables = held(
        &claim_of("a", "192.0.2.2", [30_000, 30_499]),
        5,
        Life::Alive,
    );
    let beside = claim_of("b", "192.0.2.3", [30_500, 30_999]);
    assert!(decision(&beside, &tables).is_ok());
    let across = claim_of("b", "192.0.2.3", [30_499, 30_999]);
    let refused = decision(&across, &tables).unwrap_err();
    assert_eq!(refused.reason, Refusal::Overlap);
    assert!(
        refused.text.starts_with("ports 30499-30999 of 192.0.2.1 "),
        "{}",
        refused.text
    );
}

#[test]
fn a_claim_that_knows_one_range_only_has_it_at_every_address() {
    let mut narrow = sample::claim("a");
    narrow.addresses.push("192.0.2.2".parse().unwrap());
    at(&mut narrow, "192.0.2.1", [30_000, 30_499]);
    let tables = held(&narrow, 5, Life::Alive);
    let claim = |first| Claim {
        ports: Ports {
            first,
            last: 30_999,
        }
        .into(),
        ..sample::claim("b")
    };
    assert!(decision(&claim(30_500), &tables).is_ok());
    assert_eq!(reason(decision(&claim(30_499), &tables)), Refusal::Overlap);
}

/// Something that happens on a node.
#[derive(Clone, Debug)]
enum Event {
    Claim {
        identity: usize,
        uid: u32,
        namespace: u64,
        table: Option<u32>,
        addresses: Vec<u8>,
        first: u16,
        count: u16,
        /// The ranges of two addresses are so many ports apart.
        apart: u16,
    },
    Dies(u32),
    Released(u32),
    Expires(u32),
    Settles(u32),
}

fn event() -> impl Strategy<Value = Event> {
    let table = || 0..4_u32;
    let claim = (
        0..5_usize,
        0..2_u32,
        0..2_u64,
        proptest::option::of(0..4_u32),
        vec(1..4_u8, 1..3),
        1..20_u16,
        0..8_u16,
        0..8_u16,
    );
    let claim = claim.prop_map(
        |(identity, uid, namespace, table, addresses, first, count, apart)| Event::Claim {
            identity,
            uid,
            namespace,
            table,
            addresses,
            first,
            count,
            apart,
        },
    );
    prop_oneof![
        4 => claim,
        2 => table().prop_map(Event::Dies),
        1 => table().prop_map(Event::Released),
        1 => table().prop_map(Event::Expires),
        1 => table().prop_map(Event::Settles),
    ]
}

/// What an agent does to its tables.
fn happen(event: Event, tables: &mut BTreeMap<u32, Standing>) {
    match event {
        Event::Claim {
            identity,
            uid,
            namespace,
            table,
            addresses,
            first,
            count,
            apart,
        } => {
            let mut claim = sample::claim(&format!("media-{identity}"));
            claim.table = table.map_or(TableRequest::Auto, TableRequest::Number);
            claim.addresses = addresses
                .iter()
                .map(|last| [192, 0, 2, *last].into())
                .collect();
            let ranges = claim.addresses.iter().zip(0..).map(|(address, place)| {
                let first = first + place * apart;
                let last = first + count;
                (*address, Ports { first, last })
            });
            claim.ports = ranges.collect();
            let caller = Caller {
                uid,
                ..sample::caller()
            };
            let namespace = NamespaceId {
                device: 4,
                inode: namespace,
            };
            let Ok(()) = check(&claim) else { return };
            let Ok(decision) = decide(&claim, &caller, namespace, tables, Some(3)) else {
                return;
            };
            let before = tables.remove(&decision.table);
            assert_eq!(before.is_some(), decision.takes_over);
            if let Some(given_up) = decision.gives_up {
                tables.remove(&given_up).unwrap();
            }
            let mut record = granted(&claim, &caller, namespace, decision.table);
            record.previous = before.and_then(|before| {
                assert_ne!(before.life, Life::Alive, "taken from the living");
                let before = before.record?;
                assert_eq!((before.uid, before.namespace), (uid, namespace));
                Some(before.previous.unwrap_or(before.current))
            });
            let standing = Standing {
                record: Some(record),
                life: Life::Alive,
            };
            tables.insert(decision.table, standing);
        }
        Event::Dies(table) => {
            if let Some(standing) = tables.get_mut(&table) {
                standing.life = GONE;
            }
        }
        Event::Settles(table) => {
            let record = tables.get_mut(&table).and_then(|s| s.record.as_mut());
            if let Some(record) = record {
                record.previous = None;
            }
        }
        Event::Released(table) => {
            tables.remove(&table);
        }
        Event::Expires(table) => {
            if tables
                .get(&table)
                .is_some_and(|standing| standing.life != Life::Alive)
            {
                tables.remove(&table);
            }
        }
    }
}

/// What two different tables have in common, if anything.
fn common(one: &Record, other: &Record) -> bool {
    one.namespace == other.namespace
        && one.contents().any(|mine| {
            other.contents().any(|theirs| {
                mine.addresses.iter().any(|address| {
                    theirs.addresses.contains(address)
                        && mine.ports.of(*address).overlap(theirs.ports.of(*address))
                })
            })
        })
}

proptest! {
    #[test]
    fn whatever_happens_no_two_tables_overlap_and_no_identity_has_two(
        events in vec(event(), 1..60)
    ) {
        let mut tables = BTreeMap::new();
        for event in events {
            happen(event, &mut tables);
            let records: Vec<&Record> =
                tables.values().filter_map(|standing| standing.record.as_ref()).collect();
            for (at, one) in records.iter().enumerate() {
                prop_assert!(tables[&one.table].record.as_ref() == Some(one));
                for other in &records[at + 1..] {
                    prop_assert!(!common(one, other), "{one:?} {other:?}");
                    prop_assert_ne!((&one.identity, one.uid, &one.pod), (&other.identity, other.uid, &other.pod));
                }
            }
            for uid in 0..2 {
                prop_assert!(records.iter().filter(|record| record.uid == uid).count() <= 3);
            }
        }
    }
}

#[test]
fn an_address_and_port_behind_one_uplink_are_one_owners_whatever_the_namespaces() {
    let uplink = |ifindex| Interface {
        name: "up0".to_owned(),
        place: Place::Node,
        ifindex,
        shape: Shape::Uplink,
        engine: None,
        note: String::new(),
        addresses: sample::claim("a").addresses,
        mac: [0; 6],
        lookup: Place::Own,
    };
    let first = sample::claim("first");
    let mut others = held(&first, 3, Life::Alive);
    for standing in others.values_mut() {
        let record = standing.record.as_mut().unwrap();
        record.interfaces = vec![uplink(2)];
    }
    let second = sample::claim("second");
    let refused = check_uplinks(&second, &[uplink(2)], &others).unwrap_err();
    assert_eq!(refused.reason, Refusal::Overlap);
    assert!(refused.text.contains("first.example"), "{}", refused.text);
    assert!(check_uplinks(&second, &[uplink(7)], &others).is_ok());
    assert!(check_uplinks(&second, &[], &others).is_ok());
    let mut elsewhere = second.clone();
    elsewhere.ports = Ports {
        first: 31_000,
        last: 31_999,
    }
    .into();
    assert!(check_uplinks(&elsewhere, &[uplink(2)], &others).is_ok());
}
