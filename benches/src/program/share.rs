//! The program of a shared interface, and the instances behind it.

use std::net::IpAddr;

use anyhow::{Context, Result};
use aya::maps::{Array, ProgramArray};
use aya::programs::ProgramFd;
use aya::{Ebpf, EbpfLoader};
use underpass_abi::share::{
    ADDRESSES, Address, INSTANCES, OWNER_LINES, OWNERS, OwnerLine, PORTS_PER_LINE, TABLES, home,
    words,
};

use super::instance;
use super::ring::Ring;
use crate::bytes::bytes_of;

/// The object, and `tables` instances. Flow `n` of the ring is of table `n % tables`, so that each packet is of another
/// table than the last.
pub(super) fn load(
    ring: &Ring,
    tables: u32,
    load: impl Fn(&mut Ebpf) -> Result<ProgramFd>,
) -> Result<(Ebpf, Vec<Ebpf>)> {
    let mut addresses: Vec<IpAddr> = (0..ring.length()).map(|n| ring.local(n).ip()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let mut ebpf = EbpfLoader::new()
        .map_max_entries(OWNERS, addresses.len() as u32 * OWNER_LINES)
        .load(underpass_object::SHARE)?;
    let mut instances = Vec::new();
    for table in 0..tables {
        let its_own = ring.scattered().filter(|n| n % tables == table);
        let mut instance = instance::load(ring, its_own)?;
        let program = load(&mut instance)?;
        let map = ebpf.map_mut(INSTANCES).context("no instances")?;
        // The last ones, so that all tables' numbers are met.
        ProgramArray::try_from(map)?.set(TABLES - 1 - table, &program, 0)?;
        instances.push(instance);
    }
    let mut lines = vec![OwnerLine([0; PORTS_PER_LINE]); addresses.len() * OWNER_LINES as usize];
    for n in 0..ring.length() {
        let local = ring.local(n);
        let block = addresses.partition_point(|address| *address < local.ip());
        let port = usize::from(local.port());
        let line = block * OWNER_LINES as usize + port / PORTS_PER_LINE;
        lines[line].0[port % PORTS_PER_LINE] = (TABLES - n % tables) as u8;
    }
    let map = ebpf.map_mut(OWNERS).context("no owners")?;
    let mut owners: Array<_, [u8; size_of::<OwnerLine>()]> = Array::try_from(map)?;
    for (number, line) in (0..).zip(&lines) {
        owners.set(number, bytes_of(line), 0)?;
    }
    let map = ebpf.map_mut(ADDRESSES).context("no addresses")?;
    let mut places: Array<_, [u8; size_of::<Address>()]> = Array::try_from(map)?;
    for (block, address) in (1..).zip(addresses) {
        let words = words(address);
        // The few addresses of a ring all have their places at home.
        let address = Address {
            words,
            block,
            ..Address::default()
        };
        places.set(home(words), bytes_of(&address), 0)?;
    }
    Ok((ebpf, instances))
}
