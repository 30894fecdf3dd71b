//! `block media`, `silence media` and their opposites: what of a call, a party or a flow is held back.

use ng_protocol::{Command, Reply, Request};
use serde::{Deserialize, Serialize};

use super::select::{self, Target};
use super::subscription::Edge;
use super::{Calls, Refusal};
use crate::plan::{Action, Digits, Replacement};

/// What is held back of all that a party sends, or is sent, or everybody in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Blocks {
    /// All but telephone events.
    pub(super) media: bool,
    /// The sound: silence goes in its place.
    pub(super) silence: bool,
    /// Telephone events: all of them, or what they were.
    dtmf: bool,
    /// What takes the place of telephone events that are held back.
    dtmf_replacement: Option<Replacement>,
    /// Everything, RTCP too (`drop-traffic`); of calls only.
    pub(super) traffic: bool,
}

impl Blocks {
    /// What becomes of telephone events.
    pub(super) fn digits(&self) -> Digits {
        match (self.dtmf, self.dtmf_replacement) {
            (false, _) => Digits::Pass,
            (true, None) => Digits::Drop,
            (true, Some(replacement)) => Digits::Replace(replacement),
        }
    }

    pub(super) fn set_digits(&mut self, digits: Digits) {
        self.dtmf = digits != Digits::Pass;
        self.dtmf_replacement = match digits {
            Digits::Replace(replacement) => Some(replacement),
            Digits::Pass | Digits::Drop => None,
        };
    }
}

/// One of the things that can be held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Media,
    Silence,
}

impl What {
    fn of_all(self, blocks: &mut Blocks) -> &mut bool {
        match self {
            Self::Media => &mut blocks.media,
            Self::Silence => &mut blocks.silence,
        }
    }

    fn of_flow(self, edge: &mut Edge) -> &mut bool {
        match self {
            Self::Media => &mut edge.blocked,
            Self::Silence => &mut edge.silenced,
        }
    }
}

impl Calls {
    /// Holds back, or lets go again, what a call, one party or single flows carry: what a party sends, or with `egress` what it
    /// is sent.
    pub(super) fn block(&mut self, request: &Request) -> Result<(Reply, Vec<Action>), Refusal> {
        let (what, on) = match request.command {
            Command::BlockMedia => (What::Media, true),
            Command::UnblockMedia => (What::Media, false),
            Command::SilenceMedia => (What::Silence, true),
            _ => (What::Silence, false),
        };
        let egress = request.options.flags.egress;
        self.change(request, |call| {
            match select::target(call, request, true)? {
                Target::Call => *what.of_all(&mut call.blocks) = on,
                // What is blocked for everybody was not blocked for each: only letting go is for both.
                Target::Everybody => {
                    *what.of_all(&mut call.blocks) = on;
                    for party in call.parties_mut().filter(|_| !on) {
                        *what.of_all(&mut party.blocks) = false;
                        *what.of_all(&mut party.egress_blocks) = false;
                    }
                }
                Target::Party(party) => {
                    if let Some(party) = call.party_mut(party) {
                        let blocks = if egress {
                            &mut party.egress_blocks
                        } else {
                            &mut party.blocks
                        };
                        *what.of_all(blocks) = on;
                    }
                }
                Target::Flows(party, flows) => {
                    for (other, edge) in call.subscriptions.flows_of(party, egress) {
                        if flows.include(other, edge.kind) {
                            *what.of_flow(edge) = on;
                        }
                    }
                }
            }
            Ok(())
        })
    }
}
