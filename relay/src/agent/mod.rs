//! The node's agent: the one part that needs privilege. It owns programs, links, pins and grants; relays get the
//! descriptors of their tables from it and fill those themselves.
//!
//! It keeps nothing to itself that must outlive it: what tables there are stands in the registry, what they hold in pinned
//! maps, and whether an owner lives in the lock that the owner holds. So any number of agents may follow one another, or
//! live beside one another (a standalone relay embeds one), and find the same.

#[allow(dead_code)]
pub(crate) mod kernel;
#[allow(dead_code)]
mod node;
