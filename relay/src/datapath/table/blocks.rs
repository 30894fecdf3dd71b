//! Which local address has which block of ports.
//!
//! Addresses come from the configuration, so that a block, once given, is kept. Only where there are more addresses than
//! a table holds, one without flows makes room. The kernel program may have read its block and be about to read a port:
//! so the address is taken out of the header first and its entry rests, as records do, before another address gets it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use underpass_abi::MAX_LOCALS;

use super::memory::{Memory, Port};
use super::records::has_rested;

/// The addresses of one table.
#[derive(Debug)]
pub(super) struct Blocks {
    v4: Vec<Local>,
    v6: Vec<Local>,
    given: u32,
    count: u32,
}

#[derive(Debug)]
struct Local {
    address: IpAddr,
    /// Never changes.
    block: u32,
    /// Ports that have a flow.
    flows: u32,
    /// When it was taken out of the header to make room.
    retired: Option<u64>,
}

impl Blocks {
    /// `count` blocks, none given yet.
    pub(super) fn new(count: u32) -> Self {
        Self {
            v4: Vec::new(),
            v6: Vec::new(),
            given: 0,
            count,
        }
    }

    /// The place of an address's port; gives the address a block if it has none. `None`: no room at tick `now`, but
    /// perhaps later.
    pub(super) fn take(
        &mut self,
        local: SocketAddr,
        memory: &mut Memory,
        now: u64,
    ) -> Option<Port> {
        let address = local.ip();
        let v4 = address.is_ipv4();
        let family = if v4 { &mut self.v4 } else { &mut self.v6 };
        let is_known = |known: &Local| known.address == address;
        if let Some(index) = family.iter().position(is_known) {
            let known = &mut family[index];
            if known.retired.take().is_some() {
                memory.set_local(index, address, known.block);
            }
            return Some(Port::new(known.block, local.port()));
        }
        if family.len() < MAX_LOCALS && self.given < self.count {
            let block = self.given;
            self.given += 1;
            memory.set_local(family.len(), address, block);
            family.push(Local {
                address,
                block,
                flows: 0,
                retired: None,
            });
            memory.set_locals(self.v4.len(), self.v6.len());
            return Some(Port::new(block, local.port()));
        }
        let is_free = |known: &Local| known.retired.is_some_and(|since| has_rested(since, now));
        if let Some(index) = family.iter().position(is_free) {
            let known = &mut family[index];
            known.address = address;
            known.retired = None;
            memory.set_local(index, address, known.block);
            return Some(Port::new(known.block, local.port()));
        }
        retire_one(family, memory, now);
        None
    }

    /// One more or one less of a block's ports has a flow.
    pub(super) fn count(&mut self, port: Port, has_flow: bool) {
        let mut locals = self.v4.iter_mut().chain(&mut self.v6);
        if let Some(known) = locals.find(|known| known.block == port.block()) {
            known.flows = if has_flow {
                known.flows + 1
            } else {
                known.flows.saturating_sub(1)
            };
        }
    }
}

/// Takes an address without flows out of the header, unless one is resting already.
fn retire_one(family: &mut [Local], memory: &mut Memory, now: u64) {
    if family.iter().any(|known| known.retired.is_some()) {
        return;
    }
    let Some(index) = family.iter().position(|known| known.flows == 0) else {
        return;
    };
    let known = &mut family[index];
    known.retired = Some(now);
    // No packet arrives there; and if one did, it would find no flow.
    let nowhere = match known.address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    memory.set_local(index, nowhere, known.block);
}
