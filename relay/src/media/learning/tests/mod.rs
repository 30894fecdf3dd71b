//! How endpoints are learned, without a socket.

mod properties;
mod ranks;
mod resuming;
mod signalling;
mod table;

use super::*;
use crate::datapath::PayloadTypes;
use crate::plan::{Component, Digits, RtcpHandling, Silences};

const ANNOUNCED: &str = "192.0.2.1:5000";
const SAME_ADDRESS: &str = "192.0.2.1:6000";
const SAME_PORT: &str = "198.51.100.1:5000";
const ELSEWHERE: &str = "198.51.100.1:7000";
const STRANGER: &str = "203.0.113.9:9999";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn plan(learning: EndpointLearning) -> StreamPlan {
    StreamPlan {
        component: Component::Rtp,
        endpoint: Some(at(ANNOUNCED)),
        public: true,
        signalled: 1,
        resets: 0,
        learning,
        strict_source: false,
        media_handover: false,
        asymmetric: false,
        nat_wait: false,
        pierce_nat: false,
        sinks: vec![],
        rtcp_sinks: vec![],
        rtcp: RtcpHandling::default(),
        payload_types: PayloadTypes::ALL,
        telephone_events: PayloadTypes::NONE,
        event_clock_rates: Vec::new(),
        digits: Digits::Pass,
        detect_events: false,
        watch_digits: false,
        silences: Silences::default(),
        never_short: PayloadTypes::NONE,
        clock_rate: 8000,
        tos: 0,
        recording: None,
    }
}

fn heuristic() -> StreamPlan {
    plan(EndpointLearning::Heuristic)
}

fn send(learning: &mut Learning, source: &str, now_ms: u64) -> Verdict {
    learning.packet(Arrival {
        source: at(source),
        stray_rtcp: false,
        now_ms,
        kernel_ms: 0,
    })
}

fn send_rtcp(learning: &mut Learning, source: &str, now_ms: u64) -> Verdict {
    learning.packet(Arrival {
        source: at(source),
        stray_rtcp: true,
        now_ms,
        kernel_ms: 0,
    })
}

fn rules(mode: EndpointLearning, column: &str) -> StreamPlan {
    StreamPlan {
        strict_source: matches!(column, "strict-source" | "both"),
        media_handover: matches!(column, "media-handover" | "both"),
        ..plan(mode)
    }
}

/// One packet of a scenario.
struct Step {
    ms: u64,
    source: &'static str,
    /// The scenario is about this packet.
    watched: bool,
}

/// Packets every 20 ms, the first at `from`.
fn voice(source: &'static str, from: u64, until: u64, watched: bool) -> impl Iterator<Item = Step> {
    (from..until).step_by(20).map(move |ms| Step {
        ms,
        source,
        watched,
    })
}
