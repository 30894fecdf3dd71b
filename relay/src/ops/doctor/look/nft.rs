//! Rules of nf_tables that may change the source of media, as `nft -j list ruleset` has them.

use std::net::IpAddr;

use serde_json::Value;

use super::super::facts::NatRule;
use super::commands::output;

/// Every such rule.
///
/// # Errors
/// nft can't be asked, or says what is not understood.
pub(super) fn rules(addresses: &[IpAddr]) -> Result<Vec<NatRule>, String> {
    let text = output("nft", &["-j", "list", "ruleset"])?;
    parse(&text, addresses).ok_or_else(|| "nft: its answer is not understood".to_owned())
}

fn parse(text: &str, addresses: &[IpAddr]) -> Option<Vec<NatRule>> {
    let ruleset: Value = serde_json::from_str(text).ok()?;
    let entries = ruleset["nftables"].as_array()?;
    let mut found = Vec::new();
    // Chains whose first rules let go of what bears no mark, as all media does.
    let mut unmarked_leave: Vec<[&str; 3]> = Vec::new();
    for rule in entries.iter().filter_map(|entry| entry.get("rule")) {
        let part = |key: &str| rule[key].as_str().unwrap_or("?");
        let chain = [part("family"), part("table"), part("chain")];
        let expressions = rule["expr"].as_array().map_or(&[][..], Vec::as_slice);
        if expressions.iter().any(leaves) && expressions.iter().any(is_about_unmarked) {
            unmarked_leave.push(chain);
        }
        let Some(what) = expressions.iter().find_map(source_change) else {
            continue;
        };
        let may_match = expressions
            .iter()
            .all(|expression| may_match(expression, addresses));
        if may_match && !unmarked_leave.contains(&chain) {
            let place = format!("{what} in nft chain {}", chain.join(" "));
            found.push(NatRule { place });
        }
    }
    Some(found)
}

fn source_change(expression: &Value) -> Option<&'static str> {
    if expression.get("masquerade").is_some() {
        return Some("masquerade");
    }
    if expression.get("snat").is_some() {
        return Some("snat");
    }
    // Rules of iptables that nft has no words for.
    match expression["xt"]["name"].as_str() {
        Some("MASQUERADE") => Some("masquerade"),
        Some("SNAT") => Some("snat"),
        _ => None,
    }
}

fn leaves(expression: &Value) -> bool {
    expression.get("return").is_some() || expression.get("accept").is_some()
}

