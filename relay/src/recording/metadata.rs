//! The metadata file beside a pcap file, in rtpengine's form: the pcap file's path, every SDP body that was sent, times, and what the
//! proxy said about the call.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A metadata file that is being written. It is open only while it is written to: a busy relay has few descriptors to spare.
#[derive(Debug)]
pub(super) struct Metadata {
    unfinished: PathBuf,
    finished: PathBuf,
}

impl Metadata {
    /// Makes the file; one that is there is never written to.
    pub(super) fn create(unfinished: PathBuf, finished: PathBuf, pcap: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o664)
            .open(&unfinished)?;
        let metadata = Self {
            unfinished,
            finished,
        };
        match writeln!(file, "{}\n", pcap.display()) {
            Ok(()) => Ok(metadata),
            Err(error) => {
                metadata.remove()?;
                Err(error)
            }
        }
    }

    /// Adds an SDP body; `packet` is the number of the packet that comes next.
    pub(super) fn add_sdp(
        &self,
        label: Option<&Bytes>,
        started_us: u64,
        mode: &str,
        packet: u64,
        body: &[u8],
    ) -> io::Result<()> {
        let mut text = Vec::with_capacity(body.len() + 128);
        if let Some(label) = label {
            text.extend(b"\nLabel: ");
            text.extend(label);
        }
        let started = milliseconds(started_us);
        write!(
            text,
            "\nTimestamp started ms: {started}\nSDP mode: {mode}\nSDP before RTP packet: {packet}\n\n"
        )?;
        text.extend(body);
        self.append(&text)
    }

    /// Adds that the recording was `paused` or `resumed`.
    pub(super) fn add_turn(&self, turn: &str, at_us: u64) -> io::Result<()> {
        let (time, exact) = (date(at_us, TimeZone::system()), milliseconds(at_us));
        self.append(format!("\nRecording {turn} at: {time} ({exact} ms)\n").as_bytes())
    }

    /// Adds what is known at the end, and moves the file to where finished ones are.
    pub(super) fn finish(
        self,
        created_us: u64,
        terminated_us: u64,
        at_us: u64,
        metadata: Option<&Bytes>,
    ) -> io::Result<()> {
        let terminated = milliseconds(terminated_us);
        let [start, end] = [created_us, at_us].map(|at_us| date(at_us, TimeZone::system()));
        let mut text = Vec::new();
        write!(
            text,
            "\nTimestamp terminated ms(first monologue): {terminated}\n\ncall start time: {start}\ncall end time: {end}\n"
        )?;
        if let Some(metadata) = metadata.filter(|metadata| !metadata.is_empty()) {
            text.extend(b"\n\n");
            text.extend(metadata);
            text.push(b'\n');
        }
        let written = self.append(&text);
        fs::rename(&self.unfinished, &self.finished)?;
        written
    }

    /// Removes the file.
    pub(super) fn remove(self) -> io::Result<()> {
        fs::remove_file(&self.unfinished)
    }

    fn append(&self, text: &[u8]) -> io::Result<()> {
        let mut file: File = OpenOptions::new().append(true).open(&self.unfinished)?;
        file.write_all(text)
    }
}

/// In ms, with three places.
fn milliseconds(us: u64) -> String {
    format!("{}.{:03}", us / 1000, us % 1000)
}

/// `YYYY-MM-DDThh:mm:ss`
pub(super) fn date(us: u64, zone: TimeZone) -> String {
    let known = i64::try_from(us)
        .ok()
        .and_then(|us| Timestamp::from_microsecond(us).ok());
    let local = known.unwrap_or_default().to_zoned_datetime(zone);
    local.strftime("%Y-%m-%dT%H:%M:%S").to_string()
}
