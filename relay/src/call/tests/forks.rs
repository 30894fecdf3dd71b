//! Branches, tags and who talks to whom.

use super::world::*;

fn on_branch(branch: &'static str) -> Command {
    offer(&audio(A, 4000)).with("via-branch", branch)
}

fn sinks(world: &World, port: u16) -> Vec<u64> {
    world
        .plan(port)
        .sinks
        .iter()
        .map(|sink| sink.stream.0)
        .collect()
}

#[test]
fn another_branch_gets_ports_of_its_own_and_the_same_branch_the_same() {
    let mut world = World::new();
    let first = world.send(on_branch("z1"));
    let second = world.send(on_branch("z2"));
    assert_ne!(first.port(), second.port());
    assert_eq!(world.send(on_branch("z1")).port(), first.port());
    assert_eq!(world.pool.held.len(), 3);
}

#[test]
fn without_a_branch_the_offer_goes_to_the_peer_there_is() {
    let mut world = World::new();
    let first = world.send(offer(&audio(A, 4000)));
    assert_eq!(world.send(offer(&audio(A, 4000))).port(), first.port());
}

#[test]
fn each_branch_answers_for_itself_and_the_last_one_is_spoken_to() {
    let mut world = World::new();
    let first = world.send(on_branch("z1"));
    let second = world.send(on_branch("z2"));
    let answered = world.send(answer_by("b", &audio(B, 5000)).with("via-branch", "z1"));
    assert_eq!(world.plan(first.port()).endpoint, at("198.51.100.20:5000"));
    assert_eq!(sinks(&world, answered.port()), [u64::from(first.port())]);
    let answered = world.send(answer_by("c", &audio(B, 6000)).with("via-branch", "z2"));
    assert_eq!(world.plan(second.port()).endpoint, at("198.51.100.20:6000"));
    assert_eq!(sinks(&world, answered.port()), [u64::from(second.port())]);
}

#[test]
fn a_second_tag_that_answers_is_an_alias_of_the_first() {
    let mut world = World::new();
    let (to_b, _) = world.call();
    world.send(answer_by("c", &audio(B, 6000)));
    assert_eq!(world.plan(to_b).endpoint, at("198.51.100.20:6000"));
    let query = world.send(command("query").with("call-id", "c"));
    assert_eq!(query.words(&["tags", "b", "tag-aliases"]), ["c"]);
    let reinvite = world.send(offer(&audio(A, 4000)).with("to-tag", "c"));
    assert_eq!(reinvite.port(), to_b);
}

#[test]
fn with_new_branch_a_second_tag_is_another_party() {
    let mut world = World::new();
    let (to_b, _) = world.call();
    world.send(answer_by("c", &audio(B, 6000)).list("flags", &["new-branch"]));
    assert_eq!(world.plan(to_b).endpoint, at("198.51.100.20:5000"));
    let query = world.send(command("query").with("call-id", "c"));
    assert!(query.at(&["tags", "c"]).is_some());
}

#[test]
fn after_a_final_answer_a_second_tag_is_another_party_unless_provisional() {
    let tags = |flags: &[&'static str]| {
        let mut world = World::new();
        world.send(offer(&audio(A, 4000)));
        world.send(answer(&audio(B, 5000)).with("sip-code", 200));
        world.send(answer_by("c", &audio(B, 6000)).list("flags", flags));
        let query = world.send(command("query").with("call-id", "c"));
        query.at(&["tags", "c"]).is_some()
    };
    assert!(tags(&[]));
    assert!(!tags(&["provisional"]));
}

#[test]
fn a_callee_that_offers_before_its_answer_was_seen_is_the_one_that_was_offered_to() {
    let mut world = World::new();
    let first = world.send(offer(&audio(A, 4000)));
    world.send(
        offer(&audio(B, 5000))
            .but("from-tag", "b")
            .with("to-tag", "a"),
    );
    assert_eq!(world.pool.held.len(), 2);
    assert_eq!(world.plan(first.port()).endpoint, at("198.51.100.20:5000"));
}

