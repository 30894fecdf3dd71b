//! kill -9 under load, a start without memory, new calls at once: no call hears another.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use lab::{Call, CallOptions, Engine, Lab, Relay, TwoNetworks, Wiring};

fn new_calls_hear_no_old_one(engine: Engine) {
    let lab = if engine == Engine::Null {
        Lab::for_underpass()
    } else {
        Lab::for_kernel_path()
    };
    let Some(lab) = lab else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    // A narrow range: the new relay would hand out the old one's ports if it did not look.
    let launch = Relay::under_test()
        .engine(engine)
        .two_networks()
        .without_journal("forgetful")
        .option("--port-min=40000")
        .option("--port-max=40199");
    let mut relay = launch.clone().start(&net.relay);
    let ng = relay.client(&net.relay);
    let set_up = |_| Call::set_up(&net, &ng, &CallOptions::default());
    let old: Vec<_> = (0..10).map(set_up).collect();
    old.iter().for_each(|call| call.talk(5));
    if engine != Engine::Null {
        old.iter().for_each(|call| call.bring_into_kernel(&ng));
    }
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for call in &old {
            let stop = &stop;
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    call.send_both(10);
                }
            });
        }
        relay.process().kill();
        let relay = launch.start(&net.relay);
        let ng = relay.client(&net.relay);
        let set_up = |_| Call::set_up(&net, &ng, &CallOptions::default());
        let new: Vec<_> = (0..20).map(set_up).collect();
        let told = thread::scope(|scope| {
            let talking: Vec<_> = new
                .iter()
                .map(|call| {
                    scope.spawn(|| {
                        call.talk(100);
                        if engine != Engine::Null {
                            call.bring_into_kernel(&relay.client(&net.relay));
                            call.talk(100);
                        }
                    })
                })
                .collect();
            talking
                .into_iter()
                .map(|talk| talk.join())
                .collect::<Vec<_>>()
        });
        stop.store(true, Ordering::Relaxed);
        for outcome in told {
            if let Err(panic) = outcome {
                std::panic::resume_unwind(panic);
            }
        }
    });
}

#[test]
fn in_user_space() {
    new_calls_hear_no_old_one(Engine::Null);
}

#[test]
fn in_the_kernel() {
    new_calls_hear_no_old_one(Engine::Tc);
}

#[test]
fn a_relay_ends_with_status_0_on_sigterm_and_sigint() {
    use nix::sys::signal::Signal;
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut relay = Relay::under_test().two_networks().start(&net.relay);
        relay.process().signal(signal);
        assert!(relay.process().wait().success(), "{signal}");
    }
}
