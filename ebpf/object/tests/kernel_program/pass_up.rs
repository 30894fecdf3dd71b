//! Every reason to pass up: the packet stays as it is, byte for byte, and the reason is counted.

use underpass_abi::Outcome;

use crate::flow::{Flow, flow, voice};
use crate::frame::{Checksum, Frame, folded, rtp};
use crate::harness::{
    CALLER, CALLER6, HOOKS, Hook, Kernel, Loaded, RELAY, RELAY6, SSRC, STATS_RECORD, packets,
};

fn v4() -> Frame {
    Frame::new(CALLER, RELAY, voice())
}

fn v6() -> Frame {
    Frame::new(CALLER6, RELAY6, voice())
}

fn to_v4() -> Flow {
    flow(CALLER, "198.51.100.1:40000", "198.51.100.20:5000")
}

fn load(hook: Hook, change: impl Fn(&mut Flow)) -> Loaded {
    let mut four = to_v4();
    let mut six = flow(CALLER6, "198.51.100.1:40000", "198.51.100.20:5000");
    change(&mut four);
    change(&mut six);
    let mut kernel = Kernel::with(hook, RELAY, four);
    kernel.install(RELAY6.parse().unwrap(), six);
    kernel
}

fn assert_up(hook: Hook, packet: &[u8], outcome: Outcome) {
    assert_up_by(hook, packet, outcome, |_| ());
}

fn assert_up_by(hook: Hook, packet: &[u8], outcome: Outcome, change: impl Fn(&mut Flow)) {
    let mut kernel = load(hook, change);
    let ran = kernel.run(packet);
    assert_eq!(kernel.outcomes(), [(outcome, 1)], "{hook:?}");
    assert_eq!(ran.action, kernel.pass(), "{hook:?}");
    assert_eq!(ran.packet, packet, "{hook:?}: untouched");
    assert_eq!(packets(&kernel.stats(STATS_RECORD)), 0);
}

