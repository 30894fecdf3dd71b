//! What it costs to install, remove and count flows, through the datapath as the relay's media workers use it, against
//! the system call that writes one entry of a BPF map.

mod bare;
mod clock;
mod section;
mod table;

use anyhow::{Result, ensure};

use crate::results::Section;
use clock::{Cost, Watch};
use table::Table;

/// How it is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Flows that are installed when it is looked at, rising.
    pub flows: Vec<usize>,
    /// Rounds; each installs all flows and removes them again.
    pub rounds: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            flows: vec![1, 100, 1_000, 10_000, 100_000],
            rounds: 5,
        }
    }
}

impl Plan {
    /// A look, not a measurement.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            flows: vec![1, 1_000, 10_000],
            rounds: 2,
        }
    }
}

/// With so many flows, a sample a round.
#[derive(Default)]
struct Level {
    flows: usize,
    /// Of each flow since the level below, from the first wish until the kernel forwards the last.
    install: Vec<Cost>,
    /// Of each flow down to the level below.
    remove: Vec<Cost>,
    /// Of one refresh that finds nothing new.
    quiet: Vec<Cost>,
    /// Of one refresh when a packet of every flow has come since the last.
    busy: Vec<Cost>,
    /// Per entry: the bare map's update, and its delete.
    bare_update: Vec<Cost>,
    bare_delete: Vec<Cost>,
}

/// Refreshes in a row, so that one is not lost in what the clock can tell.
fn repeats(flows: usize) -> usize {
    (10_000 / flows.max(1)).clamp(3, 100)
}

/// Measures the kernel datapath on tc in a namespace of its own.
///
/// # Errors
/// Where the datapath can't be started, or does not forward what it should.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Section> {
    let most = plan.flows.iter().copied().max().unwrap_or(0);
    let mut table = Table::start(most)?;
    let mut bare = bare::Map::load(most)?;
    let level = |flows: &usize| Level {
        flows: *flows,
        ..Level::default()
    };
    let mut levels: Vec<Level> = plan.flows.iter().map(level).collect();
    let mut rests = Vec::new();
    for round in 1..=plan.rounds {
        progress(&format!("flows: round {round} of {}", plan.rounds));
        for level in &mut levels {
            up_to(level, &mut table, &mut bare)?;
        }
        let below = plan.flows.iter().rev().skip(1).copied().chain([0]);
        for (level, below) in levels.iter_mut().rev().zip(below) {
            let count = (level.flows - below).max(1) as f64;
            let watch = Watch::start();
            table.remove_down_to(below);
            level.remove.push(watch.cost().per(count));
            level
                .bare_delete
                .push(bare.delete_down_to(below)?.per(count));
        }
        // What the removals left to do for later.
        let watch = Watch::start();
        table.rest();
        rests.push(watch.cost().per(most.max(1) as f64));
    }
    Ok(section::of(&levels, &rests))
}

/// Brings the table to the level's size and counts.
fn up_to(level: &mut Level, table: &mut Table, bare: &mut bare::Map) -> Result<()> {
    let missing = table.prepare(level.flows);
    let count = missing.max(1) as f64;
    let watch = Watch::start();
    table.install();
    level.install.push(watch.cost().per(count));
    let (wanted, forwarded) = (level.flows, table.in_kernel());
    ensure!(
        wanted == forwarded,
        "of {wanted} flows the kernel forwards {forwarded}"
    );
    level
        .bare_update
        .push(bare.insert_up_to(level.flows)?.per(count));

    let repeats = repeats(level.flows);
    table.refresh();
    let watch = Watch::start();
    for _ in 0..repeats {
        table.refresh();
    }
    level.quiet.push(watch.cost().per(repeats as f64));

    let mut busy = Cost::default();
    let repeats = repeats.min(10);
    for _ in 0..repeats {
        let before = table.counted();
        table.send_one_each()?;
        let watch = Watch::start();
        table.refresh();
        busy.add(watch.cost());
        let news = table.counted() - before;
        ensure!(
            news == level.flows as u64,
            "of {} packets, one a flow, {news} were counted",
            level.flows
        );
    }
    level.busy.push(busy.per(repeats as f64));
    Ok(())
}
