//! A sender on the same machine, over veth, with checksum offload as it is by default: test runs have no such packets.

use std::fs::File;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sched::{CloneFlags, setns};
use underpass_abi::Outcome;

use crate::flow::{Flow, expected, flow, voice};
use crate::frame::{Checksum, Frame};
use crate::harness::{Hook, Kernel};

const CALLER: &str = "10.77.0.1:4000";
const LOCAL: &str = "10.77.0.2:30000";
const CALLER6: &str = "[fd77::1]:4000";
const LOCAL6: &str = "[fd77::2]:30000";
const OUT: (&str, &str) = ("10.77.0.2:40000", "10.77.0.1:5000");
const OUT6: (&str, &str) = ("[fd77::2]:40000", "[fd77::1]:5000");
const CALLER_MAC: [u8; 6] = [2, 0, 0, 0, 0x77, 1];
const RELAY_MAC: [u8; 6] = [2, 0, 0, 0, 0x77, 2];

/// Two namespaces with a link between them; gone with the value. One at a time.
struct Pair {
    _turn: MutexGuard<'static, ()>,
}

impl Pair {
    fn new() -> Self {
        static TURN: Mutex<()> = Mutex::new(());
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = Command::new("ip")
            .args(["netns", "del", "ebpf-caller"])
            .output();
        let _ = Command::new("ip")
            .args(["netns", "del", "ebpf-relay"])
            .output();
        for line in [
            "netns add ebpf-caller",
            "netns add ebpf-relay",
            "-n ebpf-caller link add va address 02:00:00:00:77:01 type veth peer name vb address 02:00:00:00:77:02 netns ebpf-relay",
            "-n ebpf-caller addr add 10.77.0.1/24 dev va",
            "-n ebpf-caller addr add fd77::1/64 dev va nodad",
            "-n ebpf-relay addr add 10.77.0.2/24 dev vb",
            "-n ebpf-relay addr add fd77::2/64 dev vb nodad",
            "-n ebpf-caller link set va up",
            "-n ebpf-relay link set vb up",
            "-n ebpf-caller neigh replace 10.77.0.2 lladdr 02:00:00:00:77:02 dev va",
            "-n ebpf-caller neigh replace fd77::2 lladdr 02:00:00:00:77:02 dev va",
        ] {
            let output = Command::new("ip").args(line.split(' ')).output().unwrap();
            assert!(output.status.success(), "ip {line}: {output:?}");
        }
        Self { _turn: turn }
    }

    fn enter(namespace: &str) {
        let file = File::open(format!("/run/netns/{namespace}")).unwrap();
        setns(file, CloneFlags::CLONE_NEWNET).unwrap();
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        for namespace in ["ebpf-caller", "ebpf-relay"] {
            let _ = Command::new("ip")
                .args(["netns", "del", namespace])
                .output();
        }
    }
}

