//! The interfaces that media comes in by, and the engine each has or gets.

use std::net::IpAddr;

use super::Finding;
use super::facts::{AtWork, Facts, Interface};
use crate::datapath::{Engine, EngineChoice};
use crate::tables::protocol::Shape;

const CHECK: &str = "interface";

pub(super) fn check(facts: &Facts) -> Vec<Finding> {
    let mut findings: Vec<Finding> = facts.interfaces.iter().map(interface).collect();
    for address in &facts.homeless {
        findings.push(Finding::warn(
            CHECK,
            format!("no interface carries {address}"),
            "add it to one; until then its media is not received",
        ));
    }
    let named_ingress = facts.interfaces.iter().any(|interface| {
        !interface.is_anchor && facts.wanted.device_engines.contains_key(&interface.name)
    });
    if !named_ingress {
        for anchor in facts
            .interfaces
            .iter()
            .filter(|interface| interface.is_anchor)
        {
            findings.push(anchored(&anchor.name, facts));
        }
    }
    findings
}

/// Addresses whose packets come in by an interface that nobody has named.
fn anchored(name: &str, facts: &Facts) -> Finding {
    let mut addresses = facts.wanted.addresses.iter();
    if addresses.all(IpAddr::is_loopback) {
        let text = format!("{name}: media on loopback addresses stays in user space");
        return Finding::warn(CHECK, text, "give an address with --interface");
    }
    let text = format!("{name}: media for its addresses comes in by other interfaces");
    let advice = "name the one it comes in by: --engine=INTERFACE:auto";
    Finding::bad(CHECK, text, advice)
}

fn interface(interface: &Interface) -> Finding {
    let name = described(interface);
    if !interface.up {
        let text = format!("{name} is down");
        return Finding::warn(CHECK, text, format!("ip link set {} up", interface.name));
    }
    if interface.is_anchor {
        return Finding::ok(CHECK, format!("{name} carries addresses only"));
    }
    if interface.choice == EngineChoice::Null {
        return Finding::ok(CHECK, format!("{name}: user space, by configuration"));
    }
    if !interface.at_work.is_empty() {
        return at_work(&name, &interface.at_work);
    }
    if !interface.attached.is_empty() {
        let engines: Vec<String> = interface.attached.iter().map(Engine::to_string).collect();
        return Finding::ok(CHECK, format!("{name} has {}", engines.join(" and ")));
    }
    if !interface.is_ethernet {
        let text = format!("{name} is no Ethernet device: its media stays in user space");
        return Finding::warn(CHECK, text, "receive media on an Ethernet interface");
    }
    let (engines, notes) = engines(interface);
    let notes: String = notes.iter().map(|note| format!("; {note}")).collect();
    let Some((first, rest)) = engines.split_first() else {
        let text = format!("{name} can get no engine{notes}");
        return Finding::bad(CHECK, text, "use --engine=auto, or see what is in the way");
    };
    let rest: String = rest
        .iter()
        .map(|engine| format!(", else {engine}"))
        .collect();
    Finding::ok(CHECK, format!("{name} would get {first}{rest}{notes}"))
}

/// Name and kind, so that the choice of the engine explains itself.
fn described(interface: &Interface) -> String {
    let what = interface.kind.as_ref().or(interface.driver.as_ref());
    let what = what.map_or_else(String::new, |what| format!(" ({what})"));
    let uplink = if interface.is_uplink { ", uplink" } else { "" };
    format!("{}{what}{uplink}", interface.name)
}

fn at_work(name: &str, tables: &[AtWork]) -> Finding {
    let said = |at: &AtWork| {
        let engine = at
            .engine
            .map_or_else(|| "user space".to_owned(), |engine| engine.to_string());
        let shape = match at.shape {
            Shape::Own => "own",
            Shape::Shared => "shared",
            Shape::Uplink => "uplink",
        };
        let end = if at.note.is_empty() { "" } else { ": " };
        format!("table {}: {engine}, {shape}{end}{}", at.table, at.note)
    };
    let lines: Vec<String> = tables.iter().map(said).collect();
    let text = format!("{name} has {}", lines.join("; "));
    if tables.iter().any(|at| at.engine.is_none()) {
        return Finding::bad(CHECK, text, "see what is in the way there");
    }
    Finding::ok(CHECK, text)
}

/// Native XDP is tried there.
pub(super) fn may_get_xdp(interface: &Interface) -> bool {
    engines(interface).0.contains(&Engine::Xdp)
}

