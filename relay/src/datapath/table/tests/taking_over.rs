use super::*;

/// What is left of a table at whose port 30000 a flow has forwarded 10 packets, of which the first had number 1.
fn previous() -> Previous {
    let mut table = table(4, 4);
    install(&mut table, 1, 30_000);
    forward(&mut table, 30_000, 10);
    Previous::of(table)
}

#[test]
fn a_flow_goes_on_from_what_the_generation_before_has_counted() {
    let previous = previous();
    let mut table = table(4, 4);
    let report = install(&mut table, 7, 30_000);
    forward(&mut table, 30_000, 5);
    table.sweep();
    assert_eq!(table.take_over(&previous), 1);
    assert_eq!((report.packets(), report.bytes()), (15, 15 * PAYLOAD));
    assert_eq!(report.ssrcs().len(), 1);
    assert_eq!(report.ssrcs()[0].packets, 15);
    forward(&mut table, 30_000, 1);
    table.sweep();
    assert_eq!((report.packets(), report.ssrcs()[0].packets), (16, 16));
}

#[test]
fn a_flow_without_packets_since_tells_what_the_generation_before_has_counted() {
    let previous = previous();
    let mut table = table(4, 4);
    let report = install(&mut table, 7, 30_000);
    table.take_over(&previous);
    assert_eq!(report.packets(), 10);
    assert_eq!(report.last_packet_ms(), 5);
    let ssrc = report.ssrcs()[0];
    assert_eq!((ssrc.packets, ssrc.highest_sequence), (10, 10));
}

/// When a relay dies over taking a table over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dies {
    BeforeCopying,
    BeforeTheSwitch,
    AfterTheSwitch,
    AfterTakingOver,
}

/// Two relays in a row die over it, each at any moment, and the journal knows anything between nothing and everything.
#[test]
fn whenever_a_relay_dies_over_taking_over_no_count_falls_and_none_is_told_twice() {
    use Dies::*;
    let moments = [
        BeforeCopying,
        BeforeTheSwitch,
        AfterTheSwitch,
        AfterTakingOver,
    ];
    let deaths = moments.map(|first| moments.map(|second| [first, second]));
    let cases = deaths.into_iter().flatten();
    for (deaths, journal) in cases.flat_map(|deaths| [0, 4, 10].map(|journal| (deaths, journal))) {
        let mut at_work = previous();
        let mut sent = 10;
        for dies in deaths {
            let mut next = table(4, 4);
            install_after(&mut next, journal);
            if dies != BeforeCopying {
                next.take_over(&at_work);
            }
            at_work.count(0, 3, PAYLOAD);
            sent += 3;
            if matches!(dies, BeforeCopying | BeforeTheSwitch) {
                continue;
            }
            forward(&mut next, 30_000, 5);
            sent += 5;
            if dies == AfterTakingOver {
                next.take_over(&at_work);
                next.take_over(&at_work);
            } else {
                // Counted since the copy, and in maps that are gone: told to nobody yet.
                sent -= 3;
            }
            at_work = Previous::of(next);
        }
        let mut last = table(4, 4);
        let report = install_after(&mut last, journal);
        last.take_over(&at_work);
        let told = (report.packets(), report.bytes());
        assert_eq!(told, (sent, sent * PAYLOAD), "{deaths:?}, {journal}");
    }
}

/// Installs a flow of whose stream the journal says that the kernel has counted `packets`.
fn install_after(table: &mut FlowTable, packets: u64) -> Arc<FlowReport> {
    let report = Arc::new(FlowReport::default());
    report.go_on_from(packets, packets * PAYLOAD, 0);
    put(table, 7, flow(30_000), &report);
    report
}

#[test]
fn a_flow_that_was_out_of_the_kernel_for_a_while_tells_all_that_was_counted() {
    let mut before = table(4, 4);
    let report = install(&mut before, 1, 30_000);
    forward(&mut before, 30_000, 10);
    let (under_way, _) = found(&before, local(30_000)).unwrap();
    before.remove(FlowId(1));
    put(&mut before, 1, flow(30_000), &report);
    count_in(&mut before, under_way, 1);
    before.sweep();
    forward(&mut before, 30_000, 5);
    before.sweep();
    forward(&mut before, 30_000, 2);
    let previous = Previous::of(before);
    let mut table = table(4, 4);
    let report = install(&mut table, 7, 30_000);
    table.take_over(&previous);
    assert_eq!((report.packets(), report.bytes()), (18, 18 * PAYLOAD));
}

