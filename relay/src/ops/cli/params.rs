//! `params`: every option with its value, at the start and now. What can be changed at run time is [`Parameters`].

use super::{Answer, CliTarget};
use crate::call::Hundredths;
use crate::ops::logging::Levels;

/// What `set` changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// `max-sessions`; `None` any number, 0 drains the relay.
    pub max_sessions: Option<u32>,
    /// `max-cpu` in percent; 0 off.
    pub max_cpu: Hundredths,
    /// `max-load`; 0 off.
    pub max_load: Hundredths,
    /// `max-bandwidth` in bytes a second; 0 off.
    pub max_bandwidth: u64,
    /// `timeout`, seconds.
    pub timeout: u64,
    /// `silent-timeout`, seconds.
    pub silent_timeout: u64,
    /// `offer-timeout`, seconds.
    pub offer_timeout: u64,
    /// `final-timeout`, seconds; 0 off.
    pub final_timeout: u64,
    /// `delete-delay`, seconds.
    pub delete_delay: u64,
    /// `control-tos`
    pub control_tos: u8,
    /// `log-level`, and those of parts.
    pub log_levels: Levels,
}

impl Parameters {
    /// Each by the name of its option.
    fn named(&self) -> [(&'static str, String); 11] {
        let max_sessions = self.max_sessions.map_or(-1, i64::from);
        [
            ("log-level", self.log_levels.general.to_string()),
            ("max-sessions", max_sessions.to_string()),
            ("max-cpu", format!("{:.1}", self.max_cpu.value())),
            ("max-load", format!("{:.2}", self.max_load.value())),
            ("max-bandwidth", self.max_bandwidth.to_string()),
            ("timeout", self.timeout.to_string()),
            ("silent-timeout", self.silent_timeout.to_string()),
            ("final-timeout", self.final_timeout.to_string()),
            ("offer-timeout", self.offer_timeout.to_string()),
            ("delete-delay", self.delete_delay.to_string()),
            ("control-tos", self.control_tos.to_string()),
        ]
    }
}

/// `params start` and `params current`.
pub(super) fn list(options: &[(&'static str, String)], parameters: &Parameters) -> Answer {
    let named = parameters.named();
    let mut text = String::new();
    for (option, value) in options {
        let changeable = named.iter().find(|(name, _)| name == option);
        let value = changeable.map_or(value, |(_, value)| value);
        text += &format!("{option} = {value}\n");
    }
    Answer::Text(text)
}

/// `params diff`.
pub(super) fn diff(target: &dyn CliTarget) -> Answer {
    let initial = target.initial_parameters().named();
    let current = target.parameters().named();
    let mut text = String::new();
    for ((option, before), (_, now)) in initial.iter().zip(&current) {
        if before != now {
            text += &format!("{option}: {before} => {now}\n");
        }
    }
    Answer::Text(text)
}
