//! The tables as text.

use std::fmt::Write;

use crate::Results;
use crate::results::{Point, Section};
use crate::spread::Spread;
use crate::targets::Target;

/// All that was measured, for people.
#[must_use]
pub fn text(results: &Results) -> String {
    let mut out = String::new();
    if !results.program.is_empty() {
        program(results, &mut out);
    }
    if !results.path.is_empty() {
        path(results, &mut out);
    }
    for answers in &results.sections {
        section(answers, &mut out);
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

fn path(results: &Results, out: &mut String) {
    let _ = writeln!(
        out,
        "The whole path over veth, sender and receiver included\n\n  \
         {:10} {:>6} {:>22} {:>24} {:>22} {:>8} {:>11}",
        "system",
        "flows",
        "CPU ns per packet",
        "less routing, by round",
        "packets/s at saturation",
        "loss",
        "user space"
    );
    for cost in &results.path {
        let _ = writeln!(
            out,
            "  {:10} {:>6} {:>22} {:>24} {:>22} {:>7.3}% {:>11}",
            format!("{:?}", cost.system).to_lowercase(),
            cost.flows,
            format!(
                "{:.0} ({:.0}-{:.0})",
                cost.cpu_ns.median, cost.cpu_ns.min, cost.cpu_ns.max
            ),
            format!(
                "{:.0} ({:.0} to {:.0})",
                cost.own_ns.median, cost.own_ns.min, cost.own_ns.max
            ),
            format!(
                "{:.0}k ({:.0}k-{:.0}k)",
                cost.saturation_pps.median / 1e3,
                cost.saturation_pps.min / 1e3,
                cost.saturation_pps.max / 1e3
            ),
            cost.loss * 100.0,
            cost.user_space_packets
        );
    }
    out.push('\n');
}

fn section(section: &Section, out: &mut String) {
    for question in &section.questions {
        let _ = writeln!(
            out,
            "{} ({}; {})\n",
            question.title, question.unit, question.axis
        );
        for series in &question.series {
            for Point { at, value } in &series.points {
                let Spread {
                    min, median, max, ..
                } = value;
                let name = &series.name;
                let _ = writeln!(
                    out,
                    "  {name:44} {at:>8} {median:>12.3} ({min:.3}-{max:.3})"
                );
            }
        }
        for note in &question.notes {
            let _ = writeln!(out, "  {note}");
        }
        out.push('\n');
    }
    for figure in &section.figures {
        let _ = writeln!(
            out,
            "  {:64} {:>9.3} {:4} ({:.3}-{:.3}) {}",
            figure.what,
            figure.value.median,
            figure.unit,
            figure.value.min,
            figure.value.max,
            if figure.is_met() { "" } else { "MISSED" }
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
