//! One kernel's guest: its files, its job, and what came of it.

use std::fmt::Write;
use std::time::Duration;

use vm::{Emulator, Error, Image, Kernel, Machine, Store};

use super::binaries::Binaries;
use super::report::Report;
use super::suites::Choice;
use crate::shell::say;

/// What the lab's networks are made of, and what the engines attach to.
const MODULES: [&str; 10] = [
    "veth",
    "macvlan",
    "8021q",
    "dummy",
    "bridge",
    "sch_ingress",
    "cls_bpf",
    "udp_diag",
    "af_packet",
    "nf_tables",
];
/// Programs the tests start.
const PROGRAMS: [&str; 9] = [
    "ip", "tc", "ss", "ethtool", "sysctl", "setpriv", "nsenter", "unshare", "mount",
];
/// Far more than it takes; a guest that hangs is an error by then.
const LIMIT: Duration = Duration::from_secs(1800);
/// How many random packets and flows are tried: a quarter of what is tried natively.
const CASES: u32 = 64;
/// Calls up where a scenario wants many.
const CALLS: u32 = 10;
/// Where the guest lists the tests that did nothing, as `LAB_SKIPPED`.
const SKIPPED: &str = "/skipped";
/// Comes before that list in the job's output.
const SKIPPED_HEADER: &str = "--- tests that did nothing";

/// Runs the chosen tests on `kernel`.
pub(super) fn run(
    kernel: Kernel,
    store: &Store,
    emulator: &Emulator,
    binaries: &Binaries,
    choice: &Choice,
) -> Report {
    let mut report = Report::new(kernel);
    if let Err(error) = attempt(&mut report, store, emulator, binaries, choice) {
        say(&format!("Linux {kernel}: {error}"));
        report.error = Some(error.to_string());
    }
    report
}

fn attempt(
    report: &mut Report,
    store: &Store,
    emulator: &Emulator,
    binaries: &Binaries,
    choice: &Choice,
) -> Result<(), Error> {
    let kernel = store.kernel(report.kernel)?;
    report.release.clone_from(&kernel.release);
    say(&format!("Linux {} starts", kernel.release));
    let mut image = Image::new(&kernel)?;
    for module in MODULES {
        image.module(module)?;
    }
    for program in PROGRAMS {
        image.program(program)?;
    }
    for (name, file) in binaries.all() {
        image.binary(file, format!("/tests/{name}"))?;
    }
    let machine = Machine::new(emulator, &kernel)
        .cpus(2)
        .time_limit(LIMIT)
        // Emulated retpolines cost time and keep nobody out.
        .kernel_parameter("mitigations=off");
    let mut listing_skipped = false;
    let output = machine.run_watched(&image, &job(choice), &mut |line| {
        if line == SKIPPED_HEADER {
            listing_skipped = true;
        } else if listing_skipped {
            report.skipped.push(line.to_owned());
        } else {
            report.line(line);
        }
    })?;
    report.seconds = output.elapsed.as_secs();
    Ok(())
}

/// The script: every chosen suite, whatever became of the one before.
fn job(choice: &Choice) -> String {
    let mut job = format!(
        "export LAB_SKIPPED={SKIPPED} LAB_UNDERPASS=/tests/underpass LAB_CALLS={CALLS} PROPTEST_CASES={CASES}\n"
    );
    for suite in choice.suites() {
        let _ = write!(job, "/tests/{} --test-threads=1", suite.name);
        for left_out in suite.left_out {
            let _ = write!(job, " --skip {}", quoted(left_out.tests));
        }
        let chosen = suite.chosen.iter().copied();
        let asked: Vec<&str> = choice.tests.iter().map(String::as_str).collect();
        for filter in if asked.is_empty() {
            chosen.collect()
        } else {
            asked
        } {
            let _ = write!(job, " {}", quoted(filter));
        }
        job.push_str(" 2>&1\n");
    }
    let _ = writeln!(
        job,
        "echo '{SKIPPED_HEADER}'\ncat {SKIPPED} 2> /dev/null\ntrue"
    );
    job
}

/// A word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::{Choice, job, quoted};

    #[test]
    fn tests_asked_for_by_name_replace_the_choice() {
        let line = |job: &str| {
            job.lines()
                .find(|line| line.contains("/tests/scenarios"))
                .map(str::to_owned)
        };
        let all = line(&job(&Choice::default())).unwrap();
        let tests = vec!["strangers::".to_owned()];
        let asked = line(&job(&Choice {
            tests,
            ..Choice::default()
        }))
        .unwrap();
        assert!(all.contains(" 'plain_call::by_'") && !all.contains("strangers::"));
        assert!(asked.contains(" 'strangers::'") && !asked.contains("plain_call::"));
        assert!(all.contains("--skip 'sip_calls::'") && asked.contains("--skip 'sip_calls::'"));
    }

    #[test]
    fn of_the_suites_only_those_asked_for_run() {
        let suites = vec!["datapath".to_owned()];
        let job = job(&Choice {
            suites,
            ..Choice::default()
        });
        assert!(job.contains("/tests/datapath") && !job.contains("/tests/scenarios"));
    }

    #[test]
    fn a_word_for_the_shell_stays_one_word() {
        assert_eq!(quoted("it's; $HOME"), r"'it'\''s; $HOME'");
    }
}
