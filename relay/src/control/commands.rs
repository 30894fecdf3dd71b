//! The way to the dispatcher for transports that serve many clients at a time: TCP, HTTP, WebSocket.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tracing::error;

use super::clock::monotonic_ms;
use super::dispatch::{Dispatcher, Handler, Origin};
use super::lock;

/// The longest reply over a stream, in bytes. No client reads that much: it bounds what one command can make of memory.
pub const MAX_STREAM_REPLY: usize = 16 << 20;

/// Carries out commands that come by streams, one at a time.
///
/// Clients wait for their turn in the order in which they came, and only the one whose turn it is asks for the
/// dispatcher: whoever comes by UDP never waits for more than one command of all of them.
#[derive(Clone)]
pub struct Commands {
    dispatcher: Arc<dyn Dispatch>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl Commands {
    /// The way to this dispatcher. There should be one, and clones of it.
    pub fn new<H: Handler + Send + 'static>(dispatcher: Arc<Mutex<Dispatcher<H>>>) -> Self {
        Self {
            dispatcher,
            turn: Arc::default(),
        }
    }

    /// Answers a request with a cookie; `None` if it gets no reply.
    pub async fn answer(&self, request: Bytes, source: SocketAddr) -> Option<Bytes> {
        self.work(move |dispatcher| dispatcher.dispatch(request, &origin(source)))
            .await?
    }

    /// Answers a dictionary without a cookie. It is carried out as often as it comes.
    pub async fn answer_plain(&self, request: Bytes, source: SocketAddr) -> Option<Bytes> {
        self.work(move |dispatcher| dispatcher.dispatch_plain(request, &origin(source)))
            .await
    }

    /// Calls may bind ports and take the journal's lock, so they are no work for the threads that serve clients. A command
    /// that was begun is finished, even if its client is gone.
    async fn work<T: Send + 'static>(
        &self,
        command: impl FnOnce(&dyn Dispatch) -> T + Send + 'static,
    ) -> Option<T> {
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let dispatcher = Arc::clone(&self.dispatcher);
        let working = tokio::task::spawn_blocking(move || {
            let outcome = command(&*dispatcher);
            drop(turn);
            outcome
        });
        let outcome = working.await;
        if outcome.is_err() {
            error!("bug: a command panicked; it gets no reply");
        }
        outcome.ok()
    }
}

fn origin(source: SocketAddr) -> Origin {
    Origin {
        source,
        max_reply: MAX_STREAM_REPLY,
        now_ms: monotonic_ms(),
    }
}

/// A dispatcher, whatever its handler.
trait Dispatch: Send + Sync {
    fn dispatch(&self, request: Bytes, origin: &Origin) -> Option<Bytes>;

    fn dispatch_plain(&self, request: Bytes, origin: &Origin) -> Bytes;
}

impl<H: Handler + Send> Dispatch for Mutex<Dispatcher<H>> {
    fn dispatch(&self, request: Bytes, origin: &Origin) -> Option<Bytes> {
        lock(self).dispatch(request, origin)
    }

    fn dispatch_plain(&self, request: Bytes, origin: &Origin) -> Bytes {
        lock(self).dispatch_plain(request, origin)
    }
}
