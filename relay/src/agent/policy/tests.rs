use super::*;
use crate::agent::claims::sample;

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap()
}

fn wrong(text: &str) -> (usize, String) {
    Policy::parse(text).unwrap_err()
}

fn own() -> Vec<IpAddr> {
    vec!["192.0.2.1".parse().unwrap()]
}

fn caller(uid: u32) -> Caller {
    Caller {
        uid,
        ..sample::caller()
    }
}

fn claim(address: &str, first: u16, last: u16) -> Claim {
    Claim {
        addresses: vec![address.parse().unwrap()],
        ports: Ports { first, last }.into(),
        ..sample::claim("media-1")
    }
}

fn refusal(outcome: Result<Option<u32>, Refused>) -> String {
    let refused = outcome.unwrap_err();
    assert_eq!(refused.reason, Refusal::NotAllowed);
    assert!(!refused.text.contains('\n'));
    refused.text
}

#[test]
fn without_a_file_everybody_may_claim_what_its_namespace_has() {
    let policy = Policy::default();
    let granted = policy.check(&claim("192.0.2.1", 30000, 39999), &caller(1001), &own());
    assert_eq!(granted.unwrap(), Some(8));
    let text = refusal(policy.check(&claim("192.0.2.9", 30000, 39999), &caller(1001), &own()));
    assert!(text.contains("192.0.2.9"), "{text}");
}

#[test]
fn without_a_file_low_ports_large_tables_and_many_are_the_superusers() {
    let policy = Policy::default();
    let low = claim("192.0.2.1", 1000, 2000);
    let text = refusal(policy.check(&low, &caller(1001), &own()));
    assert!(
        text.contains("1024-65535, not 1000-2000 of 192.0.2.1"),
        "{text}"
    );
    let large = Claim {
        max_flows: FLOWS + 1,
        ..claim("192.0.2.1", 30000, 39999)
    };
    assert!(refusal(policy.check(&large, &caller(1001), &own())).contains("flows"));
    let root = Caller {
        is_root: true,
        ..caller(0)
    };
    assert_eq!(policy.check(&low, &root, &own()).unwrap(), None);
    assert_eq!(policy.check(&large, &root, &own()).unwrap(), None);
}

#[test]
fn the_range_of_every_address_has_to_be_allowed() {
    let policy = policy("[[allow]]\nports = \"30000-30999\"\n");
    let claim_with = |last| {
        let mut claim = claim("192.0.2.1", 30_000, 39_999);
        let ports = Ports {
            first: 30_000,
            last,
        };
        claim.ports.at.insert(claim.addresses[0], ports);
        claim
    };
    let check = |claim| policy.check(&claim, &caller(1001), &own());
    assert!(check(claim_with(30_999)).is_ok());
    assert!(refusal(check(claim_with(31_000))).contains("30000-31000 of 192.0.2.1"));
}

#[test]
fn the_first_rule_that_fits_decides() {
    let policy = policy(
        "[[allow]]\nuid = 1001\nports = \"30000-30999\"\n[[allow]]\nports = \"30000-39999\"\n",
    );
    let wide = claim("192.0.2.1", 30000, 39999);
    assert!(refusal(policy.check(&wide, &caller(1001), &own())).starts_with("rule 1 "));
    assert!(policy.check(&wide, &caller(1002), &own()).is_ok());
}

#[test]
fn who_fits_no_rule_may_claim_nothing() {
    for text in ["", "[[allow]]\nuid = [7, 8]\n"] {
        let outcome = policy(text).check(&claim("192.0.2.1", 30000, 39999), &caller(9), &own());
        assert!(refusal(outcome).starts_with("no rule"));
    }
}

#[test]
fn rules_are_for_users_control_groups_identities_and_names() {
    let claim = claim("192.0.2.1", 30000, 39999);
    let fits = |rule: &str| {
        let text = format!("[[allow]]\n{rule}\n");
        policy(&text).check(&claim, &caller(1001), &own()).is_ok()
    };
    assert!(fits("uid = 1001") && fits("uid = [1, 1001]") && !fits("uid = 1"));
    assert!(fits("cgroup = \"/system.slice/*\"") && !fits("cgroup = \"/kubepods*\""));
    assert!(fits("identity = \"media-*\"") && !fits("identity = \"media\""));
    assert!(fits("name = \"*\"") && !fits("name = \"other\""));
}

