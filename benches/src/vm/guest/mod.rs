//! The guest's part: sets systems up, measures them, and tells the host.
//!
//! The bench binary runs in the guest too, under another name: see [`is_guest`].

mod bare;
mod host;
mod idle;
mod system;
mod veth;
mod virtio;
mod window;

use std::path::Path;

use anyhow::{Context, Result};

use self::host::Host;
use super::protocol::{FromGuest, Job};

/// The bench binary's name in the guest.
pub const NAME: &str = "bench-guest";
/// Where the guest finds its [`Job`].
pub const JOB: &str = "/job.json";

/// Whether this process is the guest's part, by the name it was started with.
#[must_use]
pub fn is_guest() -> bool {
    let name = std::env::args_os().next();
    name.is_some_and(|name| {
        Path::new(&name)
            .file_name()
            .is_some_and(|name| name == NAME)
    })
}

/// Does what the host wants; what goes wrong is told to the host.
///
/// # Errors
/// Where the host can't be talked to.
pub fn run() -> Result<()> {
    let host = Host::open()?;
    let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(&host)));
    let end = match done {
        Ok(Ok(())) => FromGuest::End,
        Ok(Err(problem)) => FromGuest::Failed(format!("{problem:#}")),
        Err(_) => FromGuest::Failed("a panic: the guest's console says which".to_owned()),
    };
    host.say(&end)
}

fn work(host: &Host) -> Result<()> {
    let job = std::fs::read(JOB).with_context(|| format!("no {JOB}"))?;
    let job: Job = serde_json::from_slice(&job)?;
    veth::measure(host, &job)?;
    virtio::measure(host, &job)
}
