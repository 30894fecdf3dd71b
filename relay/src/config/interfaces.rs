//! The `interface` option: `[NAME/]ADDRESS[!ADVERTISED]`, where ADDRESS may be a device, a host name or `any`;
//! `ALIAS=NAME` gives a logical interface a second name. Those called `BASE:SUFFIX` are a group that BASE names, too.

use std::net::IpAddr;

use indexmap::IndexMap;

use super::address::{Locality, is_link_local, literal};
use crate::plan::{LocalAddress, LogicalInterface};

const DEFAULT_NAME: &str = "default";

/// Logical interfaces in the order they were given.
#[derive(Default)]
pub(super) struct Interfaces {
    by_name: IndexMap<String, Vec<LocalAddress>>,
}

impl Interfaces {
    /// Adds one value of the option.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn add(&mut self, text: &str, locality: &Locality) -> Result<(), String> {
        if let Some((alias, name)) = text.split_once('=') {
            return self.add_alias(alias.trim(), name.trim());
        }
        let (name, rest) = text.split_once('/').unwrap_or((DEFAULT_NAME, text));
        let (host, advertised) = match rest.split_once('!') {
            Some((host, advertised)) => (host, Some(advertised)),
            None => (rest, None),
        };
        if name.is_empty() || host.is_empty() {
            return Err("expected [NAME/]ADDRESS[!ADVERTISED]".to_owned());
        }
        let advertised = match advertised {
            None => None,
            Some(text) => Some(literal(text).ok_or_else(|| {
                format!("the advertised address {text} is not an IP address: give one after the !")
            })?),
        };
        let addresses = self.by_name.entry(name.to_owned()).or_default();
        for address in resolve(host, locality)? {
            let advertised = advertised.unwrap_or(address);
            let known = addresses.iter().any(|known| known.address == address);
            if !known {
                addresses.push(LocalAddress {
                    address,
                    advertised,
                });
            }
        }
        Ok(())
    }

    /// The result; empty only if nothing was added.
    pub(super) fn finish(self) -> Vec<LogicalInterface> {
        let interfaces = self.by_name.into_iter();
        interfaces
            .map(|(name, addresses)| LogicalInterface {
                name: name.into(),
                addresses,
            })
            .collect()
    }

    fn add_alias(&mut self, alias: &str, name: &str) -> Result<(), String> {
        let Some(addresses) = self.by_name.get(name).cloned() else {
            return Err(format!(
                "there is no interface {name} that {alias} could be another name of: define it before"
            ));
        };
        if self.by_name.contains_key(alias) {
            return Err(format!("there is an interface {alias} already"));
        }
        self.by_name.insert(alias.to_owned(), addresses);
        Ok(())
    }
}

/// The machine's own addresses, for when no interface is given: those of interfaces that are up, or loopback where
/// there is nothing else.
pub(super) fn own(locality: &Locality) -> Vec<LogicalInterface> {
    let usable = |loopback: bool| -> Vec<LocalAddress> {
        let addresses = locality.addresses.iter();
        addresses
            .filter(|local| local.up && local.loopback == loopback && !is_link_local(local.address))
            .map(|local| LocalAddress {
                address: local.address,
                advertised: local.address,
            })
            .collect()
    };
    let mut addresses = usable(false);
    if addresses.is_empty() {
        addresses = usable(true);
    }
    if addresses.is_empty() {
        return Vec::new();
    }
    vec![LogicalInterface {
        name: DEFAULT_NAME.into(),
        addresses,
    }]
}

fn resolve(host: &str, locality: &Locality) -> Result<Vec<IpAddr>, String> {
    if let Some(address) = literal(host) {
        return one(address, locality);
    }
    if host == "any" {
        let found: Vec<IpAddr> = own_addresses(locality).collect();
        if found.is_empty() {
            return Err("this machine has no address but loopback: name one".to_owned());
        }
        return Ok(found);
    }
    if locality.machine.devices().iter().any(|name| name == host) {
        let found: Vec<IpAddr> = device_addresses(host, locality).collect();
        if found.is_empty() {
            return Err(format!(
                "the device {host} has no address that media can use"
            ));
        }
        return Ok(found);
    }
    let found = locality.machine.resolve(host);
    let Some(first) = found.first() else {
        let devices = locality.machine.devices().join(", ");
        return Err(format!(
            "{host} is neither an address, nor a device, nor a host name that resolves; devices here: {devices}"
        ));
    };
    let here = found
        .iter()
        .copied()
        .filter(|address| locality.is_here(*address));
    let here: Vec<IpAddr> = here.collect();
    if here.is_empty() {
        return Err(locality.not_here(*first));
    }
    Ok(here)
}

fn one(address: IpAddr, locality: &Locality) -> Result<Vec<IpAddr>, String> {
    if address.is_unspecified() || address.is_multicast() {
        return Err(format!(
            "{address} is no address media can be sent from: give one, or any"
        ));
    }
    if matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local()) {
        return Err(format!(
            "{address} is valid on one link only and cannot be announced: give a global address"
        ));
    }
    if !locality.is_here(address) {
        return Err(locality.not_here(address));
    }
    Ok(vec![address])
}

fn own_addresses(locality: &Locality) -> impl Iterator<Item = IpAddr> {
    let addresses = locality.addresses.iter();
    addresses
        .filter(|local| !local.loopback && !is_link_local(local.address))
        .map(|local| local.address)
}

fn device_addresses<'a>(
    device: &'a str,
    locality: &'a Locality,
) -> impl Iterator<Item = IpAddr> + 'a {
    let addresses = locality.addresses.iter();
    addresses
        .filter(move |local| local.device == device && !is_link_local(local.address))
        .map(|local| local.address)
}
