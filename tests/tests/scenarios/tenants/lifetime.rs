//! How long a tenant's table lives, and who reaches what of it.

use super::*;

#[test]
fn a_sign_of_life_from_the_future_prolongs_no_lease() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let node = Node::new();
    let agent = Agent::of(&node).option("--table-lease=1").start(&net.relay);
    const HOUR: u64 = 3_600_000_000_000;
    for future in [now_ns() + HOUR, u64::MAX, u64::MAX - HOUR, 0, 1] {
        let tenant = Tenant::connect(&net.relay, &node.socket(), SOMEBODY).unwrap();
        let table = Table::settled(&tenant, &hostile_claim()).unwrap();
        assert_eq!(node.tables().len(), 1);
        table.give_sign_of_life(future);
        // It dies without a word, and somebody who still has its maps goes on for it.
        let Table { lock, .. } = table;
        drop((lock, tenant));
        wait_until("the end of the dead tenant's table", || {
            node.tables().is_empty()
        });
        wait_until("the end of its pins", || node.pins().is_empty());
    }
    drop(agent);
}

/// With the owner dead, its own memory is still there to be written by whoever has a copy of the descriptors.
#[test]
fn a_dead_owner_s_table_forwards_no_more_whoever_still_writes_into_it() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let mut hostile = Hostile::on(&ground);
    hostile.assert_lawful_flow_is_forwarded();
    let number = hostile.table.number();
    // The lock's only holder lets it go; agent and maps stay.
    let nothing = std::fs::File::open("/dev/null").unwrap().into();
    drop(std::mem::replace(&mut hostile.table.lock, nothing));
    let _ = hostile._tenant.say(&json!({"message": "release"}), &[]);
    wait_until("the end of the table", || {
        let tables = ground.agent.node().tables();
        tables.iter().all(|table| table["table"] != number)
    });
    assert_eq!(
        hostile.send(PACKETS),
        (PACKETS, 0),
        "passed up, and forwarded"
    );
    ground.assert_victim_is_well();
}

#[test]
fn the_kernel_s_own_counters_and_pins_are_out_of_a_tenant_s_reach() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    let outcomes = hostile.table.outcomes.as_fd();
    assert!(
        Memory::of(outcomes, true).is_err(),
        "OUTCOMES mapped for writing"
    );
    let node = ground.agent.node();
    let pins = node.pins();
    assert!(!pins.is_empty());
    as_user(SOMEBODY, || {
        assert!(
            bpf::clear_first_element(outcomes).is_err(),
            "OUTCOMES written"
        );
        for pin in &pins {
            let opened = bpf::open_pin(pin);
            assert!(opened.is_err(), "{} opened", pin.display());
        }
        let directory = node.bpffs().join("mine");
        assert!(
            bpf::pin(outcomes, &directory).is_err(),
            "a pin in the agent's bpffs"
        );
        for entry in std::fs::read_dir(node.registry())
            .into_iter()
            .flatten()
            .flatten()
        {
            let path = entry.path();
            let opened = std::fs::OpenOptions::new().write(true).open(&path);
            assert!(opened.is_err(), "{} opened", path.display());
            let removed = std::fs::remove_file(&path);
            assert!(removed.is_err(), "{} removed", path.display());
            let is_lock = path
                .extension()
                .is_some_and(|extension| extension == "lock");
            assert!(
                !is_lock || std::fs::File::open(&path).is_err(),
                "{}",
                path.display()
            );
        }
    });
    ground.assert_victim_is_well();
}
