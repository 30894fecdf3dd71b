//! One command line in, one answer out.

use std::fmt::Write;

use super::set::{set, set_log_level};
use super::statistics::json;
use super::totals::{counters, totals};
use super::{Answer, CliTarget, Families, SessionSummary, params, session};
use crate::ops::limits;
use crate::ops::logging::{Levels, Part};

const INCOMPLETE: &str = "More parameters required.\n";
const NO_SESSIONS: &str = "No sessions on this media relay.\n";
const NO_REDIS: &str = "No Redis here: every call is this relay's own.\n";
const NO_DEBUGGING: &str =
    "Calls are not debugged one by one: set loglevel 7 says more about all.\n";

const LISTED: &[&str] = &[
    "numsessions",
    "sessions",
    "totals",
    "counters",
    "maxopenfiles",
    "maxsessions",
    "maxcpu",
    "maxload",
    "maxbw",
    "timeout",
    "silenttimeout",
    "offertimeout",
    "finaltimeout",
    "loglevels",
    "loglevel",
    "controltos",
    "deletedelay",
    "interfaces",
    "jsonstats",
    "transcoders",
];

const SETTABLE: &[&str] = &[
    "maxopenfiles",
    "maxsessions",
    "maxcpu",
    "maxload",
    "maxbw",
    "timeout",
    "silenttimeout",
    "offertimeout",
    "finaltimeout",
    "loglevel",
    "controltos",
    "deletedelay",
];

/// Answers one line.
#[must_use]
pub fn answer(line: &str, target: &mut dyn CliTarget) -> Answer {
    let words: Vec<&str> = line.split_whitespace().collect();
    let text = match words.as_slice() {
        ["help"] => help(&[
            "list",
            "terminate",
            "set",
            "get",
            "params",
            "kslist",
            "active",
            "call",
        ]),
        ["list" | "get", "sessions", "all" | "own"] => {
            let sessions = target.sessions();
            if sessions.is_empty() {
                return Answer::Text(NO_SESSIONS.to_owned());
            }
            return Answer::Sessions(sessions);
        }
        ["params", "start"] => return params::list(target.options(), &target.initial_parameters()),
        ["params", "current"] => return params::list(target.options(), &target.parameters()),
        ["params", "diff"] => return params::diff(target),
        ["list" | "get", what @ ..] => list(what, target),
        ["set", what @ ..] => change(what, target),
        ["terminate", what @ ..] => terminate(what, target),
        ["params", what @ ..] => parameters(what, target),
        ["call", what @ ..] => call(what, target),
        ["debug"] => "No call ID specified\n".to_owned(),
        ["debug", ..] => NO_DEBUGGING.to_owned(),
        ["active"] => "Ok, all calls set to 'owned (active)'\n".to_owned(),
        ["kslist"] => "\nSubscribed-on keyspaces:\n\n".to_owned(),
        ["ksadd" | "ksrm" | "standby", ..] => NO_REDIS.to_owned(),
        words => unknown(words),
    };
    Answer::Text(text)
}

fn unknown(words: &[&str]) -> String {
    format!("Unknown or incomplete command::{}\n", words.join(" "))
}

fn help(words: &[&str]) -> String {
    let mut out = "Available sub-commands at this level:\n".to_owned();
    for word in words {
        out += &format!("\t{word}\n");
    }
    out
}

fn list(what: &[&str], target: &mut dyn CliTarget) -> String {
    let now = target.parameters();
    match what {
        [] | ["sessions"] => INCOMPLETE.to_owned(),
        ["help"] => help(LISTED),
        ["numsessions"] => session_counts(&target.sessions()),
        ["sessions", "foreign"] if target.sessions().is_empty() => NO_SESSIONS.to_owned(),
        ["sessions", "foreign"] => "No foreign sessions on this media relay.\n".to_owned(),
        ["sessions", call_id] => target.session(call_id).map_or_else(
            || format!("\nCall ID not found ({call_id}).\n\n"),
            |details| session::whole(&details),
        ),
        ["totals"] => totals(&target.metrics()),
        ["counters"] => counters(&target.metrics()),
        ["jsonstats"] => json(target).to_string(),
        ["interfaces"] => interfaces(target),
        ["transcoders"] => "No stats entries\n".to_owned(),
        ["maxsessions"] => format!(
            "Maximum sessions configured on rtpengine: {}\n",
            now.max_sessions.map_or(-1, i64::from)
        ),
        ["maxcpu"] => format!(
            "Maximum CPU usage configured on rtpengine: {:.1}\n",
            now.max_cpu.value()
        ),
        ["maxload"] => format!(
            "Maximum load average configured on rtpengine: {:.2}\n",
            now.max_load.value()
        ),
        ["maxbw"] => format!(
            "Maximum bandwidth configured on rtpengine: {}\n",
            now.max_bandwidth
        ),
        ["maxopenfiles"] => open_files(),
        ["timeout"] => format!("TIMEOUT={}\n", now.timeout),
        ["silenttimeout"] => format!("SILENT_TIMEOUT={}\n", now.silent_timeout),
        ["finaltimeout"] => format!("FINAL_TIMEOUT={}\n", now.final_timeout),
        ["offertimeout"] => format!("OFFER_TIMEOUT={}\n", now.offer_timeout),
        ["deletedelay"] => format!("{}\n", now.delete_delay),
        ["controltos"] => format!("{}\n", now.control_tos),
        ["loglevels"] => log_parts(),
        ["loglevel"] => log_levels(now.log_levels),
        ["loglevel", "core"] => format!("{}\n", now.log_levels.general),
        ["loglevel", name] if let Some(part) = Part::named(name) => {
            format!("{}\n", now.log_levels.of(part))
        }
        ["redisallowederrors" | "redisdisabletime" | "redisconnecttimeout" | "rediscmdtimeout"] => {
            NO_REDIS.to_owned()
        }
        words => unknown(words),
    }
}

