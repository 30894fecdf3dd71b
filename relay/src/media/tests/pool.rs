//! Ports: taken, given back, rested.

use std::collections::BTreeSet;

use super::*;
use crate::plan::OutOfPorts;

fn used(relay: &Relay) -> usize {
    relay.media.port_usage()[0].used
}

fn ready(relay: &Relay) -> usize {
    relay.media.port_usage()[0].ready
}

#[test]
fn pairs_are_even_and_odd_both_bound_and_never_doubled() {
    let relay = Relay::with(own_address(), (20_000, 20_041));
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let pair = relay.take_in_time();
        assert_eq!(pair.rtp.address.port() % 2, 0);
        assert_eq!(pair.rtcp.address.port(), pair.rtp.address.port() + 1);
        for port in [&pair.rtp, &pair.rtcp] {
            assert!(seen.insert(port.address));
            assert!(seen.len() <= 40);
            assert!(UdpSocket::bind(port.address).is_err(), "bound");
        }
    }
    assert_eq!(used(&relay), 20);
}

#[test]
fn an_exhausted_range_says_so_and_recovers() {
    let mut relay = Relay::with(own_address(), (20_000, 20_003));
    let call = relay.call(|_| {});
    assert_eq!(relay.take(), Err(OutOfPorts));
    relay.hang_up(&call);
    relay.take_in_time();
}

#[test]
fn pairs_that_nobody_has_are_free() {
    let relay = Relay::with(own_address(), (20_000, 20_003));
    let [free, elsewhere] = [relay.address, "192.0.2.1".parse().unwrap()].map(|address| {
        let address = LocalAddress {
            address,
            advertised: address,
        };
        let ports = relay.media.ports();
        move || ports.free(&address)
    });
    assert_eq!(free(), 2);
    let pairs = [relay.take_in_time(), relay.take_in_time()];
    assert_eq!(free(), 0);
    for pair in pairs {
        relay.media.ports().give_back(pair);
    }
    assert_eq!(free(), 2);
    assert_eq!(elsewhere(), 0);
}

#[test]
fn a_pair_that_never_became_a_stream_comes_back() {
    let relay = Relay::with(own_address(), (20_000, 20_001));
    let pair = relay.take_in_time();
    relay.media.ports().give_back(pair.clone());
    relay.media.ports().give_back(pair);
    assert_eq!(used(&relay), 0);
    relay.take_in_time();
}

#[test]
fn closing_a_pair_of_which_one_stream_was_opened_gives_both_ports_back() {
    let mut relay = Relay::with(own_address(), (20_000, 20_005));
    let call = relay.call(|_| {});
    let pair = relay.take_in_time();
    relay.media.apply(vec![Action::Open {
        call: CallKey(77),
        port: pair.rtp.clone(),
        plan: call.a_plan.clone(),
        predecessor: None,
        learned: None,
    }]);
    relay
        .media
        .apply(vec![Action::Close { pair: pair.clone() }]);
    wait_until("the pair is free", || used(&relay) == 2);
    let again = relay.take_in_time();
    assert_eq!(again.rtp.address, pair.rtp.address);
    assert_ne!(again.rtp.id, pair.rtp.id, "a name is never used twice");
}

#[test]
fn a_port_that_packets_arrive_at_is_not_handed_out() {
    for upper in [false, true] {
        let relay = Relay::with(own_address(), (20_000, 20_003));
        wait_until("both pairs are ready", || ready(&relay) == 2);
        let noisy = SocketAddr::new(relay.address, 20_000 + u16::from(upper));
        phone().send_to(&rtp(1, 1), noisy).unwrap();
        let pair = relay.take().unwrap();
        assert_eq!(pair.rtp.address.port(), 20_002);
    }
}

