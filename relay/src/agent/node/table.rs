//! One generation, as an agent knows it.

use std::collections::{BTreeMap, BTreeSet};

use underpass_abi::MAX_EGRESSES;

use super::grant::Grant;
use super::pins::At;
use super::plan::{Plan, Spot};
use crate::agent::kernel::{Generation, Spec};
use crate::datapath::Engine;
use crate::tables::protocol::Place;

/// What came of attaching to an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// Its name then.
    pub(super) name: String,
    /// As [`super::plan::Entrance::is_parent`], then.
    pub(super) is_parent: bool,
    /// The engine, and why no better one; or why none.
    pub(super) result: Result<(Engine, String), String>,
}

/// A generation that this agent looks after.
#[derive(Debug)]
pub(super) struct Table {
    /// What it was made for.
    pub(super) spec: Spec,
    /// The owner's namespace, if it can be had.
    pub(super) namespace: Option<u64>,
    /// The node's, if it can be had…
    pub(super) home: Option<u64>,
    /// …and its uplinks, as the agent that made it knew them.
    pub(super) uplinks: Vec<String>,
    /// What it may do; `None`: it is of another layout.
    pub(super) grant: Option<Grant>,
    /// It is, or should be, at work.
    pub(super) is_attached: bool,
    /// How its packets come in and leave.
    pub(super) plan: Plan,
    /// What came of it.
    pub(super) attempts: BTreeMap<At, Attempt>,
    /// What each way out is.
    pub(super) slots: [Option<Spot>; MAX_EGRESSES],
    /// Where the next slot is looked for: one that was used rests as long as can be.
    next_slot: usize,
    /// Ways out that the owner has asked for.
    pub(super) asked: BTreeSet<Spot>,
}

impl Table {
    /// A generation whose grant is filled in, `None`: of another layout. Nobody follows it yet.
    pub(super) fn new(spec: Spec, grant: Option<Grant>) -> Self {
        Self {
            spec,
            namespace: None,
            home: None,
            uplinks: Vec::new(),
            grant,
            is_attached: false,
            plan: Plan::default(),
            attempts: BTreeMap::new(),
            slots: [None; MAX_EGRESSES],
            next_slot: 0,
            asked: BTreeSet::new(),
        }
    }

    /// Makes a plan the one that holds: ways out that are gone lead nowhere from now on.
    pub(super) fn adopt(&mut self, plan: Plan, generation: Generation) {
        let Some(grant) = &mut self.grant else {
            return;
        };
        for (slot, known) in (0..).zip(&mut self.slots) {
            let exit = known.and_then(|spot| plan.exits.iter().find(|exit| exit.spot == spot));
            grant.set_egress(Place::Own, slot, exit.and_then(|exit| exit.own));
            grant.set_egress(Place::Node, slot, exit.and_then(|exit| exit.node));
            if exit.is_none() {
                *known = None;
            }
        }
        for exit in &plan.exits {
            if self.slots.contains(&Some(exit.spot)) {
                continue;
            }
            let mut order = (0..MAX_EGRESSES).map(|step| (self.next_slot + step) % MAX_EGRESSES);
            let Some(free) = order.find(|slot| self.slots[*slot].is_none()) else {
                tracing::warn!(
                    table = generation.table,
                    "more than {MAX_EGRESSES} ways out: some are left out"
                );
                break;
            };
            self.slots[free] = Some(exit.spot);
            self.next_slot = (free + 1) % MAX_EGRESSES;
            grant.set_egress(Place::Own, free as u32, exit.own);
            grant.set_egress(Place::Node, free as u32, exit.node);
        }
        self.plan = plan;
    }

    /// Takes in what another agent has given as ways out: the grant says what holds.
    pub(super) fn read_slots(&mut self) {
        let Some(grant) = &self.grant else {
            return;
        };
        for (slot, known) in (0..).zip(&mut self.slots) {
            let given = [Place::Own, Place::Node]
                .into_iter()
                .find_map(|place| Some((place, grant.egress(place, slot)?.ifindex)));
            if given != *known {
                *known = given;
                self.asked.extend(given);
                self.next_slot = (slot as usize + 1) % MAX_EGRESSES;
            }
        }
    }
}
