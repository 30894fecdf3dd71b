//! Ports that are taken again after a restart, and streams that go on from what was learned.

use super::*;
use crate::datapath::SsrcFilter;
use crate::plan::{Learned, OutOfPorts, RetakeError};

/// Media on these ports of `address` before the pool is filled.
fn prepared(address: IpAddr, ports: (u16, u16)) -> Relay {
    let datapath = Arc::new(Recorder::default());
    let media = Media::prepare(MediaConfig {
        workers: 2,
        rest: Duration::from_millis(1),
        ready_pairs: 8,
        ..MediaConfig::new(super::ports([address], ports), datapath.clone())
    })
    .unwrap();
    Relay {
        media,
        datapath,
        address,
        calls: 0,
    }
}

fn retake(relay: &Relay, port: u16) -> Result<PortPair, RetakeError> {
    let address = SocketAddr::new(relay.address, port);
    relay.media.ports().retake(address)
}

/// The RTP streams of a call that talked, one way each: ports, plans and what was learned.
struct Remembered {
    ports: [SocketAddr; 2],
    plans: [StreamPlan; 2],
    learned: [Learned; 2],
}

/// A call between two phones whose relay is gone, and what it left.
fn talked(address: IpAddr) -> (Call, Remembered) {
    let mut relay = Relay::with(address, (20_000, 20_007));
    let call = relay.call(|plan| plan.strict_source = true);
    call.a.send(&rtp(7, 1));
    receive(&call.b.rtp);
    call.b.send(&rtp(8, 1));
    receive(&call.a.rtp);
    for side in [&call.a, &call.b] {
        wait_until("its flow is asked for", || {
            relay.datapath.flow(side.id()).is_some()
        });
    }
    let streams = relay.media.streams();
    let learned = |side: &Side| streams.learned(side.id()).unwrap();
    let remembered = Remembered {
        ports: [call.a.pair.rtp.address, call.b.pair.rtp.address],
        plans: [call.a_plan.clone(), call.b_plan.clone()],
        learned: [learned(&call.a), learned(&call.b)],
    };
    (call, remembered)
}

/// Takes the ports again and opens the RTP streams; returns their names.
fn restore(relay: &Relay, remembered: Remembered) -> [StreamId; 2] {
    let pairs = remembered
        .ports
        .map(|port| retake(relay, port.port()).unwrap());
    let ids = [pairs[0].rtp.id, pairs[1].rtp.id];
    let both = pairs
        .into_iter()
        .zip(remembered.plans)
        .zip(remembered.learned);
    let open = |(index, ((pair, plan), learned)): (usize, ((PortPair, StreamPlan), Learned))| {
        Action::Open {
            call: CallKey(1),
            port: pair.rtp,
            plan: StreamPlan {
                sinks: vec![Sink::untouched(ids[1 - index])],
                rtcp_sinks: vec![],
                rtcp: RtcpHandling::default(),
                ..plan
            },
            predecessor: None,
            learned: Some(Box::new(learned)),
        }
    };
    relay.media.apply(both.enumerate().map(open).collect());
    relay.media.settle();
    ids
}

#[test]
fn a_stream_has_its_flow_again_before_any_packet() {
    let address = own_address();
    let (call, remembered) = talked(address);
    let relay = prepared(address, (20_000, 20_007));
    let [a, b] = restore(&relay, remembered);
    let flow = relay.datapath.flow(a).unwrap();
    assert_eq!(
        (flow.source, flow.to),
        (call.a.endpoint(), call.b.endpoint())
    );
    assert_eq!(flow.ssrcs, SsrcFilter::Known(vec![7]));
    assert!(relay.datapath.flow(b).is_some());
    assert!(relay.view(a).confirmed);
}

#[test]
fn a_stream_goes_on_counting() {
    let address = own_address();
    let (call, remembered) = talked(address);
    let relay = prepared(address, (20_000, 20_007));
    let [a, _] = restore(&relay, remembered);
    assert_eq!(relay.view(a).user_packets, 1);
    call.a.send(&rtp(7, 2));
    assert_eq!(receive(&call.b.rtp).0, rtp(7, 2));
    wait_until("it is counted", || relay.view(a).user_packets == 2);
    let view = relay.view(a);
    assert_eq!(view.user_bytes, 2 * 172);
    let [source] = view.ssrcs[..] else {
        panic!("{view:?}")
    };
    assert_eq!((source.ssrc, source.packets, source.lost), (7, 2, 0));
}

#[test]
fn a_stranger_stays_one() {
    let address = own_address();
    let (call, remembered) = talked(address);
    let relay = prepared(address, (20_000, 20_007));
    let [a, _] = restore(&relay, remembered);
    phone()
        .send_to(&rtp(666, 1), call.a.pair.rtp.address)
        .unwrap();
    wait_until("it is refused", || relay.view(a).errors == 1);
}

#[test]
fn what_the_kernel_had_counted_goes_on() {
    let address = own_address();
    let (_call, mut remembered) = talked(address);
    remembered.learned[0].kernel = (100, 17_200);
    let relay = prepared(address, (20_000, 20_007));
    let [a, _] = restore(&relay, remembered);
    let view = relay.view(a);
    assert_eq!((view.kernel_packets, view.kernel_bytes), (100, 17_200));
    let learned = relay.media.streams().learned(a).unwrap();
    assert_eq!(learned.kernel, (100, 17_200));
}

#[test]
fn nothing_is_bound_before_the_pool_is_filled_and_a_pair_in_use_is_left_out() {
    let mut relay = prepared(own_address(), (20_000, 20_003));
    let pair = retake(&relay, 20_000).unwrap();
    let free = UdpSocket::bind((relay.address, 20_002)).unwrap();
    drop(free);
    relay.media.fill().unwrap();
    assert_eq!(relay.take_in_time().rtp.address.port(), 20_002);
    assert_eq!(relay.take(), Err(OutOfPorts));
    relay.media.apply(vec![Action::Close { pair }]);
    assert_eq!(relay.take_in_time().rtp.address.port(), 20_000);
}

#[test]
fn a_pair_outside_the_range_is_served_and_never_handed_to_another() {
    let mut relay = prepared(own_address(), (20_000, 20_001));
    let pair = retake(&relay, 30_000).unwrap();
    relay.media.fill().unwrap();
    relay.media.apply(vec![Action::Close { pair }]);
    assert_eq!(relay.take_in_time().rtp.address.port(), 20_000);
    assert_eq!(relay.take(), Err(OutOfPorts));
}

#[test]
fn a_pair_that_cannot_be_had_says_why() {
    let relay = prepared(own_address(), (20_000, 20_003));
    let _foreign = UdpSocket::bind((relay.address, 20_001)).unwrap();
    let refused = retake(&relay, 20_000);
    assert!(matches!(refused, Err(RetakeError::NotBound { .. })));
    let elsewhere = "192.0.2.1:20000".parse().unwrap();
    assert_eq!(
        relay.media.ports().retake(elsewhere),
        Err(RetakeError::NotConfigured("192.0.2.1".parse().unwrap()))
    );
}

#[test]
fn a_call_of_which_something_was_learned_is_noted_once_somebody_asks() {
    let mut relay = Relay::start();
    assert!(relay.media.streams().take_lessons().is_empty());
    let call = relay.call(|_| {});
    call.a.send(&rtp(7, 1));
    receive(&call.b.rtp);
    let mut lessons = Vec::new();
    wait_until("it is noted", || {
        lessons.extend(relay.media.streams().take_lessons());
        !lessons.is_empty()
    });
    assert_eq!(lessons, [CallKey(1)]);
}