fn change(what: &[&str], target: &mut dyn CliTarget) -> String {
    match what {
        [] | [_] if what != ["help"] => INCOMPLETE.to_owned(),
        ["help"] => help(SETTABLE),
        ["loglevel", "core" | "all", level] => change(&["loglevel", level], target),
        ["loglevel", name, level] => set_log_level(name, level, target).unwrap_or_else(|| {
            format!("{name} has no log level of its own: set loglevel LEVEL is for all\n")
        }),
        [name, value] if name.starts_with("redis") && value.parse::<i64>().is_ok() => {
            NO_REDIS.to_owned()
        }
        [name, value] => set(name, value, target).unwrap_or_else(|| unknown(what)),
        words => unknown(words),
    }
}

fn log_parts() -> String {
    let mut out = "core - Everything else\n".to_owned();
    for part in Part::ALL {
        out += &format!("{} - {}\n", part.name(), part.about());
    }
    out
}

fn log_levels(levels: Levels) -> String {
    let mut out = format!("core = {}\n", levels.general);
    for part in Part::ALL {
        out += &format!("{} = {}\n", part.name(), levels.of(part));
    }
    out
}

fn terminate(what: &[&str], target: &mut dyn CliTarget) -> String {
    match what {
        ["all"] => {
            target.terminate_all();
            "All calls terminated by operator.\n".to_owned()
        }
        ["own"] => {
            target.terminate_all();
            "All own calls terminated by operator.\n".to_owned()
        }
        ["foreign"] => "All foreign calls terminated by operator.\n".to_owned(),
        [call_id] if target.terminate(call_id) => {
            format!("\nCall Id ({call_id}) successfully terminated by operator.\n\n")
        }
        [call_id] => format!("\nCall Id not found ({call_id}).\n\n"),
        _ => INCOMPLETE.to_owned(),
    }
}

fn parameters(what: &[&str], target: &mut dyn CliTarget) -> String {
    match what {
        [] => INCOMPLETE.to_owned(),
        ["help"] => help(&["start", "current", "diff", "revert"]),
        ["revert"] => {
            let initial = target.initial_parameters();
            target.set_parameters(initial);
            String::new()
        }
        words => unknown(words),
    }
}

fn call(what: &[&str], target: &mut dyn CliTarget) -> String {
    let [call_id, what @ ..] = what else {
        return INCOMPLETE.to_owned();
    };
    let Some(details) = target.session(call_id) else {
        return format!("No such call '{call_id}'\n");
    };
    match what {
        ["help"] => help(&["info", "terminate", "tag"]),
        ["info"] => session::whole(&details),
        ["terminate"] => {
            target.terminate(call_id);
            format!("\nCall '{call_id}' terminated.\n\n")
        }
        ["debug", ..] => NO_DEBUGGING.to_owned(),
        ["tag"] => INCOMPLETE.to_owned(),
        ["tag", tag, what @ ..] => match (session::one_tag(&details, tag), what) {
            (None, _) => format!("No such tag '{tag}'\n"),
            (Some(_), ["help"]) => help(&["info"]),
            (Some(text), ["info"]) => text,
            (Some(_), what) => unknown(what),
        },
        words => unknown(words),
    }
}

fn session_counts(sessions: &[SessionSummary]) -> String {
    let total = sessions.len();
    let count = |families| {
        let of = sessions.iter();
        of.filter(|session| session.families == families).count()
    };
    format!(
        "Current sessions own: {total}\n\
         Current sessions foreign: 0\n\
         Current sessions total: {total}\n\
         Current transcoded media: 0\n\
         Current sessions ipv4 only media: {}\n\
         Current sessions ipv6 only media: {}\n\
         Current sessions ip mixed  media: {}\n",
        count(Families::V4),
        count(Families::V6),
        count(Families::Mixed),
    )
}

fn interfaces(target: &dyn CliTarget) -> String {
    let mut out = String::new();
    for ports in &target.metrics().ports {
        let (used, total) = (ports.used, ports.used + ports.free);
        let family = if ports.address.is_ipv4() {
            "IPv4"
        } else {
            "IPv6"
        };
        // Writing to a String cannot fail. There is no last port: they are handed out in no order.
        let _ = write!(
            out,
            "Interface '{}' address '{}' ({family})\n Port range: {} - {}\n \
             Ports used: {used:>5} / {total:>5} ({:>5.1}%)\n",
            ports.interface,
            ports.address,
            ports.range.first,
            ports.range.last,
            100.0 * used as f64 / total.max(1) as f64,
        );
    }
    out
}

fn open_files() -> String {
    let pid = std::process::id();
    match limits::open_files() {
        Ok(limit) => {
            format!("Maximum open-files configured on rtpengine: {limit}; cat /proc/{pid}/limits\n")
        }
        Err(error) => format!("The limit of open files cannot be read: {error}\n"),
    }
}
