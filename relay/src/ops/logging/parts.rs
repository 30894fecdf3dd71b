//! Parts of the relay whose lines have a level of their own (`log-level-NAME`), by rtpengine's names.

/// A part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Commands: listening for them, and answering.
    Control,
    /// HTTP and WebSocket, and calls to proxies.
    Http,
    /// Media, the kernel path, and the journal.
    Internals,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Control, Self::Http, Self::Internals];

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Http => "http",
            Self::Internals => "internals",
        }
    }

    /// The part of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|part| part.name() == name)
    }

    /// What it is about, for operators.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Control => "Control protocols and the text CLI",
            Self::Http => "HTTP, HTTPS, WebSockets and calls to proxies",
            Self::Internals => "Media, the kernel path, tables and the journal",
        }
    }

    /// The modules that log for it.
    pub(super) fn targets(self) -> &'static [&'static str] {
        match self {
            Self::Control => &["underpass::control", "underpass::ops::cli", "ng_protocol"],
            Self::Http => &[
                "underpass::ops::http",
                "underpass::callbacks",
                "underpass::connections",
            ],
            Self::Internals => &[
                "underpass::agent",
                "underpass::datapath",
                "underpass::journal",
                "underpass::media",
                "underpass::netlink",
                "underpass::recording",
                "underpass::tables",
            ],
        }
    }
}

/// The levels in force, 0 (emergency) to 7 (debug).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    /// Of everything that has none of its own.
    pub general: u8,
    /// Of the parts, in the order of [`Part::ALL`].
    pub parts: [Option<u8>; Part::ALL.len()],
}

impl Levels {
    /// One level for everything.
    #[must_use]
    pub fn all(general: u8) -> Self {
        Self {
            general,
            parts: [None; Part::ALL.len()],
        }
    }

    /// The level of a part.
    #[must_use]
    pub fn of(&self, part: Part) -> u8 {
        self.parts[part as usize].unwrap_or(self.general)
    }

    /// The same with another level of a part.
    #[must_use]
    pub fn with(mut self, part: Part, level: u8) -> Self {
        self.parts[part as usize] = Some(level);
        self
    }
}
