//! Taking up the calls of an earlier process.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::calls::{self, CallServer};
use super::journaling::BEAT;
use super::kept::Kept;
use crate::config::Config;
use crate::journal::{Found, Owner, boot_id};
use crate::tables::identity::identity;

/// How often a long restore says how far it is.
const PROGRESS: Duration = Duration::from_secs(1);

/// What of a configuration decides what survives.
#[derive(Debug)]
pub(super) struct Survival {
    /// Who this relay is across restarts.
    pub(super) identity: String,
    /// Where the journal is; `None`: there is none.
    pub(super) directory: Option<PathBuf>,
    /// How long an owner may be gone.
    pub(super) lease: Duration,
}

impl Survival {
    pub(super) fn of(config: &Config) -> Self {
        let configured = config.identity.as_deref();
        let identity = identity(configured, config.state_dir.as_deref(), &config.listen_ng);
        Self {
            identity: identity.name,
            directory: identity.directory,
            lease: config.table_lease,
        }
    }
}

/// What there is to take up, and whose it was.
#[derive(Debug, Default)]
pub(super) struct Legacy {
    found: Found,
}

/// What became of the calls of an earlier process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Calls that live again…
    pub(super) restored: u64,
    /// …ports that they go on without…
    pub(super) ports_lost: u64,
    /// …and calls that do not, though they were in the journal.
    pub(super) given_up: u64,
}

impl Legacy {
    /// What of the journal may be taken up: all if the table still forwards for its owner (`takes_over`: the agent knows best, whose
    /// lease may be another), or if that was alive within `lease`, else nothing. Says what is lost, and why.
    pub(super) fn of(found: Found, lease: Duration, takes_over: bool) -> Self {
        if let Some(damage) = &found.damage {
            warn!(
                "the journal is damaged ({damage}): {} calls are intact, at least {} are lost; it is kept as \
                 journal.db.damaged",
                found.rows.len(),
                found.lost()
            );
        }
        let calls = found.rows.len();
        let silence = found.owner.as_ref().map(silence);
        let why = match silence {
            None if calls == 0 => return Self::default(),
            Some(Some(silence)) if takes_over || silence <= lease + BEAT => return Self { found },
            // A salvage without the owner's row: nothing says that the calls are old.
            None => return Self { found },
            Some(None) => "they are of before the machine was started".to_owned(),
            Some(Some(silence)) => format!(
                "the relay was gone for {} s, longer than the lease of {} s",
                silence.as_secs(),
                lease.as_secs()
            ),
        };
        if calls > 0 {
            warn!("{calls} calls of the journal are forgotten: {why}");
        }
        Self {
            found: Found {
                owner: found.owner,
                ..Found::default()
            },
        }
    }

    /// What tells the relay from others: the same as before, or by chance.
    pub(super) fn instance(&self) -> u64 {
        let owner = self.found.owner.as_ref();
        owner.map_or_else(rand::random, |owner| owner.instance)
    }

    /// Makes every call of the journal a call again, on the ports it had, and returns when media serves them.
    pub(super) fn take_up(self, server: &mut CallServer) -> Outcome {
        let rows = self.found.rows;
        if rows.is_empty() {
            return Outcome::default();
        }
        let (began, all) = (Instant::now(), rows.len());
        let mut said = began;
        let mut outcome = Outcome::default();
        let mut first_loss = None;
        for (done, row) in rows.into_iter().enumerate() {
            let restored = Kept::read(&row.payload)
                .map_err(|error| error.to_string())
                .and_then(|kept| server.restore(kept).map_err(|error| error.to_string()));
            match restored {
                Ok(lost) => {
                    outcome.restored += 1;
                    outcome.ports_lost += lost.len() as u64;
                    let why = lost.first().map(ToString::to_string);
                    first_loss = first_loss.or(why);
                }
                Err(why) => {
                    outcome.given_up += 1;
                    first_loss = first_loss.or(Some(why));
                }
            }
            if said.elapsed() >= PROGRESS {
                said = Instant::now();
                info!("{} of {all} calls restored so far", done + 1);
            }
        }
        server.media().settle();
        let took = began.elapsed().as_millis();
        info!("{} calls restored in {took} ms", outcome.restored);
        if let Some(why) = first_loss {
            warn!(
                "{} calls could not be restored, and {} pairs of ports are lost to others; the first because: {why}",
                outcome.given_up, outcome.ports_lost
            );
        }
        outcome
    }
}

/// How long the owner of a journal has been silent; `None`: it is of another boot.
fn silence(owner: &Owner) -> Option<Duration> {
    owner.silent_for(&boot_id(), calls::now().monotonic_ms)
}
