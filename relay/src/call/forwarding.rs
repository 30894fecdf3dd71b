//! `start forwarding` and `stop forwarding`: whether packets are offered to a process beside rtpengine's kernel module. There is no such
//! interface here; what was asked for is kept, and `query` shows it.

use ng_protocol::{Command, Reply, Request};

use super::select::{self, Target};
use super::{Calls, Refusal};
use crate::plan::Action;

impl Calls {
    /// Takes note of it for a call or one party.
    pub(super) fn forward(&mut self, request: &Request) -> Result<(Reply, Vec<Action>), Refusal> {
        let on = request.command == Command::StartForwarding;
        self.change(request, |call| {
            match select::target(call, request, false)? {
                Target::Call => call.forwarding = on,
                Target::Everybody => {
                    call.forwarding = on;
                    for party in call.parties_mut().filter(|_| !on) {
                        party.forwarding = false;
                    }
                }
                Target::Party(party) | Target::Flows(party, _) => {
                    if let Some(party) = call.party_mut(party) {
                        party.forwarding = on;
                    }
                }
            }
            Ok(())
        })
    }
}
