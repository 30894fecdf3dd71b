//! The kernel's part of a node, for real.
