//! The text CLI on `listen-cli`, as rtpengine-ctl speaks it: one connection, one line, one answer.

mod commands;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::metrics::MetricsSnapshot;
use crate::connections::{self, PATIENCE};
pub use commands::answer;

/// Connections at a time on one address; each has one answer to get.
const MAX_CONNECTIONS: usize = 64;

/// The longest line, in bytes.
const MAX_LINE: u64 = 4096;

/// The relay as the CLI sees it. Calls may block.
pub trait CliTarget: Send + Sync + 'static {
    /// All calls, in the order they began.
    fn sessions(&self) -> Vec<SessionSummary>;

    /// One call; `None` if there is none of that id.
    fn session(&self, call_id: &str) -> Option<SessionDetails>;

    /// How many calls there may be at a time; `None` any number.
    fn max_sessions(&self) -> Option<u32>;

    /// Changes that, for calls to come. 0 drains the relay.
    fn set_max_sessions(&self, max: Option<u32>);

    /// Ends a call at once; false if there is none of that id.
    fn terminate(&self, call_id: &str) -> bool;

    /// Ends all calls at once.
    fn terminate_all(&self);

    /// The numbers now.
    fn metrics(&self) -> MetricsSnapshot;
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
    /// Who commanded it last.
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
    /// Parties, medias and streams, a line each.
    pub lines: Vec<String>,
}

/// Serves until it is dropped.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, target: Arc<dyn CliTarget>) -> io::Result<()> {
    connections::serve(listener, MAX_CONNECTIONS, |stream, _| {
        let target = Arc::clone(&target);
        async move {
            // Whoever sends nothing, or hangs up, gets nothing.
            let _ = timeout(PATIENCE, converse(stream, target)).await;
        }
    })
    .await
}

async fn converse(mut stream: TcpStream, target: Arc<dyn CliTarget>) -> io::Result<()> {
    let mut line = Vec::new();
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader.take(MAX_LINE));
    reader.read_until(b'\n', &mut line).await?;
    let line = String::from_utf8_lossy(&line).into_owned();
    if !line.trim().is_empty() {
        let answered = tokio::task::spawn_blocking(move || answer(&line, &*target)).await;
        let text = answered.unwrap_or_else(|_| "The command failed: see the log.\n".to_owned());
        writer.write_all(text.as_bytes()).await?;
    }
    writer.shutdown().await
}
