//! What the configuration says about calls. Every value may be changed at run time.

use super::{Hundredths, StarCodes};
use crate::plan::EndpointLearning;

/// Lifetimes are in seconds; 0 turns one off, except `delete_delay`, where it means at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `timeout`: for media that should be arriving.
    pub timeout: u64,
    /// `silent-timeout`: for media that is not expected, such as on hold.
    pub silent_timeout: u64,
    /// `offer-timeout`: for media whose party has not answered.
    pub offer_timeout: u64,
    /// `final-timeout`: the age at which any call ends.
    pub final_timeout: u64,
    /// `delete-delay`: from `delete` until ports are freed.
    pub delete_delay: u64,
    /// `max-sessions`: new calls beyond it are refused; 0 drains, `None` is unlimited.
    pub max_sessions: Option<u64>,
    /// `max-cpu`: the same while the processors are so busy, in percent; 0 turns it off.
    pub max_cpu: Hundredths,
    /// `max-load`: the same at such a load average; 0 turns it off.
    pub max_load: Hundredths,
    /// `max-bandwidth`: the same while so many bytes a second are relayed; 0 turns it off.
    pub max_bandwidth: u64,
    /// `tos`: TOS byte or traffic class of relayed packets.
    pub tos: u8,
    /// `endpoint-learning`, where a request does not say otherwise.
    pub endpoint_learning: EndpointLearning,
    /// `sip-source`: believe `received-from` rather than the SDP's addresses.
    pub sip_source: bool,
    /// `rtcp-interval`: how often reports are sent where RTCP is generated.
    pub rtcp_interval_ms: u32,
    /// Telephone events are told: somebody listens (`dtmf-log-dest`).
    pub detect_dtmf: bool,
    /// `log-facility-cdr`: a record is made of each call that ends.
    pub cdr: bool,
    /// `vsc-*`: what parties dial to control recordings, where a call says nothing else.
    pub star_codes: StarCodes,
    /// `dtmf-digit-delay`: the longest pause between digits that belong together.
    pub digit_delay_ms: u64,
    /// `recording-dir`; `None`: nothing is recorded.
    pub recording_dir: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: 60,
            silent_timeout: 3600,
            offer_timeout: 3600,
            final_timeout: 0,
            delete_delay: 30,
            max_sessions: None,
            max_cpu: Hundredths(0),
            max_load: Hundredths(0),
            max_bandwidth: 0,
            tos: 0,
            endpoint_learning: EndpointLearning::default(),
            sip_source: false,
            rtcp_interval_ms: 5000,
            detect_dtmf: false,
            cdr: false,
            star_codes: StarCodes::default(),
            digit_delay_ms: 2500,
            recording_dir: None,
        }
    }
}
