//! Debian and Ubuntu packages, each looked for by a file it brings.

use std::path::Path;

use crate::setup::services::ServicesStayOff;
use crate::shell::{command, has, is_root, run, say};

/// A package, and how to see that it is not needed.
pub(crate) struct Package {
    name: &'static str,
    there: Sign,
}

enum Sign {
    Program(&'static str),
    File(&'static str),
}

/// For the kernel programs: Debian's Rust compiler with `core` for the bpf target, and the LLVM that bpf-linker links with.
pub(crate) const BUILDING: [Package; 6] = [
    Package {
        name: "rustc-web",
        there: Sign::File("/usr/bin/rustc"),
    },
    Package {
        name: "cargo-web",
        there: Sign::File("/usr/bin/cargo"),
    },
    Package {
        name: "libstd-rust-web-dev-bpf",
        there: Sign::File("/usr/lib/rustlib/bpfel-unknown-none"),
    },
    Package {
        name: "llvm-22-dev",
        there: Sign::File("/usr/lib/llvm-22/bin/llvm-config"),
    },
    Package {
        name: "g++",
        there: Sign::Program("g++"),
    },
    Package {
        name: "zlib1g-dev",
        there: Sign::File("/usr/include/zlib.h"),
    },
];

/// What the lab plays with.
pub(crate) const TESTING: [Package; 14] = [
    Package {
        name: "iproute2",
        there: Sign::Program("ip"),
    },
    Package {
        name: "ethtool",
        there: Sign::Program("ethtool"),
    },
    Package {
        name: "bpftool",
        there: Sign::Program("bpftool"),
    },
    Package {
        name: "nftables",
        there: Sign::Program("nft"),
    },
    Package {
        name: "kamailio",
        there: Sign::Program("kamailio"),
    },
    Package {
        name: "kamailio-lwsc-modules",
        there: Sign::File("/var/lib/dpkg/info/kamailio-lwsc-modules.list"),
    },
    Package {
        name: "sip-tester",
        there: Sign::Program("sipp"),
    },
    Package {
        name: "rtpengine-daemon",
        there: Sign::Program("rtpengine"),
    },
    Package {
        name: "rtpengine-utils",
        there: Sign::Program("rtpengine-ng-client"),
    },
    Package {
        name: "libjson-perl",
        there: Sign::File("/usr/share/perl5/JSON.pm"),
    },
    Package {
        name: "nodejs",
        there: Sign::Program("node"),
    },
    Package {
        name: "npm",
        there: Sign::Program("npm"),
    },
    Package {
        name: "procps",
        there: Sign::Program("sysctl"),
    },
    Package {
        name: "tshark",
        there: Sign::Program("tshark"),
    },
];

/// What other kernels are fetched and emulated with, and what the tests start in the guest.
pub(crate) const EMULATING: [Package; 9] = [
    Package {
        name: "ethtool",
        there: Sign::Program("ethtool"),
    },
    Package {
        name: "procps",
        there: Sign::Program("sysctl"),
    },
    Package {
        name: "make",
        there: Sign::Program("make"),
    },
    Package {
        name: "qemu-system-x86",
        there: Sign::Program("qemu-system-x86_64"),
    },
    Package {
        name: "busybox-static",
        there: Sign::Program("busybox"),
    },
    Package {
        name: "debian-archive-keyring",
        there: Sign::File("/usr/share/keyrings/debian-archive-keyring.gpg"),
    },
    Package {
        name: "xz-utils",
        there: Sign::Program("xz"),
    },
    Package {
        name: "binutils",
        there: Sign::Program("strip"),
    },
    Package {
        name: "iproute2",
        there: Sign::Program("ip"),
    },
];

/// Installs those that are missing; without root says how. Returns whether all are there now.
pub(crate) fn install(packages: &[&Package]) -> anyhow::Result<bool> {
    let mut missing: Vec<_> = packages
        .iter()
        .filter(|package| !package.is_there())
        .map(|package| package.name)
        .collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(true);
    }
    let list = missing.join(" ");
    if !has("apt-get") {
        say(&format!(
            "this machine has no apt-get; install what Debian calls {list}"
        ));
        return Ok(false);
    }
    if !is_root() {
        say(&format!(
            "this needs an administrator, once:\n\n    sudo apt-get install -y --no-install-recommends {list}\n"
        ));
        return Ok(false);
    }
    let _off = ServicesStayOff::while_installing(&missing)?;
    say(&format!("installing {list}"));
    let apt = |arguments: &[&str]| {
        let mut apt = command("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args([
            "-q",
            "-o",
            "Dpkg::Use-Pty=0",
            "-o",
            "DPkg::Lock::Timeout=300",
        ]);
        apt.args(arguments);
        run(&mut apt)
    };
    apt(&["update"])?;
    let mut install = vec!["install", "-y", "--no-install-recommends"];
    install.extend(&missing);
    apt(&install)?;
    Ok(true)
}

impl Package {
    fn is_there(&self) -> bool {
        match self.there {
            Sign::Program(name) => has(name),
            Sign::File(path) => Path::new(path).exists(),
        }
    }
}
