//! What a tenant asks the agent for.

use super::*;

/// The refusal, which has to name the owner if `owner` is given.
#[track_caller]
fn assert_refused(
    claimed: Result<Table, Value>,
    what: &str,
    reasons: &[&str],
    owner: Option<&str>,
) {
    let refused = match claimed {
        Ok(table) => panic!("{what} was granted: {}", table.granted),
        Err(refused) => refused,
    };
    let reason = refused["reason"].as_str().unwrap_or_default();
    assert!(reasons.contains(&reason), "{what}: {refused}");
    let text = refused["text"].as_str().unwrap_or_default();
    assert!(
        !text.is_empty() && !text.contains('\n'),
        "{what}: {refused}"
    );
    if let Some(owner) = owner {
        assert!(
            text.contains(owner),
            "{what}: the owner is not named: {refused}"
        );
    }
}

#[test]
fn what_another_has_is_refused_naming_the_owner() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let tables = ground.agent.node().tables();
    let number = tables[0]["table"].as_u64().unwrap();
    let both = ["10.1.0.1", "10.2.0.1"];
    for uid in [SOMEBODY, NOBODY, 0] {
        let tenant = ground.tenant(uid);
        let claim = |claim: Value| Table::claim(&tenant, &claim);
        let overlap = &["overlap"][..];
        for ports in [
            [40_000, 40_099],
            [40_099, 40_200],
            [39_000, 40_000],
            [40_050, 40_050],
        ] {
            let what = format!("ports {ports:?} as user {uid}");
            let claimed = claim(tenant::claim("hostile", &both, ports));
            assert_refused(claimed, &what, overlap, Some("victim"));
            let one = claim(tenant::claim("hostile", &both[1..], ports));
            assert_refused(one, &what, overlap, Some("victim"));
        }
        let mut taken = hostile_claim();
        taken["table"] = json!({"number": number});
        assert_refused(claim(taken), "a taken number", &["taken"], Some("victim"));
        let stolen = claim(tenant::claim("victim", &both, [40_000, 40_099]));
        assert_refused(
            stolen,
            "the victim's identity",
            &["identity-in-use", "overlap"],
            Some("victim"),
        );
    }
    ground.assert_victim_is_well();
}

#[test]
fn what_a_tenant_s_namespace_does_not_have_is_refused() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let claim = |claim: Value| Table::claim(&ground.tenant(SOMEBODY), &claim);
    let foreign = [
        "10.1.0.2",
        "10.9.9.9",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
    ];
    for address in foreign {
        let claimed = claim(tenant::claim("hostile", &[address], PORTS));
        assert_refused(claimed, address, &["not-allowed", "malformed"], None);
    }
    for ports in [[1, 65_535], [1023, 42_000], [0, 0], [42_099, 42_000]] {
        let claimed = claim(tenant::claim("hostile", &["10.1.0.1"], ports));
        assert_refused(
            claimed,
            &format!("{ports:?}"),
            &["not-allowed", "malformed"],
            None,
        );
    }
    let none: [&str; 0] = [];
    let claimed = claim(tenant::claim("hostile", &none, PORTS));
    assert_refused(claimed, "no address", &["not-allowed", "malformed"], None);
    ground.assert_victim_is_well();
}

#[test]
fn another_s_namespace_is_no_place_for_a_claim() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let tenant = ground.tenant(SOMEBODY);
    // Names of namespaces can be opened by everybody on the node.
    let path = format!("/run/netns/{}", ground.net.callee.name());
    let foreign = as_user(SOMEBODY, || std::fs::File::open(path)).unwrap();
    let claim = tenant::claim("hostile", &["10.2.0.2"], PORTS);
    tenant.say(&claim, &[foreign.as_fd()]).unwrap();
    let (answer, _) = tenant.hear_of(&["granted", "refused"]);
    assert_eq!(answer["message"], "refused", "{answer}");
    for file in ["/dev/null", "/proc/self/ns/uts", "/"] {
        let file = std::fs::File::open(file).unwrap();
        let tenant = ground.tenant(SOMEBODY);
        tenant.say(&hostile_claim(), &[file.as_fd()]).unwrap();
        let (answer, _) = tenant.hear_of(&["granted", "refused"]);
        assert_eq!(answer["message"], "refused", "{answer}");
    }
    ground.assert_victim_is_well();
}

