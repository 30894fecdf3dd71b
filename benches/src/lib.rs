//! Measurements against the peers and the limit.

pub mod bytes;
pub mod limit;
pub mod load;
pub mod ng;
pub mod packet;
pub mod path;
pub mod program_cost;
pub mod results;
pub mod spinner;
pub mod spread;
pub mod table;
pub mod targets;
pub mod vm;

use serde::Serialize;

/// All that was measured in one run; what was not asked for is empty.
#[derive(Default, Serialize)]
pub struct Results {
    /// The program by itself.
    pub program: results::Section,
    /// The path over veth.
    pub path: Vec<path::PathCost>,
    /// The ng protocol.
    pub ng: Vec<ng::NgCost>,
    /// Instructions on other kernels.
    pub vm: results::Section,
    /// What should be reached.
    pub targets: Vec<targets::Target>,
}
