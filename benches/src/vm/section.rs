//! Measurements as questions and figures.

use super::protocol::{Sample, System};
use super::{Kernel, Plan, VETH_CALLS};
use crate::results::{Figure, Point, Question, Section, Series};
use crate::spread::Spread;

const UNIT: &str = "instructions";

/// What the samples say.
pub(super) fn of(plan: &Plan, samples: &[Sample]) -> Section {
    let all = All {
        samples,
        kernel: plan.kernel,
    };
    let mut section = Section::default();
    if !plan.virtio.is_empty() {
        section.questions.push(all.virtio(plan));
    }
    if !plan.veth.is_empty() {
        section.questions.push(all.veth(plan));
    }
    section.figures = all.figures();
    section
}

struct All<'a> {
    samples: &'a [Sample],
    kernel: Kernel,
}

impl All<'_> {
    /// Targets, and what runs are compared by, are those of 6.1; another kernel has its own names.
    fn id(&self, id: &str) -> String {
        match self.kernel {
            Kernel::V6_1 => id.to_owned(),
            other => format!("{id}-{}", other.series().replace('.', "-")),
        }
    }

    fn virtio(&self, plan: &Plan) -> Question {
        let series = plan.virtio.iter().map(|&system| Series {
            name: name(system, false).to_owned(),
            points: plan
                .calls
                .iter()
                .filter_map(|&calls| self.point(system, false, calls))
                .collect(),
        });
        Question {
            id: self.id("vm-virtio"),
            title: format!(
                "Instructions per relayed frame on virtio-net, Linux {}",
                self.kernel.series()
            ),
            unit: UNIT.to_owned(),
            axis: "calls".to_owned(),
            series: series.collect(),
            notes: self.notes(
                "Frames in bursts of 16, which share an interrupt; one processor, most of it idle.",
            ),
        }
    }

    fn veth(&self, plan: &Plan) -> Question {
        let series = plan.veth.iter().map(|&system| Series {
            name: name(system, true).to_owned(),
            points: self.point(system, true, VETH_CALLS).into_iter().collect(),
        });
        Question {
            id: self.id("vm-veth"),
            title: format!(
                "Instructions per packet over veth, sending and receiving included, Linux {}",
                self.kernel.series()
            ),
            unit: UNIT.to_owned(),
            axis: "calls".to_owned(),
            series: series.collect(),
            notes: self.notes("A packet is sent when the one before has been received; GRO off."),
        }
    }

    fn notes(&self, how: &str) -> Vec<String> {
        let mut notes = vec![
            how.to_owned(),
            "Counted by emulation: no caches, no branch prediction, no exits of a virtual machine; read ratios."
                .to_owned(),
        ];
        let lost: u64 = self.samples.iter().map(|sample| sample.lost).sum();
        if lost > 0 {
            notes.push(format!("{lost} frames were lost."));
        }
        for sample in self.samples {
            let is_kernel = matches!(sample.system, System::Xdp | System::Tc | System::Module);
            if is_kernel && sample.user_space > 0 {
                notes.push(format!(
                    "{}, {} calls: {} of {} frames came up to user space.",
                    name(sample.system, sample.veth),
                    sample.calls,
                    sample.user_space,
                    sample.frames
                ));
            }
        }
        notes
    }

    fn point(&self, system: System, veth: bool, calls: usize) -> Option<Point> {
        Some(Point {
            at: calls as f64,
            value: self.spread(system, veth, calls)?,
        })
    }

    fn spread(&self, system: System, veth: bool, calls: usize) -> Option<Spread> {
        let of =
            |sample: &&Sample| (sample.system, sample.veth, sample.calls) == (system, veth, calls);
        let samples = self.samples.iter().filter(of);
        let values: Vec<f64> = samples.map(|sample| sample.instructions).collect();
        (!values.is_empty()).then(|| Spread::of(values))
    }

    fn figures(&self) -> Vec<Figure> {
        let xdp = |calls| self.spread(System::Xdp, false, calls);
        let bare = self.spread(System::BareXdp, false, 1000);
        let module = self.spread(System::Module, false, 1000);
        let veth = |system| self.spread(system, true, VETH_CALLS);
        let ratio = |a: Option<Spread>, b: Option<Spread>| Some(a?.over(&b?));
        let figures = [
            (
                "vm-xdp-1",
                "virtio-net, native XDP, 1 call",
                UNIT,
                xdp(1),
                Some(6900.0),
            ),
            (
                "vm-xdp-1000",
                "virtio-net, native XDP, 1,000 calls",
                UNIT,
                xdp(1000),
                Some(6900.0),
            ),
            (
                "vm-veth-tc",
                "veth, tc, sent and received",
                UNIT,
                veth(System::Tc),
                Some(11_600.0),
            ),
            (
                "vm-xdp-against-bare",
                "virtio-net, 1,000 calls: native XDP against the bare program",
                "x",
                ratio(xdp(1000), bare),
                None,
            ),
            (
                "vm-against-module",
                "virtio-net, 1,000 calls: native XDP against rtpengine's kernel module",
                "x",
                ratio(xdp(1000), module),
                None,
            ),
            (
                "vm-veth-against-module",
                "veth: tc against rtpengine's kernel module",
                "x",
                ratio(veth(System::Tc), veth(System::Module)),
                None,
            ),
        ];
        let measured = figures
            .into_iter()
            .filter_map(|(id, what, unit, value, target)| {
                Some(Figure {
                    id: self.id(id),
                    what: format!("{what}, Linux {}", self.kernel.series()),
                    unit: unit.to_owned(),
                    value: value?,
                    target,
                })
            });
        measured.collect()
    }
}

fn name(system: System, veth: bool) -> &'static str {
    match system {
        System::Floor if veth => "one hop, no relay",
        System::Floor => "XDP_DROP, nothing relayed",
        System::Routing => "IP forwarding",
        System::BareXdp => "bare program, native XDP",
        System::BareTc => "bare program, tc",
        System::Xdp => "Underpass, native XDP",
        System::Tc => "Underpass, tc",
        System::Null => "Underpass, user space",
        System::Module => "rtpengine, kernel module",
        System::Rtpengine => "rtpengine, user space",
    }
}
