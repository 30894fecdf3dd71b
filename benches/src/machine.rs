//! What is measured on, and what of it would falsify the figures.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use serde::{Deserialize, Serialize};

/// A machine as far as figures depend on it; nothing that names it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The running kernel's release.
    pub kernel: String,
    /// Processors that may be used.
    pub processors: usize,
    /// As the processor calls itself.
    pub processor: String,
    /// The day, `2026-11-20`.
    pub date: String,
    /// What was built, `-dirty` if it was more than the commit.
    pub commit: String,
}

impl Machine {
    /// This one; what can't be found out is empty.
    #[must_use]
    pub fn this() -> Self {
        Self {
            kernel: read("/proc/sys/kernel/osrelease"),
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            processor: processor(&read("/proc/cpuinfo")),
            date: output("date", &["-u", "+%Y-%m-%d"]),
            commit: output("git", &["describe", "--always", "--dirty", "--exclude=*"]),
        }
    }

    /// One line.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "{} x {}, Linux {}, {}, {}",
            self.processors, self.processor, self.kernel, self.date, self.commit
        )
    }

    /// Whether ratios of the two can be expected to be the same: same processor, same kernel.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        (&self.kernel, self.processors, &self.processor)
            == (&other.kernel, other.processors, &other.processor)
    }
}

/// Refuses a machine on which figures would be false.
///
/// # Errors
/// What to change.
pub fn refuse() -> Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "measuring needs root, for network namespaces and BPF: run it as root"
    );
    ensure!(
        read("/proc/sys/kernel/bpf_stats_enabled") != "1",
        "kernel.bpf_stats_enabled is on, and the kernel times every run of a program (50 ns): sysctl kernel.bpf_stats_enabled=0"
    );
    Ok(())
}

/// What makes figures worse than they are, without making them useless.
#[must_use]
pub fn warnings() -> Vec<String> {
    let mut warnings = Vec::new();
    let cpus = std::thread::available_parallelism().map_or(1, usize::from) as f64;
    let load = load(&read("/proc/loadavg"));
    if load > cpus * 1.5 {
        warnings.push(format!(
            "the machine is busy (load {load:.1} on {cpus} processors): expect wide spreads"
        ));
    }
    if cfg!(debug_assertions) {
        warnings
            .push("the bench is a debug build: what runs in user space is far too slow".to_owned());
    }
    warnings
}

/// The mean over the last minute.
fn load(loadavg: &str) -> f64 {
    let first = loadavg.split_whitespace().next();
    first.and_then(|load| load.parse().ok()).unwrap_or(0.0)
}

/// x86 has a model's name; other architectures have less to say.
fn processor(cpuinfo: &str) -> String {
    let value = |key: &str| {
        let line = cpuinfo.lines().find(|line| line.starts_with(key))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    value("model name")
        .or_else(|| value("CPU implementer"))
        .unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn read(path: &str) -> String {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.trim().to_owned()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::null())
        .output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_says_its_model() {
        let cpuinfo = "processor\t: 0\nmodel\t\t: 143\nmodel name\t: Some CPU @ 2 GHz\n";
        assert_eq!(processor(cpuinfo), "Some CPU @ 2 GHz");
    }

    #[test]
    fn a_processor_without_a_model_is_its_architecture() {
        assert_eq!(processor(""), std::env::consts::ARCH);
    }

    #[test]
    fn the_load_is_the_last_minutes() {
        assert_eq!(load("3.25 1.00 0.50 1/200 4242"), 3.25);
        assert_eq!(load(""), 0.0);
    }
}
