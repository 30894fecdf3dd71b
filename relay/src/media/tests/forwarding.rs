//! What becomes of packets in user space.

use super::*;

#[test]
fn rtp_goes_both_ways_unchanged_from_the_port_the_other_side_knows() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    for (from, to) in [(&call.a, &call.b), (&call.b, &call.a)] {
        from.send(&rtp(7, 1));
        assert_eq!(receive(&to.rtp), (rtp(7, 1), to.pair.rtp.address));
    }
}

#[test]
fn rtcp_goes_through_its_own_ports() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    call.a
        .rtcp
        .send_to(&rtcp(), call.a.pair.rtcp.address)
        .unwrap();
    assert_eq!(receive(&call.b.rtcp), (rtcp(), call.b.pair.rtcp.address));
}

#[test]
fn multiplexed_rtcp_is_taken_apart_and_put_together() {
    let mut relay = Relay::start();
    let mut call = relay.call(|_| {});
    // A multiplexes, B does not.
    call.b_rtcp_plan.rtcp_sinks = vec![call.a.id()];
    relay.update(call.b.rtcp_id(), call.b_rtcp_plan.clone());
    call.a.send(&rtcp());
    assert_eq!(receive(&call.b.rtcp).0, rtcp());
    call.b
        .rtcp
        .send_to(&rtcp(), call.b.pair.rtcp.address)
        .unwrap();
    assert_eq!(receive(&call.a.rtp), (rtcp(), call.a.pair.rtp.address));
}

#[test]
fn packets_that_are_not_rtp_pass() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let stun = [
        0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let dtls = [22, 0xfe, 0xfd, 0, 0];
    for packet in [&stun[..], &dtls, b"", b"x", &[0xff; 4000]] {
        call.a.send(packet);
        assert_eq!(receive(&call.b.rtp).0, packet);
    }
}

#[test]
fn media_that_is_not_rtp_is_not_mistaken_for_rtcp() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| {
        plan.payload_types = PayloadTypes::NONE;
        plan.rtcp_sinks.clear();
    });
    call.a.send(&rtcp());
    assert_eq!(receive(&call.b.rtp).0, rtcp());
}

#[test]
fn a_stream_on_hold_takes_packets_and_passes_none_on_until_it_is_resumed() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.sinks.clear());
    call.a.send(&rtp(7, 1));
    wait_until("the packet is counted", || {
        relay.view(call.a.id()).user_packets == 1
    });
    assert_eq!(relay.view(call.a.id()).errors, 0);
    let resumed = StreamPlan {
        sinks: vec![Sink::untouched(call.b.id())],
        signalled: 2,
        ..call.a_plan.clone()
    };
    relay.update(call.a.id(), resumed);
    wait_until("the plan is carried out", || {
        relay.datapath.flow(call.a.id()).is_some()
    });
    call.a.send(&rtp(7, 2));
    assert_eq!(receive(&call.b.rtp).0, rtp(7, 2));
}

#[test]
fn packets_for_a_side_that_has_not_answered_are_dropped_and_counted() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.endpoint = None);
    call.a.send(&rtp(7, 1));
    wait_until("the packet is counted", || {
        relay.view(call.a.id()).errors == 1
    });
    assert_eq!(relay.view(call.a.id()).user_packets, 0);
}

#[test]
fn who_is_waited_for_is_sent_nothing_before_its_first_packet() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.nat_wait = true);
    call.a.send(&rtp(7, 1));
    wait_until("the packet is counted", || {
        relay.view(call.a.id()).errors == 1
    });
    assert_eq!(relay.datapath.flow(call.a.id()), None);
    call.b.send(&rtp(8, 1));
    assert_eq!(receive(&call.a.rtp).0, rtp(8, 1), "A has sent");
    call.a.send(&rtp(7, 2));
    assert_eq!(receive(&call.b.rtp).0, rtp(7, 2), "and now B, too");
    wait_until("both flows are asked for", || {
        let flow = |side: &Side| relay.datapath.flow(side.id());
        flow(&call.a).is_some() && flow(&call.b).is_some()
    });
}

#[test]
fn a_zero_address_or_port_is_no_destination() {
    let mut relay = Relay::start();
    for endpoint in ["0.0.0.0:5000", "127.0.0.1:0"] {
        let call = relay.call(|plan| plan.endpoint = Some(endpoint.parse().unwrap()));
        call.a.send(&rtp(7, 1));
        wait_until("the packet is counted", || {
            relay.view(call.a.id()).errors == 1
        });
    }
}

#[test]
fn packets_pass_before_the_answer() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.public = false);
    call.b.send(&rtp(7, 1));
    assert_eq!(receive(&call.a.rtp).0, rtp(7, 1));
    assert!(!relay.view(call.b.id()).confirmed);
}

#[test]
fn a_phone_behind_nat_gets_its_packets_where_it_sends_from() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.learning = EndpointLearning::Immediate);
    let mapped = phone();
    mapped.send_to(&rtp(7, 1), call.a.pair.rtp.address).unwrap();
    receive(&call.b.rtp);
    call.b.send(&rtp(8, 1));
    assert_eq!(receive(&mapped).0, rtp(8, 1));
    let view = relay.view(call.a.id());
    assert_eq!(view.endpoint, Some(mapped.local_addr().unwrap()));
    assert!(view.confirmed);
}

