//! Packets that are shorter than usual.

use super::*;

#[test]
fn short_packets_are_dropped_and_counted() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.never_short = PayloadTypes(1));
    for sequence in 1..=10 {
        call.a.send(&rtp(7, sequence));
        assert_eq!(receive(&call.b.rtp).0, rtp(7, sequence));
    }
    let mut short = rtp(7, 11);
    short.pop();
    call.a.send(&short);
    call.a.send(&rtp(7, 12));
    assert_eq!(receive(&call.b.rtp).0, rtp(7, 12));
    wait_until("it is counted", || relay.view(call.a.id()).errors == 1);
    let reason = relay.view(call.a.id()).kernel_reason;
    assert_eq!(reason, Some(Reason::ShortHeldBack.text()));
}

#[test]
fn after_another_offer_other_lengths_are_usual() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.never_short = PayloadTypes(1));
    for sequence in 1..=10 {
        call.a.send(&rtp(7, sequence));
        receive(&call.b.rtp);
    }
    relay.update(
        call.a.id(),
        StreamPlan {
            signalled: 2,
            ..call.a_plan.clone()
        },
    );
    let mut short = rtp(7, 11);
    short.pop();
    call.a.send(&short);
    assert_eq!(receive(&call.b.rtp).0, short);
}
