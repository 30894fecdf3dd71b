//! An instance with flows of a ring.

use std::net::IpAddr;

use anyhow::{Context, Result, anyhow};
use aya::maps::{Array, MapData};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader};
use underpass_abi::{
    Egress, GRANT, Grant, GrantedV4, GrantedV6, MAX_EGRESSES, MAX_LOCALS, OUTCOMES, PLACE_OWN,
    PORT_LINES, PORTS, PORTS_PER_LINE, PortLine, RECORDS, Record,
};

use super::ring::Ring;
use crate::bytes::bytes_of;

/// The object, its maps filled in with the flows `numbers` of the ring, in that order.
pub(super) fn load(ring: &Ring, numbers: impl Iterator<Item = u32>) -> Result<Ebpf> {
    let numbers: Vec<u32> = numbers.collect();
    let addresses = ring.addresses();
    // Packets arrive at the first half of them.
    let locals = &addresses[..addresses.len() / 2];
    let cpus = nr_cpus().map_err(|(path, error)| anyhow!("{path}: {error}"))?;
    let mut ebpf = EbpfLoader::new()
        .map_max_entries(OUTCOMES, cpus as u32)
        .map_max_entries(PORTS, locals.len() as u32 * PORT_LINES)
        .map_max_entries(RECORDS, numbers.len() as u32)
        .load(underpass_object::INSTANCE)?;
    let mut lines = vec![PortLine::default(); locals.len() * PORT_LINES as usize];
    let mut records = array::<{ size_of::<Record>() }>(&mut ebpf, RECORDS)?;
    for (number, n) in (0..).zip(numbers) {
        let record = Record {
            flow: ring.flow(n, number, &addresses),
            ..Record::default()
        };
        records.set(number, bytes_of(&record), 0)?;
        let local = ring.local(n);
        let block = locals.partition_point(|address| *address < local.ip());
        let port = usize::from(local.port());
        let line = block * PORT_LINES as usize + port / PORTS_PER_LINE;
        lines[line].0[port % PORTS_PER_LINE] = number + 1;
    }
    let mut ports = array::<{ size_of::<PortLine>() }>(&mut ebpf, PORTS)?;
    for (number, line) in (0..).zip(&lines) {
        ports.set(number, bytes_of(line), 0)?;
    }
    let mut grant = array::<{ size_of::<Grant>() }>(&mut ebpf, GRANT)?;
    let granted = granting(&addresses, ring.egress());
    grant.set(PLACE_OWN, bytes_of(&granted), 0)?;
    Ok(ebpf)
}

fn array<'a, const N: usize>(
    ebpf: &'a mut Ebpf,
    name: &str,
) -> Result<Array<&'a mut MapData, [u8; N]>> {
    let map = ebpf.map_mut(name).with_context(|| format!("no {name}"))?;
    Ok(Array::try_from(map)?)
}

/// All ports of the addresses and one way out, by a lease that does not end.
fn granting(addresses: &[IpAddr], egress: Egress) -> Grant {
    let mut grant = Grant {
        lease_ns: u64::MAX / 2,
        v4_count: 0,
        v6_count: 0,
        v4: [GrantedV4::default(); MAX_LOCALS],
        v6: [GrantedV6::default(); MAX_LOCALS],
        egresses: [Egress::default(); MAX_EGRESSES],
    };
    grant.egresses[0] = egress;
    let (first_port, last_port) = (1, u16::MAX);
    for (block, address) in (0..).zip(addresses) {
        match address {
            IpAddr::V4(address) => {
                grant.v4[grant.v4_count as usize] = GrantedV4 {
                    address: address.octets(),
                    block,
                    first_port,
                    last_port,
                };
                grant.v4_count += 1;
            }
            IpAddr::V6(address) => {
                grant.v6[grant.v6_count as usize] = GrantedV6 {
                    address: address.octets(),
                    block,
                    first_port,
                    last_port,
                };
                grant.v6_count += 1;
            }
        }
    }
    grant
}
