//! Signals: SIGINT and SIGTERM end all calls and stop the relay; SIGUSR2 stops it and leaves its calls to a successor;
//! SIGUSR1 makes it say more, and after the most as little as it can.

use std::fmt;
use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::logging::{LogLevel, MAX_LEVEL};

/// Registered signal handlers.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    more: Signal,
    hand_over: Signal,
}

/// How the relay is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopRequest {
    /// By the signal of this name: calls end.
    Stop(&'static str),
    /// SIGUSR2: calls go on, and a successor takes them up.
    HandOver,
}

impl fmt::Display for StopRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stop(signal) => signal,
            Self::HandOver => "SIGUSR2",
        })
    }
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
            more: signal(SignalKind::user_defined1())?,
            hand_over: signal(SignalKind::user_defined2())?,
        })
    }

    /// Returns when the relay is asked to stop. Changes the log level in the meantime.
    pub async fn stop_requested(&mut self, level: &LogLevel) -> StopRequest {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return StopRequest::Stop("SIGINT"),
                _ = self.terminate.recv() => return StopRequest::Stop("SIGTERM"),
                _ = self.hand_over.recv() => return StopRequest::HandOver,
                _ = self.more.recv() => level.set((level.get() + 1) % (MAX_LEVEL + 1)),
            }
            tracing::warn!("log level is {} now", level.get());
        }
    }
}
