//! `underpass tables`: every table of the node, for people and for programs.

use std::fmt::Write;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::Owner;
use super::protocol::{Interface, Ports};
use crate::datapath::TableUsage;

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
    pub ports: Ports,
}

/// The list as aligned text, one table a line below a heading.
#[must_use]
pub fn human(tables: &[TableState]) -> String {
    let mut text = format!(
        "{:>5}  {:<5}  {:>7}  {:>8}  {:>12}  {}\n",
        "TABLE", "STATE", "PID", "FLOWS", "PACKETS", "OWNER"
    );
    for state in tables {
        let (pid, name) = state
            .owner
            .as_ref()
            .map_or((String::from("-"), "-"), |owner| {
                (owner.pid.to_string(), owner.name.as_str())
            });
        let (flows, packets) = state
            .usage
            .as_ref()
            .map_or((String::from("-"), String::from("-")), |usage| {
                (usage.flows.to_string(), usage.packets.to_string())
            });
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "{:>5}  {:<5}  {pid:>7}  {flows:>8}  {packets:>12}  {name}",
            state.table,
            if state.alive { "alive" } else { "dead" },
        );
    }
    text
}

/// The list as a JSON array.
#[must_use]
pub fn json(tables: &[TableState]) -> String {
    serde_json::to_string_pretty(tables).unwrap_or_else(|_| "[]".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states() -> Vec<TableState> {
        vec![
            TableState {
                table: 0,
                owner: Some(Owner {
                    pid: 42,
                    name: "media-1".to_owned(),
                    since: 1_700_000_000,
                    command: "underpass run".to_owned(),
                }),
                alive: true,
                usage: Some(TableUsage {
                    flows: 2,
                    packets: 1000,
                }),
                ..TableState::default()
            },
            TableState {
                table: 9,
                owner: None,
                alive: false,
                usage: None,
                ..TableState::default()
            },
        ]
    }

    #[test]
    fn people_get_one_line_a_table() {
        let text = human(&states());
        let lines: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(lines[1], ["0", "alive", "42", "2", "1000", "media-1"]);
        assert_eq!(lines[2], ["9", "dead", "-", "-", "-", "-"]);
    }

    #[test]
    fn programs_get_json() {
        let parsed: serde_json::Value = serde_json::from_str(&json(&states())).unwrap();
        assert_eq!(parsed[0]["owner"]["pid"], 42);
        assert_eq!(parsed[0]["usage"]["packets"], 1000);
        assert_eq!(parsed[1]["usage"], serde_json::Value::Null);
    }
}
