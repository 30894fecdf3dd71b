//! What a tenant writes into its table: nothing of it has packets leave, or come in, outside its grant.

use super::*;

#[test]
fn nothing_leaves_from_an_address_or_port_outside_the_grant() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    hostile.assert_lawful_flow_is_forwarded();
    let foreign = [
        format!("10.2.0.1:{VICTIMS}"),
        ground.call.callee_to.to_string(),
        format!("10.2.0.1:{}", PORTS[0] - 1),
        format!("10.2.0.1:{}", PORTS[1] + 1),
        "10.2.0.1:0".to_owned(),
        "10.2.0.1:65535".to_owned(),
        format!("10.2.0.7:{LOCAL}"),
        format!("10.2.0.2:{LOCAL}"),
        format!("10.1.0.1:{LOCAL}"),
        format!("127.0.0.1:{LOCAL}"),
        format!("0.0.0.0:{LOCAL}"),
    ];
    for from in foreign {
        let route = Route {
            from: from.parse().unwrap(),
            ..hostile.lawful_route()
        };
        hostile.assert_refused(&format!("from {from}"), hostile.flow_of(route));
    }
    let lawful = hostile.flow_of(hostile.lawful_route());
    for from_local in [0, 2, 31, 32, 33, 255, u16::MAX] {
        let flow = Flow {
            from_local,
            ..lawful
        };
        hostile.assert_refused(&format!("from_local {from_local}"), flow);
    }
    let to_ipv6 = Route {
        from: format!("[fd02::1]:{LOCAL}").parse().unwrap(),
        to: "[fd02::2]:30000".parse().unwrap(),
        ..hostile.lawful_route()
    };
    for from_local in [0, 1, u16::MAX] {
        let flow = Flow {
            from_local,
            ..hostile.flow_of(to_ipv6)
        };
        hostile.assert_refused(&format!("from IPv6, from_local {from_local}"), flow);
    }
    ground.assert_victim_is_well();
}

#[test]
fn nothing_leaves_by_a_way_out_that_is_not_granted() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    hostile.assert_lawful_flow_is_forwarded();
    let lawful = hostile.flow_of(hostile.lawful_route());
    let ways = &hostile.table.granted["placement"]["egresses"];
    let granted = |slot: u32| {
        let mut ways = ways.as_array().into_iter().flatten();
        ways.any(|way| way["slot"] == slot)
    };
    let slots = (0..MAX_EGRESSES as u32 + 2).filter(|slot| !granted(*slot));
    let indices = ["lo", "a", "b"].map(|name| ground.net.relay.index(name));
    let far = [1 << 16, 1 << 31, u32::MAX - 1, u32::MAX];
    let tried = slots.chain(indices.into_iter().filter(|i| !granted(*i)));
    for egress in tried.chain(far) {
        let flow = Flow { egress, ..lawful };
        hostile.assert_refused(&format!("way out {egress}"), flow);
    }
    // A way out that is granted has its own link-layer address: not even that of the other one passes there.
    let other = hostile.table.egress("own", ground.net.relay.index("a"));
    let flow = Flow {
        egress: other,
        ..lawful
    };
    hostile.assert_refused("the other way out with this one's source", flow);
    ground.assert_victim_is_well();
}

#[test]
fn nothing_leaves_that_is_not_udp_from_the_own_link_layer_address() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    hostile.assert_lawful_flow_is_forwarded();
    let lawful = hostile.flow_of(hostile.lawful_route());
    let changes: [(&str, usize, &[u8]); 18] = [
        ("a foreign link-layer source", 6, &[2, 0, 0, 0, 0, 1]),
        (
            "the neighbour's link-layer source",
            6,
            &table::mac(&ground.net.callee.mac("eth0")),
        ),
        (
            "one bit of the link-layer source",
            11,
            &[lawful_byte(&lawful, 11) ^ 1],
        ),
        ("ARP", 12, &[0x08, 0x06]),
        ("IPv6's ethertype before IPv4", 12, &[0x86, 0xdd]),
        ("an 802.1Q tag", 12, &[0x81, 0x00]),
        ("an 802.1ad tag", 12, &[0x88, 0xa8]),
        ("LLDP", 12, &[0x88, 0xcc]),
        ("an 802.3 length", 12, &[0x00, 0x40]),
        ("IPv4 options", 14, &[0x46]),
        ("a short IPv4 header", 14, &[0x44]),
        ("IP version 6 under IPv4's ethertype", 14, &[0x65]),
        ("more fragments", 20, &[0x20, 0]),
        ("a later fragment", 20, &[0, 1]),
        ("the reserved bit", 20, &[0x80, 0]),
        ("TCP", 23, &[6]),
        ("ICMP", 23, &[1]),
        ("IP in IP", 23, &[4]),
    ];
    for (what, at, bytes) in changes {
        let flow = table::with_head(lawful, |head| {
            head[at..at + bytes.len()].copy_from_slice(bytes);
        });
        hostile.assert_refused(what, flow);
    }
    ground.assert_victim_is_well();
}

fn lawful_byte(flow: &Flow, at: usize) -> u8 {
    table::head(flow)[at]
}

