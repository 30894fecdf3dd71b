//! Who may claim which addresses and ports: the agent's policy file.
//!
//! A list of rules, of which the first that fits the caller decides; one that none fits may claim nothing:
//!
//! ```toml
//! [[allow]]
//! uid = 1001                       # or a list
//! cgroup = "/kubepods.slice/*"     # * stands for anything
//! identity = "media-*"
//! name = "media-*"
//! addresses = ["192.0.2.0/24"]     # else those of the caller's own network namespace
//! ports = "30000-39999"            # else 1024-65535, for the superuser all
//! tables = 4                       # else 8, for the superuser any number
//! flows = 100000                   # of each table; else 262144, for the superuser any number
//! ```

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::caller::Caller;
use super::claims::refused;
use crate::tables::protocol::{Claim, Ports, Refusal, Refused};

/// Tables of a user or pod, unless a rule says otherwise.
const TABLES: u32 = 8;
/// Flows of each, unless a rule says otherwise.
const FLOWS: u32 = 262_144;
/// Ports that need no privilege to bind.
const UNPRIVILEGED: Ports = Ports {
    first: 1024,
    last: u16::MAX,
};
/// Bytes of the longest policy file.
const MAX_FILE: u64 = 1 << 20;

/// The rules.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Policy {
    #[serde(default)]
    allow: Vec<Rule>,
}

/// The policy file can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// It can't be read.
    #[error("policy file {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It is longer than any policy.
    #[error("policy file {path} is longer than {MAX_FILE} bytes")]
    TooLong {
        /// The file.
        path: PathBuf,
    },
    /// Something in it is wrong.
    #[error("policy file {path}, line {line}: {what}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    uid: Option<Uids>,
    cgroup: Option<Pattern>,
    identity: Option<Pattern>,
    name: Option<Pattern>,
    addresses: Option<Vec<Network>>,
    ports: Option<PortRange>,
    tables: Option<u32>,
    flows: Option<u32>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a uid or a list of uids")]
enum Uids {
    One(u32),
    Several(Vec<u32>),
}

/// A text in which `*` stands for any characters, `/` as well.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
struct Pattern(String);

/// Addresses with the same first bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
struct Network {
    address: IpAddr,
    bits: u8,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(try_from = "String")]
struct PortRange(Ports);

impl Default for Policy {
    /// One rule, for everybody, that leaves all as it is without saying.
    fn default() -> Self {
        Self {
            allow: vec![Rule::default()],
        }
    }
}

impl Policy {
    /// Reads a policy file.
    ///
    /// # Errors
    /// [`PolicyError`], naming file and line.
    pub(crate) fn read(path: &Path) -> Result<Self, PolicyError> {
        let unreadable = |source| PolicyError::Unreadable {
            path: path.to_owned(),
            source,
        };
        if fs::metadata(path).map_err(unreadable)?.len() > MAX_FILE {
            return Err(PolicyError::TooLong {
                path: path.to_owned(),
            });
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        Self::parse(&text).map_err(|(line, what)| PolicyError::Wrong {
            path: path.to_owned(),
            line,
            what,
        })
    }

    /// The line and what is wrong in it, if anything is.
    fn parse(text: &str) -> Result<Self, (usize, String)> {
        toml::from_str(text).map_err(|error| {
            let before = error.span().map_or(0, |span| span.start);
            let line = 1 + text.bytes().take(before).filter(|b| *b == b'\n').count();
            (line, error.message().replace('\n', "; "))
        })
    }

    /// How many tables the caller may have, this one included; `None`: any number. `own`: the addresses of its namespace.
    ///
    /// # Errors
    /// It may not claim this.
    pub(crate) fn check(
        &self,
        claim: &Claim,
        caller: &Caller,
        own: &[IpAddr],
    ) -> Result<Option<u32>, Refused> {
        let no = |text: String| Err(refused(Refusal::NotAllowed, text));
        let Some((number, rule)) = self
            .allow
            .iter()
            .enumerate()
            .find(|(_, rule)| rule.fits(claim, caller))
        else {
            return no(format!(
                "no rule of the agent's policy is for {caller}, control group {}, identity '{}'; add one",
                caller.cgroup, claim.identity
            ));
        };
        let by = format!("rule {} of the agent's policy", number + 1);
        for address in &claim.addresses {
            match &rule.addresses {
                Some(networks) if !networks.iter().any(|network| network.has(*address)) => {
                    return no(format!(
                        "{by} does not let {caller} have {address}; choose another address, or change 'addresses' there"
                    ));
                }
                None if !own.contains(address) => {
                    return no(format!(
                        "{address} is not an address of the relay's own network namespace; set it up there, or allow it by \
                         'addresses' in the agent's policy"
                    ));
                }
                _ => {}
            }
        }
        let ports = match rule.ports {
            Some(PortRange(ports)) => Some(ports),
            None => (!caller.is_root).then_some(UNPRIVILEGED),
        };
        for address in &claim.addresses {
            let wanted = claim.ports.of(*address);
            if let Some(may) = ports.filter(|may| !may.hold(wanted)) {
                return no(format!(
                    "{by} lets {caller} have ports {may}, not {wanted} of {address}; choose others, or change 'ports' there"
                ));
            }
        }
        let flows = rule.flows.or((!caller.is_root).then_some(FLOWS));
        if let Some(flows) = flows.filter(|flows| claim.max_flows > *flows) {
            return no(format!(
                "{by} lets {caller} have tables of {flows} flows, not {}; ask for fewer, or change 'flows' there",
                claim.max_flows
            ));
        }
        Ok(rule.tables.or((!caller.is_root).then_some(TABLES)))
    }
}

impl Rule {
    fn fits(&self, claim: &Claim, caller: &Caller) -> bool {
        let uid = match &self.uid {
            None => true,
            Some(Uids::One(uid)) => *uid == caller.uid,
            Some(Uids::Several(uids)) => uids.contains(&caller.uid),
        };
        let fits = |pattern: &Option<Pattern>, text: &str| {
            pattern.as_ref().is_none_or(|pattern| pattern.fits(text))
        };
        uid && fits(&self.cgroup, &caller.cgroup)
            && fits(&self.identity, &claim.identity)
            && fits(&self.name, &claim.name)
    }
}

impl Pattern {
    /// Each part is looked for after the one before: the leftmost place is as good as any, but for the last part, which
    /// must be at the end.
    fn fits(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else {
            return false;
        };
        let Some(last) = parts.next_back() else {
            return rest.is_empty();
        };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = &rest[at + part.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl Network {
    fn has(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= u32::from(self.bits)
            }
            _ => false,
        }
    }
}

impl TryFrom<String> for Network {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            || format!("'{text}' is no network; write 192.0.2.0/24, 2001:db8::/64 or an address");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text.as_str(), None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits
            .map_or(Ok(most), str::parse)
            .ok()
            .filter(|bits| *bits <= most)
            .ok_or_else(wrong)?;
        Ok(Self { address, bits })
    }
}

impl TryFrom<String> for PortRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.split_once('-')
            .and_then(|(first, last)| {
                Some(Ports {
                    first: first.trim().parse().ok()?,
                    last: last.trim().parse().ok()?,
                })
            })
            .filter(|ports| ports.first <= ports.last)
            .map(Self)
            .ok_or_else(|| format!("'{text}' is no range of ports; write 30000-39999"))
    }
}

#[cfg(test)]
mod tests;
