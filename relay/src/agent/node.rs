//! The kernel's part of a node, for real.

use std::path::Path;

use super::kernel::{KernelError, NodeKernel};

/// Not in this build.
pub(super) fn open(_bpffs: &Path, _uplinks: &[String]) -> Result<Box<dyn NodeKernel>, KernelError> {
    Err(KernelError::Load(
        "this build has no agent's kernel part".to_owned(),
    ))
}
