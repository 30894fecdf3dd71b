//! What can be measured: one line a section.

use anyhow::{Result, bail};

use crate::effort::Effort;
use crate::results::Section;
use crate::{cores, flows, latency, memory, ng, path, program, userspace, vm};

/// Told what is being done, for whoever waits.
pub type Progress<'a> = &'a mut dyn FnMut(&str);

/// A part of the bench that can be asked for by its name.
pub struct Entry {
    /// `path`.
    pub name: &'static str,
    /// What it answers, in a line.
    pub answers: &'static str,
    /// Whether it runs without being named.
    pub usual: bool,
    /// Measures it.
    pub measure: fn(Effort, Progress) -> Result<Section>,
}

/// All of them, in the order they run.
#[rustfmt::skip]
pub const SECTIONS: &[Entry] = &[
    Entry { name: "program", usual: true, answers: "what the kernel program costs per packet", measure: of_program },
    Entry { name: "path", usual: true, answers: "processor time and packets per second on the whole path, against the peers", measure: of_path },
    Entry { name: "user-space", usual: true, answers: "what a packet costs a relay's process, by its own account", measure: of_user_space },
    Entry { name: "latency", usual: true, answers: "what a relay adds to the time that a packet takes", measure: of_latency },
    Entry { name: "flows", usual: true, answers: "installing, removing and counting flows", measure: of_flows },
    Entry { name: "ng", usual: true, answers: "cycles of offer, answer and delete, against rtpengine", measure: of_ng },
    Entry { name: "memory", usual: true, answers: "what calls and flows take", measure: of_memory },
    Entry { name: "vm", usual: false, answers: "instructions per relayed frame on Debian's 6.1, emulated, against rtpengine's module", measure: of_vm },
    Entry { name: "vm-6.12", usual: false, answers: "the same on Debian's 6.12", measure: of_vm_6_12 },
    Entry { name: "cores", usual: true, answers: "several processors at once, receive queues, workers", measure: cores::measure },
];

fn of_program(effort: Effort, progress: Progress) -> Result<Section> {
    program::measure(effort.rounds, progress)
}

fn of_path(effort: Effort, progress: Progress) -> Result<Section> {
    let plan = effort.pick(
        path::Plan::quick(),
        path::Plan::default(),
        path::Plan::full(),
    );
    let rounds = effort.rounds;
    path::measure(&path::Plan { rounds, ..plan }, progress)
}

fn of_user_space(effort: Effort, progress: Progress) -> Result<Section> {
    let plan = userspace::Plan::default();
    // Short windows, and many of them.
    let rounds = effort.rounds * effort.pick(5, 10, 10);
    userspace::measure(&userspace::Plan { rounds, ..plan }, progress)
}

fn of_latency(effort: Effort, progress: Progress) -> Result<Section> {
    let plan = effort.pick(
        latency::Plan::quick(),
        latency::Plan::default(),
        latency::Plan::full(),
    );
    let rounds = effort.rounds;
    latency::measure(&latency::Plan { rounds, ..plan }, progress)
}

fn of_flows(effort: Effort, progress: Progress) -> Result<Section> {
    let plan = effort.pick(
        flows::Plan::quick(),
        flows::Plan::default(),
        flows::Plan::default(),
    );
    let rounds = effort.rounds;
    flows::measure(&flows::Plan { rounds, ..plan }, progress)
}

fn of_ng(effort: Effort, progress: Progress) -> Result<Section> {
    let plan = effort.pick(ng::Plan::quick(), ng::Plan::default(), ng::Plan::default());
    let rounds = effort.rounds;
    ng::measure(&ng::Plan { rounds, ..plan }, progress)
}

fn of_vm(effort: Effort, progress: Progress) -> Result<Section> {
    emulated(vm::Kernel::V6_1, effort, progress)
}

fn of_vm_6_12(effort: Effort, progress: Progress) -> Result<Section> {
    emulated(vm::Kernel::V6_12, effort, progress)
}

/// Instructions are counted, not timed, and repeat within a percent or two: few rounds are enough.
fn emulated(kernel: vm::Kernel, effort: Effort, progress: Progress) -> Result<Section> {
    let plan = vm::Plan {
        kernel,
        rounds: effort.rounds.min(5),
        calls: effort.pick(vec![1, 1_000], vec![1, 100, 1_000], vec![1, 100, 1_000]),
        ..vm::Plan::default()
    };
    vm::measure(&plan, progress)
}

/// A relay's memory hardly varies: its plan says how often.
fn of_memory(effort: Effort, progress: Progress) -> Result<Section> {
    let plan = effort.pick(
        memory::Plan::quick(),
        memory::Plan::default(),
        memory::Plan::default(),
    );
    memory::measure(&plan, progress)
}

/// Those with these names, in the order of [`SECTIONS`]; without a name the usual ones.
///
/// # Errors
/// A name that none has.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Entry>> {
    if let Some(unknown) = names
        .iter()
        .find(|&name| SECTIONS.iter().all(|s| s.name != name))
    {
        let known: Vec<&str> = SECTIONS.iter().map(|section| section.name).collect();
        bail!(
            "no section is called {unknown}: there are {}",
            known.join(", ")
        );
    }
    let asked = |section: &&Entry| {
        names.iter().any(|name| name == section.name) || names.is_empty() && section.usual
    };
    Ok(SECTIONS.iter().filter(asked).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> Vec<&'static str> {
        let asked: Vec<String> = asked.iter().map(|&name| name.to_owned()).collect();
        chosen(&asked).unwrap().iter().map(|s| s.name).collect()
    }

    #[test]
    fn without_a_name_all_usual_ones_are_chosen() {
        let usual: Vec<&str> = SECTIONS
            .iter()
            .filter(|s| s.usual)
            .map(|s| s.name)
            .collect();
        assert_eq!(names(&[]), usual);
    }

    #[test]
    fn named_ones_run_once_and_in_their_own_order() {
        assert_eq!(names(&["ng", "program", "ng"]), ["program", "ng"]);
    }

    #[test]
    fn an_unknown_name_is_told_with_the_known_ones() {
        let error = chosen(&["pth".to_owned()]).err().unwrap().to_string();
        assert!(error.contains("pth") && error.contains("path"), "{error}");
    }
}
