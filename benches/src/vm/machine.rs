//! The guest: what is in it, how it is wired, and the conversation with it.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ::vm::{Image, Kernel, Machine, Store};
use anyhow::{Context, Result, bail};

use super::module;
use super::protocol::{FromGuest, FromHost, Job, Sample, System};
use super::traffic::{Count, Outside, Socket, Stream};
use super::{guest, wiring};

/// What the wires and the systems need; what is built into a kernel is not loaded.
const MODULES: [&str; 8] = [
    "virtio_pci",
    "virtio_net",
    "veth",
    "sch_ingress",
    "cls_bpf",
    "nf_tables",
    "nft_compat",
    "nft_counter",
];
/// With the fast string instructions: of these the emulator counts one instruction a byte, 4,096 for a page that the kernel
/// clears. virtio-net clears one for each frame, and the targets of the section's figures were set with that counted.
pub(super) const WITH_ERMS: &str = "max,-la57,-smap,-pku,-fsgsbase";
/// Without them: copying a packet in and out, and clearing its buffer, would count 1,100 more over veth.
pub(super) const WITHOUT_ERMS: &str = "max,-la57,-smap,-pku,-fsgsbase,-erms,-fsrm";
const LIMIT: Duration = Duration::from_secs(3600);

/// Runs a job in a guest with this kernel, and gives every measurement to `sample`.
pub(super) fn run(
    directory: &Path,
    kernel: Kernel,
    cpu: &str,
    job: &Job,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Sample>> {
    let store = Store::at(directory);
    progress(&format!("Linux {kernel} and QEMU from Debian's archive"));
    let files = store.kernel(kernel)?;
    let mut image = Image::new(&files)?;
    for module in MODULES {
        // Which of them there are differs between kernels; what is missing shows where it is used.
        let _ = image.module(module);
    }
    let scratch = tempfile::tempdir()?;
    fill(&mut image, job, scratch.path())?;
    if has(job, System::Module) {
        progress("rtpengine's kernel module");
        let module = module::build(&store, directory, kernel)?;
        image.module_file(&module.object)?;
        image.file(&module.extension, extension_path(&module.extension)?);
    }
    let (a, b) = (
        Socket::new(scratch.path(), "a"),
        Socket::new(scratch.path(), "b"),
    );
    let control = scratch.path().join("control");
    let listener = UnixListener::bind(&control)?;
    let outside = Outside::open(&a, &b)?;
    let machine = Machine::new(&store.emulator()?, &files)
        .time_limit(LIMIT)
        .arguments(["-icount", "shift=0"])
        .arguments(["-cpu", cpu])
        .arguments(device("a", &a, wiring::GUEST_A))
        .arguments(device("b", &b, wiring::GUEST_B))
        .arguments(["-serial".to_owned(), format!("unix:{}", control.display())]);
    let script = format!("exec /bin/{}", guest::NAME);
    std::thread::scope(|scope| {
        let guest = scope.spawn(|| {
            let ended = machine.run(&image, &script);
            // Where QEMU did not even start, nobody else comes.
            let _ = UnixStream::connect(&control);
            ended
        });
        let (line, _) = listener.accept()?;
        let samples = converse(line, outside, progress);
        let ended = guest
            .join()
            .map_err(|_| anyhow::anyhow!("the guest's thread panicked"))?;
        let console = match ended {
            Ok(output) => output.console,
            Err(problem) => bail!(problem),
        };
        samples.with_context(|| format!("the guest's console:\n{console}"))
    })
}

fn has(job: &Job, system: System) -> bool {
    job.virtio.contains(&system) || job.veth.contains(&system)
}

fn fill(image: &mut Image, job: &Job, scratch: &Path) -> Result<()> {
    for (program, name) in [
        (std::env::current_exe()?, guest::NAME),
        (lab::relay::underpass_binary(), "underpass"),
    ] {
        let stripped = scratch.join(name);
        strip(&program, &stripped)?;
        image.binary(stripped, format!("/bin/{name}"))?;
    }
    image.contents(guest::JOB, serde_json::to_vec(job)?);
    image.program("ip")?;
    image.program("tc")?;
    if has(job, System::Module) || has(job, System::Rtpengine) {
        image.program("rtpengine")?;
    }
    if has(job, System::Module) {
        image.program("iptables")?;
    }
    Ok(())
}

/// A copy without debug information: the guest unpacks its files under emulation, and keeps them in memory.
fn strip(program: &Path, to: &Path) -> Result<()> {
    let mut strip = Command::new("strip");
    let status = strip.arg("-o").arg(to).arg(program).status();
    let status = status.context("strip (Debian package binutils) is needed")?;
    anyhow::ensure!(status.success(), "strip {}", program.display());
    Ok(())
}

/// Where iptables looks for extensions, by Debian's own package.
fn extension_path(file: &Path) -> Result<String> {
    let name = file.file_name().context("a file has a name")?;
    Ok(format!(
        "/usr/lib/x86_64-linux-gnu/xtables/{}",
        name.to_string_lossy()
    ))
}

fn device(name: &str, socket: &Socket, address: [u8; 6]) -> [String; 4] {
    let (guest, host) = (socket.guest.display(), socket.host.display());
    [
        "-netdev".to_owned(),
        format!(
            "dgram,id={name},local.type=unix,local.path={guest},remote.type=unix,remote.path={host}"
        ),
        "-device".to_owned(),
        format!(
            "virtio-net-pci,netdev={name},mac={},romfile=",
            wiring::text(address)
        ),
    ]
}

/// Does what the guest asks for until it has done its job.
fn converse(
    line: UnixStream,
    outside: Outside,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Sample>> {
    let mut samples = Vec::new();
    let mut traffic = Traffic::Calm(outside);
    let mut answers = line.try_clone()?;
    for message in BufReader::new(line).lines() {
        let message = message?;
        let message = serde_json::from_str(&message)
            .with_context(|| format!("the guest said {message:?}"))?;
        let count;
        (traffic, count) = match (message, traffic) {
            (FromGuest::Progress(what), traffic) => {
                progress(&what);
                (traffic, None)
            }
            (FromGuest::Sample(sample), traffic) => {
                progress(&format!(
                    "  {:.0} instructions ({} frames at {:.0}/s, {:.2} interrupts each, {} lost, {} in user space)",
                    sample.instructions,
                    sample.frames,
                    sample.rate,
                    sample.interrupts,
                    sample.lost,
                    sample.user_space
                ));
                samples.push(sample);
                (traffic, None)
            }
            (FromGuest::Flows(wires), Traffic::Calm(mut outside)) => {
                outside.flows(&wires);
                (Traffic::Calm(outside), None)
            }
            (FromGuest::Once, Traffic::Calm(mut outside)) => {
                let count = outside.once()?;
                (Traffic::Calm(outside), Some(count))
            }
            (FromGuest::Start { gap_us, returns }, Traffic::Calm(outside)) => {
                let gap = Duration::from_micros(gap_us);
                (Traffic::Flowing(outside.start(gap, returns)), None)
            }
            (FromGuest::Stop, Traffic::Flowing(stream)) => {
                let (outside, count) = stream.stop()?;
                (Traffic::Calm(outside), Some(count))
            }
            (FromGuest::End, _) => return Ok(samples),
            (FromGuest::Failed(problem), _) => bail!("in the guest: {problem}"),
            (message, _) => bail!("not in this order: {message:?}"),
        };
        if let Some(Count { sent, back }) = count {
            let mut answer = serde_json::to_vec(&FromHost::Done { sent, back })?;
            answer.push(b'\n');
            answers.write_all(&answer)?;
        }
    }
    bail!("the guest ended before its job did")
}

enum Traffic {
    Calm(Outside),
    Flowing(Stream),
}
