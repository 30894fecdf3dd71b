//! Which way media flows, as the party that wrote the SDP sees it (RFC 8866 section 6.7).

/// `a=sendrecv`, `a=sendonly`, `a=recvonly`, `a=inactive`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Sends and receives.
    #[default]
    Sendrecv,
    /// Sends only.
    Sendonly,
    /// Receives only.
    Recvonly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// The direction of a party that sends, receives, both or neither.
    #[must_use]
    pub fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::Sendrecv,
            (true, false) => Self::Sendonly,
            (false, true) => Self::Recvonly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the party sends.
    #[must_use]
    pub fn sends(self) -> bool {
        matches!(self, Self::Sendrecv | Self::Sendonly)
    }

    /// Whether the party receives.
    #[must_use]
    pub fn receives(self) -> bool {
        matches!(self, Self::Sendrecv | Self::Recvonly)
    }

    /// The same media as the other party sees it.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// The attribute's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sendrecv => "sendrecv",
            Self::Sendonly => "sendonly",
            Self::Recvonly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    pub(super) fn from_attribute(name: &[u8]) -> Option<Self> {
        match name {
            b"sendrecv" => Some(Self::Sendrecv),
            b"sendonly" => Some(Self::Sendonly),
            b"recvonly" => Some(Self::Recvonly),
            b"inactive" => Some(Self::Inactive),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Direction; 4] = [
        Direction::Sendrecv,
        Direction::Sendonly,
        Direction::Recvonly,
        Direction::Inactive,
    ];

    #[test]
    fn reversing_twice_changes_nothing() {
        for direction in ALL {
            assert_eq!(direction.reversed().reversed(), direction);
        }
        assert_eq!(Direction::Sendonly.reversed(), Direction::Recvonly);
    }

    #[test]
    fn a_direction_is_read_back_from_its_name() {
        for direction in ALL {
            assert_eq!(
                Direction::from_attribute(direction.as_str().as_bytes()),
                Some(direction)
            );
        }
        assert_eq!(Direction::from_attribute(b"sendrecvx"), None);
    }
}
