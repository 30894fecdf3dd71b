//! `block media`, `silence media`, `block DTMF` and their opposites: what of a call, a party or a flow is held back.

use ng_protocol::{Command, Reply, Request};
use serde::{Deserialize, Serialize};

use super::select::{self, Target};
use super::subscription::Edge;
use super::{Calls, Refusal};
use crate::plan::Action;

/// What is held back of all that a party sends, or everybody in a call.
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
    /// Holds back, or lets go again, what a call, one party or single flows carry.
    pub(super) fn block(&mut self, request: &Request) -> Result<(Reply, Vec<Action>), Refusal> {
        let (what, on) = match request.command {
            Command::BlockMedia => (What::Media, true),
            Command::UnblockMedia => (What::Media, false),
            Command::SilenceMedia => (What::Silence, true),
            Command::UnsilenceMedia => (What::Silence, false),
            Command::BlockDtmf => (What::Dtmf, true),
            _ => (What::Dtmf, false),
        };
        let by_flow = what.of_flow(&mut Edge::default()).is_some();
        self.change(request, |call| {
            match select::target(call, request, by_flow)? {
                Target::Call => *what.of_all(&mut call.blocks) = on,
                // What is blocked for everybody was not blocked for each: only letting go is for both.
                Target::Everybody => {
                    *what.of_all(&mut call.blocks) = on;
                    for party in call.parties_mut().filter(|_| !on) {
                        *what.of_all(&mut party.blocks) = false;
                    }
                }
                Target::Party(party) => {
                    if let Some(party) = call.party_mut(party) {
                        *what.of_all(&mut party.blocks) = on;
                    }
                }
                Target::Flows(source, flows) => {
                    for (sink, edge) in call.subscriptions.flows_from(source) {
                        if flows.include(sink, edge.kind)
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
