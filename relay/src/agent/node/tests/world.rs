//! A node in a network namespace of its own, with bpffs for itself, and relays beside it.

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use underpass_abi::{self as abi, ANY_SSRC, LAYOUT_VERSION, PORTS_PER_LINE, PortLine, Record};
use underpass_packet::Addressing;

use super::super::Node;
use super::super::{namespace, pins};
use crate::agent::kernel::{Generation, NodeKernel, Spec};
use crate::datapath::mapped::{Access, Mapped};
use crate::datapath::{Engine, EngineChoice};
use crate::tables::protocol::{Interface, Place, Placement, Ports};

const PATIENCE: Duration = Duration::from_secs(10);

/// Runs `act` in a network namespace of its own; not at all without root.
pub(super) fn in_world(act: impl FnOnce(&World) + Send) {
    if !nix::unistd::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            act(&World::new());
        });
        if let Err(panic) = inside.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// The node's surroundings. Dropped, it leaves nothing.
pub(super) struct World {
    pub(super) bpffs: PathBuf,
    pub(super) home: OwnedFd,
    numbers: AtomicU64,
}

impl World {
    fn new() -> Self {
        static WORLDS: AtomicU32 = AtomicU32::new(0);
        let name = format!(
            "underpass-node-test-{}-{}",
            std::process::id(),
            WORLDS.fetch_add(1, Ordering::Relaxed)
        );
        let home = namespace::current().unwrap();
        ip(home.as_fd(), "link set lo up");
        Self {
            bpffs: PathBuf::from("/sys/fs/bpf").join(name),
            home,
            numbers: AtomicU64::new(1),
        }
    }

    /// The node's part, as an agent that has just started has it.
    pub(super) fn node(&self, uplinks: &[&str]) -> Node {
        let uplinks = uplinks.iter().map(|name| (*name).to_owned()).collect();
        Node::new(&self.bpffs, uplinks).unwrap()
    }

    /// A new generation of a table.
    pub(super) fn generation(&self, table: u32) -> Generation {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        Generation {
            table,
            number,
            layout: LAYOUT_VERSION,
        }
    }

    /// Two namespaces' worth of wire: `near` in `from`, with `near_address`, and `far` in `to` with `far_address`.
    pub(super) fn wire(
        &self,
        (from, near, near_address): (BorrowedFd<'_>, &str, &str),
        (to, far, far_address): (BorrowedFd<'_>, &str, &str),
    ) {
        let inode = namespace::inode(to).unwrap();
        // By way of a name that is nobody else's: indices and names are given out per namespace.
        let passing = format!("p{}", inode % 1_000_000_000);
        ip(
            from,
            &format!("link add {near} type veth peer name {passing}"),
        );
        give(from, &passing, to, far);
        for (namespace, name, address) in [(from, near, near_address), (to, far, far_address)] {
            if !address.is_empty() {
                let nodad = if address.contains(':') { " nodad" } else { "" };
                ip(
                    namespace,
                    &format!("address add {address} dev {name}{nodad}"),
                );
            }
            ip(namespace, &format!("link set {name} up"));
        }
    }

    /// Every pin there is, directories left out.
    pub(super) fn pins(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut left = vec![self.bpffs.clone()];
        while let Some(directory) = left.pop() {
            for name in pins::names(&directory) {
                let path = directory.join(name);
                if path.is_dir() {
                    left.push(path);
                } else {
                    found.push(path);
                }
            }
        }
        found
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for path in self.pins() {
            if path
                .file_name()
                .is_some_and(|name| name.to_string_lossy().starts_with("link-"))
            {
                let _ = fs::remove_file(path);
            }
        }
        pins::remove(&self.bpffs);
    }
}

/// A namespace that nobody is in, for as long as it is open.
pub(super) fn namespace() -> OwnedFd {
    let made = std::thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).unwrap();
        let namespace = namespace::current().unwrap();
        ip(namespace.as_fd(), "link set lo up");
        namespace
    });
    made.join().unwrap()
}

/// Runs `ip` with some words in a namespace.
pub(super) fn ip(namespace: BorrowedFd<'_>, words: &str) {
    assert!(try_ip(namespace, words), "ip {words}");
}

fn try_ip(namespace: BorrowedFd<'_>, words: &str) -> bool {
    run(namespace, "ip", words).0
}