#[test]
fn addresses_of_a_rule_count_instead_of_the_namespaces() {
    let policy = policy("[[allow]]\naddresses = [\"198.51.100.0/24\", \"2001:db8::/32\"]\n");
    for (address, is_allowed) in [
        ("198.51.100.255", true),
        ("198.51.101.0", false),
        ("2001:db8:ffff::1", true),
        ("2001:db9::1", false),
        ("192.0.2.1", false),
    ] {
        let outcome = policy.check(&claim(address, 30000, 39999), &caller(1001), &own());
        assert_eq!(outcome.is_ok(), is_allowed, "{address}");
    }
}

#[test]
fn a_network_may_be_everything_or_one_address() {
    let network = |text: &str| Network::try_from(text.to_owned()).unwrap();
    assert!(network("0.0.0.0/0").has("203.0.113.1".parse().unwrap()));
    assert!(!network("0.0.0.0/0").has("::1".parse().unwrap()));
    assert!(network("::/0").has("2001:db8::1".parse().unwrap()));
    assert!(network("192.0.2.7").has("192.0.2.7".parse().unwrap()));
    assert!(!network("192.0.2.7/32").has("192.0.2.6".parse().unwrap()));
}

#[test]
fn a_rule_sets_how_many_tables_and_flows() {
    let policy = policy("[[allow]]\ntables = 2\nflows = 10\n");
    let mut claim = claim("192.0.2.1", 30000, 39999);
    assert!(refusal(policy.check(&claim, &caller(1001), &own())).contains("10 flows"));
    claim.max_flows = 10;
    let granted = policy.check(&claim, &caller(1001), &own());
    assert_eq!(granted.unwrap(), Some(2));
}

#[test]
fn stars_stand_for_anything() {
    let fits = |pattern: &str, text: &str| Pattern(pattern.to_owned()).fits(text);
    assert!(fits("", "") && !fits("", "a"));
    assert!(fits("*", "") && fits("*", "a/b"));
    assert!(fits("a*b*c", "abc") && fits("a*b*c", "a-b-b-c") && !fits("a*b*c", "acb"));
    assert!(!fits("ab*ba", "aba"), "an end is not used twice");
    assert!(fits("**", "x") && fits("*x", "xx") && !fits("x*y", "xyz"));
}

#[test]
fn what_is_wrong_in_a_file_is_said_with_its_line() {
    let head = "# rules\n[[allow]]\n";
    for (text, line, what) in [
        ("uids = 3\n", 3, "uids"),
        ("uid = \"root\"\n", 3, "uid"),
        ("\naddresses = [\"192.0.2.0/33\"]\n", 4, "192.0.2.0/33"),
        (
            "addresses = [\n  \"::/0\",\n  \"nowhere\",\n]\n",
            3,
            "nowhere",
        ),
        ("ports = \"39999-30000\"\n", 3, "39999-30000"),
        ("ports = 5000\n", 3, "string"),
    ] {
        let (at, said) = wrong(&format!("{head}{text}"));
        assert_eq!(at, line, "{text}: {said}");
        assert!(said.contains(what), "{text}: {said}");
        assert!(!said.contains('\n'), "{said}");
    }
}

#[test]
fn a_file_is_read_and_named_where_it_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("policy.toml");
    assert!(matches!(
        Policy::read(&path),
        Err(PolicyError::Unreadable { .. })
    ));
    fs::write(&path, "[[allow]]\nport = 1\n").unwrap();
    let text = Policy::read(&path).unwrap_err().to_string();
    assert!(text.contains("policy.toml, line 2: "), "{text}");
    fs::write(&path, "[[allow]]\n").unwrap();
    assert!(Policy::read(&path).is_ok());
}
