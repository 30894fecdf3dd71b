//! What is attached to an interface, as one program: a lone tenant's own, or a share's.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use super::hook::Tenant;
use super::share::{self, Part, Share};
use super::{bpf, pins};
use crate::datapath::Engine;
use crate::tables::protocol::Place;

/// Begins the name of a share's directory; its room follows.
const SHARE: &str = "share-";
/// Addresses that a share has room for, at least.
const ROOM: u32 = 32;

/// The program that is attached: a tenant's own, or a share's.
#[derive(Debug)]
pub(super) enum Front {
    Own(OwnedFd),
    Shared { share: Share, name: String },
}

impl Front {
    /// One for a new link.
    pub(super) fn make(
        directory: &Path,
        engine: Engine,
        tenants: &BTreeSet<Tenant>,
        parts: &[Part],
    ) -> Result<Self, String> {
        Self::change(directory, engine, tenants, parts, 0)
    }

    /// One for a link that runs a program now; that of a share goes on if it has room.
    pub(super) fn change(
        directory: &Path,
        engine: Engine,
        tenants: &BTreeSet<Tenant>,
        parts: &[Part],
        running: u32,
    ) -> Result<Self, String> {
        if let ([part], false) = (
            parts,
            tenants.iter().any(|tenant| tenant.place == Place::Node),
        ) {
            let program = part.program.as_fd().try_clone_to_owned().map_err(text)?;
            return Ok(Self::Own(program));
        }
        let needed = share::addresses(parts);
        for name in shares(directory) {
            let Ok(share) = Share::open(&directory.join(&name)) else {
                continue;
            };
            if share.room() >= needed
                && bpf::program_id(share.program()).is_ok_and(|id| id == running)
            {
                share.divide(parts).map_err(text)?;
                return Ok(Self::Shared { share, name });
            }
        }
        let mut room = needed.next_power_of_two().max(ROOM);
        // One of this room may still be at work, if a link of another engine has it.
        while shares(directory).contains(&format!("{SHARE}{room}")) {
            room += 1;
        }
        let name = format!("{SHARE}{room}");
        let own = directory.join(&name);
        fs::create_dir_all(&own).map_err(text)?;
        let made = Share::make(&own, engine, room).and_then(|share| {
            share.divide(parts).map_err(text)?;
            Ok(share)
        });
        match made {
            Ok(share) => Ok(Self::Shared { share, name }),
            Err(error) => {
                pins::remove(&own);
                Err(error)
            }
        }
    }

    pub(super) fn program(&self) -> BorrowedFd<'_> {
        match self {
            Self::Own(program) => program.as_fd(),
            Self::Shared { share, .. } => share.program(),
        }
    }

    /// It is attached: shares before it are not needed any more.
    pub(super) fn settle(&self, directory: &Path) {
        for name in shares(directory) {
            if !matches!(self, Self::Shared { name: own, .. } if *own == name) {
                pins::remove(&directory.join(name));
            }
        }
    }
}

fn shares(directory: &Path) -> Vec<String> {
    let mut names = pins::names(directory);
    names.retain(|name| name.starts_with(SHARE));
    names
}

fn text(error: io::Error) -> String {
    error.to_string()
}
