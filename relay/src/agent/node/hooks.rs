//! Attaching to interfaces, and detaching. Every change is made in such an order that an agent that ends in the midst
//! of it leaves what the next one understands.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use super::deed::Deed;
use super::front::Front;
use super::hook::{ENGINES, FILTERS, Hook, LINK, Means, Tenant};
use super::pins::{self, At, Pins};
use super::share::Part;
use super::space::Space;
use super::{bpf, namespace, programs};
use crate::agent::kernel::Generation;
use crate::datapath::Engine;
use crate::netlink::{Filter, Netlink};

/// Priority of table 0's filter on kernels without TCX; the other tables' follow. The same in every layout.
const FIRST_PRIORITY: u16 = 30_000;

/// What attaches and detaches.
#[derive(Debug)]
pub(super) struct Hooks {
    /// Where everything stands.
    pub(super) pins: Pins,
    /// Filters, whatever the kernel has.
    pub(super) without_tcx: bool,
}

impl Hooks {
    /// Gives a tenant its part of an interface of `space`, in place of what its table had there before. It gets the
    /// engine that is there, else the first of the candidates that can be attached. With it: why no better one.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) fn admit(
        &self,
        space: &mut Space,
        ifindex: u32,
        tenant: Tenant,
        candidates: &[Engine],
    ) -> Result<(Engine, String), String> {
        let at = At {
            namespace: space.inode,
            ifindex,
        };
        let hook = Hook::read(&self.pins, at);
        let mut tenants = hook.tenants.clone();
        tenants.retain(|other| other.generation.table != tenant.generation.table);
        tenants.insert(tenant);
        if let Some(means) = hook.means {
            self.change(&hook, means, &tenants, Some(&mut space.netlink))?;
            return Ok((means.engine(), String::new()));
        }
        let mut notes = Vec::new();
        for engine in candidates {
            match self.attach(&hook, *engine, &tenants, space) {
                Ok(()) => return Ok((*engine, notes.join("; "))),
                Err(error) => notes.push(format!("{engine}: {error}")),
            }
        }
        pins::remove(&hook.directory);
        Err(notes.join("; "))
    }

    /// Gives the lone tenant of an interface another engine than it has. The new one stands before the old one goes:
    /// nothing has to come up in between.
    ///
    /// # Errors
    /// Why it has none now.
    pub(super) fn change_engine(
        &self,
        space: &mut Space,
        ifindex: u32,
        candidates: &[Engine],
    ) -> Result<(Engine, String), String> {
        let at = At {
            namespace: space.inode,
            ifindex,
        };
        let hook = Hook::read(&self.pins, at);
        let Some(old) = hook.means else {
            return Err("nothing to change".to_owned());
        };
        let mut notes = Vec::new();
        for engine in candidates {
            if *engine == old.engine() {
                return Ok((*engine, notes.join("; ")));
            }
            match self.attach(&hook, *engine, &hook.tenants, space) {
                Ok(()) => {
                    match old {
                        Means::Link(old) => unlink(&hook.directory, old),
                        Means::Filters => remove_filters(&hook, Some(&mut space.netlink)),
                    }
                    return Ok((*engine, notes.join("; ")));
                }
                Err(error) => notes.push(format!("{engine}: {error}")),
            }
        }
        self.empty(&hook, Some(&mut space.netlink));
        Err(notes.join("; "))
    }

    /// Takes away whatever part a generation has of an interface. `netlink`: in its namespace, if it is at hand.
    pub(super) fn expel(&self, at: At, generation: Generation, netlink: Option<&mut Netlink>) {
        let hook = Hook::read(&self.pins, at);
        let mut tenants = hook.tenants.clone();
        tenants.retain(|tenant| tenant.generation != generation);
        // Left by an agent that ended in the midst of a removal.
        tenants.retain(|tenant| self.pins.generation(tenant.generation).is_dir());
        if tenants == hook.tenants {
            return;
        }
        match hook.means {
            Some(means) if !tenants.is_empty() => {
                if let Err(error) = self.change(&hook, means, &tenants, netlink) {
                    tracing::error!(%at, %error, "a table's part can't be taken away; it has no lease");
                }
            }
            _ => self.empty(&hook, netlink),
        }
    }

    /// Attaches by an engine that is not there yet.
    fn attach(
        &self,
        hook: &Hook,
        engine: Engine,
        tenants: &BTreeSet<Tenant>,
        space: &mut Space,
    ) -> Result<(), String> {
        let directory = self.prepare(hook.at)?;
        let ifindex = hook.at.ifindex;
        if !(engine == Engine::Tc && self.without_tcx) {
            let parts = self.parts(engine, tenants)?;
            let front = Front::make(&directory, engine, tenants, &parts)?;
            let program = front.program();
            let linked =
                namespace::within(space.descriptor(), || bpf::attach(program, ifindex, engine))
                    .flatten()
                    .and_then(|link| {
                        bpf::pin(link.as_fd(), &directory.join(format!("{LINK}{engine}")))
                    });
            match linked {
                Ok(()) => {
                    front.settle(&directory);
                    return keep_tenants(&directory, &parts, tenants);
                }
                // No TCX before 6.6.
                Err(_) if engine == Engine::Tc => {}
                Err(error) => return Err(why(engine, &error)),
            }
        }
        let hook = Hook {
            at: hook.at,
            directory,
            means: None,
            tenants: BTreeSet::new(),
        };
        self.change(&hook, Means::Filters, tenants, Some(&mut space.netlink))
    }

    /// Changes who has part of what is attached.
    fn change(
        &self,
        hook: &Hook,
        means: Means,
        tenants: &BTreeSet<Tenant>,
        netlink: Option<&mut Netlink>,
    ) -> Result<(), String> {
        let directory = self.prepare(hook.at)?;
        let parts = self.parts(means.engine(), tenants)?;
        match means {
            Means::Link(engine) => self.change_link(hook, engine, tenants, &parts)?,
            Means::Filters => change_filters(hook, &directory, tenants, &parts, netlink)?,
        }
        keep_tenants(&directory, &parts, tenants)?;
        if hook.directory != directory {
            pins::remove(&hook.directory);
        }
        Ok(())
    }

    fn change_link(
        &self,
        hook: &Hook,
        engine: Engine,
        tenants: &BTreeSet<Tenant>,
        parts: &[Part],
    ) -> Result<(), String> {
        let directory = self.pins.interface(hook.at);
        let link = hook.link(engine).map_err(text)?;
        let running = bpf::link_info(link.as_fd()).map_err(text)?.program;
        let front = Front::change(&directory, engine, tenants, parts, running)?;
        // Pinned before they are needed, so that whoever finds the link finds them.
        pin_tenants(&directory, parts, tenants)?;
        let program = bpf::program_id(front.program()).map_err(text)?;
        if program != running {
            bpf::replace(link.as_fd(), front.program()).map_err(text)?;
        }
        let pin = directory.join(format!("{LINK}{engine}"));
        if hook.directory != directory {
            bpf::pin(link.as_fd(), &pin).map_err(text)?;
        }
        front.settle(&directory);
        for other in ENGINES.into_iter().filter(|other| *other != engine) {
            // Left by an agent that ended in the midst of a change of engines.
            unlink(&directory, other);
        }
        Ok(())
    }

    /// Takes everything off an interface.
    fn empty(&self, hook: &Hook, netlink: Option<&mut Netlink>) {
        for engine in ENGINES {
            unlink(&hook.directory, engine);
        }
        if hook.directory.join(FILTERS).exists() {
            remove_filters(hook, netlink);
        }
        pins::remove(&hook.directory);
    }

    /// The directory of an interface, of this layout.
    fn prepare(&self, at: At) -> Result<PathBuf, String> {
        let directory = self.pins.interface(at);
        fs::create_dir_all(&directory)
            .map_err(|error| format!("{}: {error}", directory.display()))?;
        Ok(directory)
    }

    /// Programs and deeds of some tenants.
    fn parts(&self, engine: Engine, tenants: &BTreeSet<Tenant>) -> Result<Vec<Part>, String> {
        tenants
            .iter()
            .map(|tenant| {
                let generation = tenant.generation;
                let directory = self.pins.generation(generation);
                let program = programs::instance(&directory, generation, engine, tenant.place)?;
                let deed = Deed::read(&directory)
                    .map_err(|error| format!("{}: {error}", directory.display()))?;
                Ok(Part {
                    table: generation.table,
                    program,
                    deed,
                })
            })
            .collect()
    }
}

