//! A window of the guest's time on virtio-net, first calm, then with traffic.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::Netns;

use super::host::Host;
use super::idle::Idle;
use crate::vm::protocol::FromGuest;

/// Measures one system that is up.
pub(super) struct Bench<'a> {
    host: &'a Host,
    frames: Frames,
    idle: Idle,
    window: Duration,
    returns: bool,
}

/// What a window with traffic showed.
pub(super) struct Measured {
    /// Instructions a frame took.
    pub(super) instructions: f64,
    /// Frames that came in.
    pub(super) frames: u64,
    /// The same per second of the guest's time.
    pub(super) rate: f64,
    /// Interrupts of the virtio devices per frame.
    pub(super) interrupts: f64,
    /// Frames sent that did not come back.
    pub(super) lost: u64,
}

impl<'a> Bench<'a> {
    /// `returns`: frames come back, all of them.
    pub(super) fn start(
        host: &'a Host,
        ns: &Netns,
        window: Duration,
        returns: bool,
    ) -> Result<Self> {
        Ok(Self {
            host,
            frames: Frames::open(ns)?,
            idle: Idle::start(),
            window,
            returns,
        })
    }

    /// A window without traffic, and one with: what the frames took of the processor is what the idle thread no longer got.
    pub(super) fn round(&self, gap_us: u64) -> Result<Measured> {
        let mark = self.idle.mark();
        std::thread::sleep(self.window);
        let calm = self.idle.since(mark);
        self.host.say(&FromGuest::Start {
            gap_us,
            returns: self.returns,
        })?;
        std::thread::sleep(Duration::from_millis(20));
        let interrupts = interrupts()?;
        let (before, mark) = (self.frames.received()?, self.idle.mark());
        std::thread::sleep(self.window);
        let (busy, after) = (self.idle.since(mark), self.frames.received()?);
        let interrupts = self::interrupts()? - interrupts;
        let (sent, back) = self.host.stop()?;
        let frames = after - before;
        ensure!(frames > 0, "no frame came in");
        let left = busy.spins / calm.rate();
        Ok(Measured {
            interrupts: interrupts as f64 / frames as f64,
            instructions: (busy.instructions - left) / frames as f64,
            frames,
            rate: frames as f64 / busy.instructions * 1e9,
            lost: sent - back,
        })
    }
}

/// The counter of frames that have come in at interface a.
struct Frames(File);

impl Frames {
    fn open(ns: &Netns) -> Result<Self> {
        // The file shows the namespace it was opened in.
        Ok(Self(ns.run(|| File::open("/proc/thread-self/net/dev"))?))
    }

    fn received(&self) -> Result<u64> {
        let mut text = String::new();
        let mut file = &self.0;
        file.rewind()?;
        file.read_to_string(&mut text)?;
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix("a:"))
            .context("no interface a")?;
        let packets = line.split_whitespace().nth(1).context("no counter")?;
        Ok(packets.parse()?)
    }
}

/// Interrupts of the virtio devices so far.
fn interrupts() -> Result<u64> {
    let text = fs::read_to_string("/proc/interrupts")?;
    let of_wires = text.lines().filter(|line| line.contains("virtio"));
    let count = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    Ok(of_wires.filter_map(count).sum())
}
