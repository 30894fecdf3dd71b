//! A guest, from start to power-off.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Emulator, Error, Image, KernelFiles};

/// With these left out of what QEMU can emulate, both kernels run.
const CPU: &str = "max,-la57,-smap,-pku,-fsgsbase";
/// Console on the first serial port, a panic ends QEMU. The timer is not tried: the kernel panics if it does not tick within a
/// number of loops, as it may not where the host is busy.
const PARAMETERS: [&str; 4] = ["console=ttyS0", "panic=-1", "quiet", "no_timer_check"];
/// The line that init ends a job with (init.sh).
const ENDED: &str = "job ended: ";

/// A machine to start guests on; each [`Machine::run`] is a guest of its own.
#[derive(Clone, Debug)]
pub struct Machine {
    program: PathBuf,
    firmware: [PathBuf; 2],
    kernel: PathBuf,
    memory_mib: u32,
    cpus: u32,
    limit: Duration,
    parameters: Vec<String>,
    arguments: Vec<OsString>,
}

/// What a job left.
#[derive(Clone, Debug)]
pub struct Output {
    /// How the script ended, as a shell counts: 0 is success. 125 if a module could not be loaded, and the script not run.
    pub status: i32,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What the kernel and init said, and the script's stderr.
    pub console: String,
    /// From QEMU's start to its end.
    pub elapsed: Duration,
}

impl Machine {
    /// One processor, 2 GiB of memory, no network, ten minutes for a job.
    #[must_use]
    pub fn new(emulator: &Emulator, kernel: &KernelFiles) -> Self {
        Self {
            program: emulator.program(),
            firmware: emulator.firmware(),
            kernel: kernel.image.clone(),
            memory_mib: 2048,
            cpus: 1,
            limit: Duration::from_secs(600),
            parameters: Vec::new(),
            arguments: Vec::new(),
        }
    }

    /// How many processors the guest has.
    #[must_use]
    pub fn cpus(mut self, cpus: u32) -> Self {
        self.cpus = cpus;
        self
    }

    /// How much memory it has; its files are in it.
    #[must_use]
    pub fn memory_mib(mut self, memory_mib: u32) -> Self {
        self.memory_mib = memory_mib;
        self
    }

    /// How long a guest may take from QEMU's start to its end; it is killed then, and that is an error.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Adds a word to the kernel's command line.
    #[must_use]
    pub fn kernel_parameter(mut self, parameter: impl Into<String>) -> Self {
        self.parameters.push(parameter.into());
        self
    }

    /// Adds arguments for QEMU: `["-icount", "shift=0"]`.
    #[must_use]
    pub fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Boots a guest with these files, has the shell run `script`, and waits for the power-off. That the script
    /// fails is no error.
    ///
    /// # Errors
    /// If QEMU does not start, the time is over, or the guest ends without having run the script to its end.
    pub fn run(&self, image: &Image, script: &str) -> Result<Output, Error> {
        self.run_watched(image, script, &mut |_| {})
    }

    /// As [`Machine::run`]; `watch` is shown each line of the script's stdout as it comes.
    ///
    /// # Errors
    /// As [`Machine::run`].
    pub fn run_watched(
        &self,
        image: &Image,
        script: &str,
        watch: &mut dyn FnMut(&str),
    ) -> Result<Output, Error> {
        let began = Instant::now();
        let scratch = tempfile::tempdir().map_err(Error::file(std::env::temp_dir()))?;
        let (files, console) = (scratch.path().join("files"), scratch.path().join("console"));
        image.write(script, &files)?;
        let mut guest = Guest::start(&mut self.command(&files, &console))?;
        let lines = guest.lines();
        let mut stdout = Vec::new();
        loop {
            match lines.recv_timeout(self.limit.saturating_sub(began.elapsed())) {
                Ok(line) => {
                    if !line.starts_with(ENDED) {
                        watch(&line);
                    }
                    stdout.push(line);
                }
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    let console = tail(&said(&console));
                    return Err(Error::TimedOut {
                        limit: self.limit,
                        console,
                    });
                }
            }
        }
        let complaint = guest.wait(&self.program)?;
        let console = said(&console);
        let Some(status) = status(&mut stdout) else {
            return Err(Error::NoResult {
                console: tail(&(console + &complaint)),
            });
        };
        Ok(Output {
            status,
            stdout: stdout.join("\n"),
            console,
            elapsed: began.elapsed(),
        })
    }

    fn command(&self, files: &Path, console: &Path) -> Command {
        let mut qemu = Command::new(&self.program);
        for directory in &self.firmware {
            qemu.arg("-L").arg(directory);
        }
        qemu.args([
            "-machine",
            "pc",
            "-accel",
            "tcg",
            "-cpu",
            CPU,
            "-nodefaults",
            "-no-user-config",
        ]);
        qemu.args([
            "-display",
            "none",
            "-no-reboot",
            "-m",
            &self.memory_mib.to_string(),
        ]);
        qemu.args(["-smp", &self.cpus.to_string()]);
        qemu.arg("-serial")
            .arg(format!("file:{}", console.display()));
        qemu.args(["-serial", "stdio"]);
        qemu.arg("-kernel")
            .arg(&self.kernel)
            .arg("-initrd")
            .arg(files);
        let mut parameters = PARAMETERS.to_vec();
        parameters.extend(self.parameters.iter().map(String::as_str));
        qemu.arg("-append").arg(parameters.join(" "));
        qemu.args(&self.arguments);
        qemu
    }
}

/// A running QEMU; killed when dropped.
struct Guest(Child);

impl Guest {
    fn start(command: &mut Command) -> Result<Self, Error> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        child
            .map(Self)
            .map_err(|source| Error::Start { program, source })
    }

    /// Its stdout, line by line, until it is closed.
    fn lines(&mut self) -> Receiver<String> {
        let (to, lines) = channel();
        let stdout = self.0.stdout.take();
        thread::spawn(move || {
            for line in stdout
                .into_iter()
                .flat_map(|out| BufReader::new(out).split(b'\n'))
            {
                let Ok(line) = line else { return };
                if to
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    return;
                }
            }
        });
        lines
    }

    /// Waits for its end; returns what QEMU itself complained of.
    fn wait(&mut self, program: &Path) -> Result<String, Error> {
        let mut complaint = String::new();
        if let Some(mut stderr) = self.0.stderr.take() {
            let _ = stderr.read_to_string(&mut complaint);
        }
        self.0.wait().map_err(Error::file(program))?;
        Ok(complaint)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Takes init's line, and the line break before it, off the job's output.
fn status(stdout: &mut Vec<String>) -> Option<i32> {
    let status = stdout.pop()?.strip_prefix(ENDED)?.parse().ok()?;
    if stdout.last().is_some_and(String::is_empty) {
        stdout.pop();
    }
    Some(status)
}

fn said(console: &Path) -> String {
    let bytes = fs::read(console).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\r', "")
}

fn tail(text: &str) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
