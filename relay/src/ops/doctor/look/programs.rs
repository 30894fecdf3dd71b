//! Programs on an interface: ours, and others'.

use std::collections::BTreeMap;

use aya::programs::{ProgramInfo, SchedClassifier, TcAttachType, loaded_programs};

use underpass_object::{SHARE_TC, SHARE_XDP, TC, XDP};

use super::super::facts::Program;
use crate::datapath::Engine;
use crate::netlink::{Classifier, Link, Netlink};

/// What is on an interface; `Err`: why it can't be told.
pub(super) struct Found {
    pub(super) ours: Vec<Engine>,
    pub(super) xdp: Result<Vec<Program>, String>,
    pub(super) tcx: Result<Vec<Program>, String>,
    pub(super) filters: Result<Vec<Program>, String>,
}

/// Names of the programs that are loaded; `None` where they may not be listed.
pub(super) struct Programs(pub(super) Option<BTreeMap<u32, String>>);

impl Programs {
    pub(super) fn loaded() -> Self {
        let programs: Result<Vec<ProgramInfo>, _> = loaded_programs().collect();
        Self(programs.ok().map(|programs| {
            let named = programs.iter().map(|program| (program.id(), name(program)));
            named.collect()
        }))
    }
}

/// Everything on an interface. `is_at_work`: one of ours is on it, the node's tables say.
pub(super) fn on(
    index: u32,
    link: &Link,
    netlink: &mut Netlink,
    programs: &Programs,
    is_at_work: bool,
) -> Found {
    let mut ours = Vec::new();
    let xdp = xdp(index, netlink, programs, is_at_work, &mut ours);
    let tcx = tcx(&link.name, &mut ours);
    let filters = filters(index, netlink, &mut ours);
    Found {
        ours,
        xdp,
        tcx,
        filters,
    }
}

fn xdp(
    index: u32,
    netlink: &mut Netlink,
    programs: &Programs,
    is_at_work: bool,
    ours: &mut Vec<Engine>,
) -> Result<Vec<Program>, String> {
    let there = netlink
        .xdp_programs(index)
        .map_err(|error| format!("XDP programs can't be listed: {error}"))?;
    let Some(names) = &programs.0 else {
        return match there.ids.first() {
            Some(id) if !is_at_work => Err(format!(
                "XDP program {id} is on it; whose, takes CAP_SYS_ADMIN to see"
            )),
            _ => Ok(Vec::new()),
        };
    };
    let name = |id: u32| names.get(&id).cloned().unwrap_or_default();
    let all = there
        .ids
        .into_iter()
        .map(|id| Program { id, name: name(id) });
    let (own, foreign): (Vec<_>, Vec<_>) = all.partition(|program| is_ours(&program.name));
    if !own.is_empty() {
        ours.push(match there.is_generic {
            true => Engine::XdpGeneric,
            false => Engine::Xdp,
        });
    }
    Ok(foreign)
}

fn tcx(name_of_link: &str, ours: &mut Vec<Engine>) -> Result<Vec<Program>, String> {
    match SchedClassifier::query_tcx(name_of_link, TcAttachType::Ingress) {
        Ok((_, programs)) => {
            let all = programs.iter().map(|program| Program {
                id: program.id(),
                name: name(program),
            });
            let mut before = Vec::new();
            for program in all {
                // New ones are put at the end.
                if is_ours(&program.name) {
                    ours.push(Engine::Tc);
                    break;
                }
                before.push(program);
            }
            Ok(before)
        }
        Err(error) => {
            let errno = errno(&error);
            // Kernels before 6.6 do not know the question.
            if errno == Some(libc::EINVAL) {
                return Ok(Vec::new());
            }
            let why = match errno {
                Some(libc::EPERM) => "takes CAP_NET_ADMIN and CAP_SYS_ADMIN".to_owned(),
                _ => error.to_string(),
            };
            Err(format!("TCX programs can't be listed: {why}"))
        }
    }
}

fn filters(
    index: u32,
    netlink: &mut Netlink,
    ours: &mut Vec<Engine>,
) -> Result<Vec<Program>, String> {
    let filters = netlink
        .ingress_filters(index)
        .map_err(|error| format!("clsact filters can't be listed: {error}"))?;
    let (own, foreign): (Vec<_>, Vec<_>) = filters
        .into_iter()
        .partition(|filter| is_ours(&filter.name));
    if !own.is_empty() {
        ours.push(Engine::Tc);
    }
    let program = |filter: Classifier| Program {
        id: filter.priority,
        name: filter.name,
    };
    Ok(foreign.into_iter().map(program).collect())
}

fn name(program: &ProgramInfo) -> String {
    program.name_as_str().unwrap_or_default().to_owned()
}

fn is_ours(name: &str) -> bool {
    [XDP, TC, SHARE_XDP, SHARE_TC].contains(&name)
}

fn errno(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(system) = error.downcast_ref::<std::io::Error>() {
            return system.raw_os_error();
        }
        next = error.source();
    }
    None
}
