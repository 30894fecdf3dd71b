//! The kernel memory of one process: sockets, files, their entries in tables. A control group of its own counts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// A memory control group; removed when dropped, once its process is gone.
pub(super) struct Group {
    directory: PathBuf,
    version: Version,
}

#[derive(Clone, Copy, PartialEq)]
enum Version {
    One,
    Two,
}

impl Group {
    /// A new group with a process in it, whose further allocations it counts; `None` where groups can't be made.
    pub(super) fn with(process: u32) -> Option<Self> {
        let (parent, version) = place()?;
        let directory = parent.join(format!("underpass-bench-{process}"));
        fs::create_dir(&directory).ok()?;
        let group = Self { directory, version };
        fs::write(group.directory.join("cgroup.procs"), process.to_string()).ok()?;
        group.kernel_kib().map(|_| group)
    }

    /// Kernel memory charged to it, KiB.
    pub(super) fn kernel_kib(&self) -> Option<f64> {
        let read = |file: &str| fs::read_to_string(self.directory.join(file)).ok();
        let bytes: f64 = match self.version {
            Version::One => read("memory.kmem.usage_in_bytes")?.trim().parse().ok()?,
            Version::Two => {
                let stat = read("memory.stat")?;
                let line = stat.lines().find_map(|line| line.strip_prefix("kernel "));
                line?.parse().ok()?
            }
        };
        Some(bytes / 1024.0)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // A killed process leaves its group a moment later.
        for _ in 0..100 {
            if fs::remove_dir(&self.directory).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Where a group may be made that counts memory: below our own (version 1), or beside it (version 2, whose groups hold
/// processes or groups).
fn place() -> Option<(PathBuf, Version)> {
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    for line in own.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (controllers, path) = (fields.next()?, fields.next()?);
        let path = path.trim_start_matches('/');
        if controllers.split(',').any(|name| name == "memory") {
            let directory = Path::new("/sys/fs/cgroup/memory").join(path);
            return Some((directory, Version::One));
        }
        let own = Path::new("/sys/fs/cgroup").join(path);
        let parent = if path.is_empty() { &own } else { own.parent()? };
        let counted = fs::read_to_string(parent.join("cgroup.subtree_control"));
        if controllers.is_empty()
            && counted.is_ok_and(|counted| counted.split_whitespace().any(|c| c == "memory"))
        {
            return Some((parent.to_owned(), Version::Two));
        }
    }
    None
}
