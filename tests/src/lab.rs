//! One scenario's ground: a unique name prefix, the sweep of leftovers, and what the machine allows.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Once;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::netns::{self, Netns};
use crate::node;
use crate::relay::{self, Engine, Kind};

static SWEPT: Once = Once::new();
static NEXT: AtomicU32 = AtomicU32::new(0);

/// A scenario's ground. Namespaces made in it are named `lab-PID-N-ROLE`.
#[derive(Debug)]
pub struct Lab {
    prefix: String,
}

impl Lab {
    /// The lab, or `None` (and a line in the list of skipped tests) where the tests do not run as root.
    #[must_use]
    pub fn open() -> Option<Self> {
        if !nix::unistd::geteuid().is_root() {
            skip("network namespaces need root");
            return None;
        }
        SWEPT.call_once(sweep);
        let prefix = format!(
            "lab-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        Some(Self { prefix })
    }

    /// The lab for a scenario that only underpass can pass; `None` where rtpengine is the relay under test.
    #[must_use]
    pub fn for_underpass() -> Option<Self> {
        if relay::kind_under_test() == Kind::Rtpengine {
            skip("only underpass can pass it, and the relay under test is rtpengine");
            return None;
        }
        Self::open()
    }

    /// The lab for a scenario that compares with rtpengine: as [`Lab::for_underpass`], and Debian's must be installed.
    #[must_use]
    pub fn beside_rtpengine() -> Option<Self> {
        if Command::new("rtpengine").arg("--version").output().is_err() {
            skip("rtpengine is not installed");
            return None;
        }
        Self::for_underpass()
    }

    /// The lab for a scenario of the kernel path: as [`Lab::for_underpass`], and the relay must have been built with
    /// its kernel part.
    #[must_use]
    pub fn for_kernel_path() -> Option<Self> {
        if std::env::var_os("LAB_NO_KERNEL").is_some() {
            skip("the relay was built without its kernel part");
            return None;
        }
        Self::for_underpass()
    }

    /// The lab for a scenario of an engine: [`Lab::for_kernel_path`], or [`Lab::open`] for user space.
    #[must_use]
    pub fn for_engine(engine: Engine) -> Option<Self> {
        match engine {
            Engine::Null => Self::open(),
            Engine::Auto | Engine::Tc | Engine::Xdp => Self::for_kernel_path(),
        }
    }

    /// Whether the kernel can make a link of this type on another, told as `ip link add` wants it: `vlan id 7`.
    #[must_use]
    pub fn has_link_type(&self, kind: &str) -> bool {
        let ns = self.netns("probe");
        ns.ip("link add name below type veth peer name above");
        let probe = Command::new("ip")
            .args(["-n", ns.name()])
            .args("link add link below name probe type".split_whitespace())
            .args(kind.split_whitespace())
            .output();
        probe.is_ok_and(|output| output.status.success())
    }

    /// A new namespace with the role `role`, its loopback up.
    #[must_use]
    pub fn netns(&self, role: &str) -> Netns {
        Netns::create(&format!("{}-{role}", self.prefix))
    }
}

/// Notes that the running test does nothing here, and why: on stderr, and as a line of the file `LAB_SKIPPED` names
/// (from which `cargo xtask test` prints them, libtest having no word for it).
pub fn skip(why: &str) {
    let test = std::thread::current().name().unwrap_or("?").to_owned();
    eprintln!("skipped {test}: {why}");
    let Some(list) = std::env::var_os("LAB_SKIPPED") else {
        return;
    };
    let Ok(mut file) = fs::OpenOptions::new().create(true).append(true).open(list) else {
        return;
    };
    let _ = writeln!(file, "{test}: {why}");
}

/// Removes the namespaces and pins of runs whose process is gone.
fn sweep() {
    for entry in fs::read_dir(netns::DIRECTORY)
        .into_iter()
        .flatten()
        .flatten()
    {
        let name = entry.file_name().to_string_lossy().into_owned();
        if is_left_over(&name) {
            netns::sweep(&name);
        }
    }
    node::sweep(is_left_over);
}

/// Whether this is named `lab-PID-…` after a process that is gone.
fn is_left_over(name: &str) -> bool {
    let pid = name
        .strip_prefix("lab-")
        .and_then(|rest| rest.split('-').next());
    let pid = pid.and_then(|pid| pid.parse::<u32>().ok());
    pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}
