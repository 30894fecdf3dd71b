//! Who gets which table: decided from what is asked for, who asks, and what there is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use underpass_abi::MAX_LOCALS;

use super::caller::Caller;
use super::registry::{NamespaceId, Record};
use crate::tables::protocol::{AddressPorts, Claim, Interface, Place, Refusal, Refused};
use crate::tables::{TABLES, TableRequest};

/// Characters of the longest identity or name.
const MAX_NAME: usize = 128;
/// Flows of the largest table.
const MAX_FLOWS: u32 = 1 << 22;
/// Interfaces named, at most.
const MAX_INTERFACES: usize = 64;
/// Bytes of the longest interface name (IFNAMSIZ less the terminator).
const MAX_INTERFACE_NAME: usize = 15;

/// A table that is not free.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// What is known of it; `None` if its record can't be read.
    pub(crate) record: Option<Record>,
    /// Whether its owner lives.
    pub(crate) life: Life,
}

/// An owner's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Life {
    /// It lives.
    Alive,
    /// It is gone, its lease runs.
    Lapsing {
        /// For so long, ms.
        left_ms: u64,
    },
}

/// A claim that is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    /// The table's number.
    pub(crate) table: u32,
    /// It is the caller's own of before.
    pub(crate) takes_over: bool,
    /// The caller's own of before has another number, and goes.
    pub(crate) gives_up: Option<u32>,
}

/// A refusal, with its text.
pub(crate) fn refused(reason: Refusal, text: impl Into<String>) -> Refused {
    Refused {
        reason,
        text: text.into(),
        owner: None,
    }
}

/// What is wrong with a claim by itself.
pub(crate) fn check(claim: &Claim) -> Result<(), Refused> {
    wrong(claim).map_or(Ok(()), |what| {
        Err(refused(Refusal::Malformed, format!("bad claim: {what}")))
    })
}

fn wrong(claim: &Claim) -> Option<String> {
    if let TableRequest::None = claim.table {
        return Some("it asks for no table".to_owned());
    }
    for (what, text) in [("identity", &claim.identity), ("name", &claim.name)] {
        if text.is_empty() || text.chars().count() > MAX_NAME || text.chars().any(char::is_control)
        {
            return Some(format!(
                "the {what} must have 1 to {MAX_NAME} characters, none a control character"
            ));
        }
    }
    if claim.addresses.is_empty() {
        return Some("it names no address".to_owned());
    }
    let mut seen = BTreeSet::new();
    for address in &claim.addresses {
        if !can_be_granted(*address) {
            return Some(format!("{address} is no address to send from"));
        }
        if !seen.insert(address) {
            return Some(format!("{address} is named twice"));
        }
    }
    let v4 = claim.addresses.iter().filter(|a| a.is_ipv4()).count();
    if v4.max(claim.addresses.len() - v4) > MAX_LOCALS {
        return Some(format!(
            "more than {MAX_LOCALS} addresses of one family; use several relays"
        ));
    }
    let AddressPorts { all, at } = &claim.ports;
    if let Some(ports) = [all]
        .into_iter()
        .chain(at.values())
        .find(|p| !p.are_valid())
    {
        return Some(format!("there are no ports {ports}"));
    }
    for (address, ports) in at {
        if !seen.contains(address) {
            return Some(format!("it has ports at {address}, which it does not name"));
        }
        if !all.hold(*ports) {
            return Some(format!("ports {ports} of {address} are not among {all}"));
        }
    }
    if !(1..=MAX_FLOWS).contains(&claim.max_flows) {
        return Some(format!("a table holds 1 to {MAX_FLOWS} flows"));
    }
    let names = claim.interface_engines.keys();
    if names.len() > MAX_INTERFACES
        || names
            .clone()
            .any(|name| name.is_empty() || name.len() > MAX_INTERFACE_NAME)
    {
        return Some(format!(
            "at most {MAX_INTERFACES} interfaces can be named, with 1 to {MAX_INTERFACE_NAME} bytes each"
        ));
    }
    None
}

fn can_be_granted(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_unspecified() && !v4.is_multicast() && !v4.is_broadcast(),
        IpAddr::V6(v6) => {
            !v6.is_unspecified() && !v6.is_multicast() && v6.to_ipv4_mapped().is_none()
        }
    }
}

/// Grants a claim that is right by itself, or says why not. `tables`: those not free, none of which has its lease over;
/// `limit`: tables that the caller may have, this one included.
pub(crate) fn decide(
    claim: &Claim,
    caller: &Caller,
    namespace: NamespaceId,
    tables: &BTreeMap<u32, Standing>,
    limit: Option<u32>,
) -> Result<Decision, Refused> {
    let own = own_table(claim, caller, namespace, tables)?;
    let table = number(claim.table, own, tables)?;
    let others = || {
        tables
            .iter()
            .filter(|(number, _)| Some(**number) != own)
            .filter_map(|(_, standing)| Some((standing.record.as_ref()?, standing.life)))
    };
    if let Some(limit) = limit {
        let count = others()
            .filter(|(record, _)| is_of(record, caller.uid, caller.pod.as_deref()))
            .count();
        if count >= limit as usize {
            return Err(refused(
                Refusal::NotAllowed,
                format!(
                    "{caller} has {count} tables already, and may have {limit}; end a relay, or raise 'tables' in the \
                     agent's policy"
                ),
            ));
        }
    }
    for (record, life) in others().filter(|(record, _)| record.namespace == namespace) {
        if let Some(address) = overlap(claim, record) {
            return Err(overlapping(claim, address, record, life));
        }
    }
    Ok(Decision {
        table,
        takes_over: own == Some(table),
        gives_up: own.filter(|own| *own != table),
    })
}

