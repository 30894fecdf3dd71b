//! One recording: a pcap file and the metadata beside it.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::frame::Format;
use super::metadata::Metadata;
use super::pcap::Pcap;
use super::spool::Spool;
use crate::plan::Recording;

/// A recording at work. Once anything about it fails, nothing more is recorded.
#[derive(Debug)]
pub(super) struct Tape {
    path: PathBuf,
    /// `None` once it has failed.
    pcap: Option<Pcap>,
    metadata: Metadata,
    packets: u64,
}

impl Tape {
    /// Makes both files or neither.
    pub(super) fn begin(spool: &Spool, name: &str, format: Format) -> io::Result<Self> {
        let path = spool.pcap(name);
        let (unfinished, finished) = (spool.unfinished_metadata(name), spool.metadata(name));
        let pcap = Pcap::create(&path, format)?;
        let metadata = Metadata::create(unfinished, finished, &path).inspect_err(|_| {
            // What cannot be removed is an empty recording.
            let _ = fs::remove_file(&path);
        })?;
        Ok(Self {
            path,
            pcap: Some(pcap),
            metadata,
            packets: 0,
        })
    }

    /// Records a datagram; whether it was.
    ///
    /// # Errors
    /// It is not, nor will any other be.
    pub(super) fn record(
        &mut self,
        at_us: u64,
        from: SocketAddr,
        to: SocketAddr,
        payload: &[u8],
    ) -> io::Result<bool> {
        let Some(pcap) = &mut self.pcap else {
            return Ok(false);
        };
        if let Err(error) = pcap.add(at_us, from, to, payload) {
            self.pcap = None;
            return Err(error);
        }
        self.packets += 1;
        Ok(true)
    }

    /// Brings the file up to date.
    ///
    /// # Errors
    /// Nothing more will be recorded.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let outcome = self.pcap.as_mut().map_or(Ok(()), Pcap::flush);
        if outcome.is_err() {
            self.pcap = None;
        }
        outcome
    }

    /// Takes note of what happened to the call.
    ///
    /// # Errors
    /// Nothing more will be recorded.
    pub(super) fn note(&mut self, event: &Recording) -> io::Result<()> {
        if self.pcap.is_none() {
            return Ok(());
        }
        let outcome = match event {
            Recording::Sdp {
                mode,
                label,
                started_us,
                body,
                ..
            } => {
                let next = self.packets + 1;
                self.metadata
                    .add_sdp(label.as_ref(), *started_us, mode, next, body)
            }
            Recording::Pause { at_us, .. } => self.metadata.add_turn("paused", *at_us),
            Recording::Resume { at_us, .. } => self.metadata.add_turn("resumed", *at_us),
            Recording::Begin { .. } | Recording::End { .. } | Recording::Discard { .. } => Ok(()),
        };
        if outcome.is_err() {
            // What has been recorded is kept as far as there is room.
            let _ = self.flush();
            self.pcap = None;
        }
        outcome
    }

    /// Completes the files, or removes them.
    ///
    /// # Errors
    /// What could not be done; the rest has been.
    pub(super) fn end(mut self, ending: &Recording) -> io::Result<()> {
        let flushed = self.flush();
        match ending {
            Recording::End {
                created_us,
                terminated_us,
                at_us,
                metadata,
                ..
            } => {
                let Self { metadata: file, .. } = self;
                let finished = file.finish(*created_us, *terminated_us, *at_us, metadata.as_ref());
                flushed.and(finished)
            }
            _ => {
                let removed = fs::remove_file(&self.path);
                removed.and(self.metadata.remove())
            }
        }
    }
}