#[test]
fn another_s_table_can_be_neither_freed_nor_resumed() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let tables = ground.agent.node().tables();
    let number = tables[0]["table"].as_u64().unwrap();
    let hostile = Hostile::on(&ground);
    for force in [false, true] {
        let tenant = ground.tenant(SOMEBODY);
        let free = json!({"message": "free", "table": number, "force": force});
        tenant.say(&free, &[]).unwrap();
        let (answer, _) = tenant.hear_of(&["refused", "released"]);
        assert_eq!(answer["message"], "refused", "{answer}");
    }
    let nothing = std::fs::File::open("/dev/null").unwrap();
    for lock in [hostile.table.lock.as_fd(), nothing.as_fd()] {
        for generation in 0..4 {
            let tenant = ground.tenant(SOMEBODY);
            let resume = json!({
                "message": "resume", "version": 1, "table": number, "generation": generation,
            });
            tenant.say(&resume, &[lock, tenant.namespace()]).unwrap();
            let answer = tenant.hear();
            let refused = answer
                .as_ref()
                .is_none_or(|(a, _)| a["message"] == "refused");
            assert!(refused, "{answer:?}");
        }
    }
    ground.assert_victim_is_well();
}

#[test]
fn one_user_gets_a_bounded_number_of_tables() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let mut held = Vec::new();
    let refused = loop {
        let tenant = ground.tenant(SOMEBODY);
        let first = 50_000 + held.len() as u16 * 10;
        let identity = format!("many-{first}");
        let claim = tenant::claim(&identity, &["10.1.0.1"], [first, first + 9]);
        match Table::claim(&tenant, &claim) {
            Ok(table) => held.push((tenant, table)),
            Err(refused) => break refused,
        }
        assert!(held.len() < 63, "one user has every table of the node");
    };
    assert_eq!(held.len(), 8, "{refused}");
    assert_eq!(refused["reason"], "not-allowed", "{refused}");
    // What it has given back it may have again.
    held.pop();
    ground.assert_victim_is_well();
}

#[test]
fn a_claim_for_endless_memory_is_not_granted_it() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    for max_flows in [u32::MAX, u32::MAX / 2, 100_000_000] {
        let tenant = ground.tenant(SOMEBODY);
        let mut claim = hostile_claim();
        claim["max_flows"] = max_flows.into();
        let claimed = Table::claim(&tenant, &claim);
        assert_refused(
            claimed,
            &format!("{max_flows} flows"),
            &["not-allowed", "malformed", "kernel"],
            None,
        );
    }
    let many: Vec<String> = (0..1000)
        .map(|n| format!("127.0.{}.{}", n / 250, n % 250 + 1))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let tenant = ground.tenant(SOMEBODY);
    let claimed = Table::claim(&tenant, &tenant::claim("hostile", &many, PORTS));
    assert_refused(
        claimed,
        "1000 addresses",
        &["not-allowed", "malformed"],
        None,
    );
    ground.assert_victim_is_well();
}

#[test]
fn names_that_are_paths_or_control_characters_do_no_harm() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let names = [
        "../../../../tmp/elsewhere".to_owned(),
        "/etc/passwd".to_owned(),
        "..".to_owned(),
        String::new(),
        "\u{1b}[2J\u{1b}]0;owned\u{7}\nTABLE  STATE\r0 alive".to_owned(),
        "x".repeat(60_000),
        "\0".to_owned(),
    ];
    for name in names {
        let tenant = ground.tenant(SOMEBODY);
        let mut claim = hostile_claim();
        for key in ["identity", "name", "command"] {
            claim[key] = name.clone().into();
        }
        // Granted or refused, in short words.
        let answer = Table::claim(&tenant, &claim);
        let (_, listing, _) = ground.agent.node().tables_command(&[]);
        let odd = |c: char| c.is_control() && c != '\n';
        assert!(
            !listing.contains(odd),
            "{name:?} in the listing:\n{listing:?}"
        );
        // A heading; and for each of two tables a line, its identity, its grant and two interfaces.
        let lines = listing.lines().count();
        assert!(
            lines <= 1 + 2 * 5 && listing.len() < 20_000,
            "{name:.40}: {lines} lines"
        );
        if let Ok(table) = answer {
            tenant.say(&json!({"message": "release"}), &[]).unwrap();
            let _ = tenant.hear_of(&["released"]);
            drop(table);
        }
    }
    ground.assert_victim_is_well();
}

