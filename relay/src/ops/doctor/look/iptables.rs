//! Rules of the kernel's old iptables that may change the source of media: nft does not show those.

use std::fs;
use std::net::IpAddr;

use super::super::facts::NatRule;
use super::commands::output;
use super::nft::has_prefix;

/// Tables that iptables has in the kernel, one a line, by family.
const FAMILIES: [(&str, &str); 2] = [
    ("/proc/net/ip_tables_names", "iptables"),
    ("/proc/net/ip6_tables_names", "ip6tables"),
];

/// Every such rule.
///
/// # Errors
/// There are tables, or may be, and nobody lists them.
pub(super) fn rules(addresses: &[IpAddr]) -> Result<Vec<NatRule>, String> {
    let mut found = Vec::new();
    for (tables, program) in FAMILIES {
        let names = match fs::read_to_string(tables) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(format!("{tables}: {error}")),
        };
        if !names.lines().any(|name| name == "nat") {
            continue;
        }
        let legacy = output(&format!("{program}-legacy-save"), &["-t", "nat"]);
        let text = legacy.or_else(|_| output(&format!("{program}-save"), &["-t", "nat"]))?;
        found.extend(parse(&text, program, addresses));
    }
    Ok(found)
}

fn parse(text: &str, program: &str, addresses: &[IpAddr]) -> Vec<NatRule> {
    let mut found = Vec::new();
    let mut unmarked_leave: Vec<&str> = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ["-A", chain, rest @ ..] = words.as_slice() else {
            continue;
        };
        let after = |word: &str| {
            let at = rest.iter().position(|other| *other == word)?;
            // "! -s NETWORK" matches what is elsewhere, which may be anything.
            let negated = at > 0 && rest[at - 1] == "!";
            rest.get(at + 1).copied().filter(|_| !negated)
        };
        let target = after("-j").unwrap_or_default();
        let is_about_unmarked = rest.windows(2).any(|pair| pair == ["!", "--mark"]);
        if matches!(target, "RETURN" | "ACCEPT") && is_about_unmarked {
            unmarked_leave.push(chain);
        }
        let changes_source = matches!(target, "MASQUERADE" | "SNAT");
        let other_protocol = after("-p").is_some_and(|protocol| !matches!(protocol, "udp" | "all"));
        let other_source = after("-s").is_some_and(|network| !may_be_from(network, addresses));
        let to_loopback = after("-o") == Some("lo");
        let is_none_of_ours = other_protocol || other_source || to_loopback;
        if changes_source && !is_none_of_ours && !unmarked_leave.contains(chain) {
            let place = format!("{target} in {program} chain {chain}");
            found.push(NatRule { place });
        }
    }
    found
}

fn may_be_from(network: &str, addresses: &[IpAddr]) -> bool {
    let (network, length) = network.split_once('/').unwrap_or((network, "128"));
    match (network.parse::<IpAddr>(), length.parse::<u64>()) {
        (Ok(network), Ok(length)) => {
            addresses.is_empty() || addresses.iter().any(|at| has_prefix(*at, network, length))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(rules: &str) -> Vec<String> {
        let rules = parse(rules, "iptables", &["192.0.2.1".parse().unwrap()]);
        rules.into_iter().map(|rule| rule.place).collect()
    }

    #[test]
    fn rules_that_may_hit_media_are_found() {
        let rules = "*nat\n:POSTROUTING ACCEPT [0:0]\n-A POSTROUTING -o eth0 -j MASQUERADE\n\
                     -A POSTROUTING -s 192.0.2.0/24 -p udp -j SNAT --to-source 203.0.113.1\nCOMMIT\n";
        assert_eq!(
            found(rules),
            [
                "MASQUERADE in iptables chain POSTROUTING",
                "SNAT in iptables chain POSTROUTING"
            ]
        );
    }

    #[test]
    fn rules_that_cannot_are_not() {
        let rules = "-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n\
                     -A POSTROUTING -p tcp -j MASQUERADE\n-A POSTROUTING -o lo -j MASQUERADE\n\
                     -A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN\n\
                     -A KUBE-POSTROUTING -m comment --comment \"kubernetes\" -j MASQUERADE --random-fully\n";
        assert_eq!(found(rules), Vec::<String>::new());
    }

    #[test]
    fn a_source_that_is_not_meant_may_be_any() {
        assert_eq!(
            found("-A POSTROUTING ! -s 10.0.0.0/8 -j MASQUERADE\n").len(),
            1
        );
    }
}
