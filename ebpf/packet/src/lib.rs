//! One parser and one rewrite of RTP packets, for the kernel programs and for user space.
//!
//! Everything is generic over [`Read`] and [`Write`]: in the kernel a pair of pointers that the verifier can follow, in
//! user space a plain slice. So what runs in the kernel is what is fuzzed and property-tested here. The steps of a
//! packet: [`Link::parse`], [`Datagram::parse`], the caller's lookup, [`lease_runs`], [`admit`], [`leaving`], then
//! [`udp_checksum`] and [`write_frame`]. For user space alone: [`classify`], and [`Addressing`], which prepares a flow.
#![no_std]
#![cfg_attr(target_arch = "bpf", feature(asm_experimental_arch))]

mod addressing;
mod admit;
mod buffer;
mod checksum;
mod datagram;
mod grant;
mod ip;
mod kind;
mod link;
mod refuse;
mod rtp;
mod statistics;
mod udp_checksum;

pub use addressing::Addressing;
pub use admit::{Admitted, admit};
pub use buffer::{Plain, Read, Write};
pub use checksum::{Sum, add, carry, sum};
pub use datagram::{Datagram, Udp, leaves_by, write_frame};
pub use grant::{Granted, Head, lease_runs, leaving};
pub use ip::{Internet, Ipv4, Ipv6};
pub use kind::{Kind, classify};
pub use link::{Ethernet, Link, Vlan, is_for};
pub use refuse::refuse;
pub use rtp::Rtp;
pub use statistics::{arrival, is_new, observe};
pub use udp_checksum::{Reading, is_pseudo, udp_checksum};
