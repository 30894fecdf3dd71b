//! What sockets need: files that may be open, and room for what they have not read yet.

use super::Finding;
use super::facts::Facts;

/// The kernel's own default for `net.core.rmem_max`: over a second of most streams.
const ENOUGH_BUFFER: u64 = 212_992;

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let ports = facts.wanted.sockets;
    let limit = facts.process.open_files;
    let mut findings = vec![if limit < ports {
        Finding::warn(
            "open files",
            format!("{limit} are allowed, fewer than the {ports} media ports"),
            "raise the limit: ulimit -n, or LimitNOFILE= in the unit",
        )
    } else {
        let text = format!("{limit} are allowed, enough for {ports} media ports");
        Finding::ok("open files", text)
    }];
    if let Some(max) = facts.sysctls.rmem_max
        && max < ENOUGH_BUFFER
    {
        findings.push(Finding::warn(
            "buffers",
            format!("net.core.rmem_max is {max}: bursts in user space may be lost"),
            format!("sysctl -w net.core.rmem_max={ENOUGH_BUFFER}"),
        ));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn every_socket_that_media_may_need_is_an_open_file() {
        let mut facts = Facts::healthy();
        facts.process.open_files = 10_000;
        assert_eq!(check(&facts)[0].verdict, Verdict::Ok);
        facts.wanted.sockets = 20_000;
        assert_eq!(check(&facts)[0].verdict, Verdict::Warn);
    }

    #[test]
    fn a_buffer_below_the_kernels_default_is_warned_about() {
        let mut facts = Facts::healthy();
        facts.sysctls.rmem_max = Some(65_536);
        assert_eq!(check(&facts)[1].verdict, Verdict::Warn);
    }
}
