//! A pcap file that is whole at any time but for what is in memory: whatever is written ends with a record.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::frame::{self, Format};

/// Written when it is full: half a second of a conversation.
const BUFFER: usize = 16 * 1024;
/// What readers are told that a record is never longer than.
const SNAP_LENGTH: u32 = 262_144;
const RECORD_HEADER: usize = 16;

/// A pcap file that is being written.
#[derive(Debug)]
pub(super) struct Pcap {
    file: File,
    format: Format,
    buffer: Vec<u8>,
    /// Bytes in the file, all of them whole records.
    written: u64,
}

impl Pcap {
    /// Makes a file; one that is there is never written to.
    pub(super) fn create(path: &Path, format: Format) -> io::Result<Self> {
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o644)
            .open(path)?;
        let mut pcap = Self {
            file,
            format,
            buffer: Vec::with_capacity(BUFFER),
            written: 0,
        };
        let header = [
            0xa1b2_c3d4,
            0x0004_0002,
            0,
            0,
            SNAP_LENGTH,
            format.link_type(),
        ];
        pcap.buffer
            .extend(header.into_iter().flat_map(u32::to_le_bytes));
        pcap.flush()?;
        Ok(pcap)
    }

    /// Adds a datagram that arrived at `at_us`, µs since 1970.
    ///
    /// # Errors
    /// The file cannot be written, and ends with the last record that could.
    pub(super) fn add(
        &mut self,
        at_us: u64,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> io::Result<()> {
        if self.buffer.len() + RECORD_HEADER + payload.len() > BUFFER {
            self.flush()?;
        }
        let start = self.buffer.len();
        self.buffer.extend([0; RECORD_HEADER]);
        frame::append(&mut self.buffer, self.format, from, to, payload);
        let length = (self.buffer.len() - start - RECORD_HEADER) as u32;
        // Seconds are 32 bits without a sign in this format: enough until 2106.
        let header = [
            (at_us / 1_000_000) as u32,
            (at_us % 1_000_000) as u32,
            length,
            length,
        ];
        for (place, word) in self.buffer[start..].chunks_exact_mut(4).zip(header) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        Ok(())
    }

    /// Writes what is in memory.
    ///
    /// # Errors
    /// As [`add`](Self::add).
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let outcome = self.file.write_all(&self.buffer);
        match outcome {
            Ok(()) => self.written += self.buffer.len() as u64,
            // A record that is there in part would keep readers from what is before it. If that fails, too, they meet the cut.
            Err(_) => drop(self.file.set_len(self.written)),
        }
        self.buffer.clear();
        outcome
    }
}
