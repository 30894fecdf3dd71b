//! The journal is damaged while the relay is away: it starts, says what it lost, and its other calls go on.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use lab::relay::Launch;
use lab::{Engine, Lab, Load, Relay, TwoNetworks, Wiring, call, wait_until};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use serde_json::json;

const CALLS: usize = 20;

/// The file that the calls are in: the largest.
fn journal(state: &Path) -> PathBuf {
    let mut found = (0, PathBuf::new());
    let mut directories = vec![state.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let (path, metadata) = entry.map(|e| (e.path(), e.metadata().unwrap())).unwrap();
            if metadata.is_dir() {
                directories.push(path);
            } else {
                found = found.max((metadata.len(), path));
            }
        }
    }
    assert!(found.0 > 0, "there is no journal in {}", state.display());
    found.1
}

/// Kills the relay under load, damages its journal, starts it again: what the journal still has goes on without loss. Returns
/// how many calls are left and what the relay wrote.
#[track_caller]
fn after(damage: impl FnOnce(&Path)) -> Option<(usize, String)> {
    let lab = Lab::for_kernel_path()?;
    let launch = Relay::underpass().engine(Engine::Tc).two_networks();
    Some(killed(&lab, &launch, |_, state| damage(&journal(state))))
}

#[track_caller]
fn killed(lab: &Lab, launch: &Launch, damage: impl FnOnce(&str, &Path)) -> (usize, String) {
    let net = TwoNetworks::build(lab, Wiring::Veth);
    let mut relay = launch.clone().start(&net.relay);
    let mut load = Load::start(&net, &relay.client(&net.relay), CALLS);
    load.bring_into_kernel(&relay.client(&net.relay));
    load.measure();
    load.note("kill -9 of the relay");
    relay.process().kill();
    damage(&relay.process().log(), launch.state());
    let mut relay = launch.clone().start(&net.relay);
    load.note("the relay answers");
    let ng = relay.client(&net.relay);
    let kept = relay.calls(&net.relay);
    let is_kept = |id: &String| kept.iter().any(|kept| kept == id);
    for id in load.ids().iter().filter(|id| is_kept(id)) {
        wait_until("the streams of a call that was kept", || {
            let reply = ng.ok(&json!({"command": "query", "call-id": id}));
            call::are_in_kernel(&call::rtp_streams(&reply))
        });
    }
    load.note("every stream kept is in the kernel");
    let account = load.stop().clone();
    let goes_on = |call: usize| is_kept(&load.ids()[call]);
    let lost = account.gaps.iter().any(|gap| goes_on(gap.call));
    assert!(!lost && account.odd.is_empty(), "kept: {kept:?}\n{account}");
    for id in load.ids().iter().filter(|id| is_kept(id)) {
        ng.ok(&json!({"command": "delete", "call-id": id}));
    }
    relay.assert_idle(&net.relay);
    (kept.len(), relay.process().log())
}

#[track_caller]
fn says_what_it_lost(lost: usize, log: &str) {
    let mut lines = log.lines().filter(|line| line.contains("journal"));
    let told = lines.any(|line| line.contains(&lost.to_string()) || line.contains("damaged"));
    assert!(told, "{lost} calls lost:\n{log}");
}

#[test]
fn bits_flipped_cost_the_calls_they_hit() {
    let damage = |journal: &Path| {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(journal)
            .unwrap();
        let middle = file.metadata().unwrap().len() / 2;
        let mut bytes = [0; 64];
        file.read_exact_at(&mut bytes, middle).unwrap();
        file.write_all_at(&bytes.map(|byte| !byte), middle).unwrap();
    };
    let Some((kept, log)) = after(damage) else {
        return;
    };
    assert!(
        (CALLS / 2..CALLS).contains(&kept),
        "{kept} of {CALLS} calls kept:\n{log}"
    );
    says_what_it_lost(CALLS - kept, &log);
}

#[test]
fn a_truncated_journal_costs_the_calls_cut_off() {
    let damage = |journal: &Path| {
        let file = OpenOptions::new().write(true).open(journal).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length * 2 / 3).unwrap();
    };
    let Some((kept, log)) = after(damage) else {
        return;
    };
    assert!(
        (1..CALLS).contains(&kept),
        "{kept} of {CALLS} calls kept:\n{log}"
    );
    says_what_it_lost(CALLS - kept, &log);
}

#[test]
fn without_its_journal_it_starts_empty() {
    let Some((kept, _)) = after(|journal| fs::remove_file(journal).unwrap()) else {
        return;
    };
    assert_eq!(kept, 0);
}

#[test]
fn rubbish_for_a_journal_is_no_reason_not_to_start() {
    let rubbish: Vec<u8> = (0..50_000_u32).map(|n| (n * n / 7) as u8).collect();
    let Some((kept, log)) = after(|journal| fs::write(journal, rubbish).unwrap()) else {
        return;
    };
    assert_eq!(kept, 0);
    says_what_it_lost(CALLS, &log);
}

/// A file system with room for this many bytes; unmounted when dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    #[track_caller]
    fn at(path: &Path, bytes: u32) -> Self {
        let (flags, options) = (MsFlags::empty(), format!("size={bytes},mode=777"));
        mount(Some("tmpfs"), path, Some("tmpfs"), flags, Some(&*options)).unwrap();
        Self(path.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_full_disk_costs_the_calls_it_has_no_room_for() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let launch = Relay::underpass().engine(Engine::Tc).two_networks();
    let _disk = SmallDisk::at(launch.state(), 48 << 10);
    let mut while_full = String::new();
    let (kept, log) = killed(&lab, &launch, |log, _| while_full = log.to_owned());
    assert!(kept < CALLS, "there was room for all:\n{while_full}");
    let told = while_full
        .lines()
        .any(|line| line.contains("not journaled"));
    assert!(told, "{while_full}");
    let lost_others = log.lines().filter(|line| line.contains("damaged"));
    assert_eq!(lost_others.count(), 0, "{log}");
}
