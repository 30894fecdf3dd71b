//! What is attached to one interface, and for whom: all of it stands in the pins of the interface's directory.
//!
//! Each tenant, a table's generation at a place, has its program pinned there under a name that says whose it is. A
//! lone tenant's program is attached itself; of several, and at an uplink, a share's is (`share-ROOM/`), which hands
//! packets to theirs. The link, pinned as `link-ENGINE`, is made once and runs one program after the other: packets
//! meet the old or the new, never none. Where there is no TCX each tenant has a filter of its own (`filters`).

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::str::FromStr;

use super::bpf;
use super::pins::{self, At, Pins};
use crate::agent::kernel::Generation;
use crate::datapath::Engine;
use crate::tables::protocol::Place;

/// The pin that says that there are filters in place of a link.
pub(super) const FILTERS: &str = "filters";
/// Begins the name of a link's pin; its engine follows.
pub(super) const LINK: &str = "link-";
/// Every engine.
pub(super) const ENGINES: [Engine; 3] = [Engine::Tc, Engine::Xdp, Engine::XdpGeneric];

/// A generation's instance at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tenant {
    /// Whose.
    pub(super) generation: Generation,
    /// As which element of its grant says.
    pub(super) place: Place,
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Generation {
            table,
            number,
            layout,
        } = self.generation;
        write!(f, "v{layout}-{table}-{number}-{}", word(self.place))
    }
}

impl FromStr for Tenant {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut words = text.strip_prefix('v').ok_or(())?.splitn(4, '-');
        let mut word = || words.next().ok_or(());
        Ok(Self {
            generation: Generation {
                layout: word()?.parse().map_err(drop)?,
                table: word()?.parse().map_err(drop)?,
                number: word()?.parse().map_err(drop)?,
            },
            place: match word()? {
                "own" => Place::Own,
                "node" => Place::Node,
                _ => return Err(()),
            },
        })
    }
}

/// What a place is called in names of pins.
pub(super) fn word(place: Place) -> &'static str {
    match place {
        Place::Own => "own",
        Place::Node => "node",
    }
}

/// How programs are attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Means {
    /// By a link, for an engine.
    Link(Engine),
    /// By filters.
    Filters,
}

impl Means {
    /// The engine that this is.
    pub(super) fn engine(self) -> Engine {
        match self {
            Self::Link(engine) => engine,
            Self::Filters => Engine::Tc,
        }
    }
}

/// What an interface has.
#[derive(Debug)]
pub(super) struct Hook {
    /// Where it is.
    pub(super) at: At,
    /// The directory of its pins; if there is none, that of this layout.
    pub(super) directory: PathBuf,
    /// How programs are attached; `None`: there are none.
    pub(super) means: Option<Means>,
    /// Who has part of it.
    pub(super) tenants: BTreeSet<Tenant>,
}

impl Hook {
    /// Reads what the pins of an interface say.
    pub(super) fn read(pins: &Pins, at: At) -> Self {
        let directory = pins
            .existing_interface(at)
            .unwrap_or_else(|| pins.interface(at));
        let names = pins::names(&directory);
        let link = ENGINES
            .into_iter()
            .find(|engine| names.contains(&format!("{LINK}{engine}")));
        let filters = names.iter().any(|name| name == FILTERS);
        let mut hook = Self {
            at,
            means: link
                .map(Means::Link)
                .or_else(|| filters.then_some(Means::Filters)),
            tenants: names.iter().filter_map(|name| name.parse().ok()).collect(),
            directory,
        };
        if hook.is_stale() {
            pins::remove(&hook.directory);
            hook.directory = pins.interface(at);
            hook.means = None;
            hook.tenants.clear();
        }
        hook
    }

    /// The engine there; `None`: nothing is attached.
    pub(super) fn engine(&self) -> Option<Engine> {
        self.means.map(Means::engine)
    }

    /// Is a generation's instance at work there?
    pub(super) fn serves(&self, generation: Generation) -> bool {
        self.means.is_some()
            && self
                .tenants
                .iter()
                .any(|tenant| tenant.generation == generation)
    }

    /// What was pinned for an interface that is gone: another may have got the same numbers.
    fn is_stale(&self) -> bool {
        let Some(Means::Link(engine)) = self.means else {
            return false;
        };
        let info = self
            .link(engine)
            .and_then(|link| bpf::link_info(link.as_fd()));
        info.is_ok_and(|info| info.ifindex != self.at.ifindex)
    }

    /// The link of an engine.
    ///
    /// # Errors
    /// There is none.
    pub(super) fn link(&self, engine: Engine) -> io::Result<OwnedFd> {
        bpf::open(&self.directory.join(format!("{LINK}{engine}")))
    }
}
