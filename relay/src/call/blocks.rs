//! `block media`, `silence media`, `block DTMF` and their opposites: what of a call, a party or a flow is held back.

use ng_protocol::{Command, Reply, Request};
use serde::{Deserialize, Serialize};

use super::select::{self, Target};
use super::subscription::Edge;
use super::{Calls, Refusal};
use crate::plan::Action;

/// What is held back of all that a party sends, or is sent, or everybody in a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Blocks {
    /// All but telephone events.
    pub(super) media: bool,
    /// The sound: silence goes in its place.
    pub(super) silence: bool,
    /// Telephone events.
    pub(super) dtmf: bool,
    /// Everything, RTCP too (`drop-traffic`); of calls only.
    pub(super) traffic: bool,
}

impl Blocks {
    /// What is held back by either.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            media: self.media || other.media,
            silence: self.silence || other.silence,
            dtmf: self.dtmf || other.dtmf,
            traffic: self.traffic || other.traffic,
        }
    }
}

/// One of the things that can be held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Media,
    Silence,
    Dtmf,
}

impl What {
    fn of_all(self, blocks: &mut Blocks) -> &mut bool {
        match self {
            Self::Media => &mut blocks.media,
            Self::Silence => &mut blocks.silence,
            Self::Dtmf => &mut blocks.dtmf,
        }
    }

    /// `None`: not to be had flow by flow.
    fn of_flow(self, edge: &mut Edge) -> Option<&mut bool> {
        match self {
            Self::Media => Some(&mut edge.blocked),
            Self::Silence => Some(&mut edge.silenced),
            Self::Dtmf => None,
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
            Command::UnsilenceMedia => (What::Silence, false),
            Command::BlockDtmf => (What::Dtmf, true),
            _ => (What::Dtmf, false),
        };
        let egress = request.options.flags.egress;
        let by_flow = what.of_flow(&mut Edge::default()).is_some();
        self.change(request, |call| {
            match select::target(call, request, by_flow)? {
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
                        if flows.include(other, edge.kind)
                            && let Some(held) = what.of_flow(edge)
                        {
                            *held = on;
                        }
                    }
                }
            }
            Ok(())
        })
    }
}
