//! Media ports against the kernel's ephemeral ports.

use super::Finding;
use super::facts::Facts;
use crate::config::overlap;

const CHECK: &str = "ports";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let (sysctls, media) = (&facts.sysctls, &facts.wanted.ports);
    let Some(ephemeral) = &sysctls.local_port_range else {
        return vec![Finding::unseen(
            CHECK,
            "net.ipv4.ip_local_port_range can't be read",
        )];
    };
    let reserved = sysctls.reserved_ports.as_deref().unwrap_or_default();
    vec![match overlap(media, ephemeral, reserved) {
        Some((problem, cure)) => Finding::warn(CHECK, problem, cure),
        None => Finding::ok(CHECK, format!("{media} are kept for media")),
    }]
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn ports_that_the_kernel_gives_away_are_to_be_reserved() {
        let mut facts = Facts::healthy();
        facts.sysctls.local_port_range = Some("32768\t60999\n".to_owned());
        let found = check(&facts).remove(0);
        assert_eq!(found.verdict, Verdict::Warn);
        let advice = found.advice.unwrap();
        assert!(
            advice.ends_with("ip_local_reserved_ports=30000-39999"),
            "{advice}"
        );
        facts.sysctls.reserved_ports = Some("30000-39999\n".to_owned());
        assert_eq!(check(&facts)[0].verdict, Verdict::Ok);
    }
}
