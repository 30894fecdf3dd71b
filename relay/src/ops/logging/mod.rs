//! Logging: to stderr or syslog, at rtpengine's levels.

mod parts;
mod syslog;

use std::sync::{Arc, Mutex, PoisonError};

use tracing::Metadata;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Registry;
use tracing_subscriber::filter::{Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Layer, fmt};

pub use parts::{Levels, Part};
pub use syslog::{Facilities, Facility, UnknownFacility};

use crate::config::ProcessConfig;
use crate::control::dispatch::DUMP;
use syslog::Syslog;

/// The most that can be said.
pub(super) const MAX_LEVEL: u8 = 7;

/// What records of calls are logged as: whatever the level, with a facility of their own (`log-facility-cdr`).
pub const CDR: &str = "cdr";
/// The same of digits (`log-facility-dtmf`).
pub const DTMF: &str = "dtmf";

/// The level, to be changed while running.
#[derive(Clone, Debug)]
pub struct LogLevel {
    levels: Arc<Mutex<Levels>>,
    filter: reload::Handle<Targets, Registry>,
}

impl LogLevel {
    /// 0 (emergency) to 7 (debug).
    #[must_use]
    pub fn get(&self) -> u8 {
        self.levels().general
    }

    /// Sets it, for all parts; above 7 is 7.
    pub fn set(&self, level: u8) {
        self.set_levels(Levels::all(level.min(MAX_LEVEL)));
    }

    /// The levels of all parts.
    #[must_use]
    pub fn levels(&self) -> Levels {
        *self.levels.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets them.
    pub fn set_levels(&self, levels: Levels) {
        *self.levels.lock().unwrap_or_else(PoisonError::into_inner) = levels;
        // Fails only where logging is gone, and then there is nothing to say it to.
        let _ = self.filter.reload(targets(levels));
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
/// container collects), or if there is no syslog daemon; else to syslog. Records go to syslog whenever there is a daemon: their
/// facility is what they are told apart by.
///
/// # Errors
/// When logging has been started before.
pub fn start(config: &ProcessConfig) -> Result<(LogLevel, Destination), TryInitError> {
    let stderr = config.log_stderr || config.foreground;
    let syslog = if stderr {
        None
    } else {
        Syslog::connect(config.facilities)
    };
    let destination = match syslog {
        Some(_) => Destination::Syslog,
        None => Destination::Stderr,
    };
    // Which module says it matters to whoever debugs.
    let with_target = config.log_levels.general >= MAX_LEVEL;
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
    let facilities = config.facilities;
    let are_kept = facilities.cdr.or(facilities.dtmf).is_some();
    let records = are_kept.then(|| Syslog::connect(facilities)).flatten();
    let is_apart = records.is_some();
    let lines = lines.with_filter(filter_fn(move |meta| !(is_apart && is_record(meta))));
    let records = records.map(|syslog| {
        let lines = fmt::layer().with_ansi(false).with_target(false);
        let lines = lines.without_time().with_level(false).with_writer(syslog);
        lines.with_filter(filter_fn(is_record))
    });
    let (filter, handle) = reload::Layer::new(targets(config.log_levels));
    tracing_subscriber::registry()
        .with(filter)
        .with(lines)
        .with(records)
        .try_init()?;
    let level = LogLevel {
        levels: Arc::new(Mutex::new(config.log_levels)),
        filter: handle,
    };
    Ok((level, destination))
}

fn is_record(meta: &Metadata<'_>) -> bool {
    matches!(meta.target(), CDR | DTMF)
}

/// Our own lines at the levels of their parts; of the libraries below us, warnings at most. Records, and calls that are debugged, are
/// always logged: who does not want them does not ask for them.
fn targets(levels: Levels) -> Targets {
    let general = filter_of(levels.general);
    let mut targets = Targets::new()
        .with_default(general.min(LevelFilter::WARN))
        .with_target("underpass", general)
        .with_target(CDR, LevelFilter::INFO)
        .with_target(DTMF, LevelFilter::INFO)
        .with_target(DUMP, LevelFilter::DEBUG);
    for part in Part::ALL {
        let level = filter_of(levels.of(part));
        for target in part.targets() {
            targets = targets.with_target(*target, level);
        }
    }
    targets
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
    fn a_part_may_say_more_or_less_than_the_rest() {
        let levels = Levels::all(6).with(Part::Control, 7).with(Part::Http, 4);
        let targets = targets(levels);
        let says = |target, level| targets.would_enable(target, &level);
        assert!(says("underpass::control::udp", tracing::Level::DEBUG));
        assert!(!says("underpass::call", tracing::Level::DEBUG));
        assert!(says("underpass::media", tracing::Level::INFO));
        assert!(!says("underpass::ops::http::tls", tracing::Level::INFO));
    }

    #[test]
    fn records_are_logged_whatever_the_level() {
        let targets = targets(Levels::all(0));
        assert!(targets.would_enable(CDR, &tracing::Level::INFO));
        assert!(targets.would_enable(DUMP, &tracing::Level::DEBUG));
        assert!(!targets.would_enable("underpass::call", &tracing::Level::INFO));
    }

    #[test]
    fn every_part_is_called_by_one_name_of_rtpengines() {
        for part in Part::ALL {
            assert_eq!(Part::named(part.name()), Some(part));
            assert_eq!(Levels::all(6).with(part, 3).of(part), 3);
            let option = format!("log-level-{}", part.name());
            assert!(
                crate::config::options::by_long(&option).is_some_and(|option| option.has_effect())
            );
        }
        assert_eq!(Part::named("ffmpeg"), None);
    }

    #[test]
    fn libraries_never_say_more_than_warnings() {
        let targets = targets(Levels::all(7));
        assert!(targets.would_enable("underpass::call", &tracing::Level::DEBUG));
        assert!(!targets.would_enable("hyper::proto", &tracing::Level::INFO));
        assert!(targets.would_enable("hyper::proto", &tracing::Level::WARN));
    }
}
