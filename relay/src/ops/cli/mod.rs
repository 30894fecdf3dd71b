//! The text CLI on `listen-cli`, as rtpengine-ctl speaks it: one connection, one line, one answer. The words of both are
//! rtpengine's, so that scripts around rtpengine-ctl work. The same lines come by HTTP, WebSocket and the ng command `cli`.

mod commands;
mod params;
mod server;
mod session;
mod set;
mod statistics;
#[cfg(test)]
pub(crate) mod tests;
mod totals;

use std::net::SocketAddr;

use ng_protocol::Dict;

use super::metrics::MetricsSnapshot;

pub use commands::answer;
pub use params::Parameters;
pub use server::serve;
pub use statistics::statistics;

/// Answers lines. May block.
pub trait Cli: Send + Sync + 'static {
    /// The answer to one line.
    fn answer(&self, line: &str) -> String;
}

/// The relay as the CLI sees it.
pub trait CliTarget {
    /// All calls, in the order they began.
    fn sessions(&self) -> Vec<SessionSummary>;

    /// One call; `None` if there is none of that id.
    fn session(&self, call_id: &str) -> Option<SessionDetails>;

    /// Ends a call at once; false if there is none of that id.
    fn terminate(&mut self, call_id: &str) -> bool;

    /// Ends all calls at once.
    fn terminate_all(&mut self);

    /// What can be changed at run time, as it is now.
    fn parameters(&self) -> Parameters;

    /// The same, as it was at the start.
    fn initial_parameters(&self) -> Parameters;

    /// Changes it, for commands and ticks to come.
    fn set_parameters(&mut self, parameters: Parameters);

    /// Every option with its value at the start; lists have an entry for each value.
    fn options(&self) -> &[(&'static str, String)];

    /// The numbers now.
    fn metrics(&self) -> MetricsSnapshot;
}

/// What is said to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// This.
    Text(String),
    /// A list of calls. There may be very many, and whoever asked holds what commands wait for: it is written out by
    /// [`Self::into_text`], afterwards.
    Sessions(Vec<SessionSummary>),
}

impl Answer {
    /// The answer as it is sent.
    #[must_use]
    pub fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Sessions(sessions) => session::list(&sessions),
        }
    }
}

/// A call in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionSummary {
    /// Its id.
    pub call_id: String,
    /// It has been deleted and waits for the delete delay.
    pub deleted: bool,
    /// When it began, seconds since 1970.
    pub created: u64,
    /// Who asked for it.
    pub proxy: SocketAddr,
    /// Its media are IPv4, IPv6 or both.
    pub families: Families,
}

/// Address families of a call's media.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Between the two.
    Mixed,
}

/// A call with what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionDetails {
    /// As in the list.
    pub summary: SessionSummary,
    /// TOS byte of its media.
    pub tos: u8,
    /// When it was last commanded, seconds since 1970.
    pub last_signal: u64,
    /// What time it is, seconds since 1970.
    pub now: u64,
    /// What `query` says of it.
    pub description: Dict,
}
