//! Saying no, off the straight path.

use core::hint::cold_path;

use underpass_abi::Outcome;

/// `Err(outcome)`, in a place of its own: for BPF, LLVM would else set every outcome beforehand and store it on the
/// stack before each comparison, for packets that pass all of them.
///
/// # Errors
/// Always.
#[inline(always)]
pub fn refuse<T>(outcome: Outcome) -> Result<T, Outcome> {
    cold_path();
    #[cfg(target_arch = "bpf")]
    // SAFETY: sets a register that is free. LLVM may not move it.
    unsafe {
        core::arch::asm!("{0} = 0", out(reg) _, options(nomem, nostack))
    };
    Err(outcome)
}
