//! Relay and agent are replaced, under 200 calls, by a build with another layout of the kernel's maps: no packet is lost,
//! and of the old layout nothing stays.

use std::collections::BTreeSet;
use std::path::PathBuf;

use lab::{Lab, Node, next_layout};

use super::survival::{AgentIs, Scene};

/// The scene with this build's relay, and the next build.
#[track_caller]
fn scene(agent_is: AgentIs) -> Option<(Scene, PathBuf)> {
    let lab = Lab::for_kernel_path()?;
    let next = next_layout::binary()?;
    let scene = Scene::begin(&lab, agent_is, |relay, agent| (relay, agent));
    Some((scene, next))
}

/// The layouts that have pins of tables: `v5`, `v6`.
fn layouts(node: &Node) -> BTreeSet<String> {
    let below = node.bpffs().join("underpass");
    let pins = node.pins().into_iter();
    let tables = pins.filter(|pin| pin.components().any(|part| part.as_os_str() == "tables"));
    let layout = |pin: PathBuf| {
        let first = pin.strip_prefix(&below).ok()?.components().next()?;
        Some(first.as_os_str().to_string_lossy().into_owned())
    };
    tables.filter_map(layout).collect()
}

impl Scene {
    /// The calls go on in another layout than `old`, of which nothing is left.
    #[track_caller]
    fn has_left(&mut self, old: &BTreeSet<String>) {
        self.calls_go_on();
        self.new_call_gets_into_the_kernel();
        let now = layouts(self.relay.node());
        assert_eq!(now.len(), 1, "{now:?}");
        assert!(now.is_disjoint(old), "still of {now:?}");
    }
}

#[test]
fn the_relay_is_killed_and_comes_back_with_another_layout() {
    let Some((mut scene, next)) = scene(AgentIs::Embedded) else {
        return;
    };
    let old = layouts(scene.relay.node());
    scene.launch = scene.launch.clone().binary(next);
    scene.kill_relay();
    // What another layout's maps have counted can't be read, and the journal says what it was some time ago.
    scene.forget_counters();
    scene.start_relay();
    scene.has_left(&old);
    scene.ends_complete();
}

#[test]
fn the_relay_hands_over_to_another_layout() {
    let Some((mut scene, next)) = scene(AgentIs::Embedded) else {
        return;
    };
    let old = layouts(scene.relay.node());
    scene.launch = scene.launch.clone().binary(next);
    scene.hand_over();
    scene.start_relay();
    scene.has_left(&old);
    scene.ends_complete();
}

#[test]
fn back_to_the_layout_before_is_no_different() {
    let Some((mut scene, next)) = scene(AgentIs::Embedded) else {
        return;
    };
    let this = scene.launch.clone();
    let first = layouts(scene.relay.node());
    scene.launch = this.clone().binary(next);
    scene.kill_relay();
    scene.forget_counters();
    scene.start_relay();
    scene.has_left(&first);
    let second = layouts(scene.relay.node());
    scene.launch = this;
    scene.hand_over();
    scene.start_relay();
    scene.has_left(&second);
    scene.ends_complete();
}

#[test]
fn first_the_agent_is_replaced_then_the_relay() {
    let Some((mut scene, next)) = scene(AgentIs::Beside) else {
        return;
    };
    let old = layouts(scene.relay.node());
    scene.agent_launch = scene.agent_launch.clone().binary(next.clone());
    scene.kill_agent();
    scene.start_agent();
    scene.calls_go_on();
    scene.launch = scene.launch.clone().binary(next);
    scene.hand_over();
    scene.start_relay();
    scene.has_left(&old);
    scene.ends_complete();
}
