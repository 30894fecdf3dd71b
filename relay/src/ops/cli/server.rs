//! The listener of `listen-cli`.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::Cli;
use crate::connections::{self, PATIENCE};

/// Connections at a time on one address; each has one answer to get.
const MAX_CONNECTIONS: usize = 64;

/// The longest line, in bytes.
pub(super) const MAX_LINE: u64 = 4096;

/// Serves until it is dropped.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(listener: TcpListener, cli: Arc<dyn Cli>) -> io::Result<()> {
    connections::serve(listener, MAX_CONNECTIONS, |stream, _| {
        let cli = Arc::clone(&cli);
        async move {
            // Whoever sends nothing, or hangs up, gets nothing.
            let _ = timeout(PATIENCE, converse(stream, cli)).await;
        }
    })
    .await
}

async fn converse(mut stream: TcpStream, cli: Arc<dyn Cli>) -> io::Result<()> {
    let mut line = Vec::new();
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader.take(MAX_LINE));
    reader.read_until(b'\n', &mut line).await?;
    let line = String::from_utf8_lossy(&line).into_owned();
    if !line.trim().is_empty() {
        let answered = tokio::task::spawn_blocking(move || cli.answer(&line)).await;
        let text = answered.unwrap_or_else(|_| "The command failed: see the log.\n".to_owned());
        writer.write_all(text.as_bytes()).await?;
    }
    writer.shutdown().await
}
