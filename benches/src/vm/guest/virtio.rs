//! On virtio-net: frames come in at interface a from outside and leave by b.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use lab::{Family, Lab, Netns, Side};

use super::host::Host;
use super::system::{self, Running};
use super::window::Bench;
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
            host.flows(running.wires.clone())?;
            // Of the floor nothing comes back that could be waited for.
            if system != System::Floor {
                confirm(host, &ns, &mut running)?;
            }
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
    let window = Duration::from_millis(job.window_ms);
    let bench = Bench::start(host, ns, window, system != System::Floor)?;
    std::thread::sleep(Duration::from_millis(50));
    let first = bench.round(FIRST_GAP_US)?;
    let gap = (FIRST_GAP_US as f64 * first.rate / RATE) as u64;
    for _ in 0..job.rounds {
        let before = running.user_space(ns);
        let measured = bench.round(gap)?;
        host.say(&FromGuest::Sample(Sample {
            system,
            veth: false,
            calls,
            instructions: measured.instructions,
            frames: measured.frames,
            rate: measured.rate,
            lost: measured.lost,
            interrupts: measured.interrupts,
            user_space: running.user_space(ns) - before,
        }))?;
    }
    Ok(())
}

/// Sends frames until none comes up to user space any more.
fn confirm(host: &Host, ns: &Netns, running: &mut Running) -> Result<()> {
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
    anyhow::bail!(
        "frames still come up to user space: {}",
        running.account(ns)
    )
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
