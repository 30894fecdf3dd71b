//! One command line in, one answer out. The words of both are rtpengine's, so that scripts around rtpengine-ctl work.

use std::fmt::Write;

use super::{CliTarget, Families, SessionSummary};
use crate::ops::metrics::MetricsSnapshot;

const INCOMPLETE: &str = "More parameters required.\n";

/// Answers one line.
#[must_use]
pub fn answer(line: &str, target: &dyn CliTarget) -> String {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words.as_slice() {
        ["help"] => help(&["list", "get", "set", "terminate"]),
        ["list" | "get", "help"] => help(&["numsessions", "sessions", "maxsessions", "totals"]),
        ["set", "help"] => help(&["maxsessions"]),
        ["list" | "get", "numsessions"] => session_counts(&target.sessions()),
        ["list" | "get", "maxsessions"] => max_sessions(target),
        ["list" | "get", "totals"] => totals(&target.metrics()),
        ["list" | "get", "sessions", "all" | "own"] => session_list(&target.sessions()),
        ["list" | "get", "sessions", "foreign"] => String::new(),
        ["list" | "get", "sessions", call_id] => session(call_id, target),
        ["set", "maxsessions", number] => set_max_sessions(number, target),
        ["terminate", "all"] => {
            target.terminate_all();
            "All calls terminated by operator.\n".to_owned()
        }
        ["terminate", "own"] => {
            target.terminate_all();
            "All own calls terminated by operator.\n".to_owned()
        }
        ["terminate", "foreign"] => "All foreign calls terminated by operator.\n".to_owned(),
        ["terminate", call_id] => terminate(call_id, target),
        ["list" | "get" | "set" | "terminate"]
        | ["list" | "get", "sessions"]
        | ["set", "maxsessions"] => INCOMPLETE.to_owned(),
        _ => format!("Not a command of underpass: {}\n", words.join(" ")),
    }
}

fn help(words: &[&str]) -> String {
    let mut out = "Available sub-commands at this level:\n".to_owned();
    for word in words {
        out += &format!("\t{word}\n");
    }
    out
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

fn session_list(sessions: &[SessionSummary]) -> String {
    let mut out = String::new();
    for session in sessions {
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "callid: {:>60} | deletionmark:{:>4} | created:{:>12} | proxy:{} | redis_keyspace:0 | foreign:no",
            session.call_id,
            yes_no(session.deleted),
            session.created,
            session.proxy,
        );
    }
    out
}

fn session(call_id: &str, target: &dyn CliTarget) -> String {
    let Some(details) = target.session(call_id) else {
        return format!("\nCall ID not found ({call_id}).\n\n");
    };
    let summary = &details.summary;
    let mut out = format!(
        "\ncallid: {}\ndeletionmark: {}\ncreated: {}\nproxy: {}\ntos: {}\nlast_signal: {}\nredis_keyspace: 0\nforeign: no\n\n",
        summary.call_id,
        yes_no(summary.deleted),
        summary.created,
        summary.proxy,
        details.tos,
        details.last_signal,
    );
    for line in &details.lines {
        out += line;
        out.push('\n');
    }
    out + "\n"
}

fn max_sessions(target: &dyn CliTarget) -> String {
    let max = target.max_sessions().map_or(-1, i64::from);
    format!("Maximum sessions configured on rtpengine: {max}\n")
}

fn set_max_sessions(text: &str, target: &dyn CliTarget) -> String {
    let Ok(number) = text.parse::<i64>() else {
        // Misspelled like this in rtpengine, too.
        return format!("Fail setting maxsessions to {text}; no digists found\n");
    };
    if number == -1 {
        target.set_max_sessions(None);
        return "Success setting maxsessions to -1; disable feature\n".to_owned();
    }
    let Ok(max) = u32::try_from(number) else {
        return format!(
            "Fail setting maxsessions to {number}; either positive or -1 values allowed\n"
        );
    };
    target.set_max_sessions(Some(max));
    format!("Success setting maxsessions to {max}\n")
}

fn terminate(call_id: &str, target: &dyn CliTarget) -> String {
    if target.terminate(call_id) {
        format!("\nCall Id ({call_id}) successfully terminated by operator.\n\n")
    } else {
        format!("\nCall Id not found ({call_id}).\n\n")
    }
}

/// Those of rtpengine's totals that there are numbers for.
fn totals(metrics: &MetricsSnapshot) -> String {
    let closed = &metrics.closed;
    let (user, kernel) = (&metrics.user, &metrics.kernel);
    let now = [
        ("Owned sessions", metrics.sessions),
        ("Foreign sessions", 0),
        ("Total sessions", metrics.sessions),
        ("Transcoded media", 0),
        ("Userspace-only media streams", metrics.streams.userspace),
        ("Kernel-only media streams", metrics.streams.kernel),
        (
            "Mixed kernel/userspace media streams",
            metrics.streams.mixed,
        ),
    ];
    let ended = [
        ("Total managed sessions", metrics.sessions_total),
        ("Total rejected sessions", closed.rejected),
        ("Total timed-out sessions via TIMEOUT", closed.timeout),
        (
            "Total timed-out sessions via SILENT_TIMEOUT",
            closed.silent_timeout,
        ),
        (
            "Total timed-out sessions via FINAL_TIMEOUT",
            closed.final_timeout,
        ),
        (
            "Total timed-out sessions via OFFER_TIMEOUT",
            closed.offer_timeout,
        ),
        ("Total regular terminated sessions", closed.terminated),
        ("Total forced terminated sessions", closed.force_terminated),
        ("Total relayed packets (userspace)", user.packets),
        ("Total relayed packet errors (userspace)", user.errors),
        ("Total relayed bytes (userspace)", user.bytes),
        ("Total relayed packets (kernel)", kernel.packets),
        ("Total relayed packet errors (kernel)", kernel.errors),
        ("Total relayed bytes (kernel)", kernel.bytes),
        ("Total relayed packets", user.packets + kernel.packets),
        ("Total relayed packet errors", user.errors + kernel.errors),
        ("Total relayed bytes", user.bytes + kernel.bytes),
        (
            "Total number of streams with no relayed packets",
            metrics.zero_packet_streams,
        ),
        ("Total number of 1-way streams", metrics.one_way_sessions),
    ];
    let mut out = "\nStatistics over currently running sessions:\n\n".to_owned();
    for (label, value) in now {
        out += &format!(" {label:<48}:{value}\n");
    }
    out += "\nTotal statistics (does not include current running sessions):\n\n";
    let uptime = metrics.uptime.as_secs();
    out += &format!(" {:<48}:{uptime} seconds\n", "Uptime of rtpengine");
    for (label, value) in ended {
        out += &format!(" {label:<48}:{value}\n");
    }
    out + "\n"
}

fn yes_no(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}