/// What a tenant says of a shared interface concerns itself.
#[test]
fn reports_and_wishes_of_one_tenant_leave_the_other_where_it_is() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let ground = ground(&lab);
    let hostile = Hostile::on(&ground);
    let tenant = &hostile._tenant;
    let all = [
        0,
        1,
        u32::MAX,
        ground.net.relay.index("a"),
        ground.net.relay.index("b"),
    ];
    for place in ["own", "node"] {
        for ifindex in all {
            for message in ["want-egress", "not-sending"] {
                let said = json!({"message": message, "place": place, "ifindex": ifindex});
                let _ = tenant.say(&said, &[]);
            }
            let said = json!({
                "message": "use-neighbour", "place": place, "ifindex": ifindex, "address": "10.1.0.99",
            });
            let _ = tenant.say(&said, &[]);
        }
    }
    ground.assert_victim_is_well();
}

/// Native XDP on a veth loses what it sends, unless the other end co-operates: who asks for it first must not have it so
/// for everybody.
#[test]
fn an_engine_that_does_not_send_is_nobody_s_for_long() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let node = Node::new();
    let agent = Agent::of(&node).start(&net.relay);
    let first = Tenant::connect(&net.relay, &node.socket(), SOMEBODY).unwrap();
    let mut claim = hostile_claim();
    claim["engine"] = "xdp".into();
    let _table = Table::settled(&first, &claim).unwrap();
    let relay = Relay::underpass()
        .with(&agent)
        .as_nobody()
        .two_networks()
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    wait_until("a call that loses nothing, in the kernel", || {
        call.send_both(20);
        let (first_caller, first_callee) = (call.caller.sent(), call.callee.sent());
        call.send_both(50);
        let patience = Instant::now();
        let complete = || {
            call.callee.has_all_since(&call.caller, first_caller)
                && call.caller.has_all_since(&call.callee, first_callee)
        };
        while !complete() && patience.elapsed() < Duration::from_secs(1) {
            thread::sleep(Duration::from_millis(10));
        }
        complete() && call.is_in_kernel(&ng)
    });
}

/// A relay that was killed has its table for the lease, whoever knows its name.
#[test]
fn a_dead_relay_s_table_is_no_other_user_s_to_take_over() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let mut ground = ground(&lab);
    let mut victim = ground.victim;
    let number = ground.agent.node().tables()[0]["table"].clone();
    victim.process().kill();
    let both = ["10.1.0.1", "10.2.0.1"];
    for claim in [
        tenant::claim("victim", &both, [40_000, 40_099]),
        tenant::claim("other", &both, [40_000, 40_099]),
        json!({"table": {"number": number}}),
    ] {
        let mut whole = hostile_claim();
        for (key, value) in claim.as_object().unwrap() {
            whole[key] = value.clone();
        }
        let tenant = Tenant::connect(&ground.net.relay, &ground.agent.node().socket(), SOMEBODY);
        let claimed = Table::claim(&tenant.unwrap(), &whole);
        assert_refused(
            claimed,
            "a dead relay's",
            &["identity-in-use", "overlap", "taken"],
            Some("victim"),
        );
    }
    let (sent_by_caller, sent_by_callee) = (ground.call.caller.sent(), ground.call.callee.sent());
    ground.call.send_both(50);
    wait_until("every packet, by the dead relay's table", || {
        ground
            .call
            .callee
            .has_all_since(&ground.call.caller, sent_by_caller)
            && ground
                .call
                .caller
                .has_all_since(&ground.call.callee, sent_by_callee)
    });
    ground.victim = victim;
}
