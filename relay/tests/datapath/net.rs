//! Three namespaces in a row: caller - relay - callee, joined by veth pairs.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns};

/// The relay's address towards the caller.
pub(crate) const RELAY_A: &str = "10.71.0.1";
/// The caller's address.
pub(crate) const CALLER: &str = "10.71.0.2";
/// The relay's address towards the callee.
pub(crate) const RELAY_B: &str = "10.72.0.1";
/// The callee's address.
pub(crate) const CALLEE: &str = "10.72.0.2";

/// The relay's IPv6 address towards the callee.
pub(crate) const RELAY_B6: &str = "2001:db8:72::1";
/// The callee's IPv6 address.
pub(crate) const CALLEE6: &str = "2001:db8:72::2";

/// Far longer than anything takes that works.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// True without root, which namespaces and eBPF need; says so.
pub(crate) fn skipped() -> bool {
    let skipped = !nix::unistd::geteuid().is_root();
    if skipped {
        println!("skipped: needs root");
    }
    skipped
}

/// The three namespaces; removed when dropped.
pub(crate) struct Net {
    prefix: String,
}

impl Net {
    /// `a0` (caller) - `r0`, `r1` (relay) - `b0` (callee), with their addresses, up.
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let net = Self {
            prefix: format!("datapath-{}-{count}", std::process::id()),
        };
        for name in ["a", "r", "b"] {
            let name = net.name(name);
            run("ip", &["netns", "add", &name]);
            run("ip", &["-n", &name, "link", "set", "lo", "up"]);
        }
        net.connect_caller();
        net.connect("b0", "b", CALLEE, "r1", RELAY_B);
        for (namespace, device, address) in [("b", "b0", CALLEE6), ("r", "r1", RELAY_B6)] {
            let address = format!("{address}/64");
            net.ip(
                namespace,
                &["address", "add", &address, "dev", device, "nodad"],
            );
        }
        net
    }

    /// A namespace `p` for a pod.
    pub(crate) fn add_pod(&self) {
        let name = self.name("p");
        run("ip", &["netns", "add", &name]);
        run("ip", &["-n", &name, "link", "set", "lo", "up"]);
    }

    /// Moves a device of the relay's namespace into the pod's, as `eth0`, up, with an address.
    pub(crate) fn move_to_pod(&self, device: &str, address: &str) {
        let pod = self.name("p");
        self.ip("r", &["link", "set", device, "name", "eth0", "netns", &pod]);
        self.ip("p", &["address", "add", address, "dev", "eth0"]);
        self.ip("p", &["link", "set", "eth0", "up"]);
    }

    /// The pair between caller and relay.
    pub(crate) fn connect_caller(&self) {
        self.connect("a0", "a", CALLER, "r0", RELAY_A);
    }

    /// Runs `ip` in a namespace (`a`, `r` or `b`).
    pub(crate) fn ip(&self, namespace: &str, arguments: &[&str]) {
        let name = self.name(namespace);
        run("ip", &[&["-n", name.as_str()], arguments].concat());
    }

    /// Runs a program in a namespace.
    pub(crate) fn run(&self, namespace: &str, program: &str, arguments: &[&str]) {
        let net = format!("--net=/run/netns/{}", self.name(namespace));
        run("nsenter", &[&[net.as_str(), program], arguments].concat());
    }

    /// A program to be run in a namespace.
    pub(crate) fn command(&self, namespace: &str, program: &Path) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.name(namespace)))
            .arg(program);
        command
    }

    /// Does something in a namespace, on a thread of its own. Threads and sockets made there belong to it.
    pub(crate) fn inside<T: Send>(&self, namespace: &str, act: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.name(namespace))).unwrap();
        std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    setns(file, CloneFlags::CLONE_NEWNET).unwrap();
                    act()
                })
                .join()
                .unwrap()
        })
    }

    /// A UDP socket in a namespace.
    pub(crate) fn socket(&self, namespace: &str, address: &str, port: u16) -> UdpSocket {
        let address: IpAddr = address.parse().unwrap();
        let socket = self.inside(namespace, || UdpSocket::bind((address, port)).unwrap());
        socket
            .set_read_timeout(Some(Duration::from_millis(10)))
            .unwrap();
        socket
    }

    fn connect(
        &self,
        outer: &str,
        namespace: &str,
        outer_address: &str,
        inner: &str,
        inner_address: &str,
    ) {
        let relay = self.name("r");
        let peer = self.name(namespace);
        run(
            "ip",
            &[
                "link", "add", outer, "netns", &peer, "type", "veth", "peer", "name", inner,
                "netns", &relay,
            ],
        );
        for (namespace, device, address) in [
            (namespace, outer, outer_address),
            ("r", inner, inner_address),
        ] {
            let address = format!("{address}/24");
            self.ip(namespace, &["address", "add", &address, "dev", device]);
            self.ip(namespace, &["link", "set", device, "up"]);
        }
    }

    fn name(&self, namespace: &str) -> String {
        format!("{}-{namespace}", self.prefix)
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        for name in ["a", "r", "b", "p"] {
            let _ = Command::new("ip")
                .args(["netns", "delete", &self.name(name)])
                .stderr(Stdio::null())
                .status();
        }
    }
}

/// Sends RTP from `caller` to the relay until one packet has come out at `callee` with its content unchanged. Returns
/// where it came from, or `None` after a long time.
pub(crate) fn relayed(
    caller: &UdpSocket,
    relay: SocketAddr,
    callee: &UdpSocket,
) -> Option<SocketAddr> {
    while callee.recv_from(&mut [0; 2048]).is_ok() {}
    let end = Instant::now() + LONG;
    let mut sequence = 0_u16;
    while Instant::now() < end {
        sequence = sequence.wrapping_add(1);
        let packet = rtp(sequence);
        // Refused while an interface is down.
        let _ = caller.send_to(&packet, relay);
        let mut buffer = [0; 2048];
        if let Ok((length, from)) = callee.recv_from(&mut buffer) {
            assert_eq!(buffer[12..length], packet[12..]);
            return Some(from);
        }
    }
    None
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !is_so() {
        assert!(Instant::now() < end, "never came true: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A packet of 20 ms of G.711.
pub(crate) fn rtp(sequence: u16) -> Vec<u8> {
    rtp_of(0x1234_5678, sequence)
}

/// The same of another sender.
pub(crate) fn rtp_of(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xd5; 160]);
    packet
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "{program} {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
}
