//! A shared interface: whose packet it is, and that table's instance decides about it.

use std::net::{IpAddr, SocketAddr};

use aya::maps::{Array, ProgramArray};
use aya::programs::{SchedClassifier, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use underpass_abi::share::{
    ADDRESSES, Address, INSTANCES, OWNER_LINES, OWNERS, OwnerLine, PLACES, PORTS_PER_LINE, home,
    words,
};
use underpass_abi::{Outcome, PLACE_NODE};
use underpass_object::{SHARE, SHARE_TC, SHARE_XDP};

use crate::flow::{Flow, expected, flow, voice};
use crate::frame::Frame;
use crate::harness::{CALLER, CALLER6, Hook, Kernel, Plain, RELAY, RELAY6, Ran};

const OUT: (&str, &str) = ("198.51.100.1:40000", "198.51.100.20:5000");
/// Addresses that there is room for.
const BLOCKS: u32 = 4;

/// The program with its maps.
struct Share {
    ebpf: Ebpf,
    hook: Hook,
    addresses: Vec<IpAddr>,
}

impl Share {
    fn load(hook: Hook) -> Self {
        let mut ebpf = EbpfLoader::new()
            .map_max_entries(OWNERS, BLOCKS * OWNER_LINES)
            .load(SHARE)
            .unwrap();
        match hook {
            Hook::Tc => tc(&mut ebpf).load().unwrap(),
            Hook::Xdp | Hook::GenericXdp => xdp(&mut ebpf).load().unwrap(),
        }
        Self {
            ebpf,
            hook,
            addresses: vec![],
        }
    }

    fn set_instance(&mut self, table: u32, kernel: &mut Kernel) {
        let descriptor = kernel.descriptor();
        let mut map = ProgramArray::try_from(self.ebpf.map_mut(INSTANCES).unwrap()).unwrap();
        map.set(table, &descriptor, 0).unwrap();
    }

    /// Gives the port to a table.
    fn own(&mut self, local: &str, table: u8) {
        let local: SocketAddr = local.parse().unwrap();
        let block = self.block(local.ip());
        let port = usize::from(local.port());
        let map = self.ebpf.map_mut(OWNERS).unwrap();
        let mut owners = Array::<_, Plain<OwnerLine>>::try_from(map).unwrap();
        let line = block * OWNER_LINES + (port / PORTS_PER_LINE) as u32;
        let mut owner = owners.get(&line, 0).unwrap();
        owner.0.0[port % PORTS_PER_LINE] = table + 1;
        owners.set(line, owner, 0).unwrap();
    }

    fn block(&mut self, address: IpAddr) -> u32 {
        if let Some(block) = self.addresses.iter().position(|known| *known == address) {
            return block as u32;
        }
        let block = self.addresses.len() as u32;
        self.addresses.push(address);
        self.set_address(home(words(address)), address, block + 1);
        block
    }

    /// Puts an address at a place; `block`: plus one.
    fn set_address(&mut self, place: u32, address: IpAddr, block: u32) {
        let map = self.ebpf.map_mut(ADDRESSES).unwrap();
        let mut addresses = Array::<_, Plain<Address>>::try_from(map).unwrap();
        let address = Address {
            words: words(address),
            block,
            ..Address::default()
        };
        addresses.set(place % PLACES, Plain(address), 0).unwrap();
    }

    fn run(&mut self, packet: &[u8]) -> Ran {
        let mut out = vec![0; 10_000];
        let options = TestRunOptions {
            data_in: Some(packet),
            data_out: Some(&mut out),
            ..TestRunOptions::new()
        };
        let result = match self.hook {
            Hook::Tc => tc(&mut self.ebpf).test_run(options),
            Hook::Xdp | Hook::GenericXdp => xdp(&mut self.ebpf).test_run(options),
        }
        .unwrap();
        out.truncate(result.data_size_out as usize);
        Ran {
            action: result.return_value as i32,
            packet: out,
        }
    }

    fn assert_passes(&mut self, packet: &[u8]) {
        let ran = self.run(packet);
        assert_eq!(
            (ran.action, ran.packet.as_slice()),
            (self.hook.pass(), packet)
        );
    }
}

fn xdp(ebpf: &mut Ebpf) -> &mut Xdp {
    ebpf.program_mut(SHARE_XDP).unwrap().try_into().unwrap()
}

fn tc(ebpf: &mut Ebpf) -> &mut SchedClassifier {
    ebpf.program_mut(SHARE_TC).unwrap().try_into().unwrap()
}

/// What the share program is made for; generic XDP is the same program to it.
const SHARED: [Hook; 2] = [Hook::Xdp, Hook::Tc];

/// A table with one flow, which sends from `port`.
fn table(hook: Hook, source: &str, local: &str, port: u16) -> (Kernel, Flow) {
    let mut kernel = Kernel::from_object(hook, PLACE_NODE);
    kernel.clear();
    let flow = flow(source, &format!("198.51.100.1:{port}"), OUT.1);
    kernel.install(local.parse().unwrap(), flow);
    (kernel, flow)
}

#[test]
fn every_table_gets_the_packets_at_its_own_ports() {
    for hook in SHARED {
        let mut share = Share::load(hook);
        let cases = [
            (0, CALLER, RELAY),
            (5, CALLER, "192.0.2.1:30001"),
            (62, CALLER6, RELAY6),
            (63, CALLER6, "[2001:db8::1]:30001"),
        ];
        let mut tables = vec![];
        for (number, source, local) in cases {
            let (mut kernel, flow) = table(hook, source, local, 40_000 + u16::from(number));
            share.set_instance(number.into(), &mut kernel);
            share.own(local, number);
            tables.push((kernel, flow, Frame::new(source, local, voice())));
        }
        for (kernel, flow, frame) in &tables {
            let ran = share.run(&frame.bytes());
            assert_eq!(ran.action, kernel.redirect());
            assert_eq!(ran.packet, expected(frame, flow, flow.from, flow.to, hook));
        }
        for (kernel, ..) in &tables {
            assert_eq!(kernel.outcomes(), [(Outcome::Forwarded, 1)]);
        }
        // What an instance lets up goes up.
        let (kernel, _, frame) = &tables[1];
        let stranger = Frame::new("192.0.2.99:9", &frame.destination.to_string(), voice());
        share.assert_passes(&stranger.bytes());
        assert_eq!(
            kernel.outcomes(),
            [(Outcome::Forwarded, 1), (Outcome::OtherSource, 1)]
        );
        // With tags, too.
        let tagged = Frame {
            tags: vec![(0x88a8, 5), (0x8100, 6)],
            ..frame.clone()
        };
        assert_eq!(share.run(&tagged.bytes()).action, kernel.redirect());
    }
}

#[test]
fn what_no_table_owns_passes() {
    for hook in SHARED {
        let mut share = Share::load(hook);
        let (mut kernel, _) = table(hook, CALLER, RELAY, 40_000);
        share.set_instance(3, &mut kernel);
        share.own(RELAY, 3);
        for (source, local) in [
            (CALLER, "192.0.2.1:30001"),
            (CALLER, "192.0.2.1:1"),
            (CALLER, "192.0.2.2:30000"),
            (CALLER6, "[2001:db8::1]:30000"),
        ] {
            share.assert_passes(&Frame::new(source, local, voice()).bytes());
        }
        let owned = Frame::new(CALLER, RELAY, voice()).bytes();
        let change = |at: usize, value: u8| {
            let mut changed = owned.clone();
            changed[at] = value;
            changed
        };
        // TCP, a fragment, options, ARP, and a frame that is cut short.
        for packet in [
            change(23, 6),
            change(20, 0x20),
            change(14, 0x46),
            change(13, 6),
        ] {
            share.assert_passes(&packet);
        }
        share.assert_passes(&owned[..owned.len() - 1]);
        assert_eq!(kernel.outcomes(), []);
    }
}

#[test]
fn what_a_table_without_an_instance_owns_passes() {
    for hook in SHARED {
        let mut share = Share::load(hook);
        for table in [0, 7, 63, 64, 254] {
            share.own(RELAY, table);
            share.assert_passes(&Frame::new(CALLER, RELAY, voice()).bytes());
        }
    }
}

#[test]
fn an_instance_is_replaced_in_one_step() {
    for hook in SHARED {
        let mut share = Share::load(hook);
        share.own(RELAY, 3);
        let frame = Frame::new(CALLER, RELAY, voice());
        for port in [40_000, 40_002] {
            let (mut kernel, flow) = table(hook, CALLER, RELAY, port);
            share.set_instance(3, &mut kernel);
            let ran = share.run(&frame.bytes());
            assert_eq!(
                ran.packet,
                expected(&frame, &flow, flow.from, flow.to, hook)
            );
        }
    }
}

#[test]
fn an_address_is_found_behind_others_until_nobody_has_it() {
    for hook in SHARED {
        let mut share = Share::load(hook);
        let (mut kernel, _) = table(hook, CALLER, RELAY, 40_000);
        share.set_instance(3, &mut kernel);
        share.own(RELAY, 3);
        let relay = RELAY.parse::<SocketAddr>().unwrap().ip();
        let home = home(words(relay));
        let frame = Frame::new(CALLER, RELAY, voice()).bytes();
        for place in 0..63 {
            let other = IpAddr::from([203, 0, 113, place]);
            share.set_address(home + u32::from(place), other, 0);
        }
        share.set_address(home + 63, relay, 1);
        assert_eq!(share.run(&frame).action, kernel.redirect());
        share.set_address(home + 63, relay, 0);
        share.assert_passes(&frame);
    }
}
