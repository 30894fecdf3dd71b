//! Network namespaces: made, entered, configured, removed.

use std::fs::{self, File};
use std::io::Write;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns};

/// Where iproute2 keeps the namespaces' names.
pub const DIRECTORY: &str = "/run/netns";

/// A network namespace; removed when dropped.
#[derive(Debug)]
pub struct Netns {
    name: String,
    handle: File,
}

impl Netns {
    /// Makes the namespace and brings its loopback up. IPv6 addresses are usable at once (no duplicate detection).
    #[must_use]
    pub fn create(name: &str) -> Self {
        ip(&["netns", "add", name]);
        let handle = File::open(Path::new(DIRECTORY).join(name)).unwrap();
        let ns = Self {
            name: name.to_owned(),
            handle,
        };
        ns.ip("link set lo up");
        for interface in ["all", "default"] {
            ns.sysctl(&format!("net/ipv6/conf/{interface}/accept_dad"), "0");
            ns.sysctl(&format!("net/ipv6/conf/{interface}/accept_ra"), "0");
            ns.sysctl(
                &format!("net/ipv6/conf/{interface}/router_solicitations"),
                "0",
            );
        }
        ns
    }

    /// The name, as `ip netns` lists it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs one `ip` command in the namespace, its words separated by blanks.
    #[track_caller]
    pub fn ip(&self, words: &str) {
        let mut arguments = vec!["-n", &self.name];
        arguments.extend(words.split_whitespace());
        ip(&arguments);
    }

    /// What an `ip` command prints in the namespace.
    #[must_use]
    #[track_caller]
    pub fn ip_output(&self, words: &str) -> String {
        let mut command = Command::new("ip");
        let output = command
            .args(["-n", &self.name])
            .args(words.split_whitespace())
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    /// Makes a veth pair between `self` and `other`.
    #[track_caller]
    pub fn veth(&self, name: &str, other: &Self, peer: &str) {
        let other = &other.name;
        self.ip(&format!(
            "link add name {name} type veth peer name {peer} netns {other}"
        ));
    }

    /// Gives `interface` an address with its prefix length, usable at once, and brings it up.
    #[track_caller]
    pub fn address(&self, interface: &str, address: &str) {
        let nodad = if address.contains(':') { "nodad" } else { "" };
        self.ip(&format!("address add {address} dev {interface} {nodad}"));
        self.ip(&format!("link set dev {interface} up"));
    }

    /// Switches an offload of an interface (`ethtool -K`): `tx`, `rx`, `gro`, …
    #[track_caller]
    pub fn offload(&self, interface: &str, feature: &str, on: bool) {
        let value = if on { "on" } else { "off" };
        let mut command = self.command("ethtool");
        let done = command
            .args(["-K", interface, feature, value])
            .output()
            .unwrap();
        assert!(
            done.status.success(),
            "ethtool -K {interface} {feature} {value}: {done:?}"
        );
    }

    /// Sets a sysctl of the namespace, by its path under `/proc/sys`.
    #[track_caller]
    pub fn sysctl(&self, path: &str, value: &str) {
        self.run(|| fs::write(format!("/proc/sys/{path}"), value))
            .unwrap_or_else(|e| panic!("sysctl {path}={value}: {e}"));
    }

    /// The link-layer address of an interface.
    #[must_use]
    pub fn mac(&self, interface: &str) -> String {
        let line = self.ip_output(&format!("-o link show dev {interface}"));
        let mut words = line
            .split_whitespace()
            .skip_while(|word| *word != "link/ether");
        words.nth(1).expect("an Ethernet interface").to_owned()
    }

    /// The index of an interface.
    #[must_use]
    pub fn index(&self, interface: &str) -> u32 {
        self.run(|| nix::net::if_::if_nametoindex(interface))
            .expect("the interface exists")
    }

    /// Runs a closure inside the namespace, on a thread of its own: sockets it makes stay in the namespace.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let inside = || {
            setns(&self.handle, CloneFlags::CLONE_NEWNET).expect("entering a namespace we made");
            work()
        };
        match thread::scope(|scope| scope.spawn(inside).join()) {
            Ok(value) => value,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// A command that will run inside the namespace and die with the thread that starts it. (Not `ip netns exec`: that mounts
    /// another /sys and so hides bpffs.)
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let handle = self.handle.as_raw_fd();
        // SAFETY: `enter` makes two system calls and allocates nothing; the descriptor lives as long as the namespace, in which a
        // command is started while it exists.
        unsafe { command.pre_exec(move || enter(handle)) };
        command
    }
}

impl Drop for Netns {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Removes a namespace that a killed run left behind, with the processes in it.
pub(crate) fn sweep(name: &str) {
    let pids = Command::new("ip").args(["netns", "pids", name]).output();
    let pids = pids
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    for pid in pids.split_whitespace().filter_map(|pid| pid.parse().ok()) {
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGKILL,
        );
    }
    remove(name);
}

/// Removes a namespace by name; what is in it goes when the last process has left.
fn remove(name: &str) {
    let _ = Command::new("ip")
        .args(["netns", "delete", name])
        .stderr(Stdio::null())
        .status();
}

fn enter(handle: RawFd) -> std::io::Result<()> {
    // SAFETY: the caller of `pre_exec` keeps the descriptor open until the child has started.
    let handle = unsafe { BorrowedFd::borrow_raw(handle) };
    setns(handle, CloneFlags::CLONE_NEWNET)?;
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    Ok(())
}

#[track_caller]
fn ip(arguments: &[&str]) {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .expect("ip (Debian package iproute2) is installed");
    if output.status.success() {
        return;
    }
    let _ = std::io::stderr().write_all(&output.stderr);
    panic!("ip {} failed", arguments.join(" "));
}
