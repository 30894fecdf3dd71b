//! A proxy as the relays see it: offers, answers and deletes over one socket, each awaited.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Family, Netns, Side};

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often a request is made before no port is to be had, and how long apart.
const REPEATS: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// One of a proxy's workers.
pub struct Client {
    socket: UdpSocket,
    cookie: u64,
    repeated: usize,
}

impl Client {
    /// A client in the relay's own namespace.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn connect(ns: &Netns) -> Result<Self> {
        let socket = ns.run(|| -> std::io::Result<UdpSocket> {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(lab::relay::NG)?;
            Ok(socket)
        })?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let cookie = u64::from(socket.local_addr()?.port()) << 32;
        Ok(Self {
            socket,
            cookie,
            repeated: 0,
        })
    }

    /// Offer, answer and delete.
    ///
    /// # Errors
    /// No reply, or one that is not `ok`.
    pub fn cycle(&mut self, id: &str) -> Result<()> {
        self.set_up(id)?;
        self.delete(id)
    }

    /// Offer and answer: the call is up, with two streams, RTP and RTCP.
    ///
    /// # Errors
    /// As [`Self::cycle`].
    pub fn set_up(&mut self, id: &str) -> Result<()> {
        self.offer(id)?;
        let sdp = lab::sdp::audio(SocketAddr::new(Side::B.far(Family::V4), 6000));
        self.request(&format!(
            "d3:sdp{}:{sdp}7:replacel6:origine7:call-id{}:{id}8:from-tag1:a6:to-tag1:b7:command6:answere",
            sdp.len(),
            id.len()
        ))
    }

    /// An offer as Kamailio makes it.
    ///
    /// # Errors
    /// As [`Self::cycle`].
    pub fn offer(&mut self, id: &str) -> Result<()> {
        let sdp = lab::sdp::audio(SocketAddr::new(Side::A.far(Family::V4), 6000));
        self.request(&format!(
            "d8:supportsl10:load limite3:sdp{}:{sdp}3:ICE6:remove9:directionl1:a1:be7:replacel6:origine7:call-id{}:{id}8:from-tag1:a7:command5:offere",
            sdp.len(),
            id.len()
        ))
    }

    /// A delete of the whole call.
    ///
    /// # Errors
    /// As [`Self::cycle`].
    pub fn delete(&mut self, id: &str) -> Result<()> {
        self.request(&format!(
            "d7:call-id{}:{id}8:from-tag1:a7:command6:deletee",
            id.len()
        ))
    }

    /// How often a request had to be repeated because no port had rested yet: more calls began at once than the relay, or the
    /// machine, was prepared for.
    pub fn repeated(&self) -> usize {
        self.repeated
    }

    fn request(&mut self, dictionary: &str) -> Result<()> {
        for _ in 0..REPEATS {
            let reply = self.ask(dictionary)?;
            let has = |part: &[u8]| reply.windows(part.len()).any(|window| window == part);
            if has(b"6:result2:ok") {
                return Ok(());
            }
            anyhow::ensure!(
                has(b"Ran out of ports"),
                "not ok: {}",
                String::from_utf8_lossy(&reply)
            );
            self.repeated += 1;
            std::thread::sleep(PAUSE);
        }
        anyhow::bail!("ran out of ports, and stayed so for {REPEATS} times {PAUSE:?}")
    }

    /// Sends a request, and returns its reply.
    fn ask(&mut self, dictionary: &str) -> Result<Vec<u8>> {
        self.cookie += 1;
        let datagram = format!("0_1_{} {dictionary}", self.cookie);
        self.socket.send(datagram.as_bytes())?;
        let mut reply = [0; 65_536];
        let length = self.socket.recv(&mut reply).context("no reply")?;
        Ok(reply[..length].to_vec())
    }
}
