//! How a table's packets come in and leave, in the words that its owner is told.

use super::Node;
use super::hook::Hook;
use super::plan::{Entrance, Exit};
use super::table::Table;
use crate::agent::kernel::Generation;
use crate::datapath::{Engine, EngineChoice};
use crate::tables::protocol::{Egress, Interface, Place, Placement, Shape};

impl Node {
    /// What holds now; of a table that is not attached yet, what is to be expected.
    pub(super) fn placement_of(&self, generation: Generation) -> Placement {
        let Some(table) = self.tables.get(&generation) else {
            return Placement::default();
        };
        let mut interfaces: Vec<Interface> = table
            .plan
            .entrances
            .iter()
            .map(|entrance| self.interface(generation, table, entrance))
            .collect();
        // Uplinks come first, but not one where nothing forwards: then it is the owner's own interface that packets
        // come in by.
        interfaces
            .sort_by_key(|interface| interface.place == Place::Node && interface.engine.is_none());
        let exits = (0..).zip(&table.slots).filter_map(|(slot, spot)| {
            let spot = (*spot)?;
            let exit = table.plan.exits.iter().find(|exit| exit.spot == spot)?;
            Some(self.egress(generation, slot, exit))
        });
        Placement {
            egresses: exits.collect(),
            interfaces,
        }
    }

    fn interface(&self, generation: Generation, table: &Table, entrance: &Entrance) -> Interface {
        let (place, ifindex) = entrance.spot;
        let at = self.at(generation, entrance);
        let hook = at.map(|at| Hook::read(&self.hooks.pins, at));
        let others = hook.iter().flat_map(|hook| &hook.tenants);
        let others = others.filter(|other| other.generation.table != generation.table);
        let shape = match place {
            Place::Node => Shape::Uplink,
            Place::Own if others.count() > 0 => Shape::Shared,
            Place::Own => Shape::Own,
        };
        let is_there = hook.as_ref().and_then(Hook::engine);
        let (engine, note) = if entrance.is_anchor {
            let note = "packets come in by other interfaces; name those";
            (None, note.to_owned())
        } else if entrance.choice == EngineChoice::Null {
            (None, "null engine by configuration".to_owned())
        } else {
            match at.and_then(|at| table.attempts.get(&at)) {
                Some(attempt) => match &attempt.result {
                    Ok((engine, note)) => (is_there.or(Some(*engine)), note.clone()),
                    Err(note) => (None, note.clone()),
                },
                None => {
                    let candidates = entrance.choice.candidates(entrance.kind.as_deref());
                    (is_there.or(candidates.first().copied()), String::new())
                }
            }
        };
        Interface {
            name: entrance.name.clone(),
            place,
            ifindex,
            shape,
            engine,
            note,
            addresses: entrance.addresses.clone(),
            mac: entrance.mac,
            lookup: entrance.lookup,
        }
    }

    fn egress(&self, generation: Generation, slot: u32, exit: &Exit) -> Egress {
        let (place, ifindex) = exit.spot;
        // Most drivers have queues for XDP to send by only while a program of their own is attached.
        let has_xdp = |place, ifindex| {
            let namespace = self.namespace_of(generation, place)?;
            let at = super::At { namespace, ifindex };
            Hook::read(&self.hooks.pins, at).engine()
        };
        let sender = exit.node.map(|device| (Place::Node, device.ifindex));
        let (at, index) = sender.unwrap_or(exit.spot);
        Egress {
            slot,
            place,
            ifindex,
            mac: exit.mac(),
            vlan: 0,
            xdp: has_xdp(at, index) == Some(Engine::Xdp),
        }
    }
}
