use super::*;

const REACHABLE: u16 = 0x02;
const STALE: u16 = 0x04;
const FAILED: u16 = 0x20;
const PERMANENT: u16 = 0x80;

#[derive(Default)]
struct Fake {
    routes: BTreeMap<IpAddr, Result<Route, Reason>>,
    lookups: usize,
    used: Vec<(u32, IpAddr)>,
}

impl Kernel for Fake {
    fn route(&mut self, path: &Path) -> Result<Route, Reason> {
        self.lookups += 1;
        self.routes
            .get(&path.to)
            .copied()
            .unwrap_or(Err(Reason::NoRoute))
    }

    fn use_neighbour(&mut self, ifindex: u32, address: IpAddr) {
        self.used.push((ifindex, address));
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn path(to: &str) -> Path {
    Path {
        place: Place::Own,
        to: ip(to),
        from: ip("192.0.2.1"),
        oif: 0,
    }
}

fn via(ifindex: u32, gateway: &str) -> Result<Route, Reason> {
    Ok(Route::Unicast {
        ifindex,
        neighbour: ip(gateway),
        mtu: None,
        hop_limit: None,
    })
}

fn link(up: bool) -> Link {
    Link {
        name: "eth0".to_owned(),
        mac: Some([2, 0, 0, 0, 0, 1]),
        mtu: 1500,
        up,
        ..Link::default()
    }
}

fn neighbour(last: u8, state: u16) -> Option<Neighbour> {
    Some(Neighbour {
        mac: Some([2, 0, 0, 0, 1, last]),
        state,
    })
}

/// Two destinations behind one gateway on link 2, all resolved.
fn resolved() -> (NextHops, Fake) {
    let mut hops = NextHops::default();
    let mut kernel = Fake::default();
    for to in ["198.51.100.1", "198.51.100.2"] {
        kernel.routes.insert(ip(to), via(2, "192.0.2.254"));
    }
    hops.link_changed(2, Some(link(true)));
    hops.neighbour_changed(2, ip("192.0.2.254"), neighbour(1, REACHABLE));
    hops.take(path("198.51.100.1"), &mut kernel);
    hops.take(path("198.51.100.2"), &mut kernel);
    (hops, kernel)
}

#[test]
fn a_path_leads_through_its_gateway() {
    let (hops, _) = resolved();
    assert_eq!(
        hops.get(&path("198.51.100.1")),
        Ok(NextHop {
            ifindex: 2,
            mtu: 1500,
            hop_limit: None,
            to_mac: [2, 0, 0, 0, 1, 1],
        })
    );
}

#[test]
fn flows_that_share_a_path_share_its_lookup() {
    let (mut hops, mut kernel) = resolved();
    let before = kernel.lookups;
    hops.take(path("198.51.100.1"), &mut kernel);
    assert_eq!(kernel.lookups, before);
    hops.give_back(&path("198.51.100.1"));
    assert!(hops.get(&path("198.51.100.1")).is_ok());
    hops.give_back(&path("198.51.100.1"));
    assert_eq!(hops.get(&path("198.51.100.1")), Err(Reason::NoRoute));
}

#[test]
fn a_new_mac_of_the_gateway_changes_every_path_through_it() {
    let (mut hops, _) = resolved();
    let changed = hops.neighbour_changed(2, ip("192.0.2.254"), neighbour(9, REACHABLE));
    assert_eq!(changed, [path("198.51.100.1"), path("198.51.100.2")]);
    assert_eq!(
        hops.get(&changed[0]).map(|hop| hop.to_mac),
        Ok([2, 0, 0, 0, 1, 9])
    );
}

#[test]
fn a_neighbour_gone_stale_is_still_sent_to() {
    let (mut hops, _) = resolved();
    let changed = hops.neighbour_changed(2, ip("192.0.2.254"), neighbour(1, STALE));
    assert_eq!(changed, []);
    assert!(hops.get(&path("198.51.100.1")).is_ok());
}

#[test]
fn a_failed_neighbour_takes_its_paths_out_and_brings_them_back() {
    let (mut hops, _) = resolved();
    let failed = Some(Neighbour {
        mac: None,
        state: FAILED,
    });
    assert_eq!(
        hops.neighbour_changed(2, ip("192.0.2.254"), failed).len(),
        2
    );
    assert_eq!(
        hops.get(&path("198.51.100.1")),
        Err(Reason::NextHopUnresolved)
    );
    let back = hops.neighbour_changed(2, ip("192.0.2.254"), neighbour(1, REACHABLE));
    assert_eq!(back.len(), 2);
    assert!(hops.get(&path("198.51.100.1")).is_ok());
}

#[test]
fn an_unresolved_neighbour_is_asked_for_at_once() {
    let mut hops = NextHops::default();
    let mut kernel = Fake::default();
    kernel.routes.insert(ip("192.0.2.7"), via(2, "192.0.2.7"));
    hops.link_changed(2, Some(link(true)));
    hops.take(path("192.0.2.7"), &mut kernel);
    assert_eq!(hops.get(&path("192.0.2.7")), Err(Reason::NextHopUnresolved));
    assert_eq!(kernel.used, [(2, ip("192.0.2.7"))]);
}

#[test]
fn neighbours_in_use_are_kept_fresh_unless_static() {
    let (mut hops, mut kernel) = resolved();
    hops.keep_fresh(&mut kernel);
    assert_eq!(kernel.used, [(2, ip("192.0.2.254"))]);
    hops.neighbour_changed(2, ip("192.0.2.254"), neighbour(1, PERMANENT));
    kernel.used.clear();
    hops.keep_fresh(&mut kernel);
    assert_eq!(kernel.used, []);
}

#[test]
fn a_link_that_goes_down_takes_its_paths_along() {
    let (mut hops, _) = resolved();
    assert!(hops.link_changed(2, Some(link(false))));
    assert_eq!(hops.get(&path("198.51.100.1")), Err(Reason::InterfaceDown));
}

#[test]
fn a_route_that_goes_with_its_link_is_not_a_missing_route() {
    let (mut hops, mut kernel) = resolved();
    kernel.routes.clear();
    hops.link_changed(2, Some(link(false)));
    hops.reroute(&mut kernel);
    assert_eq!(hops.get(&path("198.51.100.1")), Err(Reason::InterfaceDown));
    hops.link_changed(2, Some(link(true)));
    assert_eq!(hops.get(&path("198.51.100.1")), Err(Reason::NoRoute));
}

#[test]
fn a_link_told_again_unchanged_changes_nothing() {
    let (mut hops, _) = resolved();
    assert!(!hops.link_changed(2, Some(link(true))));
}

#[test]
fn a_route_change_moves_only_the_paths_it_is_about() {
    let (mut hops, mut kernel) = resolved();
    hops.link_changed(3, Some(link(true)));
    hops.neighbour_changed(3, ip("203.0.113.1"), neighbour(7, REACHABLE));
    kernel
        .routes
        .insert(ip("198.51.100.2"), via(3, "203.0.113.1"));
    assert_eq!(hops.reroute(&mut kernel), [path("198.51.100.2")]);
    assert_eq!(
        hops.get(&path("198.51.100.2")).map(|hop| hop.ifindex),
        Ok(3)
    );
    // The old gateway no longer concerns it.
    let changed = hops.neighbour_changed(2, ip("192.0.2.254"), neighbour(9, REACHABLE));
    assert_eq!(changed, [path("198.51.100.1")]);
}

#[test]
fn destinations_that_cannot_be_forwarded_to_say_why() {
    let mut hops = NextHops::default();
    let mut kernel = Fake::default();
    kernel.routes.insert(ip("192.0.2.1"), Ok(Route::Local));
    kernel.routes.insert(ip("192.0.2.255"), Ok(Route::Unusable));
    for (to, reason) in [
        ("192.0.2.1", Reason::DestinationIsLocal),
        ("192.0.2.255", Reason::NoRoute),
        ("203.0.113.9", Reason::NoRoute),
    ] {
        hops.take(path(to), &mut kernel);
        assert_eq!(hops.get(&path(to)), Err(reason), "{to}");
    }
}

#[test]
fn a_device_without_ethernet_cannot_be_sent_through() {
    let (mut hops, _) = resolved();
    hops.link_changed(
        2,
        Some(Link {
            mac: None,
            ..link(true)
        }),
    );
    assert_eq!(
        hops.get(&path("198.51.100.1")),
        Err(Reason::EgressUnsupported)
    );
}

#[test]
fn the_smaller_mtu_of_link_and_route_counts() {
    let (mut hops, mut kernel) = resolved();
    kernel.routes.insert(
        ip("198.51.100.1"),
        Ok(Route::Unicast {
            ifindex: 2,
            neighbour: ip("192.0.2.254"),
            mtu: Some(1400),
            hop_limit: Some(9),
        }),
    );
    hops.reroute(&mut kernel);
    let hop = hops.get(&path("198.51.100.1")).unwrap();
    assert_eq!((hop.mtu, hop.hop_limit), (1400, Some(9)));
}