/// Sees every frame that arrives at any interface of the namespace, and is told its tag.
fn packet_socket() -> OwnedFd {
    let protocol = i32::from(3_u16.to_be());
    // SAFETY: takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW, protocol) };
    assert!(fd >= 0, "a packet socket");
    set_option(&fd, libc::SOL_PACKET, libc::PACKET_AUXDATA);
    // SAFETY: a descriptor of its own, as just checked.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Switches an option of a socket on.
fn set_option(socket: &impl AsRawFd, level: i32, name: i32) {
    let yes = 1_i32;
    // SAFETY: reads an `int` of the length given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            (&raw const yes).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0);
}

/// The next frame from the relay to port 5000, and the tag beside it; `None` if none comes.
fn next_frame(socket: &OwnedFd) -> Option<(Vec<u8>, u16)> {
    for _ in 0..50 {
        let mut poll = libc::pollfd {
            fd: socket.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one `pollfd`.
        if unsafe { libc::poll(&raw mut poll, 1, 5000) } != 1 {
            return None;
        }
        let (read, tag) = receive(socket);
        let udp = if read[12] == 8 { 34 } else { 54 };
        if read[6..12] == RELAY_MAC && read.get(udp + 2..udp + 4) == Some(&5000_u16.to_be_bytes()) {
            return Some((read, tag));
        }
    }
    None
}

/// A frame that has arrived, and the tag beside it, 0 for none.
fn receive(socket: &OwnedFd) -> (Vec<u8>, u16) {
    let mut frame = vec![0_u8; 2000];
    let mut vector = libc::iovec {
        iov_base: frame.as_mut_ptr().cast(),
        iov_len: frame.len(),
    };
    let mut control = [0_u64; 16];
    // SAFETY: plain integers and pointers, for which zero is a valid value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut vector;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&control);
    // SAFETY: the message points to a frame and a control buffer as long as said.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    frame.truncate(usize::try_from(length).unwrap());
    // SAFETY: the kernel has just filled the message in.
    let header = unsafe { libc::CMSG_FIRSTHDR(&raw const message) };
    assert!(!header.is_null(), "a tag is told, or that there is none");
    // SAFETY: the header has just been found.
    let told = unsafe { libc::CMSG_DATA(header) }.cast::<libc::tpacket_auxdata>();
    // SAFETY: the only option set gives this alone; whatever its alignment.
    let told = unsafe { told.read_unaligned() };
    let has_tag = told.tp_status & libc::TP_STATUS_VLAN_VALID != 0;
    (frame, if has_tag { told.tp_vlan_tci } else { 0 })
}

/// Who sends, where it arrives, and what leaves for each receiver.
type Case<'a> = (
    &'static str,
    &'static str,
    &'a [(&'static str, &'static str)],
);

fn check(cases: &[Case<'_>], transmit_checksum: bool, checksum: Checksum) {
    check_with_tags(cases, [0; 3], transmit_checksum, checksum);
}

/// `tags`: that receivers' frames leave with.
fn check_with_tags(
    cases: &[Case<'_>],
    tags: [u16; 3],
    transmit_checksum: bool,
    checksum: Checksum,
) {
    let _pair = Pair::new();
    std::thread::scope(|scope| {
        scope.spawn(|| relay_and_look(cases, tags, transmit_checksum, checksum));
    });
}

fn relay_and_look(cases: &[Case<'_>], tags: [u16; 3], transmit_checksum: bool, checksum: Checksum) {
    Pair::enter("ebpf-relay");
    let mut kernel = Kernel::load(Hook::Tc);
    let egress_ifindex = nix::net::if_::if_nametoindex("vb").unwrap();
    let there = |flow: Flow| Flow {
        egress_ifindex,
        to_mac: CALLER_MAC,
        from_mac: RELAY_MAC,
        ..flow
    };
    let attached = kernel.attach_tc("vb");
    Pair::enter("ebpf-caller");
    if !transmit_checksum {
        let output = Command::new("ethtool")
            .args(["-K", "va", "tx", "off"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let socket = packet_socket();
    for (source, local, out) in cases {
        let receivers = out.iter().zip(tags).map(|((from, to), egress_vlan)| Flow {
            egress_vlan,
            ..there(flow(source, from, to))
        });
        let receivers: Vec<Flow> = receivers.collect();
        kernel.install_several(local.parse().unwrap(), &receivers);
        let sender = UdpSocket::bind(source).unwrap();
        sender
            .set_write_timeout(Some(Duration::from_secs(5)))
            .unwrap();
        if checksum == Checksum::Zero {
            set_option(&sender, libc::SOL_SOCKET, libc::SO_NO_CHECK);
        }
        sender.send_to(&voice(), local).unwrap();
        let frame = Frame {
            checksum,
            ..Frame::new(source, local, voice())
        };
        for receiver in &receivers {
            let to = receiver.to;
            let seen = next_frame(&socket)
                .unwrap_or_else(|| panic!("{source} to {to}: {:?}", kernel.outcomes()));
            let right = expected(&frame, receiver, receiver.from, to, Hook::Tc);
            assert_eq!(seen, (right, receiver.egress_vlan), "{source} to {to}");
        }
    }
    assert_eq!(
        kernel
            .outcomes()
            .iter()
            .find(|(outcome, _)| *outcome == Outcome::Forwarded),
        Some(&(Outcome::Forwarded, cases.len() as u64))
    );
    // A filter of clsact is found by the interface's number, which only its own namespace knows.
    Pair::enter("ebpf-relay");
    kernel.detach_tc(attached);
}

#[test]
fn tc_leaves_to_the_device_what_the_sender_left_whatever_the_families() {
    let cases: [Case<'_>; 4] = [
        (CALLER, LOCAL, &[OUT]),
        (CALLER6, LOCAL6, &[OUT6]),
        (CALLER, LOCAL, &[OUT6]),
        (CALLER6, LOCAL6, &[OUT]),
    ];
    check(&cases, true, Checksum::Partial);
    check(&cases, false, Checksum::Full);
}

#[test]
fn each_of_several_receivers_gets_the_checksum_that_the_sender_left() {
    let v4 = [OUT, ("10.77.0.2:40002", OUT.1), ("10.77.0.2:40004", OUT.1)];
    let v6 = [
        OUT6,
        ("[fd77::2]:40002", OUT6.1),
        ("[fd77::2]:40004", OUT6.1),
    ];
    let cases: [Case<'_>; 4] = [
        (CALLER, LOCAL, &v4[..2]),
        (CALLER, LOCAL, &v4),
        (CALLER6, LOCAL6, &v6[..2]),
        (CALLER6, LOCAL6, &v6),
    ];
    check(&cases, true, Checksum::Partial);
    check(&cases, false, Checksum::Full);
    check(&cases[..2], true, Checksum::Zero);
}

#[test]
fn each_of_several_receivers_gets_its_own_tag() {
    let v4 = [OUT, ("10.77.0.2:40002", OUT.1), ("10.77.0.2:40004", OUT.1)];
    let v6 = [
        OUT6,
        ("[fd77::2]:40002", OUT6.1),
        ("[fd77::2]:40004", OUT6.1),
    ];
    let cases: [Case<'_>; 2] = [(CALLER, LOCAL, &v4), (CALLER6, LOCAL6, &v6)];
    for tags in [[42, 0, 7], [0, 42, 42], [7, 42, 0]] {
        check_with_tags(&cases, tags, true, Checksum::Partial);
    }
}
