//! What becomes of DTMF digits on their way through.

use std::net::SocketAddr;

use bytes::Bytes;

use super::word::{Word, done, unsupported};

/// What is asked for about DTMF.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dtmf {
    /// `DTMF-security`: how digits are blocked.
    pub security: Option<DtmfSecurity>,
    /// `DTMF-security-trigger`: how they are blocked after `trigger`.
    pub security_trigger: Option<DtmfSecurity>,
    /// `DTMF-security-trigger-end`: how they are blocked after `trigger-end`.
    pub security_trigger_end: Option<DtmfSecurity>,
    /// `DTMF-delay`, in ms.
    pub delay: Option<i64>,
    /// `dtmf-log-dest`: where digits are reported to.
    pub log_dest: Option<SocketAddr>,
    /// `trigger`: the digits that begin blocking.
    pub trigger: Option<Bytes>,
    /// `trigger-end`: the digits that end it.
    pub trigger_end: Option<Bytes>,
    /// `trigger-end-time`: after how many ms it ends anyhow.
    pub trigger_end_time: Option<i64>,
    /// `trigger-end-digits`: after how many digits it ends anyhow.
    pub trigger_end_digits: Option<i64>,
}

/// `DTMF-security`: what takes the place of a digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DtmfSecurity {
    /// Digits pass.
    Off,
    /// Nothing: its packets are dropped.
    Drop,
    /// Silence.
    Silence,
    /// A tone.
    Tone,
    /// Any other digit.
    Random,
    /// Zero.
    Zero,
    /// The digit in `code`.
    Dtmf,
}

/// The words of `DTMF-security` and its triggers.
pub(super) const SECURITY: &[Word<DtmfSecurity>] = &[
    done("off", DtmfSecurity::Off),
    done("drop", DtmfSecurity::Drop),
    unsupported("silence", DtmfSecurity::Silence),
    unsupported("tone", DtmfSecurity::Tone),
    done("random", DtmfSecurity::Random),
    done("zero", DtmfSecurity::Zero),
    done("dtmf", DtmfSecurity::Dtmf),
];