fn is_about_unmarked(expression: &Value) -> bool {
    let test = &expression["match"];
    test["op"] == "!=" && test["left"].to_string().contains(r#""mark""#)
}

/// Whether packets that media sockets send may pass a test; true if it is not understood.
fn may_match(expression: &Value, addresses: &[IpAddr]) -> bool {
    let test = &expression["match"];
    let (left, right) = (&test["left"], &test["right"]);
    if test.is_null() || !matches!(test["op"].as_str(), Some("==" | "in")) {
        return true;
    }
    let is_protocol = left["meta"]["key"] == "l4proto" || left["payload"]["field"] == "protocol";
    if is_protocol {
        return right.to_string().contains("udp")
            || right.is_object() && right.get("set").is_none();
    }
    // A test of TCP's header is one for TCP.
    if left["payload"]["protocol"] == "tcp" {
        return false;
    }
    if left["meta"]["key"] == "oifname" {
        return right != "lo";
    }
    if left["payload"]["field"] == "saddr" {
        return addresses.is_empty() || addresses.iter().any(|address| is_in(*address, right));
    }
    true
}

/// Whether an address is, or may be, what stands on the right.
fn is_in(address: IpAddr, right: &Value) -> bool {
    if let Some(text) = right.as_str() {
        return text.parse().map_or(true, |other: IpAddr| other == address);
    }
    if let Some(prefix) = right.get("prefix") {
        let network = prefix["addr"].as_str().and_then(|text| text.parse().ok());
        let length = prefix["len"].as_u64();
        return match (network, length) {
            (Some(network), Some(length)) => has_prefix(address, network, length),
            _ => true,
        };
    }
    let elements = right["set"].as_array();
    elements.is_none_or(|elements| elements.iter().any(|element| is_in(address, element)))
}

/// Whether `address` is in `network`/`length`.
pub(super) fn has_prefix(address: IpAddr, network: IpAddr, length: u64) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let shift = 32_u64.saturating_sub(length) as u32;
            let differ = address.to_bits() ^ network.to_bits();
            differ.checked_shr(shift).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let shift = 128_u64.saturating_sub(length) as u32;
            let differ = address.to_bits() ^ network.to_bits();
            differ.checked_shr(shift).unwrap_or(0) == 0
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(expressions: &[&str]) -> usize {
        let rules: Vec<String> = expressions
            .iter()
            .map(|expr| {
                format!(
                    r#"{{"rule":{{"family":"ip","table":"nat","chain":"post","expr":[{expr}]}}}}"#
                )
            })
            .collect();
        let text = format!(
            r#"{{"nftables":[{{"metainfo":{{}}}},{}]}}"#,
            rules.join(",")
        );
        parse(&text, &["192.0.2.1".parse().unwrap()]).unwrap().len()
    }

    fn matching(left: &str, right: &str) -> String {
        format!(r#"{{"match":{{"op":"==","left":{left},"right":{right}}}}},{{"masquerade":null}}"#)
    }

    #[test]
    fn masquerading_and_source_nat_are_found() {
        assert_eq!(found(&[r#"{"masquerade":null}"#]), 1);
        assert_eq!(found(&[r#"{"snat":{"addr":"203.0.113.1"}}"#]), 1);
        assert_eq!(
            found(&[r#"{"xt":{"type":"target","name":"MASQUERADE"}}"#]),
            1
        );
        assert_eq!(found(&[r#"{"accept":null}"#]), 0);
    }

    #[test]
    fn a_rule_for_other_sources_is_none_for_media() {
        let source = r#"{"payload":{"protocol":"ip","field":"saddr"}}"#;
        let docker = r#"{"prefix":{"addr":"172.17.0.0","len":16}}"#;
        let ours = r#"{"prefix":{"addr":"192.0.2.0","len":24}}"#;
        assert_eq!(found(&[&matching(source, docker)]), 0);
        assert_eq!(found(&[&matching(source, ours)]), 1);
        assert_eq!(found(&[&matching(source, r#""192.0.2.2""#)]), 0);
        assert_eq!(
            found(&[&matching(source, r#"{"set":["192.0.2.2","192.0.2.1"]}"#)]),
            1
        );
        assert_eq!(found(&[&matching(source, r#""@some_set""#)]), 1);
    }

    #[test]
    fn a_rule_for_other_protocols_or_loopback_is_none_for_media() {
        let protocol = r#"{"meta":{"key":"l4proto"}}"#;
        assert_eq!(found(&[&matching(protocol, r#""tcp""#)]), 0);
        assert_eq!(found(&[&matching(protocol, r#"{"set":["tcp","udp"]}"#)]), 1);
        let port = r#"{"payload":{"protocol":"tcp","field":"dport"}}"#;
        assert_eq!(found(&[&matching(port, "443")]), 0);
        let out = r#"{"meta":{"key":"oifname"}}"#;
        assert_eq!(found(&[&matching(out, r#""lo""#)]), 0);
        assert_eq!(found(&[&matching(out, r#""eth0""#)]), 1);
    }

    #[test]
    fn a_chain_for_marked_packets_is_none_for_media() {
        let unmarked = r#"{"match":{"op":"!=","left":{"&":[{"meta":{"key":"mark"}},16384]},"right":16384}},{"return":null}"#;
        assert_eq!(found(&[unmarked, r#"{"masquerade":null}"#]), 0);
        assert_eq!(found(&[r#"{"masquerade":null}"#, unmarked]), 1);
    }

    #[test]
    fn an_address_is_in_its_prefix_whatever_the_length() {
        let (address, zero) = ("192.0.2.1".parse().unwrap(), "0.0.0.0".parse().unwrap());
        assert!(has_prefix(address, zero, 0));
        assert!(has_prefix(address, address, 32));
        assert!(!has_prefix(address, zero, 1));
        assert!(!has_prefix(address, "::".parse().unwrap(), 0));
    }

    #[test]
    fn what_is_no_ruleset_is_no_answer() {
        assert_eq!(parse("nonsense", &[]), None);
        assert_eq!(parse(r#"{"nftables":[]}"#, &[]), Some(vec![]));
    }
}
