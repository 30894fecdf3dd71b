//! The scenarios, one idea a file. They run against underpass; `LAB_RELAY=rtpengine` runs what Debian's rtpengine can
//! pass against that, which proves the lab itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests: a panic is a failed test"
)]

mod addresses;
mod agent_clients;
mod audio_and_video;
mod beside_rtpengine;
mod checksums;
mod crash_and_restart;
mod damaged_journal;
mod differential;
mod digits;
mod failed_offers;
mod foreign_clients;
mod garbage;
mod journal;
mod kamailio_nodes;
mod kernel_counters;
mod lease;
mod media_plane;
mod next_hop;
mod node_agent;
mod notifications;
mod on_the_wire;
mod plain_call;
mod recording;
mod retransmission;
mod rtpengine_ctl;
mod sip_calls;
mod start_and_stop;
mod strangers;
mod subscribers_in_kernel;
mod subscriptions;
mod survival;
mod table_claim;
mod tables;
mod tenants;
mod timeouts;
mod upgrade;
mod uplink;
