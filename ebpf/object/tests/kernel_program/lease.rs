//! How long a table forwards after its owner's last sign of life.

use underpass_abi::Outcome;

use crate::flow::{flow, voice};
use crate::frame::Frame;
use crate::harness::{CALLER, CALLER6, HOOKS, Kernel, RELAY, RELAY6, now_ns};

const SECOND: u64 = 1_000_000_000;
/// A while that any machine has been up for.
const WHILE: u64 = 3 * SECOND;

/// What becomes of packets of either family by this lease, of an owner that was alive then.
fn assert_outcome(outcome: Outcome, lease_ns: u64, alive_ns: impl Fn(u64) -> u64) {
    for hook in HOOKS {
        for (source, local) in [(CALLER, RELAY), (CALLER6, RELAY6)] {
            let flow = flow(source, "198.51.100.1:40000", "198.51.100.20:5000");
            let mut kernel = Kernel::with(hook, local, flow);
            kernel.change_grant(|grant| grant.lease_ns = lease_ns);
            kernel.say_alive(alive_ns(now_ns()));
            let packet = Frame::new(source, local, voice()).bytes();
            let ran = kernel.run(&packet);
            assert_eq!(kernel.outcomes(), [(outcome, 1)], "{hook:?}");
            if outcome == Outcome::LeaseOver {
                assert_eq!((ran.action, ran.packet), (kernel.pass(), packet));
            }
        }
    }
}

#[test]
fn flows_are_forwarded_while_the_lease_runs() {
    assert_outcome(Outcome::Forwarded, 3600 * SECOND, |now| now);
    assert_outcome(Outcome::Forwarded, 3600 * SECOND, |now| now - WHILE);
}

#[test]
fn nothing_is_forwarded_when_it_is_over() {
    assert_outcome(Outcome::LeaseOver, WHILE, |now| now - WHILE);
    assert_outcome(Outcome::LeaseOver, SECOND, |_| 1);
}

#[test]
fn nothing_is_forwarded_for_an_owner_that_never_was_alive() {
    assert_outcome(Outcome::LeaseOver, SECOND / 10, |_| 0);
}

#[test]
fn a_revoked_grant_forwards_nothing() {
    assert_outcome(Outcome::LeaseOver, 0, |now| now);
}

#[test]
fn an_owner_cannot_be_alive_in_times_to_come() {
    assert_outcome(Outcome::LeaseOver, 3600 * SECOND, |now| now + 60 * SECOND);
    assert_outcome(Outcome::LeaseOver, 3600 * SECOND, |now| now + u64::MAX / 2);
    // Differences wrap: that it was alive before the machine.
    assert_outcome(Outcome::LeaseOver, WHILE, |_| u64::MAX);
}
