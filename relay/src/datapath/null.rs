//! The engine that forwards nothing: user space does everything.

use std::sync::Arc;

use super::{Datapath, Flow, FlowId, FlowReport, FlowState, Reason};

/// Leaves every flow in user space and says why.
#[derive(Clone, Copy, Debug)]
pub struct NullDatapath {
    reason: Reason,
}

impl NullDatapath {
    /// An engine that gives `reason` for every flow.
    #[must_use]
    pub fn new(reason: Reason) -> Self {
        Self { reason }
    }
}

impl Default for NullDatapath {
    fn default() -> Self {
        Self::new(Reason::NoEngine)
    }
}

impl Datapath for NullDatapath {
    fn install(&self, _id: FlowId, _flow: Flow, report: Arc<FlowReport>) {
        report.set_state(FlowState::UserSpace(self.reason));
    }

    fn remove(&self, _id: FlowId) {}

    fn refresh(&self) {}

    fn refresh_flows(&self, _flows: &[FlowId]) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::datapath::{PayloadTypes, SsrcFilter};

    #[test]
    fn every_flow_stays_in_user_space_for_the_reason_given() {
        let report = Arc::new(FlowReport::default());
        let flow = Flow {
            local: "192.0.2.1:30000".parse().unwrap(),
            source: "198.51.100.1:4000".parse().unwrap(),
            from: "192.0.2.1:30002".parse().unwrap(),
            to: "198.51.100.2:5000".parse().unwrap(),
            tos: 0,
            further: Box::default(),
            payload_types: PayloadTypes::ALL,
            ssrcs: SsrcFilter::Any,
            clock_rate: 8000,
        };

        NullDatapath::default().install(FlowId(1), flow, report.clone());

        assert_eq!(report.state(), FlowState::UserSpace(Reason::NoEngine));
    }
}