/// At an uplink the relays' namespaces are one: what another table has there no table gets. `interfaces`: how the claim's
/// packets would come in; `others`: the tables that are not the caller's.
pub(crate) fn check_uplinks(
    claim: &Claim,
    interfaces: &[Interface],
    others: &BTreeMap<u32, Standing>,
) -> Result<(), Refused> {
    let at_node = |interfaces: &[Interface]| -> BTreeSet<(u32, IpAddr)> {
        let uplinks = interfaces.iter().filter(|found| found.place == Place::Node);
        let addresses = uplinks.map(|uplink| (uplink.ifindex, &uplink.addresses));
        addresses
            .flat_map(|(ifindex, all)| all.iter().map(move |address| (ifindex, *address)))
            .collect()
    };
    let own = at_node(interfaces);
    for standing in others.values() {
        let Some(record) = &standing.record else {
            continue;
        };
        let theirs = at_node(&record.interfaces);
        let both = own.intersection(&theirs);
        let claim = Claim {
            addresses: both.map(|(_, address)| *address).collect(),
            ..claim.clone()
        };
        if let Some(address) = overlap(&claim, record) {
            return Err(overlapping(&claim, address, record, standing.life));
        }
    }
    Ok(())
}

/// The table that this identity had, if it is dead. An identity is its user's, and its pod's: what others call themselves is
/// nothing to it.
fn own_table(
    claim: &Claim,
    caller: &Caller,
    namespace: NamespaceId,
    tables: &BTreeMap<u32, Standing>,
) -> Result<Option<u32>, Refused> {
    let found = tables.iter().find_map(|(number, standing)| {
        let record = standing.record.as_ref()?;
        let is_own = record.identity == claim.identity
            && record.uid == caller.uid
            && record.pod == caller.pod;
        is_own.then_some((*number, record, standing.life))
    });
    let Some((number, record, life)) = found else {
        return Ok(None);
    };
    let text = match life {
        Life::Alive => format!(
            "a relay with identity '{}' runs already: table {number} of {}; give each its own identity",
            claim.identity, record.owner
        ),
        Life::Lapsing { .. } if record.namespace == namespace => return Ok(Some(number)),
        Life::Lapsing { left_ms } => format!(
            "identity '{}' has table {number} of {}, who is gone and was in another network namespace than {caller}; wait \
             {} s, or choose another identity",
            claim.identity,
            record.owner,
            left_ms.div_ceil(1000)
        ),
    };
    Err(Refused {
        reason: Refusal::IdentityInUse,
        text,
        owner: Some(record.owner.to_string()),
    })
}

fn number(
    request: TableRequest,
    own: Option<u32>,
    tables: &BTreeMap<u32, Standing>,
) -> Result<u32, Refused> {
    match request {
        TableRequest::Number(number) if number >= TABLES => Err(refused(
            Refusal::NoSuchTable,
            format!("there is no table {number}: tables are 0 to {}", TABLES - 1),
        )),
        TableRequest::Number(number) if own == Some(number) => Ok(number),
        TableRequest::Number(number) => match tables.get(&number) {
            None => Ok(number),
            Some(standing) => Err(taken(number, standing)),
        },
        TableRequest::Auto | TableRequest::None => own
            .or_else(|| (0..TABLES).find(|number| !tables.contains_key(number)))
            .ok_or_else(|| {
                refused(
                    Refusal::AllTaken,
                    format!("all {TABLES} tables of this node are taken; see `underpass tables`"),
                )
            }),
    }
}

/// A pod's tables are counted together whatever user its containers run as.
fn is_of(record: &Record, uid: u32, pod: Option<&str>) -> bool {
    record.pod.as_deref() == pod && (pod.is_some() || record.uid == uid)
}

fn overlap(claim: &Claim, record: &Record) -> Option<IpAddr> {
    let granted = record.contents().flat_map(|contents| {
        let addresses = contents.addresses.iter();
        addresses.map(|address| (*address, contents.ports.of(*address)))
    });
    let mut both = granted.filter(|(address, _)| claim.addresses.contains(address));
    both.find(|(address, ports)| claim.ports.of(*address).overlap(*ports))
        .map(|(address, _)| address)
}

fn taken(number: u32, standing: &Standing) -> Refused {
    let owner = standing.record.as_ref().map_or_else(
        || "a relay that left no readable record".to_owned(),
        |record| record.owner.to_string(),
    );
    Refused {
        reason: Refusal::Taken,
        text: format!(
            "table {number} is taken by {owner}{}; choose another, or 'auto'",
            until(standing.life)
        ),
        owner: Some(owner),
    }
}

fn overlapping(claim: &Claim, address: IpAddr, record: &Record, life: Life) -> Refused {
    let ports = claim.ports.of(address);
    let owner = record.owner.to_string();
    Refused {
        reason: Refusal::Overlap,
        text: format!(
            "ports {ports} of {address} are granted, all or some, to table {} of {owner}{}; choose other ports or \
             addresses",
            record.table,
            until(life)
        ),
        owner: Some(owner),
    }
}

fn until(life: Life) -> String {
    match life {
        Life::Alive => String::new(),
        Life::Lapsing { left_ms } => format!(
            " (gone, but its lease runs for {} s more)",
            left_ms.div_ceil(1000)
        ),
    }
}

#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;
