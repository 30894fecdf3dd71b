//! How thoroughly to measure: what each section makes its own plan of.

/// A wish for more or less certainty, at the price of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Depth {
    /// A look, and the regression guard: a minute or so a section.
    Quick,
    /// What figures are quoted from.
    #[default]
    Usual,
    /// The far ends of every axis, and more rounds.
    Full,
}

/// What every section is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort {
    /// How long axes and windows should be.
    pub depth: Depth,
    /// How often each thing is measured, in turns with what it is compared with.
    pub rounds: usize,
}

impl Effort {
    /// The rounds that were asked for, or what the depth asks for: with five, against a record of five or more,
    /// [`crate::shift`] can tell two runs apart.
    #[must_use]
    pub fn new(depth: Depth, rounds: Option<usize>) -> Self {
        let effort = Self { depth, rounds: 0 };
        Self {
            rounds: rounds.unwrap_or(effort.pick(5, 7, 15)).max(1),
            ..effort
        }
    }

    /// What the depth takes of three.
    #[must_use]
    pub fn pick<T>(&self, quick: T, usual: T, full: T) -> T {
        match self.depth {
            Depth::Quick => quick,
            Depth::Usual => usual,
            Depth::Full => full,
        }
    }

    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        let depth = self.pick("quick", "usual", "full");
        format!("{depth}, {} rounds", self.rounds)
    }
}
