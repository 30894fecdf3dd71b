//! Programs of others on an interface.

use std::collections::BTreeMap;

use aya::programs::{ProgramInfo, SchedClassifier, TcAttachType, loaded_programs};

use super::super::facts::Program;
use crate::netlink::{Link, Netlink};

/// What others have on an interface; `Err`: why it can't be told.
pub(super) struct Foreign {
    pub(super) xdp: Result<Vec<Program>, String>,
    pub(super) tcx: Result<Vec<Program>, String>,
    pub(super) filters: Result<Vec<Program>, String>,
}

/// Names of the programs that are loaded; `None` where they may not be listed.
pub(super) struct Programs(Option<BTreeMap<u32, String>>);

impl Programs {
    pub(super) fn loaded() -> Self {
        let programs: Result<Vec<ProgramInfo>, _> = loaded_programs().collect();
        Self(programs.ok().map(|programs| {
            let named = programs.iter().map(|program| (program.id(), name(program)));
            named.collect()
        }))
    }
}

/// `is_at_work`: one of ours is on it, the node's tables say.
pub(super) fn foreign(
    index: u32,
    link: &Link,
    netlink: &mut Netlink,
    programs: &Programs,
    is_at_work: bool,
) -> Foreign {
    Foreign {
        xdp: xdp(index, netlink, programs, is_at_work),
        tcx: tcx(&link.name),
        filters: filters(index, netlink),
    }
}

fn xdp(
    index: u32,
    netlink: &mut Netlink,
    programs: &Programs,
    is_at_work: bool,
) -> Result<Vec<Program>, String> {
    let there = netlink
        .xdp_programs(index)
        .map_err(|error| format!("XDP programs can't be listed: {error}"))?;
    let mut foreign = Vec::new();
    for id in there {
        let name = match &programs.0 {
            Some(names) => names.get(&id).cloned().unwrap_or_default(),
            None if is_at_work => continue,
            None => {
                return Err(format!(
                    "XDP program {id} is on it; whose, takes CAP_SYS_ADMIN to see"
                ));
            }
        };
        if !is_ours(&name) {
            foreign.push(Program { id, name });
        }
    }
    Ok(foreign)
}

fn tcx(name_of_link: &str) -> Result<Vec<Program>, String> {
    match SchedClassifier::query_tcx(name_of_link, TcAttachType::Ingress) {
        Ok((_, programs)) => Ok(programs
            .iter()
            .map(|program| Program {
                id: program.id(),
                name: name(program),
            })
            // New ones are put at the end.
            .take_while(|program| !is_ours(&program.name))
            .collect()),
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

fn filters(index: u32, netlink: &mut Netlink) -> Result<Vec<Program>, String> {
    let filters = netlink
        .ingress_filters(index)
        .map_err(|error| format!("clsact filters can't be listed: {error}"))?;
    let foreign = filters.into_iter().filter(|filter| !is_ours(&filter.name));
    Ok(foreign
        .map(|filter| Program {
            id: filter.priority,
            name: filter.name,
        })
        .collect())
}

fn name(program: &ProgramInfo) -> String {
    program.name_as_str().unwrap_or_default().to_owned()
}

/// By the names of the entry points in `ebpf/program`.
fn is_ours(name: &str) -> bool {
    name.starts_with("underpass") || matches!(name, "share_xdp" | "share_tc")
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
