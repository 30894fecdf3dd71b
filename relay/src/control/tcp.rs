//! The ng server over TCP: requests back to back, each answered in its turn, replies back to back as well.
//!
//! JSON is answered like bencode, which rtpengine does not do.

use std::io;

use bytes::{Bytes, BytesMut};
use ng_protocol::{Datagram, Frame, Framer, MAX_COOKIE, MAX_DICTIONARY, ProtocolError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};

use super::commands::Commands;
use super::notifications::{Listener, Notifications};
use crate::connections::{self, Guest, PATIENCE};

/// Connections at a time on one address. Proxies keep one for every worker.
const MAX_CONNECTIONS: usize = 512;

/// What is read at once at most, in bytes.
const CHUNK: usize = 16 << 10;

/// Serves clients until it is dropped.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve(
    listener: TcpListener,
    commands: Commands,
    notifications: Notifications,
) -> io::Result<()> {
    connections::serve(listener, MAX_CONNECTIONS, |stream, guest| {
        let client = Client {
            stream,
            guest,
            commands: commands.clone(),
            notifications: notifications.listen(),
        };
        async move {
            // Whoever hangs up, stalls or talks nonsense is gone: nobody is left to tell.
            let _ = client.converse().await;
        }
    })
    .await
}

struct Client {
    stream: TcpStream,
    guest: Guest,
    commands: Commands,
    notifications: Listener,
}

impl Client {
    async fn converse(mut self) -> io::Result<()> {
        let mut received = BytesMut::new();
        let mut framer = Framer::default();
        // When the request that is coming in has to be whole.
        let mut due = None;
        loop {
            match framer.scan(&received) {
                Frame::Whole(length) => {
                    due = None;
                    let request = received.split_to(length).freeze();
                    let peer = self.guest.peer();
                    if let Some(reply) = self.commands.answer(request, peer).await {
                        self.send(&reply).await?;
                    }
                    self.guest.served();
                }
                Frame::Partial if received.is_empty() => {
                    let notification = tokio::select! {
                        read = self.stream.read_buf(room(&mut received)) => {
                            if read? == 0 {
                                return Ok(());
                            }
                            None
                        }
                        notification = self.notifications.next() => Some(notification),
                    };
                    if let Some(notification) = notification {
                        self.send(&notification).await?;
                    }
                }
                Frame::Partial => {
                    let due = *due.get_or_insert_with(|| Instant::now() + PATIENCE);
                    let read = self.stream.read_buf(room(&mut received));
                    if timeout_at(due, read).await?? == 0 {
                        return Ok(());
                    }
                }
                Frame::Broken(error) => return self.refuse(received.freeze(), error).await,
            }
        }
    }

    /// The last words to a client whose stream cannot be made sense of any more.
    async fn refuse(&mut self, received: Bytes, error: Option<ProtocolError>) -> io::Result<()> {
        if let (Some(error), Ok(request)) = (error, Datagram::split(received)) {
            self.send(&request.reply(&error.reply())).await?;
        }
        self.stream.shutdown().await
    }

    async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(PATIENCE, self.stream.write_all(bytes)).await?
    }
}

/// Space for what comes next, never more than the longest request and a chunk.
fn room(received: &mut BytesMut) -> &mut BytesMut {
    let most = MAX_COOKIE + 1 + MAX_DICTIONARY + CHUNK;
    received.reserve(CHUNK.min(most.saturating_sub(received.len())).max(1));
    received
}

#[cfg(test)]
mod tests;
