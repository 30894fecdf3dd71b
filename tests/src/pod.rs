//! A relay confined as a pod confines it: another user, no capability, nothing writable but what is named.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::node::Node;
use crate::relay::underpass_binary;

/// A program that runs underpass as user `uid` on a read-only root, `writable` excepted, where it sees no bpffs.
#[must_use]
#[track_caller]
pub fn confined(node: &Node, uid: u32, writable: Option<&Path>) -> PathBuf {
    let socket = node.socket();
    let directory = socket.parent().expect("a socket is in a directory");
    let script = directory.join(format!("pod-{uid}-{}", u8::from(writable.is_some())));
    let binary = underpass_binary();
    let writable = writable.unwrap_or(Path::new(""));
    let text = format!(
        r#"#!/bin/sh
exec unshare --mount --propagation private /bin/sh -eu -c '
    mount -t tmpfs tmpfs /mnt
    : > /mnt/underpass
    mount --bind {binary} /mnt/underpass
    mount -t tmpfs tmpfs /sys/fs/bpf
    [ -z "{writable}" ] || mount --bind "{writable}" "{writable}"
    while read -r _ point _; do
        [ "$point" = "{writable}" ] || mount -o remount,bind,ro "$point" 2>/dev/null || true
    done </proc/self/mounts
    ! touch /mnt/probe /tmp/probe 2>/dev/null
    exec setpriv --reuid={uid} --regid={uid} --clear-groups --bounding-set=-all --inh-caps=-all \
        --no-new-privs --pdeathsig=KILL /mnt/underpass "$@"
' underpass "$@"
"#,
        binary = binary.display(),
        writable = writable.display(),
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

/// The capabilities that a process has or could get, as its status tells: the sum of all sets.
///
/// # Panics
/// If it is gone.
#[must_use]
#[track_caller]
pub fn capabilities(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let sets = status.lines().filter(|line| line.starts_with("Cap"));
    let values = sets.filter_map(|line| line.split_whitespace().nth(1));
    values.fold(0, |all, set| {
        all | u64::from_str_radix(set, 16).expect("a set in hex")
    })
}

/// The user that a process runs as.
///
/// # Panics
/// If it is gone.
#[must_use]
#[track_caller]
pub fn user(pid: u32) -> u32 {
    use std::os::unix::fs::MetadataExt;
    fs::metadata(format!("/proc/{pid}")).unwrap().uid()
}
