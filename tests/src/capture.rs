//! A capture of one interface that runs until it is dropped.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use crate::checksum::{Datagram, Fault, datagram};
use crate::netns::Netns;
use crate::packet_socket::{Frame, PacketSocket};

/// Frames of one interface, from the moment it was made.
#[derive(Debug)]
pub struct Capture {
    frames: Arc<Mutex<Vec<Frame>>>,
    closing: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Capture {
    /// Captures `interface` of `ns`.
    #[must_use]
    #[track_caller]
    pub fn start(ns: &Netns, interface: &str) -> Self {
        let index = ns.index(interface);
        let socket = ns.run(|| PacketSocket::open(index)).unwrap();
        let mut capture = Self {
            frames: Arc::default(),
            closing: Arc::default(),
            reader: None,
        };
        let (frames, closing) = (capture.frames.clone(), capture.closing.clone());
        capture.reader = Some(thread::spawn(move || {
            while !closing.load(Ordering::Relaxed) {
                match socket.receive() {
                    Ok(frame) => frames.lock().unwrap().push(frame),
                    Err(e)
                        if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
                    // The interface went down: it may come up again.
                    Err(e) if e.raw_os_error() == Some(libc::ENETDOWN) => {}
                    Err(e) => panic!("capture: {e}"),
                }
            }
        }));
        capture
    }

    /// The UDP datagrams received so far that `wanted` chooses.
    #[must_use]
    pub fn received(&self, wanted: impl Fn(&Datagram) -> bool) -> Vec<Datagram> {
        self.select(false)
            .into_iter()
            .map(|(_, found)| found)
            .filter(|found| wanted(found))
            .collect()
    }

    /// Every frame received so far, of whatever kind.
    #[must_use]
    pub fn frames(&self) -> Vec<Vec<u8>> {
        let frames = self.frames.lock().unwrap();
        let received = frames.iter().filter(|frame| !frame.outgoing);
        received.map(|frame| frame.bytes.clone()).collect()
    }

    /// How many UDP datagrams from `source` were received so far.
    #[must_use]
    pub fn count_from(&self, source: SocketAddr) -> usize {
        self.received(|found| found.source == source).len()
    }

    /// Every UDP datagram received so far whose checksums are wrong.
    #[must_use]
    pub fn faults(&self) -> Vec<(Fault, Datagram)> {
        let received = self.select(false).into_iter();
        received
            .filter_map(|(frame, found)| Some((found.fault(frame.checksum_not_ready)?, found)))
            .collect()
    }

    /// The IP packets received so far from `source`, with the same values in what may differ between two runs
    /// (see [`Datagram::normalised`]).
    #[must_use]
    pub fn normalised_from(&self, source: SocketAddr) -> Vec<Vec<u8>> {
        let received = self
            .select(false)
            .into_iter()
            .filter(|(_, found)| found.source == source);
        received
            .map(|(frame, found)| found.normalised(frame.checksum_not_ready))
            .collect()
    }

    /// How many UDP datagrams were sent from here with the checksum left to be filled in.
    #[must_use]
    pub fn sent_without_checksum(&self) -> usize {
        self.select(true)
            .iter()
            .filter(|(frame, _)| frame.checksum_not_ready)
            .count()
    }

    fn select(&self, outgoing: bool) -> Vec<(Frame, Datagram)> {
        let frames = self.frames.lock().unwrap();
        let chosen = frames.iter().filter(|frame| frame.outgoing == outgoing);
        chosen
            .filter_map(|frame| Some((frame.clone(), datagram(&frame.bytes)?)))
            .collect()
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
    }
}
