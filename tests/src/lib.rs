//! The namespace lab: throw-away networks, media endpoints that count every packet, and the relay under test.
//!
//! A scenario opens a [`Lab`], builds a [`TwoNetworks`] in it, starts a [`Relay`], plays calls and looks at what
//! arrived. Everything made is taken down when its value is dropped, also after a panic; what a killed run left
//! behind is swept by the next. Functions here panic where something fails: a failure is a failed test, and the
//! panic names the place.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stderr,
    reason = "test support: a panic is a failed test, and what it prints belongs to the test's output"
)]

pub mod agent;
pub mod bencode;
pub mod bpf;
pub mod call;
pub mod capture;
pub mod checksum;
pub mod counters;
pub mod endpoint;
pub mod fake_agent;
pub mod lab;
pub mod load;
pub mod memory;
pub mod metrics;
pub mod netns;
pub mod next_layout;
pub mod ng;
pub mod node;
pub mod packet_socket;
pub mod pinned;
pub mod pod;
pub mod process;
pub mod relay;
pub mod report;
pub mod rtp;
pub mod sdp;
pub mod sip;
pub mod stage;
pub mod table;
pub mod tenant;
pub mod topology;
pub mod uplink;
pub mod wait;
pub mod xdp_pass;

pub use agent::Agent;
pub use call::{Call, CallOptions};
pub use endpoint::Endpoint;
pub use lab::Lab;
pub use load::Load;
pub use netns::Netns;
pub use ng::{Encoding, NgClient};
pub use node::Node;
pub use relay::{Engine, Relay};
pub use report::Report;
pub use stage::Stage;
pub use topology::{Family, Side, TwoNetworks, Wiring};
pub use wait::wait_until;
