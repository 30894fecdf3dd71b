//! SDP that keeps every line it does not own.