/// Pins the programs of tenants that are not pinned yet. Parts are in the order of tenants.
fn pin_tenants(directory: &Path, parts: &[Part], tenants: &BTreeSet<Tenant>) -> Result<(), String> {
    for (tenant, part) in tenants.iter().zip(parts) {
        let pin = directory.join(tenant.to_string());
        match bpf::pin(part.program.as_fd(), &pin) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(text(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Pins these tenants' programs, and no others'.
fn keep_tenants(
    directory: &Path,
    parts: &[Part],
    tenants: &BTreeSet<Tenant>,
) -> Result<(), String> {
    pin_tenants(directory, parts, tenants)?;
    for name in pins::names(directory) {
        if name
            .parse()
            .is_ok_and(|tenant: Tenant| !tenants.contains(&tenant))
        {
            let _ = fs::remove_file(directory.join(name));
        }
    }
    Ok(())
}

/// Gives every tenant a filter of its own. The new ones stand before the old ones go.
fn change_filters(
    hook: &Hook,
    directory: &Path,
    tenants: &BTreeSet<Tenant>,
    parts: &[Part],
    netlink: Option<&mut Netlink>,
) -> Result<(), String> {
    let done = with_netlink(hook.at, netlink, |netlink| {
        for (tenant, part) in tenants.iter().zip(parts) {
            let pin = directory.join(FILTERS);
            if !pin.exists() {
                bpf::pin(part.program.as_fd(), &pin)?;
            }
            if !hook.tenants.contains(tenant) {
                let filter = filter(hook.at, tenant);
                // Of a tenant that is not pinned there can only be one that was left behind.
                let _ = netlink.remove_filter(filter);
                netlink.add_filter(filter, part.program.as_fd(), "underpass")?;
            }
        }
        for tenant in hook.tenants.difference(tenants) {
            let _ = netlink.remove_filter(filter(hook.at, tenant));
        }
        Ok(())
    });
    done.map_err(text)
}

/// Takes every tenant's filter away, and what says that there are any.
fn remove_filters(hook: &Hook, netlink: Option<&mut Netlink>) {
    let done = with_netlink(hook.at, netlink, |netlink| {
        for tenant in &hook.tenants {
            // Gone with its interface, as often as not.
            let _ = netlink.remove_filter(filter(hook.at, tenant));
        }
        Ok(())
    });
    if let Err(error) = done {
        tracing::debug!(%error, at = %hook.at, "filters are left to their namespace's end");
    }
    let _ = fs::remove_file(hook.directory.join(FILTERS));
}

fn filter(at: At, tenant: &Tenant) -> Filter {
    Filter {
        ifindex: at.ifindex,
        // Tables are numbered below 64.
        priority: FIRST_PRIORITY + tenant.generation.table as u16,
        handle: (tenant.generation.number % 0x7fff_ffff) as u32 + 1,
    }
}

/// Asks in an interface's namespace.
fn with_netlink<T>(
    at: At,
    netlink: Option<&mut Netlink>,
    act: impl FnOnce(&mut Netlink) -> io::Result<T>,
) -> io::Result<T> {
    if let Some(netlink) = netlink {
        return act(netlink);
    }
    let namespace = namespace::find(at.namespace).ok_or(io::ErrorKind::NotFound)?;
    act(&mut namespace::within(namespace.as_fd(), Netlink::open)??)
}

/// Detaches a link, if there is one.
fn unlink(directory: &Path, engine: Engine) {
    let pin = directory.join(format!("{LINK}{engine}"));
    if let Ok(link) = bpf::open(&pin) {
        // Its interface may be gone.
        let _ = bpf::detach(link.as_fd());
    }
    let _ = fs::remove_file(pin);
}

fn why(engine: Engine, error: &io::Error) -> String {
    match (engine, error.raw_os_error()) {
        (Engine::Xdp | Engine::XdpGeneric, Some(libc::EBUSY | libc::EEXIST)) => {
            "another XDP program is attached".to_owned()
        }
        (Engine::Xdp, Some(libc::EOPNOTSUPP)) => "the driver has no native XDP".to_owned(),
        _ => error.to_string(),
    }
}

fn text(error: io::Error) -> String {
    error.to_string()
}
