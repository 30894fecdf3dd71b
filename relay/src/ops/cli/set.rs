//! `set`: what can be changed at run time. What is no value changes nothing.

use std::io;

use super::{CliTarget, Parameters};
use crate::call::Hundredths;
use crate::ops::limits;
use crate::ops::logging::{Levels, Part};

/// rtpengine does not go below it either: a relay without files is a relay without ports.
const LEAST_OPEN_FILES: u64 = 65_536;

/// `set NAME VALUE`; `None` if there is nothing of that name.
pub(super) fn set(name: &str, value: &str, target: &mut dyn CliTarget) -> Option<String> {
    let mut parameters = target.parameters();
    let outcome = match name {
        "maxopenfiles" => return Some(open_files(value)),
        "maxsessions" => max_sessions(value, &mut parameters),
        "maxcpu" => decimal(name, value, 1, &mut parameters.max_cpu),
        "maxload" => decimal(name, value, 2, &mut parameters.max_load),
        "maxbw" => whole(name, value, &mut parameters.max_bandwidth),
        "timeout" => whole("timeout", value, &mut parameters.timeout),
        "silenttimeout" => whole("timeout", value, &mut parameters.silent_timeout),
        "offertimeout" => whole("timeout", value, &mut parameters.offer_timeout),
        "finaltimeout" => whole("timeout", value, &mut parameters.final_timeout),
        "deletedelay" => bounded("delete-delay", value, u64::MAX, |delay| {
            parameters.delete_delay = delay;
        }),
        "controltos" => bounded("control-tos", value, 255, |tos| {
            parameters.control_tos = tos as u8;
        }),
        "loglevel" => bounded("loglevel", value, 7, |level| {
            parameters.log_levels = Levels::all(level as u8);
        }),
        _ => return None,
    };
    Some(match outcome {
        Ok(said) => {
            target.set_parameters(parameters);
            said
        }
        Err(said) => said,
    })
}

/// `set loglevel PART LEVEL`; `None` if no part of that name has a level of its own.
pub(super) fn set_log_level(name: &str, value: &str, target: &mut dyn CliTarget) -> Option<String> {
    let part = Part::named(name)?;
    let mut parameters = target.parameters();
    let levels = &mut parameters.log_levels;
    let outcome = bounded("loglevel", value, 7, |level| {
        *levels = levels.with(part, level as u8);
    });
    Some(match outcome {
        Ok(said) => {
            target.set_parameters(parameters);
            said
        }
        Err(said) => said,
    })
}

/// What is answered: to a value that was taken, and to one that was not.
type Outcome = Result<String, String>;

fn max_sessions(text: &str, parameters: &mut Parameters) -> Outcome {
    let number: i64 = text.parse().map_err(|_| no_digits("maxsessions", text))?;
    if number == -1 {
        parameters.max_sessions = None;
        return Ok("Success setting maxsessions to -1; disable feature\n".to_owned());
    }
    let max = u32::try_from(number).map_err(|_| {
        format!("Fail setting maxsessions to {number}; either positive or -1 values allowed\n")
    })?;
    parameters.max_sessions = Some(max);
    Ok(format!("Success setting maxsessions to {max}\n"))
}

fn whole(name: &str, text: &str, value: &mut u64) -> Outcome {
    *value = text.parse().map_err(|_| no_digits(name, text))?;
    Ok(format!("Success setting {name} to {value}\n"))
}

fn decimal(name: &str, text: &str, places: usize, value: &mut Hundredths) -> Outcome {
    *value = Hundredths::parse(text).ok_or_else(|| no_digits(name, text))?;
    Ok(format!(
        "Success setting {name} to {:.places$}\n",
        value.value()
    ))
}

fn bounded(name: &str, text: &str, most: u64, set: impl FnOnce(u64)) -> Outcome {
    let number = text.parse().ok().filter(|number| *number <= most);
    let number = number.ok_or_else(|| format!("Invalid {name} value\n"))?;
    set(number);
    Ok(format!("Success setting {name} to {number}\n"))
}

/// Misspelled like this in rtpengine, too.
fn no_digits(name: &str, text: &str) -> String {
    format!("Fail setting {name} to {text}; no digists found\n")
}

fn open_files(text: &str) -> String {
    let Ok(number) = text.parse::<u64>() else {
        return no_digits("open_files", text);
    };
    if number < LEAST_OPEN_FILES {
        return format!(
            "Fail setting open_files to {number}; can't set it under {LEAST_OPEN_FILES}\n"
        );
    }
    match limits::set_open_files(number) {
        Ok(()) => format!(
            "Success setting open_files to {number}; cat /proc/{}/limits\n",
            std::process::id()
        ),
        Err(error) => {
            let code = io::Error::raw_os_error(&error).unwrap_or_default();
            format!("Fail setting open_files to {number}; errno = {code}\n")
        }
    }
}
