//! What a packet costs in the program alone. Prints figures and asserts nothing about them:
//! `cargo test --test kernel_program cost -- --ignored --nocapture`.
//!
//! The flows turn a packet into itself, so that a run can be repeated: the second one sees a known packet again.

use underpass_abi::Flow;

use crate::frame::{Checksum, Frame};
use crate::harness::{CALLER, CALLER6, Hook, Kernel, RELAY, RELAY6, SSRC, flow, voice};

const REPEAT: u32 = 200_000;

fn itself(source: &str, local: &str) -> Flow {
    Flow {
        egress_ifindex: 1,
        to_mac: [0; 6],
        flags: 0,
        ssrcs: [SSRC, 0, 0, 0],
        ssrc_count: 1,
        ..flow(source, source, local)
    }
}

fn print(hook: Hook, name: &str, kernel: &mut Kernel, packet: &[u8]) {
    let mut runs: Vec<u128> = (0..9)
        .map(|_| kernel.cost(packet, REPEAT).as_nanos())
        .collect();
    runs.sort_unstable();
    println!(
        "{hook:?} {name}: median {} ns, least {} ns",
        runs[4], runs[0]
    );
}

#[test]
#[ignore = "prints figures"]
fn cost_of_a_packet() {
    for hook in [Hook::Xdp, Hook::Tc] {
        let mut kernel = Kernel::with(hook, RELAY, itself(CALLER, RELAY));
        println!("{hook:?} {}", kernel.size());
        kernel.install(RELAY6.parse().unwrap(), itself(CALLER6, RELAY6));
        let (four, six) = (
            Frame::new(CALLER, RELAY, voice()),
            Frame::new(CALLER6, RELAY6, voice()),
        );
        print(hook, "IPv4", &mut kernel, &four.bytes());
        print(hook, "IPv6", &mut kernel, &six.bytes());
        print(
            hook,
            "miss",
            &mut kernel,
            &Frame::new(CALLER, "192.0.2.1:9", voice()).bytes(),
        );
        let mut arp = four.bytes();
        arp[13] = 6;
        print(hook, "not IP", &mut kernel, &arp);
        kernel.install(
            RELAY.parse().unwrap(),
            Flow {
                source_port: [0; 2],
                ..itself(CALLER, RELAY)
            },
        );
        print(hook, "other source", &mut kernel, &four.bytes());
        kernel.install(
            RELAY.parse().unwrap(),
            Flow {
                stats_slot: u32::MAX,
                ..itself(CALLER, RELAY)
            },
        );
        print(hook, "IPv4 without statistics", &mut kernel, &four.bytes());
        let bounce = Flow {
            egress_family: 6,
            ..itself(CALLER6, RELAY6)
        };
        kernel.install(
            RELAY.parse().unwrap(),
            Flow {
                source_address: four_of(CALLER),
                ..bounce
            },
        );
        let back = Flow {
            egress_family: 4,
            ..itself(CALLER, RELAY)
        };
        kernel.install(
            RELAY6.parse().unwrap(),
            Flow {
                source_address: bounce.source_address,
                ..back
            },
        );
        print(
            hook,
            "IPv4 to IPv6 and IPv6 to IPv4, each",
            &mut kernel,
            &four.bytes(),
        );
        if hook == Hook::Xdp {
            kernel.install(RELAY.parse().unwrap(), itself(CALLER, RELAY));
            let partial = Frame {
                checksum: Checksum::Partial,
                ..four
            };
            let ran = kernel.cost(&partial.bytes(), 1);
            println!(
                "{hook:?} IPv4, checksum to be completed: {} ns, once",
                ran.as_nanos()
            );
        }
    }
}

fn four_of(address: &str) -> [u8; 16] {
    itself(address, RELAY).source_address
}
