//! What a run found out: questions with their answers for plots and tables, and figures that are held against targets.

use serde::{Deserialize, Serialize};

use crate::spread::Spread;

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