/// Runs a command in a namespace: whether it went well, and what it said.
pub(super) fn run(namespace: BorrowedFd<'_>, command: &str, words: &str) -> (bool, String) {
    let output = namespace::within(namespace, || {
        Command::new(command)
            .args(words.split_whitespace())
            .output()
    });
    let output = output.unwrap().unwrap();
    (
        output.status.success(),
        String::from_utf8_lossy(&output.stdout).into_owned(),
    )
}

/// Moves a link into another namespace, under another name.
pub(super) fn give(from: BorrowedFd<'_>, name: &str, to: BorrowedFd<'_>, as_name: &str) {
    // `ip` wants a name or a process for a namespace: a descriptor of this process is one, by way of /proc.
    use std::os::fd::AsRawFd;
    let thread = nix::unistd::gettid();
    let path = format!("/proc/{thread}/fd/{}", to.as_raw_fd());
    ip(
        from,
        &format!("link set {name} netns {path} name {as_name}"),
    );
}

/// The MAC and the index of a link.
pub(super) fn link(namespace: BorrowedFd<'_>, name: &str) -> (u32, [u8; 6]) {
    let (_, text) = run(namespace, "ip", &format!("-o link show dev {name}"));
    let index = text.split(':').next().unwrap().parse().unwrap();
    let mut words = text.split_whitespace();
    words.find(|word| *word == "link/ether").unwrap();
    let mac: Vec<u8> = words
        .next()
        .unwrap()
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    (index, mac.try_into().unwrap())
}

/// What a relay asks for: these addresses, ports 30000 to 30999.
pub(super) fn spec(addresses: &[&str], engine: EngineChoice) -> Spec {
    Spec {
        addresses: addresses.iter().map(|a| a.parse().unwrap()).collect(),
        ports: Ports {
            first: 30_000,
            last: 30_999,
        }
        .into(),
        max_flows: 16,
        lease_ms: 60_000,
        engine,
        interface_engines: BTreeMap::new(),
        is_trusted: true,
    }
}

/// A flow in the words of these tests.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flow {
    /// Which granted address it arrives at and leaves from: block, and index in its family.
    pub(super) block: u32,
    pub(super) local: SocketAddr,
    pub(super) source: SocketAddr,
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) slot: u32,
    pub(super) from_mac: [u8; 6],
    pub(super) to_mac: [u8; 6],
}

/// A table, as its owner fills it.
pub(super) struct Filled {
    ports: Mapped<PortLine>,
    records: Mapped<Record>,
    next: u32,
}

impl Filled {
    pub(super) fn new(node: &mut Node, generation: Generation, addresses: u32) -> Self {
        let maps = node.maps(generation, true).unwrap();
        let lines = addresses * abi::PORT_LINES;
        Self {
            ports: Mapped::new(maps.ports.as_fd(), lines, Access::Write).unwrap(),
            records: Mapped::new(maps.records.as_fd(), 16, Access::Write).unwrap(),
            next: 0,
        }
    }

    /// Installs a flow; its number.
    pub(super) fn install(&mut self, flow: &Flow) -> u32 {
        let record = self.next;
        self.next += 1;
        let mut value = abi::Flow {
            payload_types: [u64::MAX; 2],
            egress: flow.slot,
            stats_record: record,
            clock_rate: 8000,
            egress_mtu: 1500,
            from_local: 0,
            flags: ANY_SSRC,
            ..abi::Flow::default()
        };
        let addressing = Addressing {
            local: flow.local,
            source: flow.source,
            from: flow.from,
            to: flow.to,
            from_mac: flow.from_mac,
            to_mac: flow.to_mac,
            tos: 0xb8,
            ttl: 64,
        };
        addressing.fill(&mut value);
        let port = usize::from(flow.local.port());
        let line = flow.block * abi::PORT_LINES + (port / PORTS_PER_LINE) as u32;
        let place = self.ports.at(line).cast::<u32>();
        // SAFETY: inside the mappings; no program reads the record before it is named.
        unsafe {
            (&raw mut (*self.records.at(record)).flow).write_volatile(value);
            place.add(port % PORTS_PER_LINE).write_volatile(record + 1);
        }
        record
    }

