use super::*;

fn hold(table: &mut FlowTable, ports: &[u16], is_held: bool) {
    let locals: Vec<SocketAddr> = ports.iter().map(|port| local(*port)).collect();
    table.hold(&locals, is_held);
}

fn at(table: &FlowTable, port: u16) -> Says {
    says(table, local(port))
}

#[test]
fn a_port_with_a_socket_says_so_until_it_is_let_go() {
    let mut table = table(4, 4);
    hold(&mut table, &[30_000, 30_001], true);
    assert_eq!(at(&table, 30_000), Says::Held);
    assert_eq!(at(&table, 30_001), Says::Held);
    assert_eq!(at(&table, 30_002), Says::Nothing);
    hold(&mut table, &[30_000], false);
    assert_eq!(at(&table, 30_000), Says::Nothing);
    assert_eq!(at(&table, 30_001), Says::Held);
}

#[test]
fn a_flow_taken_out_of_a_held_port_leaves_it_held() {
    let mut table = table(4, 4);
    hold(&mut table, &[30_000], true);
    let report = install(&mut table, 1, 30_000);
    assert!(leads(&table, &flow(30_000)));
    reroute(&mut table, 1, Err(Reason::NoRoute));
    assert_eq!(at(&table, 30_000), Says::Held);
    reroute(&mut table, 1, Ok(way(1)));
    assert_eq!(report.state(), FlowState::Kernel);
    table.remove(FlowId(1));
    assert_eq!(at(&table, 30_000), Says::Held);
}

#[test]
fn holding_and_letting_go_leave_the_flow_of_a_port_alone() {
    let mut table = table(4, 4);
    install(&mut table, 1, 30_000);
    hold(&mut table, &[30_000], true);
    assert!(leads(&table, &flow(30_000)));
    hold(&mut table, &[30_000], false);
    assert!(leads(&table, &flow(30_000)));
    table.remove(FlowId(1));
    assert_eq!(at(&table, 30_000), Says::Nothing);
}

#[test]
fn a_port_held_while_its_flow_has_no_way_says_so() {
    let mut table = table(4, 4);
    install(&mut table, 1, 30_000);
    reroute(&mut table, 1, Err(Reason::NoRoute));
    hold(&mut table, &[30_000], true);
    assert_eq!(at(&table, 30_000), Says::Held);
    reroute(&mut table, 1, Ok(way(1)));
    assert!(leads(&table, &flow(30_000)));
}

#[test]
fn ports_that_are_not_granted_are_nothing_to_the_kernel() {
    let mut table = table(4, 4);
    let foreign = ["192.0.2.9:30000", "192.0.2.1:65535"].map(|at| at.parse().unwrap());
    table.hold(&foreign, true);
    assert_eq!(at(&table, 65_535), Says::Nothing);
}

#[test]
fn an_orderly_end_lets_every_port_go() {
    let mut table = table(4, 4);
    let ports = [0, 63, 64, 30_000, 65_534];
    hold(&mut table, &ports, true);
    install(&mut table, 1, 30_000);
    table.clear();
    for port in ports {
        assert_eq!(at(&table, port), Says::Nothing, "{port}");
    }
}

#[test]
fn signs_of_life_are_where_every_agent_looks_for_them() {
    let mut table = table(1, 1);
    table.alive(77);
    assert_eq!(table.store.memory.header().alive_ns, 77);
    table.end_lease();
    assert_eq!(table.store.memory.header().alive_ns, 0);
}
