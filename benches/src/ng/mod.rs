//! What the ng protocol costs: cycles of offer, answer and delete, and single offers, with few calls up and with many,
//! against rtpengine in the same run. Both relays run all the time and are measured in turn, so that the machine's mood
//! meets both alike; ratios are those of two measurements that lie side by side.

mod client;
mod contender;
mod files;
mod load;
mod section;

use anyhow::{Context, Result};

pub use client::Client;
pub use contender::{Contender, NAMES, WARM_UP};
pub use files::make_room;

use crate::results::Section;
use load::{Cycles, Offers};

/// Clients at once where there are many: as many as a busy proxy has workers.
pub const CLIENTS: usize = 16;

/// How it is measured.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Calls that are up meanwhile, rising; fewer where the limit of open files does not let so many be.
    pub calls_up: Vec<usize>,
    /// Rounds at each; one more, the first, is not counted.
    pub rounds: usize,
    /// Cycles of one measurement.
    pub cycles: usize,
    /// Offers timed in a round.
    pub offers: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            calls_up: vec![0, 1_000, 10_000],
            rounds: 5,
            cycles: 2_000,
            offers: 1_000,
        }
    }
}

impl Plan {
    /// A look, not a measurement.
    #[must_use]
    pub fn quick() -> Self {
        Self {
            calls_up: vec![0, 1_000],
            rounds: 3,
            cycles: 800,
            offers: 300,
        }
    }
}

/// One relay with so many calls up, round by round.
#[derive(Default)]
struct Samples {
    one_client: Vec<Cycles>,
    many_clients: Vec<Cycles>,
    offers: Vec<Offers>,
}

/// Both relays, in the order of [`NAMES`].
struct Level {
    calls: usize,
    relays: [Samples; 2],
}

/// Measures underpass and rtpengine.
///
/// # Errors
/// Where they can't be started, or answer with an error.
pub fn measure(plan: &Plan, progress: &mut dyn FnMut(&str)) -> Result<Section> {
    let most = plan.calls_up.iter().copied().max().unwrap_or(0);
    let possible = make_room(most)?;
    let mut contenders = Vec::new();
    for name in NAMES {
        let mut contender = Contender::start(name)?;
        contender.warm_up()?;
        let clients = (0..CLIENTS).map(|_| contender.client());
        let clients = clients.collect::<Result<Vec<_>>>()?;
        contenders.push((contender, clients));
    }
    let mut calls_up: Vec<usize> = plan.calls_up.iter().map(|up| *up.min(&possible)).collect();
    calls_up.dedup();
    let mut levels = Vec::new();
    for calls in calls_up {
        for (contender, _) in &mut contenders {
            progress(&format!("ng: {}: {calls} calls up", contender.name));
            contender.bring_up(calls)?;
        }
        let mut relays = [Samples::default(), Samples::default()];
        for round in 0..=plan.rounds {
            progress(&format!(
                "ng: {calls} calls up: round {round} of {}",
                plan.rounds
            ));
            let label = format!("{calls}-{round}");
            measure_round(plan, &mut contenders, &mut relays, &label, round)
                .with_context(|| format!("{calls} calls up, round {round}"))?;
        }
        levels.push(Level { calls, relays });
    }
    let mut notes = Vec::new();
    if possible < most {
        notes.push(format!(
            "{most} calls need {} sockets at a relay, which the limit of open files does not allow here: {possible} instead",
            4 * most
        ));
    }
    for (contender, clients) in &contenders {
        let repeated: usize = clients.iter().map(Client::repeated).sum();
        if repeated > 0 {
            notes.push(format!(
                "{}: {repeated} offers were refused for want of ports that had rested, and made again",
                contender.name
            ));
        }
    }
    Ok(section::of(&levels, &notes))
}

/// One round: of each kind of load, one relay directly after the other. Round 0 warms up.
fn measure_round(
    plan: &Plan,
    contenders: &mut [(Contender, Vec<Client>)],
    relays: &mut [Samples; 2],
    label: &str,
    round: usize,
) -> Result<()> {
    for kind in 0..3 {
        // Who goes first changes from round to round.
        for index in [round % 2, 1 - round % 2] {
            let (contender, clients) = &mut contenders[index];
            let (pid, samples) = (contender.pid(), &mut relays[index]);
            let label = format!("{label}-{kind}");
            let counts = round > 0;
            match kind {
                0 => {
                    let cycles = load::cycles(&mut clients[..1], pid, plan.cycles, &label)
                        .context(contender.name)?;
                    samples.one_client.extend(counts.then_some(cycles));
                }
                1 => {
                    let cycles =
                        load::cycles(clients, pid, plan.cycles, &label).context(contender.name)?;
                    samples.many_clients.extend(counts.then_some(cycles));
                }
                _ => {
                    let offers = load::offers(&mut clients[0], plan.offers, &label)
                        .context(contender.name)?;
                    samples.offers.extend(counts.then_some(offers));
                }
            }
        }
    }
    Ok(())
}