/// `frame` with its IPv4 header changed and its checksum right again.
fn with_header(frame: &Frame, change: impl Fn(&mut [u8])) -> Vec<u8> {
    let mut bytes = frame.bytes();
    let header = &mut bytes[14..34];
    change(header);
    header[10..12].fill(0);
    let checksum = !folded(&[header]);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

#[test]
fn the_packets_of_these_tests_are_forwarded_unless_changed() {
    for hook in HOOKS {
        let mut kernel = load(hook, |_| ());
        assert_eq!(kernel.run(&v4().bytes()).action, kernel.redirect());
        assert_eq!(kernel.run(&v6().bytes()).action, kernel.redirect());
        assert_eq!(kernel.outcomes(), [(Outcome::Forwarded, 2)]);
    }
}

#[test]
fn not_ip() {
    for hook in HOOKS {
        let mut arp = v4().bytes();
        arp[12..14].copy_from_slice(&[8, 6]);
        assert_up(hook, &arp, Outcome::NotIp);
        let mut version = v4().bytes();
        version[14] = 0x65;
        assert_up(hook, &version, Outcome::NotIp);
        let mut version = v6().bytes();
        version[14] = 0x45;
        assert_up(hook, &version, Outcome::NotIp);
    }
}

#[test]
fn cut_short() {
    for hook in HOOKS {
        let (four, six) = (v4().bytes(), v6().bytes());
        assert_up(hook, &four[..four.len() - 1], Outcome::NotIp);
        assert_up(hook, &six[..six.len() - 1], Outcome::NotIp);
        // As much of IPv6 as a header of IPv4: the shortest frame that a test run takes.
        assert_up(hook, &six[..34 + 20], Outcome::NotIp);
    }
}

#[test]
fn three_tags() {
    let frame = Frame {
        tags: vec![(0x88a8, 5), (0x8100, 6), (0x8100, 7)],
        ..v4()
    };
    for hook in HOOKS {
        assert_up(hook, &frame.bytes(), Outcome::NotIp);
    }
}

#[test]
fn fragments() {
    for hook in HOOKS {
        let first = with_header(&v4(), |header| header[6] = 0x20);
        assert_up(hook, &first, Outcome::Fragment);
        let later = with_header(&v4(), |header| header[6..8].copy_from_slice(&[0, 100]));
        assert_up(hook, &later, Outcome::Fragment);
        let mut six = v6().bytes();
        six[20] = 44;
        assert_up(hook, &six, Outcome::Fragment);
    }
}

#[test]
fn ipv4_options_and_ipv6_extension_headers() {
    for hook in HOOKS {
        let options = with_header(&v4(), |header| header[0] = 0x46);
        assert_up(hook, &options, Outcome::Options);
        for extension in [0, 43, 50, 51, 60, 135, 139, 140] {
            let mut six = v6().bytes();
            six[20] = extension;
            assert_up(hook, &six, Outcome::Options);
        }
    }
}

#[test]
fn not_udp() {
    for hook in HOOKS {
        assert_up(
            hook,
            &with_header(&v4(), |header| header[9] = 6),
            Outcome::NotUdp,
        );
        let mut six = v6().bytes();
        six[20] = 6;
        assert_up(hook, &six, Outcome::NotUdp);
    }
}

#[test]
fn lengths_of_ip_and_udp_that_disagree() {
    for hook in HOOKS {
        for change in [-1, 1] {
            let mut four = v4().bytes();
            four[39] = (i16::from(four[39]) + change) as u8;
            assert_up(hook, &four, Outcome::NotUdp);
            let mut six = v6().bytes();
            six[59] = (i16::from(six[59]) + change) as u8;
            assert_up(hook, &six, Outcome::NotUdp);
        }
        // An IP packet with less than a UDP header in it, in a frame padded to its smallest size.
        let mut frame = Frame {
            payload: vec![],
            trailer: vec![0; 30],
            ..v4()
        }
        .bytes();
        frame[17] = 24;
        frame[24..26].fill(0);
        let checksum = !folded(&[&frame[14..34]]);
        frame[24..26].copy_from_slice(&checksum.to_be_bytes());
        assert_up(hook, &frame, Outcome::NotUdp);
    }
}

#[test]
fn no_flow_at_this_port_or_address() {
    for hook in HOOKS {
        for elsewhere in ["192.0.2.1:30001", "192.0.2.2:30000"] {
            assert_up(
                hook,
                &Frame::new(CALLER, elsewhere, voice()).bytes(),
                Outcome::Miss,
            );
        }
        for elsewhere in ["[2001:db8::1]:30001", "[2001:db8::2]:30000"] {
            assert_up(
                hook,
                &Frame::new(CALLER6, elsewhere, voice()).bytes(),
                Outcome::Miss,
            );
        }
    }
}

#[test]
fn another_source() {
    for hook in HOOKS {
        for source in ["192.0.2.10:4001", "192.0.2.11:4000"] {
            assert_up(
                hook,
                &Frame::new(source, RELAY, voice()).bytes(),
                Outcome::OtherSource,
            );
        }
        for source in [
            "[2001:db8::10]:4001",
            "[2001:db8::11]:4000",
            "[2001:db9::10]:4000",
        ] {
            assert_up(
                hook,
                &Frame::new(source, RELAY6, voice()).bytes(),
                Outcome::OtherSource,
            );
        }
    }
}

#[test]
fn another_host_s_frame() {
    for hook in HOOKS {
        let group = Frame {
            to_mac: [0x33, 0x33, 0, 0, 0, 1],
            ..v4()
        }
        .bytes();
        assert_up(hook, &group, Outcome::OtherHost);
        let broadcast = Frame {
            to_mac: [0xff; 6],
            ..v6()
        }
        .bytes();
        assert_up(hook, &broadcast, Outcome::OtherHost);
        let stranger = Frame {
            to_mac: [2, 0, 0, 0, 0, 0x55],
            ..v4()
        }
        .bytes();
        assert_up_by(hook, &stranger, Outcome::OtherHost, |flow| {
            flow.local_mac = [2, 0, 0, 0, 0, 0x54]
        });
    }
}

#[test]
fn stun_dtls_rtcp_and_what_is_not_rtp() {
    for hook in HOOKS {
        for (first, second, outcome) in [
            (0, 1, Outcome::Stun),
            (3, 0, Outcome::Stun),
            (20, 254, Outcome::Dtls),
            (63, 254, Outcome::Dtls),
            (0x80, 192, Outcome::Rtcp),
            (0x81, 200, Outcome::Rtcp),
            (0x80, 223, Outcome::Rtcp),
            (16, 0, Outcome::NotRtp),
            (64, 0, Outcome::NotRtp),
            (0x40, 0, Outcome::NotRtp),
            (0xc0, 0, Outcome::NotRtp),
        ] {
            let mut payload = voice();
            payload[..2].copy_from_slice(&[first, second]);
            assert_up(
                hook,
                &Frame {
                    payload: payload.clone(),
                    ..v4()
                }
                .bytes(),
                outcome,
            );
            assert_up(hook, &Frame { payload, ..v6() }.bytes(), outcome);
        }
    }
}

#[test]
fn less_than_an_rtp_header() {
    for hook in HOOKS {
        for length in [0, 1, 2, 11] {
            let payload = voice()[..length].to_vec();
            assert_up(
                hook,
                &Frame {
                    payload,
                    trailer: vec![0; 20],
                    ..v4()
                }
                .bytes(),
                Outcome::NotRtp,
            );
        }
        let payload = voice()[..12].to_vec();
        let mut kernel = load(hook, |_| ());
        assert_eq!(
            kernel.run(&Frame { payload, ..v4() }.bytes()).action,
            kernel.redirect(),
            "a header alone is RTP"
        );
    }
}

#[test]
fn a_payload_type_that_is_not_passed_on() {
    let only = |wanted: u8| move |flow: &mut Flow| flow.payload_types = [0, 0].map_at(wanted);
    for hook in HOOKS {
        for (allowed, sent) in [(8, 0), (0, 101), (101, 37), (37, 101), (127, 63)] {
            let frame = Frame {
                payload: rtp(sent, 1, 1, SSRC, &[1]),
                ..v4()
            };
            assert_up_by(hook, &frame.bytes(), Outcome::PayloadType, only(allowed));
        }
        for marked in [101, 101 | 0x80] {
            let frame = Frame {
                payload: rtp(marked, 1, 1, SSRC, &[1]),
                ..v4()
            };
            let mut kernel = load(hook, only(101));
            assert_eq!(kernel.run(&frame.bytes()).action, kernel.redirect());
        }
    }
}

trait MapAt {
    fn map_at(self, bit: u8) -> Self;
}

impl MapAt for [u64; 2] {
    fn map_at(mut self, bit: u8) -> Self {
        self[usize::from(bit / 64)] |= 1 << (bit % 64);
        self
    }
}

#[test]
fn an_unknown_ssrc() {
    let knows = |count: u8| {
        move |flow: &mut Flow| {
            flow.flags = 0;
            flow.ssrcs = [7, 8, 9, SSRC];
            flow.ssrc_count = count;
        }
    };
    for hook in HOOKS {
        for count in [0, 1, 3] {
            assert_up_by(hook, &v4().bytes(), Outcome::Ssrc, knows(count));
        }
        let mut kernel = load(hook, knows(4));
        assert_eq!(kernel.run(&v4().bytes()).action, kernel.redirect());
    }
}

#[test]
fn too_big_for_the_egress_after_growing() {
    for hook in HOOKS {
        let length = 20 + 8 + voice().len();
        let mtu = |mtu: usize| move |flow: &mut Flow| flow.egress_mtu = mtu as u16;
        assert_up_by(hook, &v4().bytes(), Outcome::TooBig, mtu(length - 1));
        let six = flow(CALLER, "[2001:db8:2::1]:40000", "[2001:db8:2::20]:5000");
        let grown = Flow {
            egress_mtu: (length + 19) as u16,
            ..six
        };
        assert_up_by(hook, &v4().bytes(), Outcome::TooBig, |flow| *flow = grown);
        let mut kernel = Kernel::with(
            hook,
            RELAY,
            Flow {
                egress_mtu: (length + 20) as u16,
                ..six
            },
        );
        assert_eq!(
            kernel.run(&v4().bytes()).action,
            kernel.redirect(),
            "fits exactly"
        );
    }
}

#[test]
fn merged_segments() {
    let mut kernel = load(Hook::Tc, |_| ());
    let packet = v4().bytes();
    let ran = kernel.run_merged(&packet, 100);
    assert_eq!((ran.action, ran.packet), (kernel.pass(), packet));
    assert_eq!(kernel.outcomes(), [(Outcome::TooBig, 1)]);
}

#[test]
fn no_udp_checksum_towards_ipv6() {
    let six = flow(CALLER, "[2001:db8:2::1]:40000", "[2001:db8:2::20]:5000");
    for hook in HOOKS {
        let frame = Frame {
            checksum: Checksum::Zero,
            ..v4()
        };
        assert_up_by(hook, &frame.bytes(), Outcome::Checksum, |flow| *flow = six);
        let illegal = Frame {
            checksum: Checksum::Zero,
            ..v6()
        };
        assert_up(hook, &illegal.bytes(), Outcome::Checksum);
    }
}

#[test]
fn a_wrong_ipv4_header_checksum() {
    for hook in HOOKS {
        let mut frame = v4().bytes();
        frame[25] ^= 1;
        assert_up(hook, &frame, Outcome::Checksum);
    }
}
