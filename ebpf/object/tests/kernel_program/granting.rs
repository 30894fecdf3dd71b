//! What a table is granted, as tests come to need it.

use std::net::IpAddr;

use underpass_abi::{Egress, Grant, GrantedV4, GrantedV6, MAX_EGRESSES, MAX_LOCALS};

use crate::flow::Flow;

/// Longer than any test takes.
pub(crate) const LEASE_NS: u64 = 3600 * 1_000_000_000;

/// A grant that grows: every port of the addresses, and the ways out, that flows were given.
pub(crate) struct Granting {
    pub(crate) grant: Grant,
    blocks: u32,
    egresses: usize,
}

impl Default for Granting {
    fn default() -> Self {
        let grant = Grant {
            lease_ns: LEASE_NS,
            v4_count: 0,
            v6_count: 0,
            v4: [GrantedV4::default(); MAX_LOCALS],
            v6: [GrantedV6::default(); MAX_LOCALS],
            egresses: [Egress::default(); MAX_EGRESSES],
        };
        Self {
            grant,
            blocks: 0,
            egresses: 0,
        }
    }
}

impl Granting {
    /// The slot of the way out that `flow` leaves by.
    pub(crate) fn egress(&mut self, flow: &Flow) -> u32 {
        let mut mac = [0; 8];
        mac[2..].copy_from_slice(&flow.from_mac);
        let wanted = Egress {
            mac,
            ifindex: flow.egress_ifindex,
            vlan: flow.egress_vlan,
            reserved: 0,
        };
        let known = self.grant.egresses[..self.egresses]
            .iter()
            .position(|egress| *egress == wanted);
        let slot = known.unwrap_or(self.egresses);
        self.grant.egresses[slot] = wanted;
        self.egresses = self.egresses.max(slot + 1);
        slot as u32
    }

    /// The address's index among those of its family.
    pub(crate) fn local(&mut self, address: IpAddr) -> u16 {
        if let Some(index) = self.find(address) {
            return index as u16;
        }
        let block = self.blocks;
        self.blocks += 1;
        let (first_port, last_port) = (1, u16::MAX);
        let count = match address {
            IpAddr::V4(address) => {
                self.grant.v4[self.grant.v4_count as usize] = GrantedV4 {
                    address: address.octets(),
                    block,
                    first_port,
                    last_port,
                };
                &mut self.grant.v4_count
            }
            IpAddr::V6(address) => {
                self.grant.v6[self.grant.v6_count as usize] = GrantedV6 {
                    address: address.octets(),
                    block,
                    first_port,
                    last_port,
                };
                &mut self.grant.v6_count
            }
        };
        *count += 1;
        (*count - 1) as u16
    }

    /// The block of ports that the address has.
    pub(crate) fn block(&mut self, address: IpAddr) -> u32 {
        let index = usize::from(self.local(address));
        match address {
            IpAddr::V4(_) => self.grant.v4[index].block,
            IpAddr::V6(_) => self.grant.v6[index].block,
        }
    }

    /// Takes the address out; the others keep their places.
    pub(crate) fn forget(&mut self, address: IpAddr) {
        let Some(index) = self.find(address) else {
            return;
        };
        match address {
            IpAddr::V4(_) => self.grant.v4[index].address = [0; 4],
            IpAddr::V6(_) => self.grant.v6[index].address = [0; 16],
        }
    }

    fn find(&self, address: IpAddr) -> Option<usize> {
        match address {
            IpAddr::V4(address) => self.grant.v4[..self.grant.v4_count as usize]
                .iter()
                .position(|local| local.address == address.octets()),
            IpAddr::V6(address) => self.grant.v6[..self.grant.v6_count as usize]
                .iter()
                .position(|local| local.address == address.octets()),
        }
    }
}
