//! Claiming a forwarding table on a node: the words that relays and the node's agent share.
//!
//! A node has [`TABLES`] tables. A relay gets one from the agent, with the addresses and ports that it may forward for, and
//! holds it as long as it lives.

mod choice;
#[cfg(feature = "kernel")]
pub mod client;
pub mod identity;
mod list;
mod owner;
#[cfg(feature = "kernel")]
pub(crate) mod packet;
pub mod protocol;

pub use choice::{AgentChoice, NotAnAgent, SOCKET};
pub use list::{Grant, TableState, human, json};
pub use owner::Owner;

use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Tables of one node, numbered from 0; as many as rtpengine has.
pub const TABLES: u32 = 64;

/// Which table a relay asks for (`table` in the configuration).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableRequest {
    /// The first free one (`auto`).
    #[default]
    Auto,
    /// Exactly this one.
    Number(u32),
    /// None: user space only (`-1`, `none`).
    None,
}

/// Not a table.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("table '{0}': must be 'auto', 0 to {last}, or -1 for none", last = TABLES - 1)]
pub struct NotATable(String);

impl FromStr for TableRequest {
    type Err = NotATable;

    fn from_str(text: &str) -> Result<Self, NotATable> {
        match text {
            "auto" => Ok(Self::Auto),
            "none" => Ok(Self::None),
            number => match number.parse::<i64>() {
                Ok(negative) if negative < 0 => Ok(Self::None),
                Ok(number) => u32::try_from(number)
                    .ok()
                    .filter(|table| *table < TABLES)
                    .map(Self::Number)
                    .ok_or_else(|| NotATable(text.to_owned())),
                Err(_) => Err(NotATable(text.to_owned())),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_table_option() {
        assert_eq!("auto".parse(), Ok(TableRequest::Auto));
        assert_eq!("-1".parse(), Ok(TableRequest::None));
        assert_eq!("none".parse(), Ok(TableRequest::None));
        assert_eq!("0".parse(), Ok(TableRequest::Number(0)));
        assert_eq!("63".parse(), Ok(TableRequest::Number(63)));
    }

    #[test]
    fn what_is_no_table_is_refused_by_name() {
        for text in ["64", "table", "", "4294967296", "1.5"] {
            let error = text.parse::<TableRequest>().unwrap_err();
            assert!(error.to_string().contains(text));
        }
    }
}