#[test]
fn strict_source_drops_and_counts_a_stranger() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.strict_source = true);
    call.a.send(&rtp(7, 1));
    receive(&call.b.rtp);
    phone()
        .send_to(&rtp(666, 1), call.a.pair.rtp.address)
        .unwrap();
    wait_until("the stranger is counted", || {
        relay.view(call.a.id()).errors == 1
    });
    call.a.send(&rtp(7, 2));
    assert_eq!(receive(&call.b.rtp).0, rtp(7, 2), "nothing came in between");
}

#[test]
fn one_source_feeds_several_receivers() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let sinks = [call.b.id(), call.b.rtcp_id()].map(Sink::untouched).into();
    relay.update(
        call.a.id(),
        StreamPlan {
            sinks,
            ..call.a_plan.clone()
        },
    );
    call.a.send(&rtp(7, 1));
    assert_eq!(receive(&call.b.rtp).0, rtp(7, 1));
    assert_eq!(receive(&call.b.rtcp).0, rtp(7, 1));
}

#[test]
fn a_call_goes_from_ipv4_to_ipv6_and_back() {
    let v4 = own_address();
    let v6: IpAddr = "::1".parse().unwrap();
    let datapath = Arc::new(Recorder::default());
    let media = Media::start(MediaConfig {
        rest: Duration::from_millis(1),
        ready_pairs: 4,
        workers: 1,
        ..MediaConfig::new(ports([v4, v6], (21_000, 21_999)), datapath)
    })
    .unwrap();
    assert!(media.wait_ready(PATIENCE));
    let mut relay = Relay {
        media,
        datapath: Arc::default(),
        address: v4,
        calls: 0,
    };
    let call = relay.call(|_| {});
    let local = LocalAddress {
        address: v6,
        advertised: v6,
    };
    let pair = relay.media.ports().take(&local).unwrap();
    let phone = UdpSocket::bind((v6, 0)).unwrap();
    phone.set_read_timeout(Some(PATIENCE)).unwrap();
    let plan = StreamPlan {
        endpoint: Some(phone.local_addr().unwrap()),
        sinks: vec![Sink::untouched(call.a.id())],
        ..call.b_plan.clone()
    };
    relay.media.apply(vec![
        Action::Open {
            call: CallKey(1),
            port: pair.rtp.clone(),
            plan,
            predecessor: None,
            learned: None,
        },
        Action::Update {
            stream: call.a.id(),
            plan: StreamPlan {
                sinks: vec![Sink::untouched(pair.rtp.id)],
                ..call.a_plan.clone()
            },
        },
    ]);
    call.a.send(&rtp(7, 1));
    assert_eq!(receive(&phone), (rtp(7, 1), pair.rtp.address));
    phone.send_to(&rtp(8, 1), pair.rtp.address).unwrap();
    assert_eq!(receive(&call.a.rtp).0, rtp(8, 1));
}

#[test]
fn statistics_tell_packets_bytes_and_loss_per_ssrc() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.public = false);
    for sequence in [1, 2, 5] {
        call.a.send(&rtp(7, sequence));
        receive(&call.b.rtp);
    }
    wait_until("all are counted", || {
        relay.view(call.a.id()).user_packets == 3
    });
    let view = relay.view(call.a.id());
    assert_eq!(view.user_bytes, 3 * 172);
    assert!(view.last_user_ms > 0);
    assert_eq!(view.ssrcs.len(), 1);
    assert_eq!(view.ssrcs[0].ssrc, 7);
    assert_eq!(view.ssrcs[0].packets, 3);
    assert_eq!(view.ssrcs[0].highest_sequence, 5);
    assert_eq!(view.ssrcs[0].last_timestamp, 800);
    wait_until("totals follow", || relay.media.totals().packets == 3);
}

#[test]
fn a_closed_stream_has_no_view() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    relay.hang_up(&call);
    assert_eq!(relay.media.streams().view(call.a.id()), None);
}

#[test]
fn the_last_packet_is_remembered_while_the_stream_is_open() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let last = || relay.media.streams().last_packet_ms(call.a.id());
    assert_eq!(last(), Some(0), "never");
    call.a.send(&rtp(7, 1));
    wait_until("a packet is seen", || last() > Some(0));
    assert_eq!(last(), Some(relay.view(call.a.id()).last_user_ms));
    relay.hang_up(&call);
    assert_eq!(last(), None, "not open any more");
}

#[test]
fn a_new_port_sends_to_where_its_predecessor_has_learned() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.learning = EndpointLearning::Immediate);
    let behind_nat = phone();
    behind_nat
        .send_to(&rtp(7, 1), call.b.pair.rtp.address)
        .unwrap();
    receive(&call.a.rtp);
    let pair = relay.take_in_time();
    relay.media.apply(vec![
        Action::Open {
            call: crate::plan::CallKey(relay.calls),
            port: pair.rtp.clone(),
            plan: call.b_plan.clone(),
            predecessor: Some(call.b.id()),
            learned: None,
        },
        Action::Update {
            stream: call.a.id(),
            plan: StreamPlan {
                sinks: vec![Sink::untouched(pair.rtp.id)],
                ..call.a_plan.clone()
            },
        },
    ]);
    call.a.send(&rtp(8, 1));
    assert_eq!(receive(&behind_nat), (rtp(8, 1), pair.rtp.address));
}
