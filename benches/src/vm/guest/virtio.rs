//! On virtio-net: frames come in at interface a from outside and leave by b.

use std::fs::{self, File};
use std::io::{Read, Seek};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Family, Lab, Netns, Side};

use super::host::Host;
use super::idle::Idle;
use super::system::{self, Running};
use crate::vm::protocol::{FromGuest, Job, Sample, System};
use crate::vm::wiring;

/// Guest frames per second that are aimed at: most of the processor stays idle, and a measurement has frames enough.
const RATE: f64 = 8000.0;
/// The host's time between frames before its speed against the guest's is known.
const FIRST_GAP_US: u64 = 250;

/// Measures every system with every number of calls.
pub(super) fn measure(host: &Host, job: &Job) -> Result<()> {
    if job.virtio.is_empty() {
        return Ok(());
    }
    let lab = Lab::open().context("the guest is root")?;
    let ns = lab.netns("relay");
    for (side, near, far) in [
        (Side::A, wiring::GUEST_A, wiring::OUTSIDE_A),
        (Side::B, wiring::GUEST_B, wiring::OUTSIDE_B),
    ] {
        let (name, address) = (side.interface(), side.relay(Family::V4));
        move_in(&ns, near, name)?;
        ns.address(name, &format!("{address}/24"));
        ns.address(name, &format!("{}/64", side.relay(Family::V6)));
        let (far, lladdr) = (side.far(Family::V4), wiring::text(far));
        ns.ip(&format!(
            "neigh replace {far} lladdr {lladdr} dev {name} nud permanent"
        ));
    }
    for &calls in &job.virtio_calls {
        for &system in &job.virtio {
            host.progress(&format!("virtio-net, {system:?}, {calls} calls"))?;
            let mut running = system::set_up(system, &ns, wiring::OUTSIDE_B, calls)?;
            confirm(host, &ns, &mut running)?;
            rounds(host, job, &ns, &running, system, calls)?;
            running.take_down(&ns)?;
        }
    }
    Ok(())
}

fn rounds(
    host: &Host,
    job: &Job,
    ns: &Netns,
    running: &Running,
    system: System,
    calls: usize,
) -> Result<()> {
    let bench = Bench {
        host,
        frames: Frames::open(ns)?,
        idle: Idle::start(),
        window: Duration::from_millis(job.window_ms),
        returns: system != System::Floor,
    };
    std::thread::sleep(Duration::from_millis(50));
    let (first, _) = bench.round(FIRST_GAP_US)?;
    let gap = (FIRST_GAP_US as f64 * first.rate / RATE) as u64;
    for _ in 0..job.rounds {
        let before = running.user_space(ns);
        let (measured, lost) = bench.round(gap)?;
        host.say(&FromGuest::Sample(Sample {
            system,
            veth: false,
            calls,
            instructions: measured.instructions,
            frames: measured.frames,
            rate: measured.rate,
            lost,
            interrupts: measured.interrupts,
            user_space: running.user_space(ns) - before,
            idle: 0.0,
        }))?;
    }
    Ok(())
}

/// Sends frames until none comes up to user space any more.
fn confirm(host: &Host, ns: &Netns, running: &mut Running) -> Result<()> {
    host.flows(running.wires.clone())?;
    for _ in 0..20 {
        let before = running.user_space(ns);
        let (sent, back) = host.once()?;
        if !running.has_two_paths() {
            return Ok(());
        }
        if running.user_space(ns) == before && back == sent {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    anyhow::bail!("frames still come up to user space: {}", running.account(ns))
}

struct Bench<'a> {
    host: &'a Host,
    frames: Frames,
    idle: Idle,
    window: Duration,
    returns: bool,
}

struct Measured {
    interrupts: f64,
    instructions: f64,
    frames: u64,
    rate: f64,
}

impl Bench<'_> {
    /// A window without traffic, and one with: what the frames took of the processor. And how many were lost.
    fn round(&self, gap_us: u64) -> Result<(Measured, u64)> {
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
        let measured = Measured {
            interrupts: interrupts as f64 / frames as f64,
            instructions: (busy.instructions - left) / frames as f64,
            frames,
            rate: frames as f64 / busy.instructions * 1e9,
        };
        Ok((measured, sent - back))
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

/// Takes the device with this address into the namespace, by another name.
fn move_in(ns: &Netns, address: [u8; 6], name: &str) -> Result<()> {
    let wanted = wiring::text(address);
    for entry in fs::read_dir("/sys/class/net")?.flatten() {
        let has = fs::read_to_string(entry.path().join("address")).unwrap_or_default();
        if has.trim() != wanted {
            continue;
        }
        let device = entry.file_name();
        let device = Path::new(&device).display().to_string();
        let words = format!("link set dev {device} netns {} name {name}", ns.name());
        let status = Command::new("ip").args(words.split_whitespace()).status()?;
        ensure!(status.success(), "ip {words}");
        return Ok(());
    }
    anyhow::bail!("no virtio-net device {wanted}")
}
