//! The ng server over UDP.
//!
//! One thread a listen address, blocked in recvmsg(2): a command costs one system call in and one out. The threads share
//! the dispatcher, which works on one command at a time.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use tracing::{debug, error, info, warn};

use super::clock::monotonic_ms;
use super::counters::Counters;
use super::dispatch::{Dispatcher, Handler, Origin};
use super::lock;
use super::socket::{NgSocket, Received};

/// The longest UDP payload over IPv4, in bytes; over IPv6 it is 20 longer.
pub const MAX_PAYLOAD: usize = 65_507;

/// The largest datagram that can be received, in bytes.
const MAX_DATAGRAM: usize = 65_535;

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for ng on {address}: {source}")]
pub struct ListenError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: io::Error,
}

/// Bound sockets that nobody serves yet; the kernel queues what arrives.
#[derive(Debug)]
pub struct Listeners(Vec<Arc<NgSocket>>);

impl Listeners {
    /// Binds every address, or none.
    ///
    /// # Errors
    /// [`ListenError`] names the first one that failed.
    pub fn bind(addresses: &[SocketAddr]) -> Result<Self, ListenError> {
        let bound = addresses.iter().map(|&address| {
            let socket = NgSocket::bind(address);
            socket
                .map(Arc::new)
                .map_err(|source| ListenError { address, source })
        });
        bound.collect::<Result<_, _>>().map(Self)
    }

    /// The addresses, with the ports that the system chose where it was asked to.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|socket| socket.address()).collect()
    }

    /// The TOS byte or traffic class of their replies, to be set.
    #[must_use]
    pub fn control_tos(&self) -> ControlTos {
        ControlTos {
            sockets: self.0.clone(),
            tos: Arc::default(),
        }
    }

    /// Serves them until the server is stopped or dropped.
    ///
    /// # Errors
    /// A thread could not be started.
    pub fn serve<H: Handler + Send + 'static>(
        self,
        dispatcher: &Arc<Mutex<Dispatcher<H>>>,
    ) -> io::Result<UdpServer> {
        let mut server = UdpServer {
            sockets: self.0,
            threads: Vec::new(),
        };
        for socket in &server.sockets {
            let (socket, dispatcher) = (Arc::clone(socket), Arc::clone(dispatcher));
            let thread = std::thread::Builder::new()
                .name("ng-udp".to_owned())
                .spawn(move || serve(&socket, &dispatcher))?;
            server.threads.push(thread);
        }
        Ok(server)
    }
}

/// The TOS byte or traffic class of replies over UDP (`control-tos`).
#[derive(Clone, Debug)]
pub struct ControlTos {
    sockets: Vec<Arc<NgSocket>>,
    tos: Arc<AtomicU8>,
}

impl ControlTos {
    /// What was set last; 0 to begin with.
    #[must_use]
    pub fn get(&self) -> u8 {
        self.tos.load(Relaxed)
    }

    /// Sets it.
    pub fn set(&self, tos: u8) {
        if self.tos.swap(tos, Relaxed) == tos {
            return;
        }
        for socket in &self.sockets {
            if let Err(error) = socket.set_tos(tos) {
                warn!(address = %socket.address(), %error, "cannot set control-tos");
            }
        }
    }
}

/// A running server.
#[derive(Debug)]
pub struct UdpServer {
    sockets: Vec<Arc<NgSocket>>,
    threads: Vec<JoinHandle<()>>,
}

impl UdpServer {
    /// The addresses that are served.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.sockets.iter().map(|socket| socket.address()).collect()
    }

    /// Finishes the commands at work and closes the ports: clients see them refused, and turn elsewhere at once.
    pub fn stop(self) {}
}

impl Drop for UdpServer {
    fn drop(&mut self) {
        for socket in &self.sockets {
            socket.close();
        }
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

fn serve<H: Handler>(socket: &NgSocket, dispatcher: &Mutex<Dispatcher<H>>) {
    info!(address = %socket.address(), "listening for ng");
    let counters = lock(dispatcher).counters();
    let mut buffer = vec![0; MAX_DATAGRAM];
    loop {
        match socket.receive(&mut buffer) {
            Ok(Some(received)) => {
                let datagram = Bytes::copy_from_slice(&buffer[..received.length]);
                // Panics of commands are dealt with by the dispatcher. One beyond it would end this thread, and the
                // server would fall silent.
                let answered = catch_unwind(AssertUnwindSafe(|| {
                    answer(socket, dispatcher, &counters, datagram, &received);
                }));
                if answered.is_err() {
                    counters.panics.fetch_add(1, Relaxed);
                    error!(client = %received.source, "bug: a datagram panicked; it gets no reply");
                }
            }
            Ok(None) => return,
            Err(error) => {
                warn!(address = %socket.address(), %error, "cannot receive ng commands");
                // Out of memory or the like: do not spin.
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

fn answer<H: Handler>(
    socket: &NgSocket,
    dispatcher: &Mutex<Dispatcher<H>>,
    counters: &Counters,
    datagram: Bytes,
    received: &Received,
) {
    let origin = Origin {
        source: received.source,
        max_reply: MAX_PAYLOAD,
        now_ms: monotonic_ms(),
    };
    let Some(reply) = lock(dispatcher).dispatch(datagram, &origin) else {
        return;
    };
    if let Err(error) = socket.reply(&reply, received) {
        let client = received.source;
        // Only the first is worth a line: a forged source (port 0, say) makes as many as its sender likes.
        if counters.unsent.fetch_add(1, Relaxed) == 0 {
            warn!(%client, %error, "cannot send the reply to an ng command");
        } else {
            debug!(%client, %error, "cannot send the reply to an ng command");
        }
    }
}