#[test]
fn a_relay_that_forgot_its_calls_does_not_give_their_ports_away() {
    let address = own_address();
    let mut forgetful = Relay::with(address, (20_000, 20_003));
    let call = forgetful.call(|_| {});
    drop(forgetful);
    let relay = Relay::resting(address, (20_000, 20_003), Duration::from_millis(300));
    wait_until("the other pair has rested", || {
        call.a.send(&rtp(7, 1));
        ready(&relay) > 0
    });
    call.a.send(&rtp(7, 1));
    assert_eq!(relay.take().unwrap().rtp.address, call.b.pair.rtp.address);
}

#[test]
fn what_arrived_before_a_port_was_handed_out_never_reaches_the_call() {
    let mut relay = Relay::with(own_address(), (20_000, 20_007));
    wait_until("all pairs are ready", || ready(&relay) == 4);
    let late = phone();
    for port in 20_000..20_004 {
        let at = SocketAddr::new(relay.address, port);
        late.send_to(&rtp(666, 1), at).unwrap();
    }
    let call = relay.call(|_| {});
    for (from, to) in [(&call.a, &call.b), (&call.b, &call.a)] {
        from.send(&rtp(7, 1));
        assert_eq!(
            receive(&to.rtp).0,
            rtp(7, 1),
            "the first packet is the call's own"
        );
    }
}

#[test]
fn a_port_that_somebody_else_holds_is_skipped_until_it_is_free() {
    let address = own_address();
    let foreign = UdpSocket::bind((address, 20_001)).unwrap();
    let relay = Relay::with(address, (20_000, 20_003));
    assert_eq!(relay.take_in_time().rtp.address.port(), 20_002);
    assert_eq!(relay.take(), Err(OutOfPorts));
    drop(foreign);
    relay.take_in_time();
}

#[test]
fn an_address_that_is_not_ours_has_no_ports() {
    let relay = Relay::start();
    let foreign = LocalAddress {
        address: "192.0.2.1".parse().unwrap(),
        advertised: "192.0.2.1".parse().unwrap(),
    };
    assert_eq!(relay.media.ports().take(&foreign), Err(OutOfPorts));
}

#[test]
fn a_range_without_a_pair_is_refused() {
    for range in [(20_001, 20_002), (20_000, 20_000), (20_003, 20_001)] {
        let config = MediaConfig::new(ports([own_address()], range), Arc::new(Recorder::default()));
        assert!(matches!(Media::start(config), Err(MediaError::NoPorts(_))));
    }
}

#[test]
fn every_address_gives_ports_of_its_own_and_never_excluded_ones() {
    let range = |first, last| PortRange { first, last };
    let (gapped, plain) = (own_address(), own_address());
    let excluded = [range(20_003, 20_006)];
    let own = BTreeMap::from([
        (gapped, MediaPorts::new(range(20_000, 20_011), &excluded)),
        (plain, MediaPorts::new(range(20_100, 20_103), &[])),
    ]);
    let media = Media::start(MediaConfig {
        workers: 1,
        rest: Duration::from_millis(1),
        ..MediaConfig::new(own, Arc::new(Recorder::default()))
    })
    .unwrap();
    let all_of = |address, count| {
        let local = LocalAddress {
            address,
            advertised: address,
        };
        let mut taken = BTreeSet::new();
        wait_until("all pairs are taken", || {
            let pair = media.ports().take(&local);
            taken.extend(pair.map(|pair| pair.rtp.address.port()));
            taken.len() == count
        });
        assert_eq!(media.ports().take(&local), Err(OutOfPorts));
        taken
    };
    assert_eq!(all_of(gapped, 3), BTreeSet::from([20_000, 20_008, 20_010]));
    assert_eq!(all_of(plain, 2), BTreeSet::from([20_100, 20_102]));
    let usage = media.port_usage();
    let of_gapped = usage.iter().find(|usage| usage.address == gapped).unwrap();
    assert_eq!(
        (of_gapped.total, of_gapped.range),
        (3, range(20_000, 20_011))
    );
}
