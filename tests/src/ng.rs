//! An ng client over UDP, in both encodings.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::bencode;
use crate::netns::Netns;

static COOKIES: AtomicU32 = AtomicU32::new(0);

/// How a client writes its requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// As Kamailio does.
    Bencode,
    /// As `rtpengine-ng-client --json` does.
    Json,
}

/// A client with a connected socket, as Kamailio's workers have.
#[derive(Debug)]
pub struct NgClient {
    socket: UdpSocket,
    encoding: Encoding,
}

impl NgClient {
    /// A client in `ns` that talks bencode to `relay`.
    #[must_use]
    #[track_caller]
    pub fn connect(ns: &Netns, relay: SocketAddr) -> Self {
        let local = if relay.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = ns.run(|| UdpSocket::bind(local)).unwrap();
        socket.connect(relay).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        Self {
            socket,
            encoding: Encoding::Bencode,
        }
    }

    /// The same client, talking `encoding`.
    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// Sends a request and returns the reply, sending it again each second as proxies do.
    ///
    /// # Panics
    /// When there is no reply after five attempts.
    #[track_caller]
    pub fn request(&self, request: &Value) -> Value {
        self.request_with_cookie(&new_cookie(), request)
    }

    /// As [`NgClient::request`], with a cookie of the test's choice.
    #[track_caller]
    pub fn request_with_cookie(&self, cookie: &str, request: &Value) -> Value {
        let datagram = self.datagram(cookie, request);
        for _ in 0..5 {
            if let Some(reply) = self.exchange(cookie, &datagram) {
                return reply;
            }
        }
        panic!("no reply to {request}");
    }

    /// Sends a request that has to succeed (`result` is `ok` or `pong`).
    #[track_caller]
    pub fn ok(&self, request: &Value) -> Value {
        let reply = self.request(request);
        let result = reply["result"].as_str().unwrap_or_default();
        assert!(
            matches!(result, "ok" | "pong"),
            "{request} was answered with {reply}"
        );
        reply
    }

    /// Whether the relay answers a ping within a second.
    #[must_use]
    pub fn pings(&self) -> bool {
        let cookie = new_cookie();
        let datagram = self.datagram(&cookie, &json!({"command": "ping"}));
        self.exchange(&cookie, &datagram)
            .is_some_and(|reply| reply["result"] == "pong")
    }

    /// Sends any bytes, awaiting nothing.
    pub fn send_raw(&self, datagram: &[u8]) {
        let _ = self.socket.send(datagram);
    }

    /// The reply's bytes to any bytes, cookie included; `None` if none comes within a second.
    #[must_use]
    pub fn exchange_raw(&self, datagram: &[u8]) -> Option<Vec<u8>> {
        self.socket.send(datagram).ok()?;
        self.receive()
    }

    /// The datagram of a request.
    #[must_use]
    pub fn datagram(&self, cookie: &str, request: &Value) -> Vec<u8> {
        let mut datagram = format!("{cookie} ").into_bytes();
        match self.encoding {
            Encoding::Bencode => datagram.extend(bencode::encode(request)),
            Encoding::Json => datagram.extend(request.to_string().bytes()),
        }
        datagram
    }

    fn exchange(&self, cookie: &str, datagram: &[u8]) -> Option<Value> {
        self.socket.send(datagram).ok()?;
        loop {
            let reply = self.receive()?;
            let Some(body) = reply.strip_prefix(format!("{cookie} ").as_bytes()) else {
                continue;
            };
            let reply = match self.encoding {
                Encoding::Bencode => bencode::decode(body),
                Encoding::Json => serde_json::from_slice(body).ok(),
            };
            return Some(
                reply.unwrap_or_else(|| panic!("malformed: {}", String::from_utf8_lossy(body))),
            );
        }
    }

    fn receive(&self) -> Option<Vec<u8>> {
        let mut buffer = vec![0; 65_536];
        let length = self.socket.recv(&mut buffer).ok()?;
        buffer.truncate(length);
        Some(buffer)
    }
}

fn new_cookie() -> String {
    let number = COOKIES.fetch_add(1, Ordering::Relaxed);
    format!("{}_{number}", std::process::id())
}
