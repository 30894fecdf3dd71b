//! Gathers facts from the machine this runs on, its network namespace being that of the calling thread. Changes nothing.

mod commands;
mod ethtool;
mod interfaces;
mod iptables;
mod nft;
mod programs;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};
use nix::unistd::{AccessFlags, access};

use super::facts::{Agent, Bpffs, Conntrack, Facts, Kernel, NatRule, Process, Sysctls, Wanted};
use crate::tables::client::{ClaimFailed, Operator};
use crate::tables::{AgentChoice, SOCKET, TableState};

/// Gathers all facts. `configuration`: why the configuration can't be run with.
#[must_use]
pub fn look(wanted: Wanted, configuration: Option<String>) -> Facts {
    let (agent, tables) = agent(&wanted);
    let (interfaces, homeless) = interfaces::look(&wanted, &tables);
    Facts {
        configuration,
        kernel: kernel(),
        process: process(),
        agent,
        bpffs: bpffs(&wanted.bpffs),
        interfaces,
        homeless,
        nat: nat(&wanted.addresses),
        conntrack: conntrack(),
        sysctls: Sysctls {
            local_port_range: sysctl("net/ipv4/ip_local_port_range"),
            reserved_ports: sysctl("net/ipv4/ip_local_reserved_ports"),
            rmem_max: number("net/core/rmem_max"),
        },
        state_is_writable: wanted.state_dir.as_deref().map(can_be_written),
        wanted,
    }
}

fn kernel() -> Kernel {
    let release = nix::sys::utsname::uname();
    Kernel {
        release: release.map_or_else(
            |_| "?".to_owned(),
            |names| names.release().to_string_lossy().into_owned(),
        ),
        btf: Path::new("/sys/kernel/btf/vmlinux").exists(),
        unprivileged_bpf_disabled: number("kernel/unprivileged_bpf_disabled")
            .and_then(|value| u8::try_from(value).ok()),
        jit: number("net/core/bpf_jit_enable").and_then(|value| u8::try_from(value).ok()),
    }
}

fn process() -> Process {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let capabilities = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    Process {
        capabilities: capabilities.unwrap_or(0),
        // The relay raises the soft limit to it.
        open_files: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(_, hard)| hard),
    }
}

/// The agent, and the tables that it tells of. Without one nobody is asked: that would take an agent in this process, which
/// does more than to look.
fn agent(wanted: &Wanted) -> (Agent, Vec<TableState>) {
    let path = match &wanted.agent {
        AgentChoice::Auto => PathBuf::from(SOCKET),
        AgentChoice::At(path) => path.clone(),
        AgentChoice::Embedded | AgentChoice::None => return (Agent::NotAsked, Vec::new()),
    };
    let operator = Operator {
        agent: AgentChoice::At(path.clone()),
        bpffs: wanted.bpffs.clone(),
        registry: wanted.registry.clone(),
    };
    let agent = match operator.list() {
        Ok(tables) => return (Agent::Answers(path, tables.len()), tables),
        Err(ClaimFailed::NoAgent { source, .. }) => match source.kind() {
            io::ErrorKind::NotFound => Agent::Missing(path),
            io::ErrorKind::ConnectionRefused => Agent::Gone(path),
            _ => Agent::Broken(path, format!("can't be reached: {source}")),
        },
        Err(ClaimFailed::Unusable { what, .. }) => Agent::Broken(path, what),
        Err(error) => Agent::Broken(path, format!("refuses: {error}")),
    };
    (agent, Vec::new())
}

fn bpffs(path: &Path) -> Bpffs {
    Bpffs {
        mounted: statfs(path).is_ok_and(|at| at.filesystem_type() == BPF_FS_MAGIC),
        writable: access(path, AccessFlags::W_OK).is_ok(),
    }
}

/// It, or what would have to be made for it to be there.
fn can_be_written(path: &Path) -> bool {
    let there = path.ancestors().find(|ancestor| ancestor.exists());
    there.is_some_and(|there| access(there, AccessFlags::W_OK).is_ok())
}

fn nat(addresses: &[IpAddr]) -> Result<Vec<NatRule>, String> {
    let by_nft = nft::rules(addresses);
    let by_iptables = iptables::rules(addresses);
    match (by_nft, by_iptables) {
        (Ok(mut rules), Ok(more)) => {
            rules.extend(more);
            Ok(rules)
        }
        // What iptables shows on a kernel without its old tables, nft shows as well.
        (Ok(rules), Err(_)) | (Err(_), Ok(rules)) => Ok(rules),
        (Err(nft), Err(iptables)) => Err(format!("{nft}; {iptables}")),
    }
}

fn conntrack() -> Option<Conntrack> {
    let count = number("net/netfilter/nf_conntrack_count")?;
    // The module is there for other namespaces, and at rest in this one.
    (count > 0).then_some(Conntrack {
        count,
        max: number("net/netfilter/nf_conntrack_max")?,
    })
}

fn sysctl(path: &str) -> Option<String> {
    fs::read_to_string(Path::new("/proc/sys").join(path)).ok()
}

fn number(path: &str) -> Option<u64> {
    sysctl(path)?.trim().parse().ok()
}
