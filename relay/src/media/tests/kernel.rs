//! What the datapath is asked for, and when.

use super::*;
use crate::datapath::{Receiver, SsrcFilter};

impl Relay {
    /// Waits until everything applied before has been carried out by the worker of `call`.
    fn settle(&self, call: &Call) {
        let plan = StreamPlan {
            endpoint: Some("127.0.0.1:9".parse().unwrap()),
            signalled: 99,
            ..call.b_rtcp_plan.clone()
        };
        let endpoint = plan.endpoint;
        self.update(call.b.rtcp_id(), plan);
        wait_until("the worker got there", || {
            self.view(call.b.rtcp_id()).endpoint == endpoint
        });
    }

    /// Makes A's source known by a packet, and waits for A's flow.
    fn confirm_a(&self, call: &Call) -> Flow {
        call.a.send(&rtp(7, 1));
        receive(&call.b.rtp);
        wait_until("A's flow is asked for", || {
            self.datapath.flow(call.a.id()).is_some()
        });
        self.datapath.flow(call.a.id()).unwrap()
    }

    fn reason(&self, stream: StreamId) -> Option<&'static str> {
        self.view(stream).kernel_reason
    }
}

#[test]
fn a_flow_is_handed_over_when_its_source_is_confirmed() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.tos = 0xb8);
    let flow = relay.confirm_a(&call);
    let expected = Flow {
        local: call.a.pair.rtp.address,
        source: call.a.endpoint(),
        from: call.b.pair.rtp.address,
        to: call.b.endpoint(),
        tos: 0xb8,
        further: Box::default(),
        payload_types: PayloadTypes::ALL,
        ssrcs: SsrcFilter::Known(vec![7]),
        clock_rate: 8000,
    };
    assert_eq!(flow, expected);
    assert_eq!(relay.reason(call.a.id()), None);
}

#[test]
fn without_learning_flows_are_handed_over_before_any_packet() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.learning = EndpointLearning::Off);
    for side in [&call.a, &call.b] {
        wait_until("the flow is asked for", || {
            relay.datapath.flow(side.id()).is_some()
        });
        let flow = relay.datapath.flow(side.id()).unwrap();
        assert_eq!(flow.source, side.endpoint());
        assert_eq!(flow.ssrcs, SsrcFilter::Any);
    }
}

#[test]
fn ports_are_held_while_they_have_streams_and_that_is_said_once_a_batch() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let ports = [&call.a.pair, &call.b.pair].map(|pair| [pair.rtp.address, pair.rtcp.address]);
    let expected = ports.into_iter().flatten().collect();
    let held = || relay.datapath.held.lock().unwrap().clone();
    assert_eq!(held(), (expected, 1));
    relay.hang_up(&call);
    assert_eq!(held(), (BTreeSet::new(), 2));
}

#[test]
fn streams_that_stay_in_user_space_say_why() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    relay.settle(&call);
    assert_eq!(
        relay.reason(call.a.id()),
        Some(Reason::SourceNotConfirmed.text())
    );
    assert_eq!(relay.reason(call.a.rtcp_id()), Some(Reason::NotRtp.text()));

    let unanswered = relay.call(|plan| plan.endpoint = None);
    relay.settle(&unanswered);
    assert_eq!(
        relay.reason(unanswered.a.id()),
        Some(Reason::NoReceiver.text())
    );

    let crowd = StreamPlan {
        sinks: vec![Sink::untouched(call.b.id()); 9],
        ..call.a_plan.clone()
    };
    relay.update(call.a.id(), crowd);
    wait_until("the crowd is seen", || {
        relay.reason(call.a.id()) == Some(Reason::TooManyReceivers.text())
    });
}

