use super::*;

fn put_at(table: &mut FlowTable, id: u64, flow: Flow) -> Arc<FlowReport> {
    let report = Arc::new(FlowReport::default());
    put(table, id, flow, &report);
    report
}

fn at(local: &str) -> Flow {
    Flow {
        local: local.parse().unwrap(),
        ..flow(0)
    }
}

fn v6(local: &str) -> Flow {
    Flow {
        source: "[2001:db8::9]:4000".parse().unwrap(),
        ..at(local)
    }
}

#[test]
fn addresses_have_the_blocks_they_were_granted_in_turn() {
    let mut table = table(4, 4);
    let flows = [
        at("192.0.2.1:7"),
        v6("[2001:db8::1]:7"),
        at("192.0.2.2:7"),
        v6("[2001:db8::2]:7"),
    ];
    for (id, flow) in (0..).zip(&flows) {
        let report = put_at(&mut table, id, flow.clone());
        assert_eq!(report.state(), FlowState::Kernel);
    }
    assert!(flows.iter().all(|flow| leads(&table, flow)));
}

#[test]
fn a_flow_names_the_address_it_leaves_from_within_its_family() {
    let mut table = table(4, 4);
    let leaves = |from: &str, to: &str| Flow {
        from: from.parse().unwrap(),
        to: to.parse().unwrap(),
        ..flow(30_000)
    };
    for (from, to, index) in [
        ("192.0.2.1:9", "198.51.100.2:5000", 0),
        ("192.0.2.2:9", "198.51.100.2:5000", 1),
        ("[2001:db8::1]:9", "[2001:db8::7]:5000", 0),
        ("[2001:db8::2]:9", "[2001:db8::7]:5000", 1),
    ] {
        put_at(&mut table, 1, leaves(from, to));
        let (_, says) = found(&table, local(30_000)).unwrap();
        assert_eq!(says.from_local, index, "{from}");
        ticks(&mut table, 2);
    }
}

#[test]
fn what_is_not_granted_is_left_to_user_space_with_a_reason() {
    let mut table = table(4, 4);
    let leaves_from = |from: &str| Flow {
        from: from.parse().unwrap(),
        ..flow(30_000)
    };
    for (id, flow) in (0..).zip([
        at("192.0.2.9:30000"),
        at("192.0.2.1:65535"),
        leaves_from("192.0.2.9:40000"),
        leaves_from("192.0.2.1:65535"),
    ]) {
        let report = put_at(&mut table, id, flow);
        let reason = FlowState::UserSpace(Reason::NotGranted);
        assert_eq!(report.state(), reason);
        ticks(&mut table, 3);
        assert_eq!(report.state(), reason);
    }
    assert_eq!(table.sizes().1, 0);
}

#[test]
fn a_flow_that_is_no_longer_granted_is_taken_out() {
    let mut table = table(4, 4);
    let report = install(&mut table, 1, 30_000);
    let foreign = Flow {
        from: "192.0.2.9:40000".parse().unwrap(),
        ..flow(30_000)
    };
    put(&mut table, 1, foreign, &report);
    let reason = FlowState::UserSpace(Reason::NotGranted);
    assert_eq!(report.state(), reason);
    assert_eq!(found(&table, local(30_000)), None);
}

#[test]
fn an_address_beyond_the_maps_is_not_granted() {
    let memory = Memory::in_memory(8, 1);
    let mut table = FlowTable::new(memory, grant(1), 4);
    assert!(put_at(&mut table, 1, at("192.0.2.1:7")).state() == FlowState::Kernel);
    let second = put_at(&mut table, 2, at("192.0.2.2:7"));
    assert_eq!(second.state(), FlowState::UserSpace(Reason::NotGranted));
}
