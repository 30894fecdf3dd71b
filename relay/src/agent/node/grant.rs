//! GRANT, as it lies in memory shared with the kernel program: what a table may do, at each place.

use std::io;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use underpass_abi::{self as abi, GrantedV4, GrantedV6, MAX_EGRESSES, PLACE_NODE, PLACE_OWN};

use crate::agent::kernel::Spec;
use crate::datapath::mapped::{Access, Mapped};
use crate::tables::protocol::{Place, Ports};

/// A heartbeat may be a second old when its owner dies, and clocks are read coarsely.
const LEASE_SLACK_MS: u64 = 2_000;

/// An interface at one place, as a way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Device {
    /// Its index.
    pub(super) ifindex: u32,
    /// What frames leave with.
    pub(super) mac: [u8; 6],
}

/// The element of [`abi::GRANT`] that a place has.
pub(super) fn element(place: Place) -> u32 {
    match place {
        Place::Own => PLACE_OWN,
        Place::Node => PLACE_NODE,
    }
}

/// A generation's grants.
#[derive(Debug)]
pub(super) struct Grant(Mapped<abi::Grant>);

impl Grant {
    /// Maps them.
    ///
    /// # Errors
    /// There is no room for it.
    pub(super) fn new(map: BorrowedFd<'_>) -> io::Result<Self> {
        Mapped::new(map, 2, Access::Write).map(Self)
    }

    /// Writes what is granted into maps that no program reads yet. The lease is last.
    pub(super) fn fill(&mut self, spec: &Spec) {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for (block, address) in (0..).zip(&spec.addresses) {
            let Ports {
                first: first_port,
                last: last_port,
            } = spec.ports.of(*address);
            match address {
                IpAddr::V4(address) => v4.push(GrantedV4 {
                    address: address.octets(),
                    block,
                    first_port,
                    last_port,
                }),
                IpAddr::V6(address) => v6.push(GrantedV6 {
                    address: address.octets(),
                    block,
                    first_port,
                    last_port,
                }),
            }
        }
        let mut grant = abi::Grant {
            lease_ns: 0,
            v4_count: v4.len() as u32,
            v6_count: v6.len() as u32,
            v4: Default::default(),
            v6: Default::default(),
            egresses: Default::default(),
        };
        for (place, address) in grant.v4.iter_mut().zip(v4) {
            *place = address;
        }
        for (place, address) in grant.v6.iter_mut().zip(v6) {
            *place = address;
        }
        for place in [Place::Own, Place::Node] {
            // SAFETY: inside the mapping, which no reference covers.
            unsafe { self.at(place).write_volatile(grant) };
        }
        self.set_lease_ms(spec.lease_ms);
    }

    /// How long the table forwards without a sign of life.
    pub(super) fn set_lease_ms(&mut self, lease_ms: u64) {
        self.set_lease_ns((lease_ms + LEASE_SLACK_MS).saturating_mul(1_000_000));
    }

    /// Nothing is forwarded from now on.
    pub(super) fn revoke(&mut self) {
        self.set_lease_ns(0);
    }

    /// Is nothing forwarded?
    #[cfg(test)]
    pub(super) fn is_revoked(&self) -> bool {
        // SAFETY: inside the mapping, and every bit pattern is a valid value.
        let lease_ns = |place| unsafe { (&raw const (*self.at(place)).lease_ns).read_volatile() };
        [Place::Own, Place::Node].map(lease_ns) == [0, 0]
    }

    /// What is behind a way out at a place.
    pub(super) fn egress(&self, place: Place, slot: u32) -> Option<Device> {
        // SAFETY: inside the mapping, and every bit pattern is a valid value.
        let egress = unsafe { self.egress_at(place, slot).read_volatile() };
        let [_, _, mac @ ..] = egress.mac;
        (egress.ifindex != 0).then_some(Device {
            ifindex: egress.ifindex,
            mac,
        })
    }

    /// Says what is behind a way out at a place. Nothing leaves by it while that is being changed.
    pub(super) fn set_egress(&mut self, place: Place, slot: u32, device: Option<Device>) {
        if self.egress(place, slot) == device {
            return;
        }
        let egress = self.egress_at(place, slot);
        // SAFETY: an aligned word inside the mapping, which is only accessed atomically.
        let ifindex = unsafe { AtomicU32::from_ptr(&raw mut (*egress).ifindex) };
        ifindex.store(0, Ordering::SeqCst);
        let Some(device) = device else {
            return;
        };
        let mut mac = [0; 8];
        mac[2..].copy_from_slice(&device.mac);
        // SAFETY: an aligned word inside the mapping, which is only accessed atomically.
        let place = unsafe { AtomicU64::from_ptr((&raw mut (*egress).mac).cast()) };
        place.store(u64::from_ne_bytes(mac), Ordering::SeqCst);
        ifindex.store(device.ifindex, Ordering::SeqCst);
    }

    fn set_lease_ns(&mut self, lease_ns: u64) {
        for place in [Place::Own, Place::Node] {
            let grant = self.at(place);
            // SAFETY: an aligned word inside the mapping, which is only accessed atomically.
            unsafe { AtomicU64::from_ptr(&raw mut (*grant).lease_ns) }
                .store(lease_ns, Ordering::SeqCst);
        }
    }

    fn at(&self, place: Place) -> *mut abi::Grant {
        self.0.at(element(place))
    }

    fn egress_at(&self, place: Place, slot: u32) -> *mut abi::Egress {
        let slot = slot as usize;
        assert!(slot < MAX_EGRESSES, "a slot of the grant");
        let grant = self.at(place);
        // SAFETY: a place inside the mapping; nothing is read.
        unsafe { (&raw mut (*grant).egresses).cast::<abi::Egress>().add(slot) }
    }
}

const _: () = assert!(
    std::mem::offset_of!(abi::Grant, egresses).is_multiple_of(8)
        && size_of::<abi::Egress>().is_multiple_of(8)
        && std::mem::offset_of!(abi::Egress, mac) == 0,
    "a way out's link-layer address is one aligned word"
);
