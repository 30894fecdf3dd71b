//! `underpass doctor`: what keeps the kernel from forwarding, or makes it slow, and what to do.
//!
//! [`look`] gathers [`facts`]; the checks, a file each group, are functions from facts to findings. It changes nothing.

mod agent;
mod bpffs;
pub mod facts;
mod interfaces;
mod kernel;
mod look;
mod nat;
mod offloads;
mod others;
mod ports;
mod privilege;
mod reverse_path;
mod sockets;
mod state;

use serde::Serialize;

pub use facts::{Facts, Wanted};
pub use look::look;

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which check.
    pub check: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What is there, one line.
    pub text: String,
    /// What to do about it, if anything.
    pub advice: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// As it should be.
    Ok,
    /// It could not be looked at.
    Unseen,
    /// It works, but not as well as it could, or not always.
    Warn,
    /// The kernel will not forward, or the relay will not start.
    Bad,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unseen => "unseen",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

impl Finding {
    fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Ok, text, None)
    }

    fn unseen(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Verdict::Unseen, text, None)
    }

    fn warn(check: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warn, text, Some(advice.into()))
    }

    fn bad(check: &'static str, text: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(check, Verdict::Bad, text, Some(advice.into()))
    }

    fn new(
        check: &'static str,
        verdict: Verdict,
        text: impl Into<String>,
        advice: Option<String>,
    ) -> Self {
        Self {
            check,
            verdict,
            text: text.into(),
            advice,
        }
    }
}

/// Every finding, in the order of the checks.
#[must_use]
pub fn examine(facts: &Facts) -> Vec<Finding> {
    let mut findings = configuration(facts);
    if !facts.wanted.kernel {
        let text = "user space only, by configuration: what the kernel needs is not looked at";
        findings.push(Finding::ok("kernel", text));
        findings.extend(ports::check(facts));
        findings.extend(sockets::check(facts));
        findings.extend(state::check(facts));
        return findings;
    }
    for check in [
        kernel::check,
        agent::check,
        privilege::check,
        bpffs::check,
        interfaces::check,
        others::check,
        offloads::check,
        nat::check,
        reverse_path::check,
        ports::check,
        sockets::check,
        state::check,
    ] {
        findings.extend(check(facts));
    }
    findings
}

/// Nothing is bad.
#[must_use]
pub fn is_healthy(findings: &[Finding]) -> bool {
    findings
        .iter()
        .all(|finding| finding.verdict != Verdict::Bad)
}

/// Findings for people: one line each.
#[must_use]
pub fn human(findings: &[Finding]) -> String {
    let line = |finding: &Finding| {
        let advice = finding.advice.as_ref();
        let advice = advice.map_or_else(String::new, |advice| format!(": {advice}"));
        let (word, check) = (finding.verdict.word(), finding.check);
        format!("{word:<6}  {check:<13}  {}{advice}\n", finding.text)
    };
    findings.iter().map(line).collect()
}

/// Findings for programs.
#[must_use]
pub fn json(findings: &[Finding]) -> String {
    let report = serde_json::json!({
        "healthy": is_healthy(findings),
        "findings": findings,
    });
    format!("{report:#}\n")
}

fn configuration(facts: &Facts) -> Vec<Finding> {
    let Some(problem) = &facts.configuration else {
        return vec![Finding::ok("configuration", "can be run with")];
    };
    let advice = "what depends on it is not looked at until it is right";
    vec![Finding::bad("configuration", problem.clone(), advice)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_as_it_should_be_is_healthy_and_nothing_is_to_be_done() {
        let findings = examine(&Facts::healthy());
        assert!(is_healthy(&findings));
        let other: Vec<_> = findings
            .iter()
            .filter(|f| f.verdict != Verdict::Ok)
            .collect();
        assert!(other.is_empty(), "{other:?}");
    }

    #[test]
    fn a_configuration_that_cannot_be_run_with_is_bad() {
        let facts = Facts {
            configuration: Some("tos = 300: expected a whole number".to_owned()),
            ..Facts::healthy()
        };
        assert!(!is_healthy(&examine(&facts)));
    }

    #[test]
    fn whoever_wants_user_space_only_is_not_told_about_the_kernel() {
        let mut facts = Facts::healthy();
        facts.wanted.kernel = false;
        facts.kernel.release = "4.19.0".to_owned();
        assert!(is_healthy(&examine(&facts)));
    }

    #[test]
    fn people_get_one_line_a_finding_with_what_to_do() {
        let findings = [
            Finding::ok("kernel", "Linux 6.12"),
            Finding::bad("bpffs", "/sys/fs/bpf is not mounted", "mount it"),
        ];
        assert_eq!(
            human(&findings),
            "ok      kernel         Linux 6.12\nbad     bpffs          /sys/fs/bpf is not mounted: mount it\n"
        );
    }

    #[test]
    fn programs_get_a_verdict_on_all_and_each() {
        let findings = [Finding::unseen("nat", "neither nft nor iptables-save")];
        let parsed: serde_json::Value = serde_json::from_str(&json(&findings)).unwrap();
        assert_eq!(parsed["healthy"], true);
        assert_eq!(parsed["findings"][0]["verdict"], "unseen");
        assert_eq!(parsed["findings"][0]["advice"], serde_json::Value::Null);
    }
}
