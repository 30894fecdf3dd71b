//! `underpass tables`: every table of the node, for people and for programs.

use std::fmt::Write;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Owner;
use super::protocol::{AddressPorts, Interface, Place, Shape};
use crate::datapath::TableUsage;

/// Columns that a line for people takes at most, where its words let it.
const WIDTH: usize = 100;
/// What the lines below a table's first are indented by.
const MARGIN: &str = "       ";

/// One table of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TableState {
    /// Its number.
    pub table: u32,
    /// Tells it from earlier and later contents of the same number; `None` where nothing was ever granted.
    pub generation: Option<u64>,
    /// Who has or had it; `None` if the owner left no readable record.
    pub owner: Option<Owner>,
    /// Who that is across restarts: a pod's UID, or a configured or kept name.
    pub identity: Option<String>,
    /// The owner still holds its lock.
    pub alive: bool,
    /// How long the table outlives its owner, ms.
    pub lease_ms: Option<u64>,
    /// What is left of that, ms, where the owner is gone; 0: over. `None` where it lives, or where it can't be told.
    pub lease_left_ms: Option<u64>,
    /// What it may forward for.
    pub grant: Option<Grant>,
    /// Where its packets come in.
    pub interfaces: Vec<Interface>,
    /// What is in it, read from its pinned maps; `None` where they are not pinned or may not be read.
    pub usage: Option<TableUsage>,
}

/// The addresses and ports that a table may forward for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// The ports at each.
    pub ports: AddressPorts,
}

impl Grant {
    /// The addresses and then their ports, or each address with its own where they differ.
    fn words(&self) -> Vec<String> {
        let addresses = self.addresses.iter();
        if self.ports.at.is_empty() {
            let ports = format!("ports {}", self.ports.all);
            addresses.map(IpAddr::to_string).chain([ports]).collect()
        } else {
            let word = |address: &IpAddr| format!("{address} ports {}", self.ports.of(*address));
            addresses.map(word).collect()
        }
    }
}

impl TableState {
    /// The owner's state and the lease's, in a word or a few.
    #[must_use]
    pub fn lease(&self) -> String {
        match (self.alive, self.lease_left_ms) {
            (true, _) => "alive".to_owned(),
            (false, Some(0)) => "over".to_owned(),
            (false, Some(left)) => format!("gone, {} s left", left.div_ceil(1000)),
            (false, None) => "gone".to_owned(),
        }
    }
}

/// The list for people: a line a table below a heading, and below each what it may forward and where.
#[must_use]
pub fn human(tables: &[TableState]) -> String {
    let mut text = format!(
        "{:>5}  {:<15}  {:>7}  {:>8}  {:>14}  {:>9}  {}\n",
        "TABLE", "LEASE", "PID", "FLOWS", "PACKETS", "BYTES", "OWNER"
    );
    for state in tables {
        let owner = state.owner.as_ref();
        let pid = owner.map_or_else(dash, |owner| owner.pid.to_string());
        let name = owner.map_or("-", |owner| owner.name.as_str());
        let usage = state.usage.as_ref();
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{:>5}  {:<15}  {pid:>7}  {:>8}  {:>14}  {:>9}  {name}",
            state.table,
            state.lease(),
            usage.map_or_else(dash, |usage| usage.flows.to_string()),
            usage.map_or_else(dash, |usage| usage.packets.to_string()),
            usage.map_or_else(dash, |usage| bytes(usage.bytes)),
        );
        let known = state
            .identity
            .as_deref()
            .filter(|identity| *identity != name);
        if let Some(identity) = known {
            wrapped(&mut text, "identity", [identity.to_owned()], " ");
        }
        if let Some(grant) = &state.grant {
            wrapped(&mut text, "grant", grant.words(), ", ");
        }
        for interface in &state.interfaces {
            wrapped(&mut text, "interface", words(interface), " ");
        }
    }
    text
}

/// The list as a JSON array.
#[must_use]
pub fn json(tables: &[TableState]) -> String {
    serde_json::to_string_pretty(tables).unwrap_or_else(|_| "[]".to_owned())
}

fn dash() -> String {
    "-".to_owned()
}

/// Name, engine, shape, and the note's words.
fn words(interface: &Interface) -> Vec<String> {
    let engine = interface
        .engine
        .map_or_else(|| "user space".to_owned(), |engine| engine.to_string());
    let shape = match interface.shape {
        Shape::Own => "own",
        Shape::Shared => "shared",
        Shape::Uplink => "uplink",
    };
    let at_node = if interface.place == Place::Node && interface.shape != Shape::Uplink {
        ", at the node"
    } else {
        ""
    };
    let end = if interface.note.is_empty() { "" } else { ":" };
    let mut words = vec![format!(
        "{}: {engine}, {shape}{at_node}{end}",
        interface.name
    )];
    words.extend(interface.note.split_whitespace().map(str::to_owned));
    words
}

/// Appends `label` and items, in as many lines as they take; no item is broken.
fn wrapped(
    text: &mut String,
    label: &str,
    items: impl IntoIterator<Item = String>,
    separator: &str,
) {
    let mut line = format!("{MARGIN}{label:<9}");
    let mut is_first = true;
    for item in items {
        let before = if is_first { " " } else { separator };
        if !is_first && line.len() + before.len() + item.len() + separator.len() > WIDTH {
            text.push_str(&line);
            text.push_str(separator.trim_end());
            text.push('\n');
            line = format!("{MARGIN}{:<9} {item}", "");
        } else {
            line.push_str(before);
            line.push_str(&item);
        }
        is_first = false;
    }
    text.push_str(&line);
    text.push('\n');
}

