//! `underpass tables`: every table of the node, for people and for programs.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::Owner;
use crate::datapath::TableUsage;

/// One table of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    /// Its number.
    pub table: u32,
    /// Who has or had it; `None` if the owner left no readable record.
    pub owner: Option<Owner>,
    /// The owner still holds its lock.
    pub alive: bool,
    /// What is in it, read from its pinned maps; `None` where they are not pinned or may not be read.
    pub usage: Option<TableUsage>,
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
            },
            TableState {
                table: 9,
                owner: None,
                alive: false,
                usage: None,
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
