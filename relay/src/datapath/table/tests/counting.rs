use super::*;

#[test]
fn a_removed_flow_leaves_its_final_counters() {
    let mut table = table(4, 4);
    let report = install(&mut table, 1, 30_000);
    forward(&mut table, 30_000, 10);
    table.remove(FlowId(1));
    assert_eq!(report.packets(), 10);
    assert_eq!(report.bytes(), 10 * PAYLOAD);
    assert_eq!(report.last_packet_ms(), 5);
    assert_eq!(report.ssrcs()[0].packets, 10);
}

#[test]
fn packets_counted_while_the_flow_was_removed_are_not_lost() {
    let mut table = table(4, 4);
    let report = install(&mut table, 1, 30_000);
    forward(&mut table, 30_000, 10);
    let (record, _) = found(&table, local(30_000)).unwrap();
    table.remove(FlowId(1));
    count_in(&mut table, record, 1);
    ticks(&mut table, 2);
    assert_eq!(report.packets(), 11);
    assert_eq!(table.totals(), (11, 11 * PAYLOAD));
}

#[test]
fn packets_of_every_processor_are_counted() {
    let mut table = table(4, 4);
    let report = install(&mut table, 1, 30_000);
    forward(&mut table, 30_000, 10);
    table.sweep();
    let (record, _) = found(&table, local(30_000)).unwrap();
    let mut stats = table.store.memory.stats(record);
    (stats.other_packets, stats.other_bytes) = (3, 300);
    table.store.memory.set_stats(record, stats);
    table.sweep();
    assert_eq!(report.packets(), 13);
    assert_eq!(report.bytes(), 10 * PAYLOAD + 300);
}

#[test]
fn bytes_counted_after_their_packet_was_seen_are_not_lost() {
    let mut table = table(4, 4);
    let report = install(&mut table, 1, 30_000);
    let (record, _) = found(&table, local(30_000)).unwrap();
    let mut stats = table.store.memory.stats(record);
    stats.packets = 1;
    table.store.memory.set_stats(record, stats);
    table.sweep();
    stats.bytes = PAYLOAD;
    table.store.memory.set_stats(record, stats);
    table.remove(FlowId(1));
    ticks(&mut table, 2);
    assert_eq!((report.packets(), report.bytes()), (1, PAYLOAD));
}

#[test]
fn a_stream_installed_again_counts_on() {
    for rest in [0, 5] {
        let mut table = table(4, 4);
        let report = install(&mut table, 1, 30_000);
        forward(&mut table, 30_000, 10);
        table.remove(FlowId(1));
        ticks(&mut table, rest);
        put(&mut table, 1, flow(30_000), &report);
        forward(&mut table, 30_000, 5);
        ticks(&mut table, 3);
        table.sweep();
        assert_eq!(report.packets(), 15, "after {rest} ticks");
        assert_eq!(report.ssrcs()[0].packets, 15, "after {rest} ticks");
    }
}

#[test]
fn a_record_is_zeroed_before_another_flow_gets_it() {
    let mut table = table(1, 0);
    install(&mut table, 1, 30_000);
    forward(&mut table, 30_000, 10);
    table.remove(FlowId(1));
    ticks(&mut table, 2);
    let other = install(&mut table, 2, 30_002);
    table.sweep();
    assert_eq!(other.state(), FlowState::Kernel);
    assert_eq!(other.packets(), 0);
}

#[test]
fn totals_never_go_down() {
    let mut table = table(2, 1);
    let mut before = 0;
    let mut sent = 0;
    for round in 0..50_u64 {
        let id = round % 3;
        let port = 30_000 + id as u16;
        match round % 7 {
            0..4 => drop(install(&mut table, id, port)),
            4 => drop(table.remove(FlowId(id))),
            5 => reroute(&mut table, id, Err(Reason::NoRoute)),
            _ => put(&mut table, id, moved(port), &Arc::default()),
        }
        if found(&table, local(port)).is_some() {
            forward(&mut table, port, 3);
            sent += 3;
        }
        assert_eq!(packets_in_maps(&table), sent);
        table.tick();
        assert_eq!(packets_in_maps(&table), sent);
        table.sweep();
        assert_eq!(table.totals(), (sent, sent * PAYLOAD));
        assert!(sent >= before);
        before = sent;
    }
    assert!(sent > 50, "most rounds forward something: {sent}");
    table.clear();
    ticks(&mut table, 2);
    assert_eq!(packets_in_maps(&table), sent);
    assert_eq!(table.store.memory.header().past_packets, sent);
    assert_eq!(table.store.memory.header().past_bytes, sent * PAYLOAD);
}

#[test]
fn the_sweep_tells_what_went_from_where_to_where() {
    let mut table = table(4, 4);
    install(&mut table, 1, 30_000);
    install(&mut table, 2, 30_002);
    forward(&mut table, 30_000, 10);
    forward(&mut table, 30_002, 5);
    table.sweep_some(&[FlowId(1)]);
    table.sweep();
    assert_eq!(table.take_forwarded(), Forwarded::from([(between(), 15)]));
    table.sweep();
    assert_eq!(table.take_forwarded(), Forwarded::new());
}

#[test]
fn a_sender_that_changes_its_ssrc_for_ever_fills_no_report() {
    let mut table = table(1, 3);
    let report = install(&mut table, 1, 30_000);
    for ssrc in 0..100 {
        forward(&mut table, 30_000, 1);
        let (record, _) = found(&table, local(30_000)).unwrap();
        let mut stats = table.store.memory.stats(record);
        stats.ssrcs[0].ssrc = ssrc;
        table.store.memory.set_stats(record, stats);
        table.remove(FlowId(1));
        put(&mut table, 1, flow(30_000), &report);
        ticks(&mut table, 1);
    }
    let told = report.ssrcs();
    assert_eq!(told.len(), 8);
    assert_eq!(told[0].ssrc, 99);
}
