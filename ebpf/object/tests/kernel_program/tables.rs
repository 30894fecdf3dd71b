//! How a packet finds its flow: address, port, record; and which record and counter it is counted in.

use std::net::SocketAddr;

use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use underpass_abi::{FlowStats, Outcome};

use crate::flow::{Flow, flow, voice};
use crate::frame::Frame;
use crate::harness::{
    CALLER, CALLER6, HOOKS, Hook, Kernel, Loaded, RELAY, RELAY6, STATS_RECORD, packets,
};

const OUT: (&str, &str) = ("198.51.100.1:40000", "198.51.100.20:5000");

fn kernel(hook: Hook) -> Loaded {
    Kernel::with(hook, RELAY, flow(CALLER, OUT.0, OUT.1))
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

fn assert_misses(kernel: &mut Kernel, packet: &[u8]) {
    let before = kernel.outcomes();
    let ran = kernel.run(packet);
    assert_eq!((ran.action, ran.packet.as_slice()), (kernel.pass(), packet));
    let misses = |outcomes: &[(Outcome, u64)]| {
        let miss = outcomes
            .iter()
            .find(|(outcome, _)| *outcome == Outcome::Miss);
        miss.map_or(0, |(_, count)| *count)
    };
    assert_eq!(misses(&kernel.outcomes()), misses(&before) + 1);
}

#[test]
fn a_table_without_addresses_has_no_flow() {
    for hook in HOOKS {
        let mut kernel = Kernel::load(hook);
        for (source, local) in [(CALLER, RELAY), (CALLER6, RELAY6)] {
            assert_misses(&mut kernel, &Frame::new(source, local, voice()).bytes());
            let any = if local == RELAY {
                "0.0.0.0:30000"
            } else {
                "[::]:30000"
            };
            assert_misses(&mut kernel, &Frame::new(source, any, voice()).bytes());
        }
    }
}

#[test]
fn an_address_that_the_table_does_not_have_has_no_flow() {
    for hook in HOOKS {
        let mut kernel = kernel(hook);
        kernel.install(at(RELAY6), flow(CALLER6, OUT.0, OUT.1));
        for (source, local) in [(CALLER, RELAY), (CALLER6, RELAY6)] {
            let packet = Frame::new(source, local, voice()).bytes();
            assert_eq!(kernel.run(&packet).action, kernel.redirect());
            // The port still names its record.
            kernel.forget(at(local).ip());
            assert_misses(&mut kernel, &packet);
        }
    }
}

#[test]
fn every_address_of_the_table_has_its_own_ports() {
    for hook in HOOKS {
        let mut kernel = Kernel::load(hook);
        let locals = [
            ("192.0.2.1:30000", CALLER),
            ("[2001:db8::1]:30000", CALLER6),
            ("192.0.2.3:30000", CALLER),
            ("[2001:db8::3]:30000", CALLER6),
        ];
        for (place, (local, source)) in locals.into_iter().enumerate() {
            let to = format!("198.51.100.20:{}", 5000 + place);
            kernel.install(at(local), flow(source, OUT.0, &to));
        }
        for (place, (local, source)) in locals.into_iter().enumerate() {
            let ran = kernel.run(&Frame::new(source, local, voice()).bytes());
            let port = (5000 + place as u16).to_be_bytes();
            assert_eq!(
                (ran.action, &ran.packet[36..38]),
                (kernel.redirect(), &port[..])
            );
        }
    }
}

#[test]
fn every_port_of_a_line_is_its_own() {
    for hook in HOOKS {
        let mut kernel = kernel(hook);
        for port in (29_984..30_016).filter(|port| *port != 30_000) {
            let local = format!("192.0.2.1:{port}");
            assert_misses(&mut kernel, &Frame::new(CALLER, &local, voice()).bytes());
        }
        for port in [1, 16, 15_999, 65_535] {
            let local = format!("192.0.2.1:{port}");
            kernel.install(at(&local), flow(CALLER, OUT.0, OUT.1));
            let ran = kernel.run(&Frame::new(CALLER, &local, voice()).bytes());
            assert_eq!(ran.action, kernel.redirect(), "{port}");
        }
    }
}

#[test]
fn a_port_that_names_no_record_that_there_is_has_no_flow() {
    for hook in HOOKS {
        let mut kernel = kernel(hook);
        for name in [0, 17, 1 << 30, u32::MAX] {
            kernel.name(at(RELAY), name);
            assert_misses(&mut kernel, &Frame::new(CALLER, RELAY, voice()).bytes());
        }
    }
}

#[test]
fn a_flow_that_replaced_another_counts_on_in_the_first_one_s_record() {
    for hook in HOOKS {
        let mut kernel = kernel(hook);
        let packet = Frame::new(CALLER, RELAY, voice()).bytes();
        kernel.run(&packet);
        // The next record, with the first one's number.
        kernel.install(at(RELAY), flow(CALLER, OUT.0, "198.51.100.20:5002"));
        kernel.run(&packet);
        assert_eq!(packets(&kernel.stats(STATS_RECORD)), 2);
        assert_eq!(kernel.stats(STATS_RECORD + 1), FlowStats::default());
    }
}

#[test]
fn flows_with_records_of_their_own_count_apart() {
    for hook in HOOKS {
        let mut kernel = kernel(hook);
        let second = Flow {
            stats_record: STATS_RECORD + 1,
            ..flow(CALLER, OUT.0, OUT.1)
        };
        kernel.install(at("192.0.2.1:30002"), second);
        kernel.run(&Frame::new(CALLER, RELAY, voice()).bytes());
        for _ in 0..2 {
            kernel.run(&Frame::new(CALLER, "192.0.2.1:30002", voice()).bytes());
        }
        let counted = [STATS_RECORD, STATS_RECORD + 1].map(|record| packets(&kernel.stats(record)));
        assert_eq!(counted, [1, 2]);
        assert_eq!(kernel.outcomes(), [(Outcome::Forwarded, 3)]);
    }
}

/// The processors that this thread may run on.
fn processors() -> Vec<usize> {
    let set = sched_getaffinity(Pid::from_raw(0)).unwrap();
    (0..CpuSet::count())
        .filter(|cpu| set.is_set(*cpu).unwrap())
        .collect()
}

fn run_on(cpu: usize, kernel: &mut Kernel, packet: &[u8]) {
    let mut set = CpuSet::new();
    set.set(cpu).unwrap();
    sched_setaffinity(Pid::from_raw(0), &set).unwrap();
    assert_eq!(kernel.run(packet).action, kernel.redirect());
}

#[test]
fn the_first_processor_owns_the_counters_and_others_count_beside_them() {
    let [owner, other, ..] = processors()[..] else {
        eprintln!("skipped: one processor alone");
        return;
    };
    for hook in HOOKS {
        let mut kernel = kernel(hook);
        let packet = Frame::new(CALLER, RELAY, voice()).bytes();
        for cpu in [owner, owner, other, owner, other] {
            run_on(cpu, &mut kernel, &packet);
        }
        let stats = kernel.stats(STATS_RECORD);
        let length = voice().len() as u64;
        assert_eq!(stats.owner, owner as u64 + 1);
        assert_eq!((stats.packets, stats.bytes), (3, 3 * length));
        assert_eq!((stats.other_packets, stats.other_bytes), (2, 2 * length));
        assert_eq!(kernel.outcomes(), [(Outcome::Forwarded, 5)]);
    }
}
