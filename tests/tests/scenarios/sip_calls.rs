//! SIP calls through Kamailio, by sipp: the media beside them is the lab's, the callee's echoes, so every packet is
//! accounted for twice.

use std::thread;

use lab::sip::{Callees, Callers, Kamailio, Play, Progress};
use lab::{Engine, Family, Lab, Relay, Side, TwoNetworks, Wiring, wait_until};

use Family::{V4, V6};

const CALLS: usize = 20;

struct Ground {
    net: TwoNetworks,
    relay: Relay,
    _kamailio: Kamailio,
    callees: Callees,
    callers: Callers,
}

fn ground(lab: &Lab, engine: Engine, callee: Family, play: Play, calls: usize) -> Ground {
    let net = TwoNetworks::build(lab, Wiring::Veth);
    let relay = Relay::under_test()
        .engine(engine)
        .two_networks()
        .start(&net.relay);
    let kamailio = Kamailio::start(&net, callee, &[Side::B.far(callee)]);
    let callees = Callees::start(&net, Side::B.far(callee), play, calls);
    let callers = Callers::start(&net, play, calls);
    Ground {
        net,
        relay,
        _kamailio: kamailio,
        callees,
        callers,
    }
}

/// Every caller sends `count` packets, and each comes back from the callee, once, unchanged, from where it was sent to.
fn talk(callers: &Callers, answers: &[Progress], count: u32) {
    thread::scope(|scope| {
        for (media, answer) in callers.media.iter().zip(answers) {
            scope.spawn(|| media.send(answer.relay.unwrap(), count));
        }
    });
    for (media, answer) in callers.media.iter().zip(answers) {
        wait_until("the echo of every packet", || {
            media.count_from(media) >= media.sent()
        });
        let report = media.report_of(media);
        assert!(
            report.is_complete(),
            "{} lost, {} doubled, {} foreign",
            report.lost,
            report.duplicates,
            report.foreign
        );
        assert_eq!(
            report.sources.keys().copied().collect::<Vec<_>>(),
            [answer.relay.unwrap()]
        );
    }
}

fn bye(ground: &mut Ground, step: usize) {
    ground.callers.cue(step);
    ground.callers.finish();
    ground.callees.finish();
    ground.relay.assert_idle(&ground.net.relay);
}

fn twenty_calls(engine: Engine, callee: Family) {
    let lab = if engine == Engine::Null {
        Lab::open()
    } else {
        Lab::for_kernel_path()
    };
    let Some(lab) = lab else { return };
    let mut ground = ground(&lab, engine, callee, Play::Talk, CALLS);
    let answers = ground.callers.wait_for_answers(1);
    assert!(
        answers
            .iter()
            .all(|answer| answer.relay.unwrap().ip() == Side::A.relay(V4)),
        "{answers:?}"
    );
    talk(&ground.callers, &answers, 50);
    if engine != Engine::Null {
        only_the_kernel_counts(&ground, &answers);
    }
    bye(&mut ground, 1);
}

/// From now on user space counts nothing, and the kernel every packet, on its way there and back.
fn only_the_kernel_counts(ground: &Ground, answers: &[Progress]) {
    let metrics = || ground.relay.metrics(&ground.net.relay);
    let total = || metrics().kernel_packets() + metrics().userspace_packets();
    let sent = || {
        ground
            .callers
            .media
            .iter()
            .map(|media| u64::from(media.sent()) * 2)
            .sum::<u64>()
    };
    wait_until("the counters to rest", || total() == sent());
    let before = metrics();
    talk(&ground.callers, answers, 100);
    wait_until("the kernel's counters", || total() == sent());
    let after = metrics();
    assert_eq!(after.userspace_packets(), before.userspace_packets());
    assert_eq!(
        after.kernel_packets() - before.kernel_packets(),
        CALLS as u64 * 200
    );
}

#[test]
fn twenty_calls_over_ipv4_in_user_space() {
    twenty_calls(Engine::Null, V4);
}

#[test]
fn twenty_calls_from_ipv4_to_ipv6_in_user_space() {
    twenty_calls(Engine::Null, V6);
}

#[test]
fn twenty_calls_over_ipv4_in_the_kernel() {
    twenty_calls(Engine::Tc, V4);
}

#[test]
fn twenty_calls_from_ipv4_to_ipv6_in_the_kernel() {
    twenty_calls(Engine::Tc, V6);
}

fn hold_and_resume(engine: Engine) {
    let lab = if engine == Engine::Null {
        Lab::open()
    } else {
        Lab::for_kernel_path()
    };
    let Some(lab) = lab else { return };
    let mut ground = ground(&lab, engine, V4, Play::HoldAndResume, 2);
    let answered = ground.callers.wait_for_answers(1);
    talk(&ground.callers, &answered, 20);
    ground.callers.cue(1);
    let held = ground.callers.wait_for_answers(2);
    ground.callers.cue(2);
    let resumed = ground.callers.wait_for_answers(3);
    assert_eq!(held, answered, "hold takes other ports");
    assert_eq!(resumed, answered, "resuming takes other ports");
    talk(&ground.callers, &resumed, 20);
    bye(&mut ground, 3);
}

#[test]
fn hold_and_resume_in_user_space() {
    hold_and_resume(Engine::Null);
}

#[test]
fn hold_and_resume_in_the_kernel() {
    hold_and_resume(Engine::Tc);
}

#[test]
fn a_cancelled_call_leaves_nothing() {
    let Some(lab) = Lab::open() else { return };
    let mut ground = ground(&lab, Engine::Auto, V4, Play::Cancel, 3);
    ground.callers.wait_for_answers(1);
    assert_eq!(ground.relay.calls(&ground.net.relay).len(), 3);
    bye(&mut ground, 1);
}

#[test]
fn of_two_branches_the_one_that_answers_has_the_call() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let relay = Relay::under_test().two_networks().start(&net.relay);
    let (first, second) = (Side::B.far(V4), Side::B.stranger(V4));
    let _kamailio = Kamailio::start(&net, V4, &[first, second]);
    let mut ringing = Callees::start(&net, first, Play::Cancel, 1);
    let mut callees = Callees::start(&net, second, Play::Talk, 1);
    let mut callers = Callers::start(&net, Play::Talk, 1);
    let answers = callers.wait_for_answers(1);
    talk(&callers, &answers, 50);
    assert_eq!(ringing.media[0].arrivals(), vec![]);
    callers.cue(1);
    callers.finish();
    callees.finish();
    ringing.finish();
    relay.assert_idle(&net.relay);
}
