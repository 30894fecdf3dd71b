//! Bringing about what a plan says, as links and addresses come and go.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::os::fd::AsFd;

use super::Node;
use super::hook::{Hook, Tenant};
use super::pins::At;
use super::plan::{self, Entrance, Ground, Plan};
use super::table::Attempt;
use crate::agent::kernel::Generation;
use crate::agent::kernel::NodeKernel;
use crate::datapath::{Engine, EngineChoice};

impl Node {
    /// Makes a table's plan anew, and brings it about: ways out at once, programs if the table is at work.
    pub(super) fn reconcile(&mut self, generation: Generation) {
        if let Some(table) = self.tables.get_mut(&generation) {
            table.read_slots();
        }
        let Some(plan) = self.plan(generation) else {
            return;
        };
        // Another agent may have put it to work.
        let is_at_work = self.is_at_work(generation);
        let Some(table) = self.tables.get_mut(&generation) else {
            return;
        };
        table.is_attached |= is_at_work;
        if table.plan != plan {
            self.changed.insert(generation);
        }
        table.adopt(plan, generation);
        if table.is_attached {
            self.attach_entrances(generation);
        }
    }

    /// The interfaces where a generation is at work.
    pub(super) fn attached_at(&self, generation: Generation) -> impl Iterator<Item = At> + use<'_> {
        let pins = &self.hooks.pins;
        let interfaces = pins.interfaces().into_iter();
        interfaces.filter(move |at| Hook::read(pins, *at).serves(generation))
    }

    /// Takes a generation off an interface.
    pub(super) fn expel(&mut self, at: At, generation: Generation) {
        let space = self.spaces.get_mut(&at.namespace);
        let netlink = space.map(|space| &mut space.netlink);
        self.hooks.expel(at, generation, netlink);
        self.tell_tenants(at, generation);
    }

    /// Has an interface give native XDP up, for good and for all that share it: one who asked for what the device can't do
    /// must not have it so for the others, and who says so falsely costs them time, no packets.
    pub(super) fn give_up_xdp(&mut self, generation: Generation, at: At) {
        let hook = Hook::read(&self.hooks.pins, at);
        if hook.engine() != Some(Engine::Xdp) || !hook.serves(generation) {
            return;
        }
        let link = self.spaces.get(&at.namespace);
        let Some(link) = link.and_then(|space| space.view.links.get(&at.ifindex)) else {
            return;
        };
        let name = link.name.clone();
        tracing::error!(
            %name,
            table = generation.table,
            "the device does not send what native XDP forwards: giving the engine up on it"
        );
        self.given_up.insert((at.namespace, name));
        self.reattach(generation, at);
        self.changed.insert(generation);
        self.tell_tenants(at, generation);
    }

    fn plan(&mut self, generation: Generation) -> Option<Plan> {
        let table = self.tables.get(&generation)?;
        table.grant.as_ref()?;
        let (inode, home) = (table.namespace?, table.home?);
        let addresses = table.spec.addresses.clone();
        let names = table.uplinks.clone();
        let uplinks = self.indices(home, &names);
        let (mut node_id, mut routed) = (None, BTreeMap::new());
        if !uplinks.is_empty() && inode != home {
            node_id = self.name_of(home, inode);
            routed = self.routed(home, addresses);
        }
        let table = self.tables.get(&generation)?;
        Some(plan::plan(&Ground {
            spec: &table.spec,
            own: &self.spaces.get(&inode)?.view,
            node: &self.spaces.get(&home)?.view,
            is_home: inode == home,
            node_id,
            uplinks,
            routed,
            asked: &table.asked,
        }))
    }

    /// The indices of interfaces, by their names.
    fn indices(&self, inode: u64, names: &[String]) -> BTreeSet<u32> {
        let space = self.spaces.get(&inode);
        let links = space.into_iter().flat_map(|space| &space.view.links);
        links
            .filter(|(_, link)| names.contains(&link.name))
            .map(|(index, _)| *index)
            .collect()
    }

    /// What one namespace is called in another.
    fn name_of(&mut self, inode: u64, elsewhere: u64) -> Option<i32> {
        let namespace = self.spaces.get(&inode)?.descriptor();
        let namespace = namespace.try_clone_to_owned().ok()?;
        let elsewhere = self.spaces.get_mut(&elsewhere)?;
        elsewhere.netlink.namespace_id(namespace.as_fd()).ok()?
    }

    /// Those that the node routes into a veth, and into which.
    fn routed(&mut self, home: u64, addresses: Vec<IpAddr>) -> BTreeMap<IpAddr, u32> {
        let Some(home) = self.spaces.get_mut(&home) else {
            return BTreeMap::new();
        };
        let mut veth_towards = |address: IpAddr| {
            let index = home.netlink.device_towards(address).ok().flatten()?;
            let link = home.view.links.get(&index)?;
            (link.kind.as_deref() == Some("veth")).then_some((address, index))
        };
        addresses
            .into_iter()
            .filter_map(&mut veth_towards)
            .collect()
    }

    fn attach_entrances(&mut self, generation: Generation) {
        let Some(table) = self.tables.get_mut(&generation) else {
            return;
        };
        let entrances = table.plan.entrances.clone();
        let mut wanted = BTreeSet::new();
        for entrance in &entrances {
            if let Some(at) = self.at(generation, entrance)
                && !entrance.is_anchor
                && entrance.choice != EngineChoice::Null
                && wanted.insert(at)
            {
                self.attach_entrance(generation, at, entrance);
            }
        }
        let left: Vec<At> = self
            .attached_at(generation)
            .filter(|at| !wanted.contains(at))
            .collect();
        for at in left {
            self.expel(at, generation);
        }
        if let Some(table) = self.tables.get_mut(&generation) {
            table.attempts.retain(|at, _| wanted.contains(at));
        }
    }

    /// Where an entrance of a table is.
    pub(super) fn at(&self, generation: Generation, entrance: &Entrance) -> Option<At> {
        let (place, ifindex) = entrance.spot;
        let namespace = self.namespace_of(generation, place)?;
        Some(At { namespace, ifindex })
    }

    fn attach_entrance(&mut self, generation: Generation, at: At, entrance: &Entrance) {
        let hook = Hook::read(&self.hooks.pins, at);
        let is_there = hook.serves(generation);
        let before = self
            .tables
            .get(&generation)
            .and_then(|table| table.attempts.get(&at));
        // Another engine may be possible now: it has become, or is no longer, a parent; or it got its name only after
        // attaching by the old one failed.
        match before {
            Some(attempt) if attempt.is_parent != entrance.is_parent => {
                let is_alone = is_there && hook.tenants.len() == 1;
                if is_alone {
                    return self.reattach(generation, at);
                }
            }
            Some(attempt) if attempt.result.is_err() && attempt.name == entrance.name => return,
            Some(attempt) if is_there && attempt.result.is_ok() => return,
            // Found as an agent before has left it.
            None if is_there => {
                let Some(engine) = hook.engine() else {
                    return;
                };
                self.note(generation, at, entrance, Ok((engine, String::new())));
                return;
            }
            _ => {}
        }
        let tenant = Tenant {
            generation,
            place: entrance.spot.0,
        };
        let (candidates, notes) = self.candidates(at, entrance);
        let result = match hook.engine() {
            Some(Engine::Xdp) if entrance.is_parent => {
                if is_there {
                    self.expel(at, generation);
                }
                let why =
                    "xdp is there, for another table: another media interface sits on this one";
                Err(why.to_owned())
            }
            joined => {
                let Some(space) = self.spaces.get_mut(&at.namespace) else {
                    return;
                };
                let result = self.hooks.admit(space, at.ifindex, tenant, &candidates);
                let others = hook.tenants.iter();
                let is_shared = others
                    .filter(|other| other.generation.table != generation.table)
                    .count()
                    > 0;
                match (joined, is_shared) {
                    (Some(_), true) => result.map(|(engine, _)| {
                        (engine, format!("{engine}: as the table before chose"))
                    }),
                    _ => with_notes(result, &notes),
                }
            }
        };
        self.note(generation, at, entrance, result);
        self.tell_tenants(at, generation);
    }

    /// Attaches a lone table by another engine.
    fn reattach(&mut self, generation: Generation, at: At) {
        let Some(table) = self.tables.get(&generation) else {
            return;
        };
        let mut entrances = table.plan.entrances.iter();
        let Some(entrance) = entrances
            .find(|entrance| self.at(generation, entrance) == Some(at))
            .cloned()
        else {
            return;
        };
        let (candidates, notes) = self.candidates(at, &entrance);
        let Some(space) = self.spaces.get_mut(&at.namespace) else {
            return;
        };
        let result = self.hooks.change_engine(space, at.ifindex, &candidates);
        self.note(generation, at, &entrance, with_notes(result, &notes));
    }

    /// The engines to try, best first, and why others are left out.
    fn candidates(&self, at: At, entrance: &Entrance) -> (Vec<Engine>, Vec<String>) {
        let (mut candidates, mut notes) = (Vec::new(), Vec::new());
        let given_up = self
            .given_up
            .contains(&(at.namespace, entrance.name.clone()));
        for engine in entrance.choice.candidates(entrance.kind.as_deref()) {
            if *engine == Engine::Xdp && given_up {
                notes.push("xdp: given up, the device did not send".to_owned());
            } else if *engine == Engine::Xdp && entrance.is_parent {
                // XDP would see the other interface's frames first, and can't send through it.
                notes.push("xdp: another media interface sits on this one".to_owned());
            } else {
                candidates.push(*engine);
            }
        }
        (candidates, notes)
    }

    /// Keeps what came of attaching, and says it in the log.
    fn note(
        &mut self,
        generation: Generation,
        at: At,
        entrance: &Entrance,
        result: Result<(Engine, String), String>,
    ) {
        let (name, table) = (&entrance.name, generation.table);
        match &result {
            Ok((engine, note)) => tracing::info!(table, %name, %engine, %note, "engine attached"),
            Err(note) => {
                tracing::warn!(table, %name, %note, "no engine on this interface: user space forwards");
            }
        }
        let attempt = Attempt {
            name: entrance.name.clone(),
            is_parent: entrance.is_parent,
            result,
        };
        if let Some(table) = self.tables.get_mut(&generation)
            && table.attempts.insert(at, attempt.clone()) != Some(attempt)
        {
            self.changed.insert(generation);
        }
    }

    /// Whoever else has part of an interface may see another shape there.
    fn tell_tenants(&mut self, at: At, but: Generation) {
        for tenant in &Hook::read(&self.hooks.pins, at).tenants {
            let known = self.tables.contains_key(&tenant.generation);
            if known && tenant.generation != but {
                self.changed.insert(tenant.generation);
            }
        }
    }
}

fn with_notes(
    result: Result<(Engine, String), String>,
    notes: &[String],
) -> Result<(Engine, String), String> {
    let join = |more: String| {
        let mut notes = notes.to_vec();
        notes.extend(Some(more).filter(|more| !more.is_empty()));
        notes.join("; ")
    };
    match result {
        Ok((engine, more)) => Ok((engine, join(more))),
        Err(more) => Err(join(more)),
    }
}
