//! The tables as text.

use std::fmt::Write;

use crate::Results;
use crate::results::Section;
use crate::targets::Target;

/// All that was measured, for people.
#[must_use]
pub fn text(results: &Results) -> String {
    let mut out = String::new();
    section(&results.program, &mut out);
    section(&results.vm, &mut out);
    if !results.path.is_empty() {
        path(results, &mut out);
    }
    if !results.ng.is_empty() {
        ng(results, &mut out);
    }
    targets(&results.targets, &mut out);
    out
}

// Writing to a String cannot fail.

fn section(section: &Section, out: &mut String) {
    for question in &section.questions {
        let _ = writeln!(out, "{}, {}", question.title, question.unit);
        for series in &question.series {
            let _ = write!(out, "  {:45}", series.name);
            for point in &series.points {
                let value = &point.value;
                let spread = format!("{:.1} ({:.0}-{:.0})", value.median, value.min, value.max);
                let _ = write!(out, " {spread:>18}");
            }
            out.push('\n');
        }
        out.push('\n');
    }
    for figure in &section.figures {
        let _ = writeln!(
            out,
            "  {:28} {:>7.2} ({:.2}-{:.2}) {} {}",
            figure.id,
            figure.value.median,
            figure.value.min,
            figure.value.max,
            figure.unit,
            if figure.is_met() { "" } else { "MISSED" }
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