#[test]
fn nothing_is_received_at_the_address_and_port_of_another() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    hostile.assert_lawful_flow_is_forwarded();
    let before = hostile.escaped();
    // Both streams of the victim, whatever the tenant thinks the place of its ports is.
    let streams = [
        (0, ground.call.caller_to, ground.call.caller.address()),
        (1, ground.call.callee_to, ground.call.callee.address()),
    ];
    let arrivals = || hostile_arrivals(&hostile);
    let stolen = arrivals();
    for (record, (address, local, source)) in streams.into_iter().enumerate() {
        let route = Route {
            local,
            source,
            ..hostile.lawful_route()
        };
        let flow = hostile.flow_of(route);
        let record = 2 + record as u32;
        hostile.table.install(record, flow, address, local.port());
        hostile
            .table
            .install(record, flow, 1 - address, local.port());
        hostile.table.give_sign_of_life(now_ns());
        ground.assert_victim_is_well();
        assert_eq!(hostile.table.forwarded(record), 0, "packets to {local}");
    }
    assert_eq!(
        arrivals(),
        stolen,
        "packets of the victim came by the tenant's flow"
    );
    assert_eq!(hostile.escaped(), before);
}

/// Datagrams from the tenant's address and port at the callee.
fn hostile_arrivals(hostile: &Hostile<'_>) -> usize {
    hostile.neighbours[1].count_from(hostile.lawful_route().from)
}

#[test]
fn names_of_records_that_do_not_exist_are_no_flows() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    hostile.assert_lawful_flow_is_forwarded();
    let records = u32::try_from(hostile.table.records.len() / size_of::<Record>()).unwrap();
    let names = [
        records + 2,
        records * 2,
        1 << 20,
        1 << 31,
        u32::MAX - 1,
        u32::MAX,
        0,
    ];
    for name in names {
        hostile.table.set_port(0, LOCAL, name);
        assert_eq!(hostile.send(PACKETS), (PACKETS, 0), "name {name:#x}");
    }
    ground.assert_victim_is_well();
}

#[test]
fn statistics_are_counted_in_records_of_the_own_table_only() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    let lawful = hostile.flow_of(hostile.lawful_route());
    for stats_record in [1 << 20, 1 << 31, u32::MAX] {
        hostile.table.install(0, lawful, 0, LOCAL);
        let mut record: Record = hostile.table.records.read(0);
        record.flow.stats_record = stats_record;
        hostile.table.records.write(0, record);
        // Forwarded or not: what counts is that everybody lives on.
        let (up, out) = hostile.send(PACKETS);
        assert_eq!(up + out, PACKETS, "statistics in record {stats_record}");
    }
    ground.assert_victim_is_well();
}

#[test]
fn random_bytes_all_over_a_table_forward_nothing() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    let table = &hostile.table;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for (seed, memory) in [&table.records, &table.ports, &table.header]
            .into_iter()
            .enumerate()
        {
            let stop = &stop;
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(seed as u64);
                while !stop.load(Ordering::Relaxed) {
                    scribble(&mut random, memory);
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        // Every port of the tenant, from a sender that its records may name or not.
        for _ in 0..10 {
            for port in PORTS[0]..=PORTS[1] {
                let to = format!("10.1.0.1:{port}").parse().unwrap();
                hostile.sender.send_every(to, 1, Duration::ZERO);
            }
            ground.call.talk(20);
        }
        stop.store(true, Ordering::Relaxed);
    });
    // What went up where nobody listens is answered with an ICMP error, which quotes it.
    let from_tenant = |capture: &Capture| {
        let of_sender = hostile.sender.stream().mark.to_be_bytes();
        let carries = |bytes: &[u8]| bytes.windows(8).any(|window| window == of_sender);
        capture
            .frames()
            .into_iter()
            .filter(|f| carries(f) && !is_icmp(f))
            .count()
    };
    let escaped = hostile.neighbours.each_ref().map(from_tenant);
    assert_eq!(escaped, [0, 0], "frames at caller and callee");
    ground.assert_victim_is_well();
}

fn is_icmp(frame: &[u8]) -> bool {
    frame[12..14] == [8, 0] && frame[23] == 1
}

/// Random bytes over random pages, half of them small numbers: those may name records.
fn scribble(random: &mut StdRng, memory: &Memory) {
    let words = memory.len() / 4;
    let start = random.random_range(0..words);
    for word in start..words.min(start + 2048) {
        let small = random.random_bool(0.5);
        let value = if small {
            random.random_range(0..1200)
        } else {
            random.random()
        };
        memory.write::<u32>(word, value);
    }
}

/// The program reads what it checks once: a head that changes between check and use is never seen on the wire.
#[test]
fn a_head_that_changes_while_packets_pass_never_leaves_outside_the_grant() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    hostile.assert_lawful_flow_is_forwarded();
    let lawful = hostile.flow_of(hostile.lawful_route());
    let foreign = hostile.flow_of(Route {
        from: format!("10.2.0.7:{VICTIMS}").parse().unwrap(),
        ..hostile.lawful_route()
    });
    hostile.table.install(0, lawful, 0, LOCAL);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for flow in [foreign, lawful] {
                    let record: Record = hostile.table.records.read(0);
                    hostile.table.records.write(0, Record { flow, ..record });
                }
            }
        });
        for _ in 0..20 {
            hostile.table.give_sign_of_life(now_ns());
            hostile
                .sender
                .send_every(hostile.own.address(), 500, Duration::ZERO);
        }
        stop.store(true, Ordering::Relaxed);
    });
    // What is still on its way does not count.
    hostile.sender.change_mark();
    hostile.assert_lawful_flow_is_forwarded();
    let from = hostile.lawful_route().from;
    let frames = hostile.neighbours[1].received(|found| found.destination.port() == 30_000);
    let foreign = frames.iter().filter(|found| found.source != from);
    let foreign: Vec<_> = foreign.map(|found| found.source).collect();
    assert_eq!(foreign, [], "sources of forwarded packets");
    assert!(
        frames.len() > PACKETS as usize * 2,
        "the race was never run"
    );
    ground.assert_victim_is_well();
}