#[test]
fn an_offer_with_a_to_tag_builds_a_call_that_is_not_known() {
    let mut world = World::new();
    let offered = world.send(offer(&audio(A, 4000)).with("to-tag", "b"));
    world.send(answer(&audio(B, 5000)));
    assert_eq!(
        world.plan(offered.port()).endpoint,
        at("198.51.100.20:5000")
    );
    assert_eq!(world.pool.held.len(), 2);
}

#[test]
fn an_offer_to_oneself_is_refused() {
    let mut world = World::new();
    let offered = world.send(offer(&audio(A, 4000)).with("to-tag", "a"));
    assert_eq!(offered.reason(), "Invalid dialogue association");
    assert!(world.calls.is_empty());
}

#[test]
fn a_callee_that_offers_is_known_by_its_branch() {
    let mut world = World::new();
    world.send(on_branch("z1"));
    let second = world.send(on_branch("z2"));
    let early = offer(&audio(B, 6000))
        .but("from-tag", "c")
        .with("to-tag", "a")
        .with("via-branch", "z2");
    world.send(early);
    assert_eq!(world.plan(second.port()).endpoint, at("198.51.100.20:6000"));
}

#[test]
fn the_branch_of_another_offerer_is_another_branch() {
    let mut world = World::new();
    let first = world.send(on_branch("z1"));
    let other = world.send(on_branch("z1").but("from-tag", "x"));
    assert_ne!(other.port(), first.port());
    assert_eq!(world.send(on_branch("z1")).port(), first.port());
}

/// The tags that answer, after b has for good, and which of them is a party of its own: c, with `alias-key` as said.
fn is_another(key: &'static str, sdp: &str, flags: &[&'static str]) -> bool {
    let mut world = World::new();
    world.send(offer(&audio(A, 4000)));
    world.send(answer(&audio(B, 5000)).with("sip-code", 200));
    let again = answer_by("c", sdp).with("alias-key", key);
    assert_eq!(world.send(again.list("flags", flags)).result(), "ok");
    let query = world.send(command("query").with("call-id", "c"));
    let aliases = query.at(&["tags", "b", "tag-aliases"]);
    let is_alias = aliases.is_some_and(|tags| tags.as_list().is_some_and(|tags| !tags.is_empty()));
    let is_another = query.at(&["tags", "c"]).is_some();
    assert_ne!(is_alias, is_another);
    is_another
}

#[test]
fn the_same_sdp_is_the_same_party_s_where_that_is_the_alias_key() {
    assert!(!is_another("SDP", &audio(B, 5000), &[]));
    assert!(is_another("SDP", &audio(B, 5002), &[]));
    assert!(is_another("none", &audio(B, 5000), &[]));
}

#[test]
fn the_same_address_is_the_same_party_s_where_that_is_the_alias_key() {
    let elsewise = sdp_of(B, &["m=audio 5000 RTP/AVP 8"]);
    for key in ["address", "endpoint"] {
        assert!(!is_another(key, &elsewise, &[]));
        assert!(is_another(key, &audio(B, 5002), &[]));
        assert!(is_another(key, &audio(A, 4000), &[]), "the offerer's");
    }
    assert!(is_another("address", &audio("0.0.0.0", 5000), &[]));
}

#[test]
fn with_new_branch_no_alias_key_makes_an_alias() {
    assert!(is_another("SDP", &audio(B, 5000), &["new-branch"]));
}

#[test]
fn an_alias_key_tells_branches_apart() {
    let mut world = World::new();
    let first = world.send(on_branch("z1"));
    let second = world.send(on_branch("z2"));
    world.send(answer_by("b", &audio(B, 5000)).with("via-branch", "z1"));
    world.send(answer_by("c", &audio(B, 6000)).with("via-branch", "z2"));
    let again = answer_by("d", &audio(B, 5000)).with("alias-key", "address");
    world.send(again);
    let query = world.send(command("query").with("call-id", "c"));
    assert_eq!(query.words(&["tags", "b", "tag-aliases"]), ["d"]);
    assert_eq!(world.plan(first.port()).endpoint, at("198.51.100.20:5000"));
    assert_eq!(world.plan(second.port()).endpoint, at("198.51.100.20:6000"));
}
