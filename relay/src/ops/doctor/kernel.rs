//! The kernel: its version, what it tells of itself, how it runs programs.

use super::facts::Facts;
use super::{Finding, Verdict};

const CHECK: &str = "kernel";
/// The programs and their maps.
const OLDEST: (u32, u32) = (5, 15);
/// A process without privilege may use maps that it was handed.
const UNPRIVILEGED: (u32, u32) = (5, 19);
/// TCX: a program among others at tc, held by a link.
const TCX: (u32, u32) = (6, 6);

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![version(&facts.kernel.release)];
    if !facts.kernel.btf {
        let text = "there is no /sys/kernel/btf/vmlinux: kernels without BTF are not tested";
        let advice = "use one built with CONFIG_DEBUG_INFO_BTF";
        findings.push(Finding::warn("btf", text, advice));
    }
    match facts.kernel.jit {
        Some(0) => findings.push(Finding::warn(
            "jit",
            "net.core.bpf_jit_enable is 0: programs are interpreted, several times slower",
            "sysctl -w net.core.bpf_jit_enable=1",
        )),
        Some(_) => {}
        None => findings.push(Finding::unseen(
            "jit",
            "net.core.bpf_jit_enable can't be read here; root can, in the node's own network namespace",
        )),
    }
    if facts.kernel.unprivileged_bpf_disabled == Some(0) {
        findings.push(Finding::warn(
            "bpf",
            "kernel.unprivileged_bpf_disabled is 0: any user may load programs",
            "sysctl -w kernel.unprivileged_bpf_disabled=2; relays beside an agent do not need it",
        ));
    }
    findings
}

fn version(release: &str) -> Finding {
    let Some(version) = parse(release) else {
        return Finding::unseen(CHECK, format!("Linux {release}: no version to compare"));
    };
    if version < OLDEST {
        let text = format!("Linux {release} is too old");
        return Finding::bad(CHECK, text, "5.15 or newer is needed");
    }
    let mut missing = Vec::new();
    if version < UNPRIVILEGED {
        missing.push("relays without privilege, beside an agent, need 5.19");
    }
    if version < TCX {
        missing.push("tc programs are clsact filters, TCX needs 6.6");
    }
    let verdict = if version < UNPRIVILEGED {
        Verdict::Warn
    } else {
        Verdict::Ok
    };
    let separator = if missing.is_empty() { "" } else { "; " };
    let text = format!("Linux {release}{separator}{}", missing.join("; "));
    Finding::new(CHECK, verdict, text, None)
}

/// Major and minor version.
fn parse(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(['.', '-']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(release: &str) -> Verdict {
        version(release).verdict
    }

    #[test]
    fn the_floor_is_5_15() {
        assert_eq!(verdict("5.14.21-150500.55-default"), Verdict::Bad);
        assert_eq!(verdict("5.15.0-91-generic"), Verdict::Warn);
        assert_eq!(verdict("4.19.0"), Verdict::Bad);
    }

    #[test]
    fn unprivileged_relays_need_5_19_and_tcx_6_6() {
        assert!(version("5.18.0").text.contains("need 5.19"));
        assert_eq!(verdict("6.1.0-18-amd64"), Verdict::Ok);
        assert!(version("6.1.0-18-amd64").text.contains("TCX needs 6.6"));
        assert_eq!(version("6.6.1").text, "Linux 6.6.1");
        assert_eq!(verdict("6.18.44-fc"), Verdict::Ok);
    }

    #[test]
    fn a_version_that_is_none_is_not_judged() {
        assert_eq!(verdict("mainline"), Verdict::Unseen);
    }

    #[test]
    fn a_kernel_that_interprets_programs_or_lets_anybody_load_them_is_warned_about() {
        let mut facts = Facts::healthy();
        facts.kernel.jit = Some(0);
        facts.kernel.unprivileged_bpf_disabled = Some(0);
        facts.kernel.btf = false;
        let warned: Vec<_> = check(&facts)
            .into_iter()
            .filter(|finding| finding.verdict == Verdict::Warn)
            .map(|finding| finding.check)
            .collect();
        assert_eq!(warned, ["btf", "jit", "bpf"]);
    }
}
