//! TCP connections from whoever comes: accepted without end, bounded in number, each in a task of its own.
//!
//! Whoever reaches these ports is not authenticated, and file descriptors are what media lives on. So a listener has so many
//! places, and whoever comes when all are taken is let in at the cost of the one who is missed least ([`places`]): silent
//! connections shut nobody out, and no client has to be dropped for being quiet.

mod places;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use places::{PlaceId, Places};

/// How long a client may take to say what it began to say, or to take what it is told.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// When the kernel begins to ask whether a quiet client is still there, and how often from then on.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A connection's place among the others. It is free again when the last clone is gone.
#[derive(Clone, Debug)]
pub struct Guest(Arc<Seat>);

#[derive(Debug)]
struct Seat {
    peer: SocketAddr,
    id: PlaceId,
    places: Weak<Mutex<Places<watch::Sender<()>>>>,
    stays: watch::Receiver<()>,
}

impl Guest {
    /// Who is at the other end.
    #[must_use]
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// It has said something whole, and been answered.
    pub fn served(&self) {
        if let Some(places) = self.0.places.upgrade() {
            lock(&places).served(self.0.id, Instant::now());
        }
    }

    /// Completes when the connection is to end: its place is needed for another, or the listener is gone.
    pub async fn dismissed(&self) {
        // Nothing is ever sent: the sender goes.
        let _ = self.0.stays.clone().changed().await;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(places) = self.places.upgrade() {
            lock(&places).leave(self.id);
        }
    }
}

fn lock<T>(places: &Mutex<Places<T>>) -> MutexGuard<'_, Places<T>> {
    places.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves every connection until it is dropped, at most so many at a time; they end with it.
///
/// # Errors
/// When the listener fails for good.
pub async fn serve<S, F>(listener: TcpListener, most: usize, serve: S) -> io::Result<()>
where
    S: Fn(TcpStream, Guest) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Mutex::new(Places::new(most)));
    let mut tasks = JoinSet::new();
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) if is_passing(&error) => {
                // Out of descriptors, or the peer was gone already: others may fare better soon.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
            Err(error) => return Err(error),
        };
        if watch_over(&stream).is_err() {
            // Gone already.
            continue;
        }
        while tasks.try_join_next().is_some() {}
        let (sender, stays) = watch::channel(());
        let id = lock(&places).enter(peer.ip(), Instant::now(), sender);
        let guest = Guest(Arc::new(Seat {
            peer,
            id,
            places: Arc::downgrade(&places),
            stays,
        }));
        let served = serve(stream, guest.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = served => {}
                () = guest.dismissed() => {}
            }
        });
    }
}

/// The kernel ends the connection of a peer that is gone, or takes nothing of what it is sent.
fn watch_over(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(PATIENCE))
}

fn is_passing(error: &io::Error) -> bool {
    let descriptors = [nix::libc::EMFILE, nix::libc::ENFILE, nix::libc::ENOBUFS];
    error.kind() == io::ErrorKind::ConnectionAborted
        || error
            .raw_os_error()
            .is_some_and(|code| descriptors.contains(&code))
}
