//! From rtnetlink messages to values.

use std::net::IpAddr;

use super::message::{Message, attributes, u16_at, u32_at, u64_at};
use super::{Event, Link, Neighbour, Route};

const RTNL_HEADER: usize = 12;
const LINK_HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_LINK_NETNSID: u16 = 37;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_INFO_KIND: u16 = 1;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PREFSRC: u16 = 7;
const RTA_METRICS: u16 = 8;
const RTA_VIA: u16 = 18;
const RTAX_MTU: u16 = 2;
const RTAX_HOPLIMIT: u16 = 10;
const RTN_UNICAST: u8 = 1;
const RTN_LOCAL: u8 = 2;
const ARPHRD_ETHER: u16 = 1;
const IFF_LOWER_UP: u32 = 1 << 16;

/// What a watched or dumped message says; `None` if it is none of our business.
pub(super) fn event(message: &Message<'_>) -> Option<Event> {
    match message.kind {
        libc::RTM_NEWLINK => link(message.payload).map(|(index, link, _)| Event::Link(index, link)),
        libc::RTM_DELLINK => link(message.payload).map(|(index, _, _)| Event::LinkGone(index)),
        libc::RTM_NEWADDR => address(message.payload).map(|(index, a)| Event::Address(index, a)),
        libc::RTM_DELADDR => {
            address(message.payload).map(|(index, a)| Event::AddressGone(index, a))
        }
        libc::RTM_NEWNEIGH => neighbour(message.payload)
            .map(|(index, address, n)| Event::Neighbour(index, address, Some(n))),
        libc::RTM_DELNEIGH => neighbour(message.payload)
            .map(|(index, address, _)| Event::Neighbour(index, address, None)),
        libc::RTM_NEWROUTE | libc::RTM_DELROUTE | libc::RTM_NEWRULE | libc::RTM_DELRULE => {
            Some(Event::Routes)
        }
        _ => None,
    }
}

/// A link message: index, link and packets sent. Bridge port messages (another family) are not links.
pub(super) fn link(payload: &[u8]) -> Option<(u32, Link, u64)> {
    let family = *payload.first()?;
    if family != libc::AF_UNSPEC as u8 {
        return None;
    }
    let hardware = u16_at(payload, 2)?;
    let index = u32_at(payload, 4)?;
    let flags = u32_at(payload, 8)?;
    let up = libc::IFF_UP as u32 | IFF_LOWER_UP;
    let mut link = Link {
        up: flags & up == up,
        loopback: flags & libc::IFF_LOOPBACK as u32 != 0,
        ..Link::default()
    };
    let mut sent = 0;
    let mut namespace = None;
    for (kind, value) in attributes(payload.get(LINK_HEADER..)?) {
        match kind {
            IFLA_ADDRESS if hardware == ARPHRD_ETHER => link.mac = value.try_into().ok(),
            IFLA_IFNAME => link.name = text(value),
            IFLA_LINK => link.lower = u32_at(value, 0),
            IFLA_LINK_NETNSID => namespace = u32_at(value, 0),
            IFLA_MTU => link.mtu = u32_at(value, 0)?,
            IFLA_LINKINFO => {
                link.kind = attributes(value)
                    .find(|(kind, _)| *kind == IFLA_INFO_KIND)
                    .map(|(_, value)| text(value));
            }
            IFLA_STATS64 => sent = u64_at(value, 8)?,
            _ => {}
        }
    }
    if let Some(namespace) = namespace {
        link.elsewhere = link.lower.take().map(|index| (index, namespace as i32));
    }
    Some((index, link, sent))
}

/// What a namespace is called, as `RTM_GETNSID` is answered; `None`: nothing.
pub(super) fn namespace_id(payload: &[u8]) -> Option<i32> {
    const NETNSA_NSID: u16 = 1;
    let (_, value) = attributes(payload.get(4..)?).find(|(kind, _)| *kind == NETNSA_NSID)?;
    Some(u32_at(value, 0)? as i32).filter(|id| *id >= 0)
}

