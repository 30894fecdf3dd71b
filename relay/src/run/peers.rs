//! `peer`, `inbound-peer` and `outbound-peer`: an address stands for the interface that it is reached through.

use std::borrow::Cow;
use std::io;
use std::net::IpAddr;

use bytes::Bytes;
use ng_protocol::Request;

use crate::netlink::Netlink;
use crate::plan::LogicalInterface;

/// Asks the kernel for the way to peers. Its socket is opened for the first of them.
#[derive(Debug, Default)]
pub(super) struct Peers {
    netlink: Option<Netlink>,
}

impl Peers {
    /// The same request, naming the interfaces that its peers are reached through: that of `peer` as `interface`, the
    /// others as `direction`. They go before what it names itself. A peer whose interface cannot be told is as if it
    /// were not there; `warn` hears why.
    pub(super) fn resolve<'r>(
        &mut self,
        request: &'r Request,
        interfaces: &[LogicalInterface],
        warn: impl FnMut(String),
    ) -> Cow<'r, Request> {
        with_interfaces(request, interfaces, |peer| self.source_towards(peer), warn)
    }

    fn source_towards(&mut self, peer: IpAddr) -> io::Result<Option<IpAddr>> {
        let netlink = match &mut self.netlink {
            Some(netlink) => netlink,
            closed => closed.insert(Netlink::open()?),
        };
        netlink.source_towards(peer)
    }
}

fn with_interfaces<'r>(
    request: &'r Request,
    interfaces: &[LogicalInterface],
    mut source_towards: impl FnMut(IpAddr) -> io::Result<Option<IpAddr>>,
    mut warn: impl FnMut(String),
) -> Cow<'r, Request> {
    let mut name = |peer: Option<IpAddr>| {
        let peer = peer?;
        let source = match source_towards(peer) {
            Ok(Some(source)) => source,
            Ok(None) => {
                warn(format!("there is no way to the peer {peer}"));
                return None;
            }
            Err(error) => {
                warn(format!("there is no way to the peer {peer}: {error}"));
                return None;
            }
        };
        let name = name_of(source, interfaces);
        if name.is_none() {
            warn(format!(
                "the peer {peer} is reached from {source}, which no interface has"
            ));
        }
        name
    };
    let options = &request.options;
    let [lone, inbound, outbound] =
        [options.peer, options.inbound_peer, options.outbound_peer].map(&mut name);
    let mut request = Cow::Borrowed(request);
    if let Some(name) = lone {
        request.to_mut().options.interface = Some(name);
    }
    for (place, name) in [inbound, outbound].into_iter().enumerate() {
        if let Some(name) = name {
            request.to_mut().options.set_direction(place, name);
        }
    }
    request
}

/// The first interface that has the address.
fn name_of(address: IpAddr, interfaces: &[LogicalInterface]) -> Option<Bytes> {
    let has = |interface: &&LogicalInterface| {
        let mut addresses = interface.addresses.iter();
        addresses.any(|local| local.address == address)
    };
    let interface = interfaces.iter().find(has)?;
    Some(Bytes::copy_from_slice(interface.name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ng_protocol::{Command, Options};

    use super::*;
    use crate::plan::LocalAddress;

    /// `a` has 192.0.2.1, `b` 192.0.2.2.
    fn interfaces() -> Vec<LogicalInterface> {
        let interface = |(name, host): (&str, u8)| {
            let address = IpAddr::from([192, 0, 2, host]);
            LogicalInterface {
                name: name.into(),
                addresses: vec![LocalAddress {
                    address,
                    advertised: address,
                }],
            }
        };
        [("a", 1), ("b", 2)].map(interface).to_vec()
    }

    fn peer(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    /// The names that come of a request, and the warnings. The peer 198.51.100.N is reached from 192.0.2.N, others from
    /// nowhere.
    fn resolved(ask: impl FnOnce(&mut Options)) -> (Options, Vec<String>) {
        let mut request = Request::new(Command::Offer);
        ask(&mut request.options);
        let source = |peer| match peer {
            IpAddr::V4(peer) if peer.octets()[0] == 198 => {
                Ok(Some(Ipv4Addr::new(192, 0, 2, peer.octets()[3]).into()))
            }
            _ => Err(io::ErrorKind::NetworkUnreachable.into()),
        };
        let mut warnings = Vec::new();
        let warn = |text| warnings.push(text);
        let request = with_interfaces(&request, &interfaces(), source, warn);
        (request.into_owned().options, warnings)
    }

    #[test]
    fn a_peer_is_the_interface_that_it_is_reached_through() {
        let (options, warnings) = resolved(|options| options.peer = peer("198.51.100.2"));
        assert_eq!(options.interface.unwrap(), "b");
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn peers_of_either_side_are_the_interfaces_of_direction() {
        let (options, _) = resolved(|options| {
            options.inbound_peer = peer("198.51.100.2");
            options.outbound_peer = peer("198.51.100.1");
        });
        assert_eq!(options.direction, ["b", "a"]);
    }

    #[test]
    fn a_peer_goes_before_a_name_and_leaves_the_other_side_alone() {
        let (options, _) = resolved(|options| {
            options.direction = vec!["a".into(), "a".into()];
            options.outbound_peer = peer("198.51.100.2");
        });
        assert_eq!(options.direction, ["a", "b"]);
    }

    #[test]
    fn a_peer_without_a_route_is_as_if_it_were_not_there() {
        let (options, warnings) = resolved(|options| {
            options.direction = vec!["a".into(), "b".into()];
            options.inbound_peer = peer("203.0.113.1");
        });
        assert_eq!(options.direction, ["a", "b"]);
        assert!(warnings[0].contains("203.0.113.1"), "{warnings:?}");
    }

    #[test]
    fn a_peer_that_is_reached_from_elsewhere_is_as_if_it_were_not_there() {
        let (options, warnings) = resolved(|options| options.peer = peer("198.51.100.9"));
        assert_eq!(options.interface, None);
        assert!(warnings[0].contains("192.0.2.9"), "{warnings:?}");
    }
}
