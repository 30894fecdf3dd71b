//! Addresses to listen on: `[ADDRESS:]PORT`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::machine::{LocalIp, Machine};

/// What the address options need to know about the machine, read once.
pub(super) struct Locality<'a> {
    pub(super) machine: &'a dyn Machine,
    pub(super) addresses: Vec<LocalIp>,
}

impl<'a> Locality<'a> {
    pub(super) fn of(machine: &'a dyn Machine) -> std::io::Result<Self> {
        let addresses = machine.addresses()?;
        Ok(Self { machine, addresses })
    }

    /// Sockets can be bound to the address: an interface has it, or the kernel allows any.
    pub(super) fn is_here(&self, address: IpAddr) -> bool {
        let loopback = matches!(address, IpAddr::V4(v4) if v4.is_loopback());
        let sysctl = match address {
            IpAddr::V4(_) => "net/ipv4/ip_nonlocal_bind",
            IpAddr::V6(_) => "net/ipv6/ip_nonlocal_bind",
        };
        loopback
            || self.addresses.iter().any(|local| local.address == address)
            // Set where a fail-over address comes and goes.
            || self.machine.sysctl(sysctl).is_some_and(|value| value.trim() == "1")
    }

    fn has_ipv6(&self) -> bool {
        self.addresses.iter().any(|local| local.address.is_ipv6())
    }

    /// The problem of an address that is not here, and what to do.
    pub(super) fn not_here(&self, address: IpAddr) -> String {
        let mut here: Vec<String> = Vec::new();
        for local in &self.addresses {
            if local.address.is_ipv4() == address.is_ipv4() && !is_link_local(local.address) {
                here.push(local.address.to_string());
            }
        }
        if here.is_empty() {
            return format!("no interface of this machine has the address {address}");
        }
        let here = here.join(", ");
        format!("no interface of this machine has the address {address}; it has {here}")
    }
}

/// Reads one `[ADDRESS:]PORT`. A port alone means all addresses, IPv4 and IPv6; a host name all of its addresses that
/// are on this machine.
///
/// # Errors
/// What is wrong with it.
pub(super) fn listen(text: &str, locality: &Locality) -> Result<Vec<SocketAddr>, String> {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) => (Some(host), port),
        None => (None, text),
    };
    let port: u16 = port
        .parse()
        .ok()
        .filter(|port| *port > 0)
        .ok_or("expected [ADDRESS:]PORT with a port from 1 to 65535")?;
    let Some(host) = host else {
        let v4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let v6 = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
        let families = if locality.has_ipv6() {
            vec![v4, v6]
        } else {
            vec![v4]
        };
        return Ok(with_port(families, port));
    };
    if let Some(address) = literal(host) {
        if address.is_unspecified() || locality.is_here(address) {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        return Err(locality.not_here(address));
    }
    let found = locality.machine.resolve(host);
    let here: Vec<IpAddr> = found
        .iter()
        .copied()
        .filter(|address| locality.is_here(*address))
        .collect();
    match (found.first(), here.is_empty()) {
        (None, _) => Err(format!(
            "{host} is neither an address nor a host name that resolves"
        )),
        (Some(first), true) => Err(locality.not_here(*first)),
        _ => Ok(with_port(here, port)),
    }
}

/// An IP address, IPv6 with or without brackets.
pub(super) fn literal(text: &str) -> Option<IpAddr> {
    let inner = text
        .strip_prefix('[')
        .and_then(|text| text.strip_suffix(']'));
    match inner {
        Some(v6) => v6.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

/// Valid on one link only: 169.254.0.0/16, fe80::/10.
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

fn with_port(addresses: Vec<IpAddr>, port: u16) -> Vec<SocketAddr> {
    let at = |address| SocketAddr::new(address, port);
    addresses.into_iter().map(at).collect()
}
