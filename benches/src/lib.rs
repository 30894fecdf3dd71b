//! Measurements against the peers and the limit.
//!
//! [`sections`] lists what can be measured. Every section gives back [`results`], which are printed ([`table`]), drawn
//! ([`plot`], [`page`]), written as JSON and held against what was recorded ([`check`]) in one way for all.

pub mod arguments;
pub mod bare_relay;
pub mod bytes;
mod calls;
pub mod check;
pub mod cores;
mod datapath;
pub mod effort;
pub mod flows;
pub mod frames;
pub mod latency;
pub mod limit;
pub mod load;
pub mod machine;
pub mod memory;
pub mod ng;
pub mod number;
pub mod packet;
pub mod page;
pub mod path;
pub mod plot;
pub mod processor;
pub mod program;
pub mod record;
pub mod results;
pub mod run;
pub mod sections;
pub mod shift;
pub mod shuffle;
pub mod sink;
pub mod spinner;
pub mod spread;
pub mod table;
pub mod userspace;
pub mod vm;