/// A route message, as `RTM_GETROUTE` for one destination is answered.
pub(super) fn route(payload: &[u8]) -> Option<Route> {
    match *payload.get(7)? {
        RTN_UNICAST => {}
        RTN_LOCAL => return Some(Route::Local),
        _ => return Some(Route::Unusable),
    }
    let (mut ifindex, mut destination, mut gateway) = (None, None, None);
    let (mut mtu, mut hop_limit) = (None, None);
    for (kind, value) in attributes(payload.get(RTNL_HEADER..)?) {
        match kind {
            RTA_DST => destination = ip(value),
            RTA_OIF => ifindex = u32_at(value, 0),
            RTA_GATEWAY => gateway = ip(value),
            // A gateway of the other family: its family, then its address.
            RTA_VIA => gateway = ip(value.get(2..)?),
            RTA_METRICS => {
                for (metric, value) in attributes(value) {
                    match metric {
                        RTAX_MTU => mtu = u32_at(value, 0),
                        RTAX_HOPLIMIT => hop_limit = u32_at(value, 0).map(|hops| hops as u8),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Some(Route::Unicast {
        ifindex: ifindex?,
        neighbour: gateway.or(destination)?,
        mtu,
        hop_limit: hop_limit.filter(|hops| *hops > 0),
    })
}

/// The source address of a route, as `RTM_GETROUTE` for one destination is answered.
pub(super) fn source(payload: &[u8]) -> Option<IpAddr> {
    if !matches!(*payload.get(7)?, RTN_UNICAST | RTN_LOCAL) {
        return None;
    }
    let mut attributes = attributes(payload.get(RTNL_HEADER..)?);
    let (_, address) = attributes.find(|(kind, _)| *kind == RTA_PREFSRC)?;
    ip(address)
}

fn address(payload: &[u8]) -> Option<(u32, IpAddr)> {
    let index = u32_at(payload, 4)?;
    let (mut local, mut address) = (None, None);
    for (kind, value) in attributes(payload.get(ADDRESS_HEADER..)?) {
        match kind {
            IFA_LOCAL => local = ip(value),
            IFA_ADDRESS => address = ip(value),
            _ => {}
        }
    }
    // On point-to-point links IFA_ADDRESS is the peer.
    Some((index, local.or(address)?))
}

fn neighbour(payload: &[u8]) -> Option<(u32, IpAddr, Neighbour)> {
    // Not the forwarding entries of bridges and tunnels.
    if ![libc::AF_INET as u8, libc::AF_INET6 as u8].contains(payload.first()?) {
        return None;
    }
    let index = u32_at(payload, 4)?;
    let state = u16_at(payload, 8)?;
    let (mut address, mut mac) = (None, None);
    for (kind, value) in attributes(payload.get(RTNL_HEADER..)?) {
        match kind {
            NDA_DST => address = ip(value),
            NDA_LLADDR => mac = value.try_into().ok(),
            _ => {}
        }
    }
    Some((index, address?, Neighbour { mac, state }))
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .trim_end_matches('\0')
        .to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::{Request, messages};
    use super::*;

    fn route_of(kind: u8, attributes: &[(u16, &[u8])]) -> Option<Route> {
        read(route, kind, attributes)
    }

    fn read<T>(
        parse: impl Fn(&[u8]) -> Option<T>,
        kind: u8,
        attributes: &[(u16, &[u8])],
    ) -> Option<T> {
        let mut body = [0; RTNL_HEADER];
        body[7] = kind;
        let request = attributes
            .iter()
            .fold(Request::new(24, 0, &body), |request, (kind, value)| {
                request.attribute(*kind, value)
            });
        let bytes = request.finish(1);
        parse(messages(&bytes).next()?.payload)
    }

    fn unicast(neighbour: &str) -> Option<Route> {
        Some(Route::Unicast {
            ifindex: 3,
            neighbour: neighbour.parse().unwrap(),
            mtu: None,
            hop_limit: None,
        })
    }

    const DESTINATION: (u16, &[u8]) = (RTA_DST, &[198, 51, 100, 1]);

    #[test]
    fn a_route_that_can_be_used_has_a_source() {
        let preferred = (RTA_PREFSRC, [192, 0, 2, 1].as_slice());
        let source_of = |kind| read(source, kind, &[DESTINATION, preferred]);
        let address = "192.0.2.1".parse().ok();
        assert_eq!(source_of(RTN_UNICAST), address);
        assert_eq!(source_of(RTN_LOCAL), address);
        assert_eq!(source_of(7), None);
        assert_eq!(read(source, RTN_UNICAST, &[DESTINATION]), None);
    }

    #[test]
    fn on_the_link_the_destination_is_the_neighbour() {
        let oif = 3_u32.to_ne_bytes();
        let route = route_of(RTN_UNICAST, &[DESTINATION, (RTA_OIF, &oif)]);
        assert_eq!(route, unicast("198.51.100.1"));
    }

    #[test]
    fn behind_a_gateway_the_gateway_is() {
        let oif = 3_u32.to_ne_bytes();
        let gateway = (RTA_GATEWAY, &[192, 0, 2, 254][..]);
        let route = route_of(RTN_UNICAST, &[DESTINATION, gateway, (RTA_OIF, &oif)]);
        assert_eq!(route, unicast("192.0.2.254"));
    }

    #[test]
    fn a_gateway_may_be_of_the_other_family() {
        let oif = 3_u32.to_ne_bytes();
        let mut via = (libc::AF_INET6 as u16).to_ne_bytes().to_vec();
        via.extend("fe80::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
        let route = route_of(
            RTN_UNICAST,
            &[DESTINATION, (RTA_VIA, &via), (RTA_OIF, &oif)],
        );
        assert_eq!(route, unicast("fe80::1"));
    }

    #[test]
    fn local_and_unreachable_destinations_are_told_apart() {
        assert_eq!(route_of(RTN_LOCAL, &[DESTINATION]), Some(Route::Local));
        assert_eq!(route_of(7, &[DESTINATION]), Some(Route::Unusable));
    }

    proptest! {
        #[test]
        fn no_message_breaks_the_parser(kind in 0_u16..130, payload: Vec<u8>) {
            let message = Message { kind, sequence: 0, payload: &payload };
            let _ = event(&message);
            let _ = route(&payload);
            let _ = source(&payload);
        }
    }
}
