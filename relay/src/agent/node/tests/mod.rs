//! The node's part in namespaces of their own, against the kernel. Without root nothing is tested.

mod leaks;
mod lone;
mod shared;
mod takeover;
mod uplink;
mod world;
