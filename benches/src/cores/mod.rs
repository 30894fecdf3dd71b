//! Many cores, many queues: what can be shown of a large machine on a small one (`docs/many-cores.md`).

pub mod balance;
mod pinned;
mod program;
mod queues;
mod rss;
mod sockets;
mod tables;
pub mod toeplitz;
mod workers;

use anyhow::Result;

use crate::effort::Effort;
use crate::results::Section;
use crate::sections::Progress;

/// The program on all processors at once, receive queues, workers.
///
/// # Errors
/// Where programs do not load or networks can't be set up.
pub fn measure(effort: Effort, progress: Progress) -> Result<Section> {
    let mut section = program::measure(effort, progress)?;
    progress("receive queues of a network card, simulated");
    section.questions.push(rss::question(effort));
    progress("media workers, simulated");
    let workers = workers::question(effort);
    section.figures.extend(workers::figure(&workers));
    section.questions.push(workers);
    section
        .questions
        .extend(queues::questions(effort, progress)?);
    Ok(section)
}
