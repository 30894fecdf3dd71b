//! Several receivers of a tenant's flow: each copy is held to the grant, and none leaves where one is outside it.

use underpass_abi::{MAX_FURTHER, SEVERAL_RECEIVERS};

use super::*;

/// The record that a flow of [`Hostile::assert_refused`] names as its second receiver.
const SECOND: u32 = 2;

impl Hostile<'_> {
    /// To the callee's next port, of what the lawful flow sends.
    fn second_route(&self) -> Route {
        let Route { from, to, .. } = self.lawful_route();
        Route {
            local: to,
            source: from,
            from,
            to: SocketAddr::new(to.ip(), to.port() + 1),
        }
    }

    /// The lawful flow, whose further receivers have these names.
    fn naming(&self, names: &[u32]) -> Flow {
        let mut flow = self.flow_of(self.lawful_route());
        flow.flags |= SEVERAL_RECEIVERS;
        flow.further[..names.len()].copy_from_slice(names);
        flow
    }

    fn write_second(&self, flow: Flow) {
        let record = Record {
            flow,
            ..Record::default()
        };
        self.table.records.write(SECOND as usize, record);
    }

    /// What is sent to the tenant leaves `copies` times, and nothing goes up.
    #[track_caller]
    fn assert_copied(&self, what: &str, flow: Flow, copies: u32) {
        self.table.install(1, flow, 0, LOCAL);
        self.table.give_sign_of_life(now_ns());
        let (up, out) = (self.passed_up(), self.escaped());
        self.sender.send(self.own.address(), PACKETS);
        let expected = out + PACKETS * copies;
        wait_until(what, || self.escaped() >= expected);
        assert_eq!((self.passed_up(), self.escaped()), (up, expected), "{what}");
    }
}

#[test]
fn copies_within_the_grant_leave() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    hostile.write_second(hostile.flow_of(hostile.second_route()));
    hostile.assert_copied("two receivers", hostile.naming(&[SECOND + 1]), 2);
    ground.assert_victim_is_well();
}

#[test]
fn no_copy_leaves_where_one_would_leave_outside_the_grant() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    let lawful = hostile.flow_of(hostile.second_route());
    let foreign = [
        format!("10.2.0.1:{VICTIMS}"),
        ground.call.callee_to.to_string(),
        format!("10.2.0.1:{}", PORTS[1] + 1),
        format!("10.2.0.7:{LOCAL}"),
    ];
    let foreign = foreign.map(|from| {
        let route = Route {
            from: from.parse().unwrap(),
            ..hostile.second_route()
        };
        (from, hostile.flow_of(route))
    });
    let egress = Flow {
        egress: MAX_EGRESSES as u32,
        ..lawful
    };
    let source = table::with_head(lawful, |head| head[11] ^= 1);
    let tcp = table::with_head(lawful, |head| head[23] = 6);
    let others = [("way out", egress), ("link layer", source), ("TCP", tcp)];
    let others = others.map(|(what, flow)| (what.to_owned(), flow));
    let naming = hostile.naming(&[SECOND + 1, SECOND + 1]);
    for (what, second) in foreign.into_iter().chain(others) {
        hostile.write_second(second);
        hostile.assert_refused(&what, naming);
    }
    ground.assert_victim_is_well();
}

#[test]
fn a_flow_that_names_itself_or_nobody_as_receiver_does_no_harm() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    // Itself, in place of all others: as many copies as there may be, and no more.
    let itself = hostile.naming(&[1 + 1; MAX_FURTHER]);
    hostile.assert_copied("itself", itself, 1 + MAX_FURTHER as u32);
    // Two that name each other: who is named is not asked for more.
    hostile.write_second(hostile.naming(&[1 + 1]));
    hostile.assert_copied("each other", hostile.naming(&[SECOND + 1]), 2);
    for name in [1 << 20, 1 << 31, u32::MAX - 1, u32::MAX] {
        hostile
            .table
            .install(1, hostile.naming(&[SECOND + 1, name]), 0, LOCAL);
        assert_eq!(hostile.send(PACKETS), (PACKETS, 0), "name {name:#x}");
    }
    ground.assert_victim_is_well();
}

/// What was found in order is looked at again when it is used.
#[test]
fn a_receiver_that_changes_while_packets_pass_never_leaves_outside_the_grant() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    let lawful = hostile.flow_of(hostile.second_route());
    let foreign = hostile.flow_of(Route {
        from: format!("10.2.0.7:{VICTIMS}").parse().unwrap(),
        ..hostile.second_route()
    });
    hostile.write_second(lawful);
    let naming = hostile.naming(&[SECOND + 1; 3]);
    hostile.assert_copied("before", naming, 4);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                hostile.write_second(foreign);
                hostile.write_second(lawful);
            }
        });
        for _ in 0..20 {
            hostile.table.give_sign_of_life(now_ns());
            let to = hostile.own.address();
            hostile.sender.send_every(to, 500, Duration::ZERO);
        }
        stop.store(true, Ordering::Relaxed);
    });
    hostile.write_second(lawful);
    // What is still on its way does not count.
    hostile.sender.change_mark();
    hostile.assert_copied("after", naming, 4);
    let from = hostile.lawful_route().from;
    let neighbour = &hostile.neighbours[1];
    let frames = neighbour.received(|found| [30_000, 30_001].contains(&found.destination.port()));
    let foreign = frames.iter().filter(|found| found.source != from);
    let foreign: Vec<_> = foreign.map(|found| found.source).collect();
    assert_eq!(foreign, [], "sources of forwarded packets");
    assert!(
        frames.len() > PACKETS as usize * 10,
        "the race was never run"
    );
    ground.assert_victim_is_well();
}