/// Three figures and a unit.
fn bytes(count: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let decimals = match (unit, value) {
        (0, _) => 0,
        (_, value) if value < 10.0 => 2,
        (_, value) if value < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.decimals$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::Engine;
    use crate::tables::protocol::Ports;

    const PORTS: Ports = Ports {
        first: 30_000,
        last: 39_999,
    };

    fn alive() -> TableState {
        TableState {
            table: 0,
            generation: Some(7),
            owner: Some(Owner {
                pid: 42,
                name: "media-1".to_owned(),
                since: 1_700_000_000,
                command: "underpass run".to_owned(),
            }),
            identity: Some("2f1c".to_owned()),
            alive: true,
            lease_ms: Some(60_000),
            lease_left_ms: None,
            grant: Some(Grant {
                addresses: vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
                ports: PORTS.into(),
            }),
            interfaces: vec![Interface {
                name: "eth0".to_owned(),
                place: Place::Own,
                ifindex: 2,
                shape: Shape::Shared,
                engine: Some(Engine::Tc),
                note: "xdp: the device refuses it".to_owned(),
                addresses: vec!["192.0.2.7".parse().unwrap()],
                mac: [0; 6],
                lookup: Place::Own,
            }],
            usage: Some(TableUsage {
                flows: 2,
                packets: 1000,
                bytes: 172_000,
            }),
        }
    }

    fn dead(left_ms: Option<u64>) -> TableState {
        TableState {
            table: 9,
            lease_left_ms: left_ms,
            ..TableState::default()
        }
    }

    #[test]
    fn people_get_a_line_a_table_and_below_it_what_it_may_do_and_where() {
        let text = human(&[alive(), dead(Some(33_001))]);
        let expected = "\
TABLE  LEASE                PID     FLOWS         PACKETS      BYTES  OWNER
    0  alive                 42         2            1000    168 KiB  media-1
       identity  2f1c
       grant     192.0.2.7, 2001:db8::7, ports 30000-39999
       interface eth0: tc, shared: xdp: the device refuses it
    9  gone, 34 s left        -         -               -          -  -
";
        assert_eq!(text, expected);
    }

    #[test]
    fn ports_that_differ_stand_beside_their_addresses() {
        let mut state = alive();
        let Some(Grant { addresses, ports }) = &mut state.grant else {
            unreachable!()
        };
        let fewer = Ports {
            first: 30_000,
            last: 30_999,
        };
        *ports = [(addresses[0], fewer), (addresses[1], PORTS)]
            .into_iter()
            .collect();
        let text = human(&[state.clone()]);
        let expected = "grant     192.0.2.7 ports 30000-30999, 2001:db8::7 ports 30000-39999\n";
        assert!(text.contains(expected), "{text}");
        let parsed: serde_json::Value = serde_json::from_str(&json(&[state])).unwrap();
        let ports = &parsed[0]["grant"]["ports"];
        assert_eq!(ports["last"], 39_999);
        assert_eq!(ports["at"]["192.0.2.7"]["last"], 30_999);
    }

    #[test]
    fn a_lease_is_running_over_or_not_known() {
        assert_eq!(alive().lease(), "alive");
        assert_eq!(dead(Some(1)).lease(), "gone, 1 s left");
        assert_eq!(dead(Some(0)).lease(), "over");
        assert_eq!(dead(None).lease(), "gone");
    }

    #[test]
    fn lines_for_people_fit_into_a_hundred_columns() {
        let mut state = alive();
        let Some(grant) = &mut state.grant else {
            unreachable!()
        };
        grant.addresses = (0..40)
            .map(|last| IpAddr::from([203, 0, 113, last]))
            .collect();
        state.interfaces[0].note = "a word ".repeat(60);
        let text = human(&[state]);
        assert!(text.lines().all(|line| line.len() <= WIDTH), "{text}");
        assert!(text.contains("203.0.113.39, ports"), "{text}");
    }

    #[test]
    fn bytes_are_told_in_three_figures() {
        let told = [0, 999, 1000, 1536, 123_456, 5_000_000_000].map(bytes);
        assert_eq!(
            told,
            [
                "0 B", "999 B", "0.98 KiB", "1.50 KiB", "121 KiB", "4.66 GiB"
            ]
        );
    }

    #[test]
    fn programs_get_all_of_it_as_json() {
        let parsed: serde_json::Value =
            serde_json::from_str(&json(&[alive(), dead(Some(0))])).unwrap();
        assert_eq!(parsed[0]["owner"]["pid"], 42);
        assert_eq!(parsed[0]["identity"], "2f1c");
        assert_eq!(parsed[0]["grant"]["ports"]["first"], 30_000);
        assert_eq!(parsed[0]["interfaces"][0]["shape"], "shared");
        assert_eq!(parsed[0]["usage"]["bytes"], 172_000);
        assert_eq!(parsed[1]["lease_left_ms"], 0);
        assert_eq!(parsed[1]["usage"], serde_json::Value::Null);
    }

    #[test]
    fn a_list_comes_back_from_json_as_it_was_and_from_an_older_peer_with_less() {
        let states = vec![alive(), dead(None)];
        let again: Vec<TableState> = serde_json::from_str(&json(&states)).unwrap();
        assert_eq!(again, states);
        let older: TableState = serde_json::from_str(r#"{"table":3,"alive":true}"#).unwrap();
        assert_eq!((older.table, older.alive, older.usage), (3, true, None));
    }
}
