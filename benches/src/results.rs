//! What a run found out: questions with their answers for plots and tables, and figures that are held against targets.

use serde::{Deserialize, Serialize};

use crate::machine::Machine;
use crate::spread::Spread;

/// All that was measured in one run; what is printed, plotted and written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Results {
    /// Where and when.
    pub machine: Machine,
    /// How thoroughly: `quick`, `usual` or `full`, and the rounds.
    pub plan: String,
    /// In the order they were measured.
    pub sections: Vec<NamedSection>,
}

/// A section and what it is asked for by.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct NamedSection {
    /// `path`.
    pub name: String,
    /// What it found out.
    #[serde(flatten)]
    pub section: Section,
}

/// What one section of the bench found out.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Section {
    /// In the order they are shown.
    pub questions: Vec<Question>,
    /// In the order they are shown.
    pub figures: Vec<Figure>,
}

/// One question: a table, a plot, an entry of the JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// Short and lasting: the plot's file name, and what results of different runs are matched by. `path-cpu`.
    pub id: String,
    /// As people ask it.
    pub title: String,
    /// Of the values: `ns`, `packets/s`, `KiB`, `instructions`.
    pub unit: String,
    /// What varies along a series: `flows`, `calls up`, `clients`.
    pub axis: String,
    /// What is compared.
    pub series: Vec<Series>,
    /// What a reader must know to read it right; a line each.
    pub notes: Vec<String>,
}

/// One system's or case's values.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Series {
    /// `kernel, veth tc, IPv4`.
    pub name: String,
    /// By rising `at`.
    pub points: Vec<Point>,
}

/// A measurement.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Point {
    /// On the question's axis.
    pub at: f64,
    /// As repeated.
    pub value: Spread,
}

/// Adds a point to the series of this name, which is begun if it is not there.
pub fn add_point(series: &mut Vec<Series>, name: String, point: Point) {
    match series.iter_mut().find(|series| series.name == name) {
        Some(series) => series.points.push(point),
        None => series.push(Series {
            name,
            points: vec![point],
        }),
    }
}

/// A figure that says how good something is; smaller is better.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figure {
    /// Short and lasting: what results of different runs are matched by. `kernel-against-bare`.
    pub id: String,
    /// For people.
    pub what: String,
    /// `x` for a ratio; else `ns`, `ms`, `KiB`, `packets`, `instructions`.
    pub unit: String,
    /// Round by round, both sides of a ratio from the same round.
    pub value: Spread,
    /// At most, if anything was promised.
    pub target: Option<f64>,
}

impl Question {
    /// Every place on the axis where some series has a point, rising.
    #[must_use]
    pub fn places(&self) -> Vec<f64> {
        let points = self.series.iter().flat_map(|series| &series.points);
        let mut places: Vec<f64> = points.map(|point| point.at).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        places
    }
}

impl Series {
    /// What was measured at a place of the axis.
    #[must_use]
    pub fn at(&self, place: f64) -> Option<&Spread> {
        let point = self.points.iter().find(|point| point.at == place);
        point.map(|point| &point.value)
    }
}

impl Figure {
    /// Whether what was promised is kept, by the median.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.target.is_none_or(|target| self.value.median <= target)
    }

    /// Whether it can be compared between machines: a ratio, not a time.
    #[must_use]
    pub fn is_ratio(&self) -> bool {
        self.unit == "x"
    }
}
