//! How a call sounds, in `query`.

use super::world::*;
use crate::plan::{Quality, Sample, SsrcView};

fn sample(at_ms: u64, mos: u8) -> Sample {
    Sample {
        at_ms,
        mos,
        round_trip_us: 50_000,
        round_trip_leg_us: 20_000,
        jitter_ms: 3,
        loss_percent: 1,
    }
}

#[test]
fn what_a_party_reports_is_under_its_own_source_in_both_places() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    world.view(to_a).ssrcs.push(SsrcView {
        ssrc: 7,
        packets: 100,
        ..SsrcView::default()
    });
    let mut quality = Quality::of(7);
    let start = world.now.monotonic_ms;
    for (after, mos) in [(5_000, 40), (10_000, 44), (15_000, 0), (20_000, 42)] {
        quality.add(sample(start + after, mos));
    }
    // The party's RTCP arrives at the other port of the pair.
    world.view(to_a + 1).quality.push(quality);
    let query = world.send(command("query").with("call-id", "c"));
    let wall_s = |after: u64| i64::try_from(1_700_000_000 + after).unwrap();
    for path in [
        &["SSRC", "7"][..],
        &["tags", "a", "medias", "0", "ingress SSRCs", "0"],
    ] {
        let at = |rest: &[&str]| {
            let path = [path, rest].concat();
            query.at(&path).unwrap_or_else(|| panic!("{path:?}"))
        };
        for (rest, value) in [
            (&["packets"][..], 100),
            (&["average MOS", "MOS"], 42),
            (&["average MOS", "samples"], 3),
            (&["average MOS", "round-trip time"], 50_000),
            (&["average MOS", "round-trip time leg"], 20_000),
            (&["average MOS", "jitter"], 3),
            (&["average MOS", "packet loss"], 1),
            (&["lowest MOS", "MOS"], 40),
            (&["lowest MOS", "reported at"], wall_s(5)),
            (&["highest MOS", "MOS"], 44),
            (&["highest MOS", "reported at"], wall_s(10)),
            (&["MOS progression", "interval"], 1),
            (&["MOS progression", "entries", "3", "MOS"], 42),
        ] {
            assert_eq!(at(rest), value.into(), "{rest:?}");
        }
    }
}

#[test]
fn a_party_that_only_listens_is_a_source_by_its_reports() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    let mut quality = Quality::of(9);
    quality.add(sample(world.now.monotonic_ms + 1000, 43));
    world.view(to_a).quality.push(quality);
    let query = world.send(command("query").with("call-id", "c"));
    assert_eq!(
        query.at(&["SSRC", "9", "average MOS", "MOS"]),
        Some(43.into())
    );
    assert_eq!(query.at(&["SSRC", "9", "packets"]), Some(0.into()));
}

#[test]
fn without_a_score_nothing_is_said_about_one() {
    let mut world = World::new();
    let (_, to_a) = world.call();
    let mut quality = Quality::of(9);
    quality.add(sample(world.now.monotonic_ms + 1000, 0));
    world.view(to_a).quality.push(quality);
    let query = world.send(command("query").with("call-id", "c"));
    assert_eq!(query.at(&["SSRC", "9", "average MOS"]), None);
    assert_eq!(query.at(&["SSRC", "9", "MOS progression"]), None);
}
