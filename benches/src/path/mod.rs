//! What a relayed packet costs on the whole path: caller, relay and callee in namespaces, RTP one way.
//!
//! Every system gets the same sender, the same wires and the same receiver. All with as many flows are up at once and
//! measured in turns, round by round, so that the machine's mood meets all alike, and what is compared is of one round.

mod addresses;
mod answers;
mod bare;
pub mod cell;
mod ground;
mod kernel;
mod plan;
mod relay;
mod samples;

pub(crate) use ground::Ground;
pub use plan::{Group, Plan};

use anyhow::Result;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::load::Pace;
use crate::results::Section;
use crate::spinner::Spinner;
use samples::{Idle, Samples};

/// Measures every cell of `plan`.
///
/// # Errors
/// Where a system can't be set up (not root, a peer not installed), or does not forward.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Section> {
    allow_descriptors()?;
    // A processor that falls asleep costs what its hypervisor makes of it.
    let spinner = Spinner::start();
    let mut samples = Vec::new();
    for group in &plan.groups {
        samples.push(measure_group(plan, group, &spinner, progress)?);
    }
    Ok(answers::section(&samples))
}

fn measure_group(
    plan: &Plan,
    group: &Group,
    spinner: &Spinner,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<Samples>> {
    let mut grounds = Vec::new();
    for cell in &group.cells {
        progress(&format!("setting up {cell}"));
        grounds.push(Ground::set_up(*cell, plan.rate, spinner)?);
    }
    let mut samples: Vec<Samples> = group.cells.iter().map(|cell| Samples::new(*cell)).collect();
    for round in 1..=plan.rounds {
        progress(&format!(
            "{} flows, round {round} of {}",
            group.flows, plan.rounds
        ));
        let idle = Idle {
            per_second: spinner.rate_for(plan.window / 2),
            processors: spinner.processors() as f64,
        };
        for (ground, samples) in grounds.iter_mut().zip(&mut samples) {
            let driven = ground.drive(Pace::Steady(plan.rate), plan.window, spinner)?;
            samples.add_steady(&driven, &idle);
        }
    }
    // Last, because rtpengine gives a socket up for good once it has found it full five times.
    for round in 1..=plan.saturation_rounds {
        progress(&format!(
            "{} flows at saturation, round {round} of {}",
            group.flows, plan.saturation_rounds
        ));
        for (ground, samples) in grounds.iter_mut().zip(&mut samples) {
            samples.add_saturated(&ground.drive(
                Pace::Saturating,
                plan.saturation_window,
                spinner,
            )?);
        }
    }
    for ground in &grounds {
        ground.check()?;
    }
    Ok(samples)
}

/// Relays inherit how many descriptors a process may have, and 1,000 calls need more than what is usual.
pub(crate) fn allow_descriptors() -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(())
}