#[test]
fn a_receiver_that_joins_or_leaves_has_the_flow_replaced_in_place() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let flow = relay.confirm_a(&call);
    let forked = StreamPlan {
        sinks: [call.b.id(), call.a.rtcp_id()].map(Sink::untouched).into(),
        signalled: 2,
        ..call.a_plan.clone()
    };
    relay.update(call.a.id(), forked);
    relay.settle(&call);
    let to_both = Flow {
        further: Box::new([Receiver {
            from: call.a.pair.rtcp.address,
            to: call.a.rtcp.local_addr().unwrap(),
            tos: 0,
        }]),
        ..flow.clone()
    };
    let alone = StreamPlan {
        signalled: 3,
        ..call.a_plan.clone()
    };
    relay.update(call.a.id(), alone);
    wait_until("it is the callee's alone again", || {
        relay.datapath.flow(call.a.id()) == Some(flow.clone())
    });
    let id = FlowId(call.a.id().0);
    assert_eq!(
        relay.datapath.about(call.a.id()),
        [
            Asked::Install(id, flow.clone()),
            Asked::Install(id, to_both),
            Asked::Install(id, flow)
        ]
    );
}

#[test]
fn a_source_still_being_learned_is_not_handed_over() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    phone()
        .send_to(&rtp(7, 1), call.a.pair.rtp.address)
        .unwrap();
    receive(&call.b.rtp);
    relay.settle(&call);
    assert_eq!(relay.datapath.about(call.a.id()), []);
    assert_eq!(
        relay.reason(call.a.id()),
        Some(Reason::SourceNotConfirmed.text())
    );
}

#[test]
fn a_new_ssrc_is_passed_on_and_joins_the_flow() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    relay.confirm_a(&call);
    call.a.send(&rtp(8, 1));
    assert_eq!(receive(&call.b.rtp).0, rtp(8, 1));
    wait_until("it joins", || {
        relay.datapath.flow(call.a.id()).unwrap().ssrcs == SsrcFilter::Known(vec![7, 8])
    });
    assert!(
        !relay
            .datapath
            .about(call.a.id())
            .contains(&Asked::Remove(FlowId(call.a.id().0))),
        "replaced in place"
    );
}

#[test]
fn more_ssrcs_than_a_flow_can_know_make_it_pass_any() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    for ssrc in 1..=5 {
        call.a.send(&rtp(ssrc, 1));
        receive(&call.b.rtp);
    }
    wait_until("any passes", || {
        relay
            .datapath
            .flow(call.a.id())
            .is_some_and(|flow| flow.ssrcs == SsrcFilter::Any)
    });
}

#[test]
fn a_strangers_ssrc_does_not_join_the_flow() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let flow = relay.confirm_a(&call);
    phone()
        .send_to(&rtp(666, 1), call.a.pair.rtp.address)
        .unwrap();
    receive(&call.b.rtp);
    relay.settle(&call);
    assert_eq!(relay.datapath.flow(call.a.id()), Some(flow));
}

#[test]
fn signalling_that_says_nothing_new_leaves_the_flow_alone() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    relay.confirm_a(&call);
    relay.update(call.a.id(), call.a_plan.clone());
    for signalled in 2..5 {
        for (side, plan) in [(&call.a, &call.a_plan), (&call.b, &call.b_plan)] {
            let plan = StreamPlan {
                signalled,
                ..plan.clone()
            };
            relay.update(side.id(), plan);
        }
    }
    relay.settle(&call);
    assert_eq!(relay.datapath.about(call.a.id()).len(), 1);
    assert_eq!(relay.reason(call.a.id()), None);
    assert!(relay.view(call.a.id()).confirmed);
}

#[test]
fn with_strict_source_a_stranger_after_signalling_gets_nothing_and_the_source_its_flow_back() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.strict_source = true);
    let flow = relay.confirm_a(&call);
    let plan = StreamPlan {
        signalled: 2,
        ..call.a_plan.clone()
    };
    relay.update(call.a.id(), plan);
    relay.settle(&call);
    phone()
        .send_to(&rtp(666, 1), call.a.pair.rtp.address)
        .unwrap();
    wait_until("the stranger is refused", || {
        relay.view(call.a.id()).errors == 1
    });
    call.a.send(&rtp(7, 2));
    assert_eq!(receive(&call.b.rtp).0, rtp(7, 2));
    wait_until("the flow is asked for again", || {
        relay.datapath.flow(call.a.id()) == Some(flow.clone())
    });
}

