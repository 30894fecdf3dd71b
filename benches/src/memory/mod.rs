//! What memory calls take: of the relay's process, of the kernel on its behalf, and of the flow table; against rtpengine
//! in the same run.

mod group;
mod maps;
mod section;

use std::time::Duration;

use anyhow::Result;

use crate::ng::{Contender, NAMES, WARM_UP, make_room};
use crate::results::Section;
use group::Group;
use maps::TableMemory;

/// How long the relay may go on doing what the last call left to do: ports to bind, memory to hand back.
const SETTLE: Duration = Duration::from_millis(1500);

/// How it is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Calls that are up when it is looked at, rising; fewer where the limit of open files does not let so many be.
    pub calls_up: Vec<usize>,
    /// Times that each relay is started anew.
    pub rounds: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            calls_up: vec![1_000, 10_000],
            rounds: 3,
        }
    }
}

impl Plan {
    /// A look, not a measurement.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            calls_up: vec![1_000],
            rounds: 1,
        }
    }
}

/// What a relay has above its idle state, per call, KiB; a sample a round.
#[derive(Clone, Default)]
struct PerCall {
    calls: usize,
    resident: Vec<f64>,
    /// Empty where control groups don't tell.
    kernel: Vec<f64>,
}

/// Measures underpass and rtpengine.
///
/// # Errors
/// Where they can't be started, or answer with an error.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Section> {
    let most = plan.calls_up.iter().copied().max().unwrap_or(0);
    let possible = make_room(most)?;
    let mut levels: Vec<usize> = plan.calls_up.iter().map(|up| *up.min(&possible)).collect();
    levels.dedup();
    let blank = |calls: &usize| PerCall {
        calls: *calls,
        ..PerCall::default()
    };
    let mut relays = NAMES.map(|_| levels.iter().map(blank).collect::<Vec<_>>());
    let mut table = None;
    for round in 1..=plan.rounds {
        for (name, per_call) in NAMES.into_iter().zip(&mut relays) {
            progress(&format!("memory: {name}: round {round} of {}", plan.rounds));
            let measured = measure_once(name, per_call)?;
            table = table.or(measured);
        }
    }
    let mut notes = vec![format!(
        "above the idle relay that has served {WARM_UP} calls; two streams a call, RTP and RTCP; the replies kept for retransmissions included"
    )];
    if possible < most {
        notes.push(format!(
            "{most} calls need {} sockets at a relay, which the limit of open files does not allow here: {possible} instead",
            4 * most
        ));
    }
    Ok(section::of(&relays, table, notes))
}

/// Starts a relay, brings calls up and adds a sample at each level.
fn measure_once(name: &'static str, levels: &mut [PerCall]) -> Result<Option<TableMemory>> {
    let mut contender = Contender::start(name)?;
    let group = Group::with(contender.pid());
    contender.warm_up()?;
    let look = |contender: &mut Contender| {
        std::thread::sleep(SETTLE);
        let kernel = group.as_ref().and_then(Group::kernel_kib);
        (contender.relay.process().resident_kib() as f64, kernel)
    };
    let (idle, idle_kernel) = look(&mut contender);
    for level in levels {
        contender.bring_up(level.calls)?;
        let (resident, kernel) = look(&mut contender);
        let calls = level.calls as f64;
        level.resident.push((resident - idle) / calls);
        if let (Some(kernel), Some(idle)) = (kernel, idle_kernel) {
            level.kernel.push((kernel - idle) / calls);
        }
    }
    Ok(TableMemory::of(contender.pid()))
}
