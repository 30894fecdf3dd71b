//! Which agent is turned to.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where an agent listens unless told otherwise.
pub const SOCKET: &str = "/run/underpass/agent.sock";

/// Which agent a relay turns to (`agent` in the configuration).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AgentChoice {
    /// The one at [`SOCKET`] if the socket is there, else its own.
    #[default]
    Auto,
    /// Its own, in this process.
    Embedded,
    /// The one that listens there.
    At(PathBuf),
    /// None: user space only.
    None,
}

/// Neither a word of [`AgentChoice`] nor a path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no agent '{0}': must be 'auto', 'embedded', 'none', or a socket's path from / on")]
pub struct NotAnAgent(String);

impl FromStr for AgentChoice {
    type Err = NotAnAgent;

    fn from_str(text: &str) -> Result<Self, NotAnAgent> {
        match text {
            "auto" => Ok(Self::Auto),
            "embedded" => Ok(Self::Embedded),
            "none" => Ok(Self::None),
            // From the root: the relay's working directory changes when it goes into the background.
            path if path.starts_with('/') => Ok(Self::At(PathBuf::from(path))),
            other => Err(NotAnAgent(other.to_owned())),
        }
    }
}

impl fmt::Display for AgentChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Embedded => f.write_str("embedded"),
            Self::At(path) => write!(f, "{}", path.display()),
            Self::None => f.write_str("none"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_agent_option_are_read_as_they_are_written() {
        for text in ["auto", "embedded", "none", "/run/other/agent.sock"] {
            let choice: AgentChoice = text.parse().unwrap();
            assert_eq!(choice.to_string(), text);
        }
    }

    #[test]
    fn what_is_neither_a_word_nor_a_path_from_the_root_is_refused() {
        for text in ["", "embeded", "agent.sock", "./agent.sock"] {
            assert!(text.parse::<AgentChoice>().is_err(), "{text}");
        }
    }
}
