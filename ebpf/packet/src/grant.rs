//! What a table may do, held against what its owner wrote.

use core::hint::cold_path;

use underpass_abi::{Egress, Flow, Grant, GrantedV4, GrantedV6, HEAD_WORDS, MAX_LOCALS, Outcome};

use crate::{Internet, refuse};

/// How far [`underpass_abi::Header::alive_ns`] may be ahead of the clock that it is compared with: the kernel's coarse clock
/// is behind by up to a tick (10 ms).
const AHEAD_NS: u64 = 20_000_000;

/// Whether a table may still forward whose owner was `alive_ns`; all times in ns of CLOCK_MONOTONIC. It ends a little
/// early, and at once where an owner claims to be alive in times to come.
#[inline(always)]
#[must_use]
pub fn lease_runs(now_ns: u64, alive_ns: u64, lease_ns: u64) -> bool {
    now_ns.wrapping_add(AHEAD_NS).wrapping_sub(alive_ns) < lease_ns
}

/// A granted address.
pub trait Granted {
    /// As [`GrantedV4::block`].
    fn block(&self) -> u32;

    /// Whether `port` (host order) is granted, too.
    fn has(&self, port: u16) -> bool;
}

impl Granted for GrantedV4 {
    #[inline(always)]
    fn block(&self) -> u32 {
        self.block
    }

    #[inline(always)]
    fn has(&self, port: u16) -> bool {
        (self.first_port..=self.last_port).contains(&port)
    }
}

impl Granted for GrantedV6 {
    #[inline(always)]
    fn block(&self) -> u32 {
        self.block
    }

    #[inline(always)]
    fn has(&self, port: u16) -> bool {
        (self.first_port..=self.last_port).contains(&port)
    }
}

/// A copy of [`Flow::head`]: what is checked is what is written, whatever the flow's owner does to it meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head(pub(crate) [u64; HEAD_WORDS]);

impl Head {
    /// Of a flow that leaves by `O`; reads each word once, and none that `O` does not need.
    #[inline(always)]
    #[must_use]
    pub fn copy<O: Internet>(flow: &Flow) -> Self {
        let from = (&raw const flow.head).cast::<u64>();
        let mut words = [0; HEAD_WORDS];
        for (place, word) in words.iter_mut().enumerate().take(O::HEAD_WORDS) {
            // SAFETY: inside the array.
            *word = unsafe { from.add(place).read_volatile() };
        }
        Self(words)
    }

    /// Word `place`, with its bytes in the order of a little-endian number.
    #[inline(always)]
    pub(crate) fn word(&self, place: usize) -> u64 {
        u64::from_le(self.0[place])
    }

    /// Whether it goes to one host, from `mac` ([`Egress::mac`]).
    #[inline(always)]
    pub(crate) fn is_from(&self, mac: [u8; 8]) -> bool {
        let source = (self.word(0) >> 48 << 16) | (self.word(1) << 32);
        self.word(0) & 1 == 0 && source == u64::from_le_bytes(mac)
    }
}

/// What leaves by `flow`, which is of `O`, and its way out, if the table may send that.
///
/// # Errors
/// [`Outcome::OutsideGrant`].
#[inline(always)]
pub fn leaving<'a, O: Internet>(
    flow: &Flow,
    grant: &'a Grant,
) -> Result<(Head, &'a Egress), Outcome> {
    // SAFETY: fields of a flow. Read once: what is checked is what is used.
    let (way, from) = unsafe {
        (
            (&raw const flow.egress).read_volatile() as usize,
            (&raw const flow.from_local).read_volatile() as usize,
        )
    };
    let (locals, count) = O::granted(grant);
    if way >= grant.egresses.len() || from >= MAX_LOCALS || from >= count as usize {
        return refuse(Outcome::OutsideGrant);
    }
    let egress = &grant.egresses[way];
    let head = Head::copy::<O>(flow);
    if egress.ifindex == 0 || !head.is_from(egress.mac) || !O::is_granted(&head, &locals[from]) {
        cold_path();
        return refuse(Outcome::OutsideGrant);
    }
    Ok((head, egress))
}
