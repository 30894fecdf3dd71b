//! Claiming a forwarding table on a node.
