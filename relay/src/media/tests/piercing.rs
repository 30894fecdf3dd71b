//! Empty packets to peers that have not sent anything yet.

use super::*;

/// The next packet that arrives, which is empty.
fn receive_empty(phone: &UdpSocket) -> SocketAddr {
    let (packet, from) = receive(phone);
    assert_eq!(packet, [0; 0]);
    from
}

#[test]
fn a_silent_peer_is_sent_empty_packets_again_and_again() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.pierce_nat = true);
    for _ in 0..2 {
        assert_eq!(receive_empty(&call.a.rtp), call.a.pair.rtp.address);
        assert_eq!(receive_empty(&call.a.rtcp), call.a.pair.rtcp.address);
    }
}

#[test]
fn who_has_been_heard_is_sent_none() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    call.b.send(&rtp(7, 1));
    receive(&call.a.rtp);
    relay.update(
        call.b.id(),
        StreamPlan {
            pierce_nat: true,
            signalled: 2,
            ..call.b_plan.clone()
        },
    );
    relay.update(
        call.a.id(),
        StreamPlan {
            pierce_nat: true,
            signalled: 2,
            ..call.a_plan.clone()
        },
    );
    receive_empty(&call.a.rtp);
    call.a.send(&rtp(8, 1));
    assert_eq!(receive(&call.b.rtp).0, rtp(8, 1), "no empty one before it");
}
