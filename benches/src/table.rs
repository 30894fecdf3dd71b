//! The tables as text.

use std::fmt::Write;

use crate::Results;
use crate::results::{Figure, Point, Section};
use crate::targets::Target;

/// All that was measured, for people.
#[must_use]
pub fn text(results: &Results) -> String {
    let mut out = String::new();
    if !results.program.is_empty() {
        program(results, &mut out);
    }
    section(&results.path, &mut out);
    section(&results.latency, &mut out);
    if !results.ng.is_empty() {
        ng(results, &mut out);
    }
    targets(&results.targets, &mut out);
    out
}

// Writing to a String cannot fail.

fn program(results: &Results, out: &mut String) {
    let _ = writeln!(
        out,
        "Program cost (BPF_PROG_TEST_RUN), ns per packet: median (min-max)\n"
    );
    for cost in &results.program {
        let _ = writeln!(
            out,
            "  {:10} {:35} {:>7} flows {:>6.0} ({:.0}-{:.0})",
            cost.program, cost.case, cost.flows, cost.ns.median, cost.ns.min, cost.ns.max
        );
    }
    out.push('\n');
}

fn section(section: &Section, out: &mut String) {
    for question in &section.questions {
        let _ = writeln!(
            out,
            "{} ({}, {})\n",
            question.title, question.id, question.unit
        );
        for series in &question.series {
            for Point { at, value } in &series.points {
                let _ = writeln!(
                    out,
                    "  {:45} {at:>7} {}: {:>10.2} ({:.2} to {:.2})",
                    series.name, question.axis, value.median, value.min, value.max
                );
            }
        }
        out.push('\n');
    }
    for Figure { what, value, .. } in &section.figures {
        let _ = writeln!(
            out,
            "  {what}: {:.3} ({:.3} to {:.3})",
            value.median, value.min, value.max
        );
    }
    out.push('\n');
}

fn ng(results: &Results, out: &mut String) {
    let _ = writeln!(
        out,
        "ng: cycles of offer, answer and delete by 1 and by {} clients\n\n  \
         {:10} {:>9} {:>8} {:>11} {:>10} {:>12} {:>12} {:>9}",
        crate::ng::CLIENTS,
        "relay",
        "1: cyc/s",
        "CPU us",
        "many: cyc/s",
        "CPU us",
        "offer p50 us",
        "offer p99 us",
        "KiB/call"
    );
    for cost in &results.ng {
        let _ = writeln!(
            out,
            "  {:10} {:>9.0} {:>8.0} {:>11.0} {:>10.0} {:>12.0} {:>12.0} {:>9.1}",
            cost.relay,
            cost.one_client.per_second.median,
            cost.one_client.cpu_us.median,
            cost.many_clients.per_second.median,
            cost.many_clients.cpu_us.median,
            cost.offer_p50_us,
            cost.offer_p99_us,
            cost.call_kib
        );
    }
    out.push('\n');
}

fn targets(targets: &[Target], out: &mut String) {
    let _ = writeln!(out, "Against the targets (at most)\n");
    for target in targets {
        let _ = writeln!(
            out,
            "  {:48} {:>8.2} {:>8.2} {:4} {}",
            target.what,
            target.measured,
            target.target,
            target.unit,
            if target.is_met() { "met" } else { "MISSED" }
        );
    }
}
