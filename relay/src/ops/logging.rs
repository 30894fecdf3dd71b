//! Logging: to stderr or syslog, at rtpengine's levels.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, fmt};

use super::syslog::Syslog;
use crate::config::ProcessConfig;

/// The most that can be said.
pub(super) const MAX_LEVEL: u8 = 7;

/// The level, to be changed while running.
#[derive(Clone, Debug)]
pub struct LogLevel {
    level: Arc<AtomicU8>,
    filter: reload::Handle<Targets, Registry>,
}

impl LogLevel {
    /// 0 (emergency) to 7 (debug).
    #[must_use]
    pub fn get(&self) -> u8 {
        self.level.load(Ordering::Relaxed)
    }

    /// Sets it; above 7 is 7.
    pub fn set(&self, level: u8) {
        let level = level.min(MAX_LEVEL);
        self.level.store(level, Ordering::Relaxed);
        // Fails only where logging is gone, and then there is nothing to say it to.
        let _ = self.filter.reload(targets(level));
    }
}

/// Where lines go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Standard error.
    Stderr,
    /// The local syslog daemon.
    Syslog,
}

/// Starts logging as configured; once per process.
///
/// Lines go to stderr if the operator says so, if the relay stays in the foreground (somebody looks, or systemd or a
/// container collects), or if there is no syslog daemon; else to syslog.
///
/// # Errors
/// When logging has been started before.
pub fn start(config: &ProcessConfig) -> Result<(LogLevel, Destination), TryInitError> {
    let stderr = config.log_stderr || config.foreground;
    let syslog = if stderr { None } else { Syslog::connect() };
    let destination = match syslog {
        Some(_) => Destination::Syslog,
        None => Destination::Stderr,
    };
    // Which module says it matters to whoever debugs.
    let with_target = config.log_level >= MAX_LEVEL;
    let lines = fmt::layer().with_ansi(false).with_target(with_target);
    let lines: Box<dyn Layer<_> + Send + Sync> = match syslog {
        Some(syslog) => lines
            .without_time()
            .with_level(false)
            .with_writer(syslog)
            .boxed(),
        None if config.log_timestamps => lines.with_writer(std::io::stderr).boxed(),
        None => lines.without_time().with_writer(std::io::stderr).boxed(),
    };
    let (filter, handle) = reload::Layer::new(targets(config.log_level));
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .try_init()?;
    let level = LogLevel {
        level: Arc::new(AtomicU8::new(config.log_level.min(MAX_LEVEL))),
        filter: handle,
    };
    Ok((level, destination))
}

/// Our own lines at `level`; of the libraries below us, warnings at most.
fn targets(level: u8) -> Targets {
    let level = filter_of(level);
    Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("underpass", level)
        .with_target("ng_protocol", level)
}

fn filter_of(level: u8) -> LevelFilter {
    match level {
        0..=3 => LevelFilter::ERROR,
        4..=5 => LevelFilter::WARN,
        6 => LevelFilter::INFO,
        _ => LevelFilter::DEBUG,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syslog_numbers_are_levels_at_least_as_quiet() {
        let filters: Vec<LevelFilter> = (0..=7).map(filter_of).collect();
        let (error, warn) = (LevelFilter::ERROR, LevelFilter::WARN);
        let expected = [
            error,
            error,
            error,
            error,
            warn,
            warn,
            LevelFilter::INFO,
            LevelFilter::DEBUG,
        ];
        assert_eq!(filters, expected);
    }

    #[test]
    fn libraries_never_say_more_than_warnings() {
        let targets = targets(7);
        assert!(targets.would_enable("underpass::call", &tracing::Level::DEBUG));
        assert!(!targets.would_enable("hyper::proto", &tracing::Level::INFO));
        assert!(targets.would_enable("hyper::proto", &tracing::Level::WARN));
    }
}
