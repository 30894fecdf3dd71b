//! One request in, at most one reply out: the duplicate cache, decoding, the handler.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ng_protocol::{Command, Datagram, Reply, Request, Templates};
use tracing::{debug, error};

use super::cache::{Cached, DuplicateCache, Limits};
use super::counters::Counters;

/// Where a request came from, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The client's address and port.
    pub source: SocketAddr,
    /// The longest reply that its transport takes, in bytes.
    pub max_reply: usize,
    /// When it came, ms of CLOCK_MONOTONIC.
    pub now_ms: u64,
}

/// What whole requests and replies are logged as, of calls that are debugged: whatever the level.
pub const DUMP: &str = "dump";

/// Carries out commands.
pub trait Handler {
    /// Whether a request is about a call that is debugged: it is logged whole, and so is its reply.
    fn is_debugged(&self, request: &Request) -> bool {
        request.options.flags.debug
    }

    /// Carries out one command, whichever but `ping`. Commands come one at a time; duplicates never come.
    fn handle(&mut self, request: &Request, origin: &Origin) -> Reply;

    /// Called after [`Self::handle`] panicked, with the same request. Whatever that call was, it may be half done now:
    /// it must be ended and forgotten, with its ports and flows, so that nothing inconsistent lives on. A panic in here
    /// ends the process.
    fn discard(&mut self, request: &Request);
}

/// Answers datagrams.
///
/// A panic of the handler is a bug, but it must not take the node's other calls down: it is logged with the call-id,
/// the call is discarded, and the client gets an error.
#[derive(Debug)]
pub struct Dispatcher<H> {
    handler: H,
    cache: DuplicateCache,
    templates: Templates,
    counters: Arc<Counters>,
}

impl<H: Handler> Dispatcher<H> {
    /// A dispatcher with an empty duplicate cache.
    pub fn new(handler: H, limits: Limits) -> Self {
        Self {
            handler,
            cache: DuplicateCache::new(limits),
            counters: Arc::default(),
            templates: Templates::NONE,
        }
    }

    /// Requests may name these options.
    #[must_use]
    pub fn with_templates(mut self, templates: Templates) -> Self {
        self.templates = templates;
        self
    }

    /// What was counted, live.
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.counters)
    }

    /// The handler, for what comes from elsewhere than ng: timers, the CLI.
    pub fn handler_mut(&mut self) -> &mut H {
        &mut self.handler
    }

    /// The duplicate cache, to look at.
    pub fn cache(&self) -> &DuplicateCache {
        &self.cache
    }

    /// Answers a datagram; `None` if it gets no reply.
    ///
    /// The very same bytes are answered with the very same reply while it is remembered. What is answered without the
    /// handler (`ping`, errors of the protocol) needs no memory for that, so garbage takes none.
    pub fn dispatch(&mut self, bytes: Bytes, origin: &Origin) -> Option<Bytes> {
        let Ok(datagram) = Datagram::split(bytes.clone()) else {
            self.counters.without_cookie.fetch_add(1, Relaxed);
            debug!(source = %origin.source, "datagram without a cookie");
            return None;
        };
        let fingerprint = self.cache.fingerprint(&bytes);
        if let Some(cached) = self.cache.get(fingerprint, origin.now_ms) {
            let Cached { command, reply } = cached.clone();
            self.count(command, origin, Outcome::Duplicate);
            return Some(reply);
        }
        let (command, reply) = self.carry_out(&datagram, origin);
        if let Some(command) = command.filter(|command| *command != Command::Ping) {
            let cached = Cached {
                command,
                reply: reply.clone(),
            };
            self.cache.insert(fingerprint, cached, origin.now_ms);
        }
        Some(reply)
    }

    /// Answers a dictionary that came without a cookie, as in ng-plain. It has no duplicates: it is carried out as often as
    /// it comes.
    pub fn dispatch_plain(&mut self, payload: Bytes, origin: &Origin) -> Bytes {
        let (_, reply) = self.carry_out(&Datagram::bare(payload), origin);
        reply
    }

    /// The reply, and the command if it is one.
    fn carry_out(&mut self, datagram: &Datagram, origin: &Origin) -> (Option<Command>, Bytes) {
        let began = Instant::now();
        let request = match datagram.request_with(&self.templates) {
            Ok(request) => request,
            Err(error) => {
                self.counters.malformed.fetch_add(1, Relaxed);
                debug!(source = %origin.source, %error, "not a request");
                return (None, datagram.reply(&error.reply()).into());
            }
        };
        log_without_effect(&request, origin);
        let command = request.command;
        let is_debugged = self.handler.is_debugged(&request);
        let reply = match command {
            Command::Ping => Reply::pong(),
            _ => self.handle(&request, origin),
        };
        let error = reply.is_error();
        let reply = encode(datagram, command, &reply, origin.max_reply);
        if is_debugged {
            debug!(
                target: DUMP,
                source = %origin.source,
                command = command.name(),
                request = %datagram.payload.escape_ascii(),
                reply = %reply.escape_ascii(),
            );
        }
        let took = began.elapsed();
        self.count(command, origin, Outcome::CarriedOut { error, took });
        (Some(command), reply)
    }

    fn handle(&mut self, request: &Request, origin: &Origin) -> Reply {
        // What a panic may leave inconsistent is the call, and that is discarded below.
        let handled = catch_unwind(AssertUnwindSafe(|| self.handler.handle(request, origin)));
        let Ok(reply) = handled else {
            self.counters.panics.fetch_add(1, Relaxed);
            let call_id = request.call_id.as_deref().unwrap_or_default();
            error!(
                command = request.command.name(),
                call_id = %call_id.escape_ascii(),
                "bug: a command panicked; its call is discarded"
            );
            let discarded = catch_unwind(AssertUnwindSafe(|| self.handler.discard(request)));
            if discarded.is_err() {
                error!("bug: discarding the call panicked, too; its state cannot be trusted");
                std::process::abort();
            }
            return Reply::error("Internal error");
        };
        reply
    }

    fn count(&self, command: Command, origin: &Origin, outcome: Outcome) {
        let proxy = self.counters.proxy(origin.source.ip());
        for table in [Some(&self.counters.total), proxy.as_deref()]
            .into_iter()
            .flatten()
        {
            let counters = table.get(command);
            match outcome {
                Outcome::Duplicate => {
                    counters.duplicates.fetch_add(1, Relaxed);
                }
                Outcome::CarriedOut { error, took } => counters.carried_out(error, took),
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Outcome {
    Duplicate,
    CarriedOut { error: bool, took: Duration },
}

fn encode(datagram: &Datagram, command: Command, reply: &Reply, max_reply: usize) -> Bytes {
    let mut encoded = datagram.reply(reply);
    if encoded.len() > max_reply {
        encoded = datagram.reply(&match command {
            // The call is gone, whether or not its statistics fit.
            Command::Delete if !reply.is_error() => Reply::ok(),
            _ => Reply::error("Reply too large"),
        });
    }
    // Copied, so as to keep no spare capacity: the cache counts bytes.
    Bytes::copy_from_slice(&encoded)
}

fn log_without_effect(request: &Request, origin: &Origin) {
    let options = &request.options;
    if options.unknown.is_empty() && options.ignored.is_empty() {
        return;
    }
    debug!(
        source = %origin.source,
        command = request.command.name(),
        unknown = ?options.unknown,
        ignored = ?options.ignored,
        "options without effect"
    );
}
