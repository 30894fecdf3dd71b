//! The relay: the binary on loopback addresses of its own, forwarding in user space.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};
use std::sync::{LazyLock, mpsc};
use std::thread;
use std::time::Duration;

use lab::Encoding;
use serde_json::{Value, json};

/// A running relay; killed when dropped, or when the tests end.
pub(crate) struct Relay {
    process: Child,
    ng: SocketAddr,
}

/// The relay of all tests that need nothing of their own from it.
static SHARED: LazyLock<Relay> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::channel();
    // The kernel kills the relay when the thread that started it ends: this one lives as long as the tests.
    thread::spawn(move || {
        sender.send(Relay::start(&[])).unwrap();
        loop {
            thread::park();
        }
    });
    receiver.recv().expect("the relay starts")
});

impl Relay {
    /// The relay of all tests: interfaces `a` (with an IPv6 address) and `b`.
    pub(crate) fn shared() -> &'static Self {
        &SHARED
    }

    /// A relay with more options.
    pub(crate) fn start(options: &[&str]) -> Self {
        Self::logging(options, Stdio::null())
    }

    /// The same, whose log goes there.
    pub(crate) fn logging(options: &[&str], log: impl Into<Stdio>) -> Self {
        let network = next_network();
        let address = |host| Ipv4Addr::from([127, network[0], network[1], host]);
        let ng = SocketAddr::from((address(1), 2223));
        let process = Command::new("setpriv")
            .args(["--pdeathsig=KILL", env!("CARGO_BIN_EXE_underpass"), "run"])
            .args(["--config-file=none", "--foreground", "--log-stderr"])
            .args(["--table=-1", "--engine=null", "--state-dir=none"])
            .args(["--delete-delay=0", &format!("--listen-ng={ng}")])
            .arg(format!("--interface=a/{}", address(1)))
            .arg("--interface=a/::1")
            .arg(format!("--interface=b/{}", address(2)))
            .args(options)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut relay = Self { process, ng };
        let pong = |relay: &Self| relay.try_ask(Encoding::Bencode, &json!({"command": "ping"}));
        for _ in 0..300 {
            if pong(&relay).is_some() {
                return relay;
            }
            let ended = relay.process.try_wait().unwrap();
            assert!(ended.is_none(), "the relay ended: {ended:?}");
            thread::sleep(Duration::from_millis(20));
        }
        panic!("the relay does not answer");
    }

    /// The address of an interface.
    pub(crate) fn address(&self, interface: &str) -> Ipv4Addr {
        let SocketAddr::V4(ng) = self.ng else {
            unreachable!("it listens at an IPv4 address")
        };
        let [first, second, third, _] = ng.ip().octets();
        Ipv4Addr::new(first, second, third, if interface == "a" { 1 } else { 2 })
    }

    /// The reply to a request.
    pub(crate) fn ask(&self, encoding: Encoding, request: &Value) -> Value {
        let reply = (0..50).find_map(|_| self.try_ask(encoding, request));
        reply.unwrap_or_else(|| panic!("no reply to {request}"))
    }

    /// The payload that answers any payload, within a moment.
    pub(crate) fn exchange(&self, payload: &[u8]) -> Option<Vec<u8>> {
        static COOKIES: AtomicU32 = AtomicU32::new(0);
        let cookie = format!("ng{} ", COOKIES.fetch_add(1, Ordering::Relaxed));
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.connect(self.ng).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .unwrap();
        let mut datagram = cookie.clone().into_bytes();
        datagram.extend(payload);
        socket.send(&datagram).ok()?;
        let mut reply = vec![0; 65_536];
        let length = socket.recv(&mut reply).ok()?;
        let payload = reply[..length].strip_prefix(cookie.as_bytes());
        Some(payload.expect("the request's cookie").to_vec())
    }

    fn try_ask(&self, encoding: Encoding, request: &Value) -> Option<Value> {
        let payload = match encoding {
            Encoding::Bencode => lab::bencode::encode(request),
            Encoding::Json => request.to_string().into_bytes(),
        };
        let reply = self.exchange(&payload)?;
        let read = match encoding {
            Encoding::Bencode => lab::bencode::decode(&reply),
            Encoding::Json => serde_json::from_slice(&reply).ok(),
        };
        Some(read.unwrap_or_else(|| panic!("malformed: {}", reply.escape_ascii())))
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Second and third number of addresses that no other process's tests are likely to have.
fn next_network() -> [u8; 2] {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let process = std::process::id().to_be_bytes();
    let second = 64 + (process[2] ^ process[1]) % 190;
    [
        second,
        process[3].wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)),
    ]
}
