//! Signals: SIGINT and SIGTERM stop the relay, SIGUSR1 and SIGUSR2 make it say less and more, as in rtpengine.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::logging::LogLevel;

/// Registered signal handlers.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    less: Signal,
    more: Signal,
}

impl Signals {
    /// Takes the signals over, from now on; inside a tokio runtime.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn register() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            less: signal(SignalKind::user_defined1())?,
            more: signal(SignalKind::user_defined2())?,
        })
    }

    /// Returns when the relay is asked to stop, with the name of the signal. Changes the log level in the meantime.
    pub async fn stop_requested(&mut self, level: &LogLevel) -> &'static str {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return "SIGINT",
                _ = self.terminate.recv() => return "SIGTERM",
                _ = self.less.recv() => level.set(level.get().saturating_sub(1)),
                _ = self.more.recv() => level.set(level.get() + 1),
            }
            tracing::warn!("log level is {} now", level.get());
        }
    }
}
