//! What the tests on a kernel gave.

use serde_json::{Value, json};
use vm::Kernel;

use super::suites::SUITES;
use crate::counts::Counts;
use crate::shell::{say, tell_skipped};

/// The tests on one kernel.
pub(crate) struct Report {
    pub(super) kernel: Kernel,
    /// Empty until the kernel was fetched.
    pub(super) release: String,
    /// Boot included.
    pub(super) seconds: u64,
    /// `test: reason` for each test that found it could do nothing.
    pub(super) skipped: Vec<String>,
    /// Why there is no (whole) result.
    pub(super) error: Option<String>,
    counts: Counts,
    failed: Vec<String>,
}

impl Report {
    pub(super) fn new(kernel: Kernel) -> Self {
        Self {
            kernel,
            release: String::new(),
            seconds: 0,
            skipped: Vec::new(),
            error: None,
            counts: Counts::default(),
            failed: Vec::new(),
        }
    }

    /// Takes a line of libtest's, and passes it on.
    pub(super) fn line(&mut self, line: &str) {
        eprintln!("{:>5} | {line}", self.kernel.series());
        self.counts.add_line(line);
        let failed = line
            .strip_prefix("test ")
            .and_then(|rest| rest.strip_suffix(" ... FAILED"));
        self.failed.extend(failed.map(str::to_owned));
    }

    /// Tests, a run that gave no result counted as one that failed.
    pub(crate) fn counts(&self) -> Counts {
        let mut counts = self.counts;
        counts.failed += u64::from(self.error.is_some());
        counts
    }

    /// Says what came out, in a few lines.
    pub(super) fn tell(&self) {
        let Counts { passed, failed, .. } = self.counts;
        let name = if self.release.is_empty() {
            self.kernel.series()
        } else {
            &self.release
        };
        say(&format!(
            "Linux {name}: {passed} passed, {failed} failed, in {} s",
            self.seconds
        ));
        for test in &self.failed {
            say(&format!("  failed: {test}"));
        }
        if let Some(error) = &self.error {
            say(&format!("  {error}"));
        }
        tell_skipped(self.skipped.iter().map(String::as_str));
    }

    fn json(&self) -> Value {
        json!({
            "kernel": self.kernel.series(),
            "release": self.release,
            "seconds": self.seconds,
            "passed": self.counts.passed,
            "failed": self.failed,
            "did_nothing": self.skipped,
            "error": self.error,
        })
    }
}

/// All kernels together.
pub(crate) fn sum(reports: &[Report]) -> Counts {
    let mut sum = Counts::default();
    for report in reports {
        sum.add(report.counts());
    }
    sum
}

/// For programs: each kernel's results, and the tests that ran on none.
pub(super) fn json(reports: &[Report]) -> Value {
    let left_out = SUITES.iter().flat_map(|suite| suite.left_out);
    let left_out: Vec<_> = left_out
        .map(|one| json!({"tests": one.tests, "why": one.why}))
        .collect();
    let kernels: Vec<_> = reports.iter().map(Report::json).collect();
    json!({"kernels": kernels, "left_out": left_out})
}
