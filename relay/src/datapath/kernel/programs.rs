//! Loading the object and attaching its programs.

use std::path::{Path, PathBuf};

use aya::programs::links::LinkOrder;
use aya::programs::tc::{NlOptions, SchedClassifierLink, TcAttachOptions, qdisc_add_clsact};
use aya::programs::xdp::XdpLink;
use aya::programs::{SchedClassifier, TcAttachType, Xdp, XdpMode};
use aya::{Ebpf, EbpfLoader};
use underpass_abi::{PORT_LINES, PORTS, RECORDS};

use super::pins;
use crate::datapath::table::Sizes;
use crate::datapath::{Engine, object};

const XDP_PROGRAM: &str = "underpass_xdp";
const TC_PROGRAM: &str = "underpass_tc";

/// A program attached to an interface. Dropping it detaches.
#[derive(Debug)]
pub(super) enum Attached {
    Xdp(#[expect(dead_code, reason = "held to stay attached")] XdpLink),
    Tc(#[expect(dead_code, reason = "held to stay attached")] SchedClassifierLink),
}

/// The loaded programs of one table.
pub(super) struct Programs {
    ebpf: Ebpf,
    /// A second load on the same maps, made when first needed: generic XDP wants another program.
    generic: Option<Ebpf>,
    sizes: Sizes,
    pins: Option<PathBuf>,
    priority: u16,
}

impl Programs {
    /// Loads the object, with its maps pinned in `pins` if given.
    ///
    /// # Errors
    /// What the kernel or its verifier says.
    pub(super) fn load(
        sizes: Sizes,
        pins: Option<PathBuf>,
        priority: u16,
    ) -> Result<Self, aya::EbpfError> {
        Ok(Self {
            ebpf: load(sizes, pins.as_deref(), false)?,
            generic: None,
            sizes,
            pins,
            priority,
        })
    }

    /// The first load, which the maps are taken from.
    pub(super) fn ebpf(&mut self) -> &mut Ebpf {
        &mut self.ebpf
    }

    /// Attaches an engine's program to an interface.
    ///
    /// # Errors
    /// Why it can't be, in words for the log.
    pub(super) fn attach(
        &mut self,
        engine: Engine,
        ifindex: u32,
        name: &str,
    ) -> Result<Attached, String> {
        match engine {
            Engine::Xdp => attach_xdp(&mut self.ebpf, ifindex, XdpMode::Driver),
            Engine::XdpGeneric => {
                let generic = self.generic()?;
                attach_xdp(generic, ifindex, XdpMode::Skb)
            }
            Engine::Tc => self.attach_tc(name),
        }
    }

    fn generic(&mut self) -> Result<&mut Ebpf, String> {
        if self.generic.is_none() {
            let pins = self
                .pins
                .as_deref()
                .ok_or("generic XDP needs pinned maps, and there is no bpffs")?;
            self.generic = Some(load(self.sizes, Some(pins), true).map_err(|e| chain(&e))?);
        }
        self.generic.as_mut().ok_or_else(|| "not loaded".to_owned())
    }

    fn attach_tc(&mut self, name: &str) -> Result<Attached, String> {
        let tcx = TcAttachOptions::TcxOrder(LinkOrder::default());
        // No TCX before 6.6.
        self.attach_tc_by(name, tcx).or_else(|tcx| {
            let filter = self.attach_filter(name);
            filter.map_err(|filter| format!("{tcx}; {filter}"))
        })
    }

    /// The way of kernels without TCX: a filter of the clsact qdisc, which stays behind if we are killed.
    fn attach_filter(&mut self, name: &str) -> Result<Attached, String> {
        // There already, as often as not.
        let _ = qdisc_add_clsact(name);
        let filter = TcAttachOptions::Netlink(NlOptions {
            priority: self.priority,
            ..NlOptions::default()
        });
        self.attach_tc_by(name, filter)
    }

    fn attach_tc_by(&mut self, name: &str, options: TcAttachOptions) -> Result<Attached, String> {
        let program = tc_program(&mut self.ebpf)?;
        let id = program
            .attach_with_options(name, TcAttachType::Ingress, options)
            .map_err(|error| chain(&error))?;
        program
            .take_link(id)
            .map(Attached::Tc)
            .map_err(|error| chain(&error))
    }
}

fn load(sizes: Sizes, pins: Option<&Path>, generic: bool) -> Result<Ebpf, aya::EbpfError> {
    let is_generic = u32::from(generic);
    let mut loader = EbpfLoader::new();
    loader
        .map_max_entries(PORTS, sizes.blocks * PORT_LINES)
        .map_max_entries(RECORDS, sizes.records)
        .override_global(object::GENERIC_XDP, &is_generic, false);
    if let Some(directory) = pins {
        for name in pins::MAPS {
            loader.map_pin_path(name, directory.join(name));
        }
    }
    loader.load(object::BYTES)
}

fn attach_xdp(ebpf: &mut Ebpf, ifindex: u32, mode: XdpMode) -> Result<Attached, String> {
    let program: &mut Xdp = ebpf
        .program_mut(XDP_PROGRAM)
        .ok_or("no XDP program in the object")?
        .try_into()
        .map_err(|error| chain(&error))?;
    if program.fd().is_err() {
        program.load().map_err(|error| chain(&error))?;
    }
    let id = program
        .attach_to_if_index(ifindex, mode)
        .map_err(|error| chain(&error))?;
    program
        .take_link(id)
        .map(Attached::Xdp)
        .map_err(|error| chain(&error))
}

fn tc_program(ebpf: &mut Ebpf) -> Result<&mut SchedClassifier, String> {
    let program: &mut SchedClassifier = ebpf
        .program_mut(TC_PROGRAM)
        .ok_or("no tc program in the object")?
        .try_into()
        .map_err(|error| chain(&error))?;
    if program.fd().is_err() {
        program.load().map_err(|error| chain(&error))?;
    }
    Ok(program)
}

/// An error with its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use nix::sched::{CloneFlags, unshare};

    use super::*;
    use crate::netlink::{Event, Netlink};

    const PRIORITY: u16 = 30_007;

    /// Runs `act` with a fresh dummy device `d0` in a network namespace of its own; not at all without root.
    fn with_device(act: impl FnOnce(u32) + Send) {
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: needs root");
            return;
        }
        std::thread::scope(|scope| {
            scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).unwrap();
                let added = Command::new("ip")
                    .args(["link", "add", "d0", "type", "veth", "peer", "name", "d1"])
                    .status();
                assert!(added.unwrap().success());
                let events = Netlink::open().unwrap().dump().unwrap();
                let index = events.into_iter().find_map(|event| match event {
                    Event::Link(index, link) if link.name == "d0" => Some(index),
                    _ => None,
                });
                act(index.unwrap());
            });
        });
    }

    fn programs() -> Programs {
        Programs::load(Sizes::new(8, 1), None, PRIORITY).unwrap()
    }

    fn filters() -> String {
        let output = Command::new("tc")
            .args(["filter", "show", "dev", "d0", "ingress"])
            .output();
        String::from_utf8(output.unwrap().stdout).unwrap()
    }

    #[test]
    fn a_filter_has_our_priority_and_goes_when_it_is_dropped() {
        with_device(|_| {
            let mut programs = programs();
            let attached = programs.attach_filter("d0").unwrap();
            assert!(filters().contains(&format!("pref {PRIORITY}")));
            drop(attached);
            assert!(!filters().contains("pref"));
        });
    }

    #[test]
    fn the_filter_of_a_dead_owner_can_be_removed_and_no_other() {
        with_device(|index| {
            let mut programs = programs();
            let ours = programs.attach_filter("d0").unwrap();
            std::mem::forget(ours);
            programs.priority = PRIORITY + 1;
            let _others = programs.attach_filter("d0").unwrap();

            let mut netlink = Netlink::open().unwrap();
            netlink.remove_ingress_filters(index, PRIORITY).unwrap();

            let left = filters();
            assert!(!left.contains(&format!("pref {PRIORITY}")), "{left}");
            assert!(left.contains(&format!("pref {}", PRIORITY + 1)), "{left}");
        });
    }

    #[test]
    fn a_driver_tells_its_xdp_counters() {
        with_device(|index| {
            let mut programs = programs();
            let _attached = programs.attach(Engine::Xdp, index, "d0").unwrap();
            let statistics = super::super::ethtool::statistics("d0").unwrap();
            assert!(statistics.iter().any(|(name, _)| name.contains("xdp_tx")));
            assert!(super::super::ethtool::statistics("none").is_err());
        });
    }

    #[test]
    fn an_engine_that_is_refused_says_why() {
        with_device(|index| {
            let mut programs = programs();
            let _first = programs.attach(Engine::Xdp, index, "d0").unwrap();
            let refused = programs.attach(Engine::Xdp, index, "d0").unwrap_err();
            assert!(!refused.is_empty());
            assert!(programs.attach(Engine::Tc, index, "d0").is_ok());
        });
    }
}