#[test]
fn a_receiver_that_moves_has_its_flow_replaced_in_place() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let flow = relay.confirm_a(&call);
    let moved: SocketAddr = "127.0.0.1:4444".parse().unwrap();
    let plan = StreamPlan {
        endpoint: Some(moved),
        signalled: 2,
        ..call.b_plan.clone()
    };
    relay.update(call.b.id(), plan);
    relay.settle(&call);
    let replaced = Flow {
        to: moved,
        ..flow.clone()
    };
    let id = FlowId(call.a.id().0);
    assert_eq!(
        relay.datapath.about(call.a.id()),
        [Asked::Install(id, flow), Asked::Install(id, replaced)]
    );
}

#[test]
fn a_receiver_that_is_learned_elsewhere_has_its_flow_led_there() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.learning = EndpointLearning::Immediate);
    relay.confirm_a(&call);
    let mapped = phone();
    mapped.send_to(&rtp(9, 1), call.b.pair.rtp.address).unwrap();
    receive(&call.a.rtp);
    let to = mapped.local_addr().unwrap();
    wait_until("the flow leads there", || {
        relay
            .datapath
            .flow(call.a.id())
            .is_some_and(|flow| flow.to == to)
    });
}

#[test]
fn a_handover_takes_the_flow_back_until_the_new_source_is_confirmed() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| {
        plan.learning = EndpointLearning::Immediate;
        plan.media_handover = true;
    });
    relay.confirm_a(&call);
    let elsewhere = phone();
    elsewhere
        .send_to(&rtp(7, 2), call.a.pair.rtp.address)
        .unwrap();
    receive(&call.b.rtp);
    wait_until("the flow is taken back", || {
        relay.datapath.flow(call.a.id()).is_none()
    });
    elsewhere
        .send_to(&rtp(7, 3), call.a.pair.rtp.address)
        .unwrap();
    let source = elsewhere.local_addr().unwrap();
    wait_until("the new source has it", || {
        relay
            .datapath
            .flow(call.a.id())
            .is_some_and(|flow| flow.source == source)
    });
}

#[test]
fn hold_takes_the_flow_back_and_resuming_gives_it_again() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    let flow = relay.confirm_a(&call);
    let held = StreamPlan {
        sinks: vec![],
        signalled: 2,
        ..call.a_plan.clone()
    };
    relay.update(call.a.id(), held);
    wait_until("it is taken back", || {
        relay.datapath.flow(call.a.id()).is_none()
    });
    wait_until("it says why", || {
        relay.reason(call.a.id()) == Some(Reason::NoReceiver.text())
    });
    let resumed = StreamPlan {
        signalled: 3,
        ..call.a_plan.clone()
    };
    relay.update(call.a.id(), resumed);
    wait_until("it is given again", || {
        relay.datapath.flow(call.a.id()) == Some(flow.clone())
    });
}

#[test]
fn what_a_command_takes_from_the_kernel_is_taken_when_the_command_is_through() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    for signalled in 1..20 {
        relay.update(call.a.id(), call.a_plan.clone());
        relay.confirm_a(&call);
        let blocked = StreamPlan {
            sinks: vec![],
            signalled,
            ..call.a_plan.clone()
        };
        relay.update(call.a.id(), blocked);
        assert_eq!(relay.datapath.flow(call.a.id()), None);
    }
}

#[test]
fn closing_ends_every_flow_of_the_call() {
    let mut relay = Relay::start();
    let call = relay.call(|plan| plan.learning = EndpointLearning::Off);
    wait_until("flows stand", || {
        [&call.a, &call.b]
            .iter()
            .all(|side| relay.datapath.flow(side.id()).is_some())
    });
    relay.hang_up(&call);
    wait_until("all are ended", || {
        [&call.a, &call.b]
            .iter()
            .all(|side| relay.datapath.flow(side.id()).is_none())
    });
}

#[test]
fn closing_one_side_ends_the_flow_towards_it() {
    let mut relay = Relay::start();
    let call = relay.call(|_| {});
    relay.confirm_a(&call);
    relay.media.apply(vec![Action::Close {
        pair: call.b.pair.clone(),
    }]);
    wait_until("A's flow is ended", || {
        relay.datapath.flow(call.a.id()).is_none()
    });
}
