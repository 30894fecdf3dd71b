//! What the table may be used for: which addresses and ports, and where they are in its maps.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use super::memory::Port;
use crate::tables::protocol::{Granted, Ports};

/// The addresses and ports that the agent has granted.
#[derive(Debug)]
pub(crate) struct Grant {
    locals: HashMap<IpAddr, Local>,
}

#[derive(Clone, Copy, Debug)]
struct Local {
    ports: Ports,
    /// Of ports: the address's place among all.
    block: u32,
    /// Its place among those of its family.
    index: u16,
}

impl Grant {
    /// What was granted, of which the first `blocks` addresses have ports in the table.
    pub(crate) fn new(granted: &Granted, blocks: u32) -> Self {
        let (mut v4, mut v6) = (0, 0);
        let mut locals = HashMap::new();
        for (block, address) in (0..blocks).zip(&granted.addresses) {
            let index = if address.is_ipv4() { &mut v4 } else { &mut v6 };
            let local = Local {
                ports: granted.ports.of(*address),
                block,
                index: *index,
            };
            locals.insert(*address, local);
            *index += 1;
        }
        Self { locals }
    }

    /// The place of a local port; `None` if it is not granted.
    pub(super) fn port(&self, local: SocketAddr) -> Option<Port> {
        let known = self.get(local)?;
        Some(Port::new(known.block, local.port()))
    }

    /// What a flow calls the address it leaves from; `None` if that or the port is not granted.
    pub(super) fn family_index(&self, from: SocketAddr) -> Option<u16> {
        self.get(from).map(|known| known.index)
    }

    fn get(&self, at: SocketAddr) -> Option<&Local> {
        let local = self.locals.get(&at.ip())?;
        let Ports { first, last } = local.ports;
        (first..=last).contains(&at.port()).then_some(local)
    }
}
