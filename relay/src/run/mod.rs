//! Being a relay: from a configuration to the exit.

mod calls;
mod digits;
mod interval;
mod journaling;
mod kept;
mod load;
mod office;
mod operators;
mod peers;
mod said;
mod start;
mod survival;
mod table;

use std::io;

use crate::config::{self, Config, ListenError, Loaded};
use crate::media::{MediaError, MediaPorts};
use crate::ops::daemon::Background;
use crate::ops::http::TlsError;
use crate::ops::pidfile::PidFile;
use crate::ops::signals::{Signals, StopRequest};
use crate::ops::{limits, logging, notify};
use crate::recording::RecorderError;
use start::Relay;
use table::NoTable;

/// Why the relay stopped, or never started.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// An address to listen on cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// HTTPS without a certificate that can be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The kernel refused something that everything stands on.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// Logging is taken already.
    #[error("logging cannot be started: {0}")]
    Logging(#[from] tracing_subscriber::util::TryInitError),
    /// No table to be had.
    #[error(transparent)]
    Table(NoTable),
    /// No kernel forwarding, and `no-fallback` is set.
    #[error("{0}; not going on in user space because of no-fallback")]
    NoFallback(NoTable),
    /// Media can't work.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// Calls cannot be recorded.
    #[error(transparent)]
    Recorder(#[from] RecorderError),
}

/// Runs the relay until SIGINT, SIGTERM, or SIGUSR2, which leaves its calls to a successor.
///
/// # Errors
/// Whatever keeps it from starting, or from going on.
pub fn run(loaded: Loaded, background: Background) -> Result<(), RunError> {
    let options = config::values(&loaded);
    let config = loaded.config;
    let (log_level, destination) = logging::start(&config.process)?;
    for note in &loaded.notes {
        tracing::info!("{note}");
    }
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    check_open_files(&config);
    if let Err(error) = limits::use_small_pages() {
        tracing::debug!("huge pages cannot be turned off: {error}");
    }
    let runtime = tokio::runtime::Runtime::new().map_err(system("cannot start threads"))?;
    runtime.block_on(async {
        let mut signals = Signals::register().map_err(system("cannot take over signals"))?;
        let relay = Relay::start(&config, options, log_level.clone()).await?;
        let pidfile = config.process.pidfile.as_deref();
        let _pidfile = pidfile.and_then(PidFile::write_or_warn);
        background
            .ready(destination)
            .map_err(system("cannot go into the background"))?;
        if let Err(error) = notify::ready() {
            tracing::warn!("cannot tell systemd that the relay is ready: {error}");
        }
        let request = signals.stop_requested(&log_level).await;
        tracing::info!("{request}: stopping");
        // Nobody is left to tell if this fails.
        let _ = notify::stopping();
        match request {
            StopRequest::Stop(_) => relay.stop().await,
            StopRequest::HandOver => relay.hand_over().await,
        }
        Ok(())
    })
}

/// Every media port is an open file.
fn check_open_files(config: &Config) {
    let wanted: u64 = config.media_ports.values().map(MediaPorts::count).sum();
    match limits::raise_open_files() {
        Ok(limit) if limit < wanted => tracing::warn!(
            "{limit} open files are allowed, fewer than the {wanted} media ports: raise the limit (ulimit -n, or \
             LimitNOFILE= in the unit)"
        ),
        Ok(_) => {}
        Err(error) => tracing::warn!("the limit of open files cannot be raised: {error}"),
    }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> RunError {
    move |source| RunError::System { what, source }
}