#[test]
fn a_record_tells_nothing_of_the_flow_that_had_it_before() {
    let previous = previous();
    let mut table = table(1, 0);
    install(&mut table, 7, 30_000);
    table.take_over(&previous);
    table.remove(FlowId(7));
    ticks(&mut table, 2);
    install(&mut table, 8, 30_000);
    let mut next = super::table(1, 0);
    let report = install(&mut next, 9, 30_000);
    assert_eq!(next.take_over(&Previous::of(table)), 1);
    assert_eq!(report.packets(), 0);
}

#[test]
fn a_replaced_flow_is_found_where_it_was_counted() {
    let mut before = table(4, 4);
    let report = install(&mut before, 1, 30_000);
    forward(&mut before, 30_000, 10);
    put(&mut before, 1, moved(30_000), &report);
    let previous = Previous::of(before);
    let mut table = table(4, 4);
    let report = install(&mut table, 7, 30_000);
    assert_eq!(table.take_over(&previous), 1);
    assert_eq!(report.packets(), 10);
}

#[test]
fn what_another_source_has_sent_is_not_counted() {
    let previous = previous();
    let mut table = table(4, 4);
    let other = Flow {
        source: "198.51.100.8:4000".parse().unwrap(),
        ..flow(30_000)
    };
    let report = Arc::new(FlowReport::default());
    put(&mut table, 7, other, &report);
    let elsewhere = install(&mut table, 8, 30_002);
    assert_eq!(table.take_over(&previous), 0);
    assert_eq!((report.packets(), elsewhere.packets()), (0, 0));
}

#[test]
fn another_addresss_flow_is_not_gone_on_from() {
    let mut before = table(4, 4);
    let other = Flow {
        local: "192.0.2.2:30000".parse().unwrap(),
        ..flow(0)
    };
    put(&mut before, 1, other, &Arc::default());
    let port = |block| Port::new(block, 30_000);
    // As if that generation had been granted its addresses in another order.
    let (block, first) = (port(2), port(0));
    let says = before.store.memory.says(block);
    before.store.memory.say(first, says);
    let previous = Previous::of(before);
    let mut table = table(4, 4);
    install(&mut table, 7, 30_000);
    assert_eq!(table.take_over(&previous), 0);
}

#[test]
fn a_smaller_generation_and_a_damaged_one_are_read_within_their_bounds() {
    let mut before = FlowTable::new(Memory::in_memory(2, 1), grant(1), 2);
    let place = Port::new(0, 30_000);
    before.store.memory.say(place, Says::Record(1_000_000));
    let previous = Previous::of(before);
    let mut table = table(4, 4);
    install(&mut table, 7, 30_000);
    let second = Flow {
        local: "192.0.2.2:30000".parse().unwrap(),
        ..flow(0)
    };
    put(&mut table, 8, second, &Arc::default());
    assert_eq!(table.take_over(&previous), 0);
}

#[test]
fn a_flow_whose_way_is_not_known_yet_goes_on_from_there_too() {
    let previous = previous();
    let mut table = table(4, 4);
    let report = Arc::new(FlowReport::default());
    let unknown = Leg {
        path: path(),
        way: Err(Reason::NextHopUnresolved),
    };
    let legs = [unknown].into_iter().collect();
    table.install(FlowId(7), flow(30_000), legs, report.clone());
    assert_eq!(table.take_over(&previous), 1);
    assert_eq!((report.packets(), report.ssrcs()[0].packets), (10, 10));
    reroute(&mut table, 7, Ok(way(1)));
    assert_eq!(table.take_over(&previous), 1);
    forward(&mut table, 30_000, 5);
    table.sweep();
    assert_eq!((report.packets(), report.ssrcs()[0].packets), (15, 15));
    let mut next = super::table(4, 4);
    let report = install(&mut next, 9, 30_000);
    next.take_over(&Previous::of(table));
    assert_eq!((report.packets(), report.bytes()), (15, 15 * PAYLOAD));
}