    /// Packets that a flow has forwarded.
    pub(super) fn packets(&self, record: u32) -> u64 {
        let record = self.records.at(record);
        // SAFETY: inside the mapping.
        unsafe {
            (&raw const (*record).stats.packets).read_volatile()
                + (&raw const (*record).stats.other_packets).read_volatile()
        }
    }
}

/// A socket in a namespace.
pub(super) fn socket(namespace: BorrowedFd<'_>, address: &str) -> UdpSocket {
    let socket = namespace::within(namespace, || UdpSocket::bind(address));
    let socket = socket.unwrap().unwrap();
    socket.set_nonblocking(true).unwrap();
    socket
}

/// One RTP packet, 20 ms of G.711.
pub(super) fn rtp(sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend([1, 2, 3, 4]);
    packet.extend([0xd5; 160]);
    packet
}

/// Sends packets until `arrived` says so; false if it never does.
pub(super) fn send_until(
    socket: &UdpSocket,
    to: SocketAddr,
    mut arrived: impl FnMut() -> bool,
) -> bool {
    let began = Instant::now();
    for sequence in 0.. {
        // Port unreachable is told to whoever sends next.
        let _ = socket.send_to(&rtp(sequence), to);
        std::thread::sleep(Duration::from_millis(5));
        if arrived() {
            return true;
        }
        if began.elapsed() > PATIENCE {
            return false;
        }
    }
    false
}

/// Whether something is in a socket's queue; takes it all out.
pub(super) fn receive(socket: &UdpSocket) -> usize {
    let mut buffer = [0; 2048];
    std::iter::from_fn(|| socket.recv(&mut buffer).ok()).count()
}

/// Follows what happens until `holds`.
pub(super) fn follow_until(node: &mut Node, mut holds: impl FnMut(&mut Node) -> bool) {
    let began = Instant::now();
    loop {
        node.follow();
        if holds(node) {
            return;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "what was waited for did not happen"
        );
        let mut watched: Vec<PollFd<'_>> = node
            .descriptors()
            .into_iter()
            .map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN))
            .collect();
        poll(&mut watched, PollTimeout::from(100_u16)).unwrap();
    }
}

/// The interface of a placement.
pub(super) fn interface<'a>(placement: &'a Placement, name: &str) -> &'a Interface {
    let mut interfaces = placement.interfaces.iter();
    let found = interfaces.find(|interface| interface.name == name);
    found.unwrap_or_else(|| panic!("no {name} in {placement:?}"))
}

/// The way out by an interface.
pub(super) fn slot(placement: &Placement, place: Place, ifindex: u32) -> u32 {
    let mut egresses = placement.egresses.iter();
    let found = egresses.find(|egress| (egress.place, egress.ifindex) == (place, ifindex));
    found
        .unwrap_or_else(|| panic!("no way out in {placement:?}"))
        .slot
}

/// The engine on an interface of a placement.
pub(super) fn engine(placement: &Placement, name: &str) -> Option<Engine> {
    interface(placement, name).engine
}

/// A relay in a namespace of its own, 10.0.0.1 on `r0`, and a phone at the other end of the wire, 10.0.0.2.
pub(super) struct Pair {
    pub(super) relay: OwnedFd,
    pub(super) phone: OwnedFd,
}

impl Pair {
    pub(super) fn new(world: &World) -> Self {
        let pair = Self {
            relay: namespace(),
            phone: namespace(),
        };
        world.wire(
            (pair.relay.as_fd(), "r0", "10.0.0.1/24"),
            (pair.phone.as_fd(), "p0", "10.0.0.2/24"),
        );
        pair
    }

    pub(super) fn relay(&self) -> OwnedFd {
        self.relay.try_clone().unwrap()
    }

    /// What comes from the phone's port 5000 to `local` goes back to its port 6000.
    pub(super) fn echo(&self, placement: &Placement, local: &str, block: u32) -> Flow {
        let (index, from_mac) = link(self.relay.as_fd(), "r0");
        let (_, to_mac) = link(self.phone.as_fd(), "p0");
        let local: SocketAddr = local.parse().unwrap();
        Flow {
            block,
            local,
            source: "10.0.0.2:5000".parse().unwrap(),
            from: local,
            to: "10.0.0.2:6000".parse().unwrap(),
            slot: slot(placement, Place::Own, index),
            from_mac,
            to_mac,
        }
    }
}
