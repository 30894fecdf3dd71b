//! The `interface` option: `[NAME/]ADDRESS[!ADVERTISED]`, where ADDRESS may be a device, a host name or `any`;
//! `ALIAS=NAME` gives a logical interface a second name. Those called `BASE:SUFFIX` are a group that BASE names, too.

use std::collections::BTreeMap;
use std::net::IpAddr;

use indexmap::IndexMap;

use super::address::{Locality, is_link_local, literal};
use crate::media::MediaPorts;
use crate::plan::{LocalAddress, LogicalInterface};

const DEFAULT_NAME: &str = "default";

/// Logical interfaces in the order they were given.
#[derive(Default)]
pub(super) struct Interfaces {
    by_name: IndexMap<String, Vec<LocalAddress>>,
    /// Of addresses that have ports of their own.
    ports: BTreeMap<IpAddr, MediaPorts>,
    warnings: Vec<String>,
}

/// All that is known of them.
pub(super) struct Finished {
    /// Empty only if nothing was added.
    pub(super) interfaces: Vec<LogicalInterface>,
    pub(super) ports: BTreeMap<IpAddr, MediaPorts>,
    pub(super) warnings: Vec<String>,
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
        self.add_address(name, host, advertised, None, locality)
    }

    /// Adds an address, or the addresses of a device or host, or `any`, to a logical interface, perhaps with ports of
    /// their own.
    ///
    /// # Errors
    /// What is wrong with `host`.
    pub(super) fn add_address(
        &mut self,
        name: &str,
        host: &str,
        advertised: Option<IpAddr>,
        ports: Option<MediaPorts>,
        locality: &Locality,
    ) -> Result<(), String> {
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
            let Some(ports) = &ports else { continue };
            let first = self.ports.entry(address).or_insert_with(|| ports.clone());
            if first != ports {
                self.warnings.push(format!(
                    "an address has one set of ports: {address} has {first}, and ports {ports} of interface {name} \
                     have no effect"
                ));
            }
        }
        Ok(())
    }

    /// Adds addresses of this machine to the default interface.
    pub(super) fn add_own(&mut self, own: &[IpAddr]) {
        let addresses = self.by_name.entry(DEFAULT_NAME.to_owned()).or_default();
        addresses.extend(own.iter().map(|&address| LocalAddress {
            address,
            advertised: address,
        }));
    }

    /// The result, with `ports` where an address has none of its own.
    pub(super) fn finish(self, ports: &MediaPorts) -> Finished {
        let mut by_address = self.ports;
        for local in self.by_name.values().flatten() {
            by_address
                .entry(local.address)
                .or_insert_with(|| ports.clone());
        }
        let interfaces = self.by_name.into_iter();
        Finished {
            interfaces: interfaces
                .map(|(name, addresses)| LogicalInterface {
                    name: name.into(),
                    addresses,
                })
                .collect(),
            ports: by_address,
            warnings: self.warnings,
        }
    }

    /// Gives a logical interface another name.
    ///
    /// # Errors
    /// There is none, or there is one of the other name.
    pub(super) fn add_alias(&mut self, alias: &str, name: &str) -> Result<(), String> {
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
pub(super) fn own(locality: &Locality) -> Vec<IpAddr> {
    let usable = |loopback: bool| -> Vec<IpAddr> {
        let addresses = locality.addresses.iter();
        addresses
            .filter(|local| local.up && local.loopback == loopback && !is_link_local(local.address))
            .map(|local| local.address)
            .collect()
    };
    let addresses = usable(false);
    if addresses.is_empty() {
        return usable(true);
    }
    addresses
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
