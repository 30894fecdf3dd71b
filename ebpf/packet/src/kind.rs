//! Telling apart what shares a media port (RFC 7983, RFC 5761).

use underpass_abi::Outcome;

use crate::refuse;

/// What a UDP payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// RTP, version 2.
    Rtp,
    /// RTCP, version 2.
    Rtcp,
    /// STUN.
    Stun,
    /// DTLS.
    Dtls,
    /// Anything else, ZRTP and TURN channels among it.
    Other,
}

/// What `payload` is, by its first two bytes and its length.
#[must_use]
pub fn classify(payload: &[u8]) -> Kind {
    match payload {
        [first, second, ..] => match Kind::of([*first, *second]) {
            Kind::Rtp if payload.len() < 12 => Kind::Other,
            Kind::Rtcp if payload.len() < 8 => Kind::Other,
            kind => kind,
        },
        _ => Kind::Other,
    }
}

impl Kind {
    /// What begins with these two bytes. RTCP's packet types are 192 to 223, which takes payload types 64 to 95 with the
    /// marker bit from RTP (RFC 5761 section 4).
    #[inline(always)]
    #[must_use]
    pub fn of(first_two: [u8; 2]) -> Self {
        match first_two {
            [0..=3, _] => Self::Stun,
            [20..=63, _] => Self::Dtls,
            [128..=191, 192..=223] => Self::Rtcp,
            [128..=191, _] => Self::Rtp,
            _ => Self::Other,
        }
    }

    /// `Ok` for RTP.
    ///
    /// # Errors
    /// The outcome that says what else it is.
    #[inline(always)]
    pub fn require_rtp(self) -> Result<(), Outcome> {
        match self {
            Self::Rtp => Ok(()),
            Self::Rtcp => refuse(Outcome::Rtcp),
            Self::Stun => refuse(Outcome::Stun),
            Self::Dtls => refuse(Outcome::Dtls),
            Self::Other => refuse(Outcome::NotRtp),
        }
    }
}
