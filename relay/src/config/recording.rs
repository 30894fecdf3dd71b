//! `recording-dir`, `recording-method`, `recording-format`, and the star codes `vsc-*`.

use super::RecordingConfig;
use super::error::ConfigError;
use super::settings::Settings;
use super::value::{bad_scalar, flag, path, setting};
use crate::call::StarCodes;
use crate::plan::code_of;
use crate::recording::{Format, Sides};

/// Where and how calls are recorded. rtpengine's method `proc` leaves packets to its kernel module and another process; nothing
/// here does that, so an operator who counts on it is told.
pub(super) fn recording(
    settings: &Settings,
    warnings: &mut Vec<String>,
) -> Result<Option<RecordingConfig>, ConfigError> {
    let format = setting(settings, "recording-format");
    let format = match format.scalar() {
        "raw" => Format::Raw,
        "eth" => Format::Ethernet,
        _ => return Err(bad_scalar(format, "expected raw or eth")),
    };
    let method = setting(settings, "recording-method");
    let directory = path(settings, "recording-dir");
    let origin = &method.origin;
    let files = match method.scalar() {
        "pcap" => true,
        "all" => {
            if directory.is_some() {
                warnings.push(format!(
                    "recording-method all ({origin}): calls are recorded into pcap files alone"
                ));
            }
            true
        }
        "proc" => {
            if directory.is_some() {
                warnings.push(format!(
                    "recording-method proc ({origin}): there is no /proc/rtpengine here for a recording daemon to read, so no \
                     call is recorded; set it to pcap"
                ));
            }
            false
        }
        _ => return Err(bad_scalar(method, "expected pcap, proc or all")),
    };
    let both = flag(settings, "record-both")?;
    let egress = flag(settings, "record-egress")?;
    let sides = Sides {
        ingress: both || !egress,
        egress: both || egress,
    };
    let directory = directory.filter(|_| files);
    Ok(directory.map(|directory| RecordingConfig {
        directory,
        format,
        sides,
    }))
}

/// What parties dial to control recordings.
pub(super) fn star_codes(settings: &Settings) -> Result<StarCodes, ConfigError> {
    let code = |name| {
        let setting = setting(settings, name);
        let text = setting.scalar();
        if text.chars().any(|digit| code_of(digit).is_none()) {
            return Err(bad_scalar(setting, "expected digits, *, # and A to D"));
        }
        Ok((!text.is_empty()).then(|| text.to_ascii_uppercase()))
    };
    Ok(StarCodes {
        start: code("vsc-start-rec")?,
        stop: code("vsc-stop-rec")?,
        start_stop: code("vsc-start-stop-rec")?,
        pause: code("vsc-pause-rec")?,
        pause_resume: code("vsc-pause-resume-rec")?,
        start_pause_resume: code("vsc-start-pause-resume-rec")?,
    })
}
