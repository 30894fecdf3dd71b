//! Texts read as numbers, flags and durations, with the error that says what was expected.

use std::path::PathBuf;
use std::time::Duration;

use super::error::ConfigError;
use super::options::{Kind, OptionSpec};
use super::settings::{Given, Setting, Settings};
use crate::call::Hundredths;

/// rtpengine's rule: what is not positive is the default.
pub(super) fn positive_seconds(
    settings: &Settings,
    name: &'static str,
) -> Result<Duration, ConfigError> {
    let given = seconds(settings, name)?;
    if !given.is_zero() {
        return Ok(given);
    }
    let default = setting(settings, name).spec.default.parse().unwrap_or(0);
    Ok(Duration::from_secs(default))
}

pub(super) fn seconds(settings: &Settings, name: &'static str) -> Result<Duration, ConfigError> {
    let seconds = integer(settings, name)?;
    Ok(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
}

pub(super) fn integer(settings: &Settings, name: &'static str) -> Result<i64, ConfigError> {
    let setting = setting(settings, name);
    let Kind::Integer { min, max } = setting.spec.kind else {
        unreachable!("{name} is an integer in the table of options");
    };
    let text = setting.scalar();
    let number = match text.strip_prefix("0x") {
        Some(hexadecimal) => i64::from_str_radix(hexadecimal, 16),
        None => text.parse::<i64>(),
    };
    let bounds = || match (min, max) {
        (i64::MIN.., _) if min == i64::from(i32::MIN) => "expected a whole number".to_owned(),
        _ if max == i64::from(i32::MAX) => format!("expected a whole number, {min} or more"),
        _ => format!("expected a whole number from {min} to {max}"),
    };
    match number {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ => Err(bad_scalar(setting, &bounds())),
    }
}

pub(super) fn decimal(settings: &Settings, name: &'static str) -> Result<Hundredths, ConfigError> {
    let setting = setting(settings, name);
    Hundredths::parse(setting.scalar())
        .ok_or_else(|| bad_scalar(setting, "expected a number, 0 or more"))
}

pub(super) fn flag(settings: &Settings, name: &'static str) -> Result<bool, ConfigError> {
    let setting = setting(settings, name);
    match setting.scalar() {
        "true" | "1" => Ok(true),
        text if is_false(text) => Ok(false),
        _ => Err(bad_scalar(setting, "expected true or false")),
    }
}

pub(super) fn is_false(text: &str) -> bool {
    matches!(text, "false" | "0")
}

pub(super) fn path(settings: &Settings, name: &'static str) -> Option<PathBuf> {
    let text = setting(settings, name).scalar();
    (!text.is_empty()).then(|| PathBuf::from(text))
}

#[expect(
    clippy::expect_used,
    reason = "settings start from the defaults of the whole table, and names are from the table"
)]
pub(super) fn setting<'a>(settings: &'a Settings, name: &'static str) -> &'a Setting {
    settings.get(name).expect("an option of the table")
}

pub(super) fn bad_scalar(setting: &Setting, problem: &str) -> ConfigError {
    let given = Given {
        text: setting.scalar().to_owned(),
        origin: setting.origin.clone(),
    };
    bad(setting.spec, &given, problem)
}

pub(super) fn bad(option: &OptionSpec, given: &Given, problem: &str) -> ConfigError {
    ConfigError::BadValue {
        option: option.long.to_owned(),
        value: given.text.clone(),
        origin: given.origin.clone(),
        problem: problem.to_owned(),
    }
}