/// The engines that will be tried, and why others will not be.
fn engines(interface: &Interface) -> (Vec<Engine>, Vec<String>) {
    let mut notes = Vec::new();
    let foreign = interface
        .foreign_xdp
        .as_ref()
        .is_ok_and(|there| !there.is_empty());
    let candidates = interface.choice.candidates(interface.kind.as_deref());
    let mut engines = Vec::new();
    for engine in candidates.iter().copied() {
        let is_xdp = engine != Engine::Tc;
        if is_xdp && foreign {
            notes.push(format!("{engine}: another XDP program is on it"));
        } else if engine == Engine::Xdp && interface.is_parent {
            notes.push("xdp: another media interface sits on it".to_owned());
        } else {
            engines.push(engine);
        }
    }
    (engines, notes)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::super::facts::Program;
    use super::*;

    fn foreign() -> Result<Vec<Program>, String> {
        Ok(vec![Program {
            id: 7,
            name: "cil_xdp_entry".to_owned(),
        }])
    }

    #[test]
    fn physical_devices_get_native_xdp_and_virtual_links_tc() {
        let found = interface(&Interface::physical());
        assert_eq!(
            found.text,
            "eth0 (ixgbe) would get xdp, else tc, else xdp-generic"
        );
        let found = interface(&Interface::veth());
        assert_eq!(found.text, "eth0 (veth) would get tc, else xdp-generic");
    }

    #[test]
    fn another_xdp_program_leaves_tc() {
        let found = interface(&Interface {
            foreign_xdp: foreign(),
            ..Interface::physical()
        });
        assert_eq!(found.verdict, Verdict::Ok);
        assert!(
            found.text.contains("would get tc; xdp: another"),
            "{}",
            found.text
        );
    }

    #[test]
    fn an_interface_that_can_get_nothing_is_bad() {
        let found = interface(&Interface {
            choice: EngineChoice::XdpGeneric,
            foreign_xdp: foreign(),
            ..Interface::physical()
        });
        assert_eq!(found.verdict, Verdict::Bad);
    }

    #[test]
    fn a_parent_of_another_media_interface_gets_no_native_xdp() {
        let found = interface(&Interface {
            is_parent: true,
            ..Interface::physical()
        });
        assert!(
            found
                .text
                .contains("would get tc, else xdp-generic; xdp: another media interface")
        );
    }

    #[test]
    fn what_is_at_work_is_told_instead_of_what_would_be() {
        let at = |engine| AtWork {
            table: 3,
            engine,
            shape: Shape::Shared,
            note: "xdp: refused".to_owned(),
        };
        let with = |engine| {
            interface(&Interface {
                at_work: vec![at(engine)],
                ..Interface::physical()
            })
        };
        let found = with(Some(Engine::Tc));
        assert_eq!(
            found.text,
            "eth0 (ixgbe) has table 3: tc, shared: xdp: refused"
        );
        assert_eq!(found.verdict, Verdict::Ok);
        assert_eq!(with(None).verdict, Verdict::Bad);
    }

    #[test]
    fn programs_of_ours_are_told_where_nobody_says_whose_they_are() {
        let found = interface(&Interface {
            attached: vec![Engine::Tc],
            ..Interface::veth()
        });
        assert_eq!(found.text, "eth0 (veth) has tc");
    }

    #[test]
    fn addresses_on_a_dummy_device_need_an_interface_named() {
        let anchor = Interface {
            name: "lo".to_owned(),
            is_anchor: true,
            ..Interface::physical()
        };
        let mut facts = Facts::healthy();
        facts.interfaces = vec![anchor, Interface::physical()];
        let bad = |facts: &Facts| check(facts).iter().any(|f| f.verdict == Verdict::Bad);
        assert!(bad(&facts));
        facts
            .wanted
            .device_engines
            .insert("eth0".to_owned(), EngineChoice::Auto);
        assert!(!bad(&facts));
        facts.wanted.device_engines.clear();
        facts.wanted.addresses = vec!["127.0.0.1".parse().unwrap()];
        assert!(!bad(&facts));
    }

    #[test]
    fn what_is_down_no_ethernet_or_without_address_is_warned_about() {
        let down = Interface {
            up: false,
            ..Interface::physical()
        };
        let tunnel = Interface {
            is_ethernet: false,
            ..Interface::physical()
        };
        assert_eq!(interface(&down).verdict, Verdict::Warn);
        assert_eq!(interface(&tunnel).verdict, Verdict::Warn);
        let mut facts = Facts::healthy();
        facts.homeless = vec!["192.0.2.9".parse().unwrap()];
        assert!(check(&facts)[1].text.contains("192.0.2.9"));
    }
}
