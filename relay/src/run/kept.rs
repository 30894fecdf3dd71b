//! A call as the journal has it.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::call::Snapshot;

/// A call, and who asked for it first. Written with the names of its fields: another version reads what it knows of it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    pub(super) call: Snapshot,
    pub(super) proxy: Option<SocketAddr>,
}

impl Kept {
    pub(super) fn payload(&self) -> Result<Vec<u8>, rmp_serde::encode::Error> {
        rmp_serde::to_vec_named(self)
    }

    pub(super) fn read(payload: &[u8]) -> Result<Self, rmp_serde::decode::Error> {
        rmp_serde::from_slice(payload)
    }
}
