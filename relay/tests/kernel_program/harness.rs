//! The loaded programs and their maps.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use aya::maps::{Array, PerCpuArray, PerCpuValues};
use aya::programs::tc::SchedClassifierLinkId;
use aya::programs::{SchedClassifier, TcAttachType, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use underpass::datapath::object;
use underpass_abi::{
    self as abi, ANY_SSRC, FlowStats, HEADER, Header, LocalV4, LocalV6, MAX_LOCALS, MAX_SSRCS,
    OUTCOMES, OUTCOMES_LEN, Outcome, PORT_LINES, PORTS, PORTS_PER_LINE, PortLine, RECORDS, Record,
};
use underpass_packet::Addressing;

use crate::frame::{Frame, rtp};

pub(crate) const XDP_PASS: i32 = 2;
pub(crate) const XDP_TX: i32 = 3;
pub(crate) const XDP_REDIRECT: i32 = 4;
pub(crate) const TC_ACT_UNSPEC: i32 = -1;
pub(crate) const TC_ACT_REDIRECT: i32 = 7;

pub(crate) const CALLER: &str = "192.0.2.10:4000";
pub(crate) const CALLER6: &str = "[2001:db8::10]:4000";
pub(crate) const RELAY: &str = "192.0.2.1:30000";
pub(crate) const RELAY6: &str = "[2001:db8::1]:30000";
pub(crate) const SSRC: u32 = 0xcafe_0001;

/// Where a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    Xdp,
    GenericXdp,
    Tc,
}

pub(crate) const HOOKS: [Hook; 3] = [Hook::Xdp, Hook::GenericXdp, Hook::Tc];

/// The record that the tests' flows are counted in; the first flow of a test lies there, too.
pub(crate) const STATS_RECORD: u32 = 3;
/// Records of a program; used in turns.
const RECORDS_LEN: u32 = 16;
/// Local addresses that there is room for in the ports' table.
const BLOCKS: usize = 4;

/// One program with its own maps.
pub(crate) struct Kernel {
    ebpf: Ebpf,
    pub(crate) hook: Hook,
    /// By block.
    locals: [Option<IpAddr>; BLOCKS],
    next_record: u32,
    /// Ports that were ever named something.
    named: BTreeSet<SocketAddr>,
}

/// A flow in the tests' words: addresses as such.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Flow {
    pub(crate) payload_types: [u64; 2],
    pub(crate) ssrcs: [u32; MAX_SSRCS],
    pub(crate) ssrc_count: u8,
    pub(crate) flags: u8,
    pub(crate) source: SocketAddr,
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) from_mac: [u8; 6],
    pub(crate) to_mac: [u8; 6],
    pub(crate) local_mac: [u8; 6],
    pub(crate) tos: u8,
    pub(crate) ttl: u8,
    pub(crate) egress_mtu: u16,
    pub(crate) egress_ifindex: u32,
    pub(crate) egress_vlan: u16,
    pub(crate) stats_record: u32,
    pub(crate) clock_rate: u32,
}

/// What a program did with a packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) action: i32,
    pub(crate) packet: Vec<u8>,
}

/// Held by one test at a time: the verifier takes long enough that each program is loaded only once.
pub(crate) type Loaded = MutexGuard<'static, Kernel>;

static LOADED: [LazyLock<Mutex<Kernel>>; 3] = [
    LazyLock::new(|| Mutex::new(Kernel::from_object(Hook::Xdp))),
    LazyLock::new(|| Mutex::new(Kernel::from_object(Hook::GenericXdp))),
    LazyLock::new(|| Mutex::new(Kernel::from_object(Hook::Tc))),
];

impl Kernel {
    /// The program with empty maps.
    pub(crate) fn load(hook: Hook) -> Loaded {
        let mut kernel = LOADED[hook as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        kernel.clear();
        kernel
    }

    fn from_object(hook: Hook) -> Self {
        let generic = u32::from(hook == Hook::GenericXdp);
        let mut ebpf = EbpfLoader::new()
            .map_max_entries(PORTS, BLOCKS as u32 * PORT_LINES)
            .map_max_entries(RECORDS, RECORDS_LEN)
            .override_global(object::GENERIC_XDP, &generic, true)
            .load(object::BYTES)
            .unwrap();
        match hook {
            Hook::Tc => tc(&mut ebpf).load().unwrap(),
            Hook::Xdp | Hook::GenericXdp => xdp(&mut ebpf).load().unwrap(),
        }
        Self {
            ebpf,
            hook,
            locals: [None; BLOCKS],
            next_record: STATS_RECORD,
            named: BTreeSet::new(),
        }
    }

    fn clear(&mut self) {
        for local in std::mem::take(&mut self.named) {
            self.remove(local);
        }
        self.named.clear();
        for number in 0..RECORDS_LEN {
            self.set(RECORDS, number, &Record::default());
        }
        self.next_record = STATS_RECORD;
        let mut outcomes =
            PerCpuArray::<_, u64>::try_from(self.ebpf.map_mut(OUTCOMES).unwrap()).unwrap();
        for index in 0..outcomes.len() {
            let cpus = outcomes.get(&index, 0).unwrap().len();
            outcomes
                .set(index, PerCpuValues::try_from(vec![0; cpus]).unwrap(), 0)
                .unwrap();
        }
    }

    /// With `flow` for what arrives at `local`.
    pub(crate) fn with(hook: Hook, local: &str, flow: Flow) -> Loaded {
        let mut kernel = Self::load(hook);
        kernel.install(local.parse().unwrap(), flow);
        kernel
    }

    /// Writes the flow into a record of its own and names that at the port.
    pub(crate) fn install(&mut self, local: SocketAddr, flow: Flow) {
        let number = self.next_record;
        self.next_record = (number + 1) % RECORDS_LEN;
        let record = Record {
            flow: flow.at(local),
            ..self.record(number)
        };
        self.set(RECORDS, number, &record);
        self.name(local, number + 1);
    }

    /// Puts `name` at the port, whatever it is.
    pub(crate) fn name(&mut self, local: SocketAddr, name: u32) {
        self.named.insert(local);
        let block = self.block(local.ip());
        let port = usize::from(local.port());
        let line = block as u32 * PORT_LINES + (port / PORTS_PER_LINE) as u32;
        let mut ports: PortLine = self.get(PORTS, line);
        ports.0[port % PORTS_PER_LINE] = name;
        self.set(PORTS, line, &ports);
    }

    /// Takes the port's flow and the address away.
    pub(crate) fn remove(&mut self, local: SocketAddr) {
        self.name(local, 0);
        self.forget(local.ip());
    }

    /// Takes the address out of the table; what stands at its ports stays.
    pub(crate) fn forget(&mut self, address: IpAddr) {
        for local in &mut self.locals {
            if *local == Some(address) {
                *local = None;
            }
        }
        self.write_header();
    }

    fn block(&mut self, address: IpAddr) -> usize {
        let known = |local: &Option<IpAddr>| *local == Some(address);
        if let Some(block) = self.locals.iter().position(known) {
            return block;
        }
        let block = self.locals.iter().position(Option::is_none).unwrap();
        self.locals[block] = Some(address);
        self.write_header();
        block
    }

    fn write_header(&mut self) {
        let mut header = Header {
            v4_count: 0,
            v6_count: 0,
            v4: [LocalV4::default(); MAX_LOCALS],
            v6: [LocalV6::default(); MAX_LOCALS],
            flows: 0,
            past_packets: 0,
            past_bytes: 0,
        };
        for (block, local) in (0..).zip(self.locals) {
            match local {
                Some(IpAddr::V4(address)) => {
                    header.v4[header.v4_count as usize] = LocalV4 {
                        address: address.octets(),
                        block,
                    };
                    header.v4_count += 1;
                }
                Some(IpAddr::V6(address)) => {
                    header.v6[header.v6_count as usize] = LocalV6 {
                        address: address.octets(),
                        block,
                    };
                    header.v6_count += 1;
                }
                None => {}
            }
        }
        self.set(HEADER, 0, &header);
    }

    fn get<T: Copy + 'static>(&self, map: &str, index: u32) -> T {
        let map = Array::<_, Plain<T>>::try_from(self.ebpf.map(map).unwrap()).unwrap();
        map.get(&index, 0).unwrap().0
    }

    fn set<T: Copy + 'static>(&mut self, map: &str, index: u32, value: &T) {
        let map = self.ebpf.map_mut(map).unwrap();
        let mut map = Array::<_, Plain<T>>::try_from(map).unwrap();
        map.set(index, Plain(*value), 0).unwrap();
    }

    pub(crate) fn record(&self, number: u32) -> Record {
        self.get(RECORDS, number)
    }

    pub(crate) fn run(&mut self, packet: &[u8]) -> Ran {
        self.run_in(packet, None)
    }

    /// Runs the tc program on a packet that a device or GRO merged from segments of `size` bytes.
    pub(crate) fn run_merged(&mut self, packet: &[u8], size: u32) -> Ran {
        let mut context = [0_u8; 192];
        // __sk_buff: gso_segs at 164, gso_size at 176 (include/uapi/linux/bpf.h).
        context[164..168].copy_from_slice(&2_u32.to_ne_bytes());
        context[176..180].copy_from_slice(&size.to_ne_bytes());
        self.run_in(packet, Some(&context))
    }

    fn run_in(&mut self, packet: &[u8], context: Option<&[u8]>) -> Ran {
        let mut out = vec![0; 10_000];
        let options = TestRunOptions {
            data_in: Some(packet),
            data_out: Some(&mut out),
            ctx_in: context,
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

    /// Attaches the tc program to an interface of this thread's namespace.
    pub(crate) fn attach_tc(&mut self, interface: &str) -> SchedClassifierLinkId {
        tc(&mut self.ebpf)
            .attach(interface, TcAttachType::Ingress)
            .unwrap()
    }

    pub(crate) fn detach_tc(&mut self, link: SchedClassifierLinkId) {
        tc(&mut self.ebpf).detach(link).unwrap();
    }

    /// Runs the tc program on a packet whose sum the device gave (CHECKSUM_COMPLETE); the kernel itself checks that the
    /// sum it carries on is right for what the packet became. Since Linux 6.16; `None` before.
    pub(crate) fn run_complete(&mut self, packet: &[u8]) -> Option<Result<Ran, i32>> {
        const BPF_PROG_TEST_RUN: libc::c_long = 10;
        const BPF_F_TEST_SKB_CHECKSUM_COMPLETE: u32 = 1 << 2;
        #[repr(C)]
        #[derive(Default)]
        struct Attributes {
            program: u32,
            action: u32,
            data_in_size: u32,
            data_out_size: u32,
            data_in: u64,
            data_out: u64,
            repeat: u32,
            duration: u32,
            context_sizes: [u32; 2],
            contexts: [u64; 2],
            flags: u32,
            cpu: u32,
            batch: u64,
        }
        let mut out = vec![0_u8; 10_000];
        let program = tc(&mut self.ebpf).fd().unwrap().as_fd().as_raw_fd();
        let mut attributes = Attributes {
            program: program as u32,
            data_in_size: packet.len() as u32,
            data_out_size: out.len() as u32,
            data_in: packet.as_ptr() as u64,
            data_out: out.as_mut_ptr() as u64,
            repeat: 1,
            flags: BPF_F_TEST_SKB_CHECKSUM_COMPLETE,
            ..Attributes::default()
        };
        // SAFETY: the kernel reads and writes `attributes`, reads `packet` and writes at most the length given of `out`.
        let result = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_PROG_TEST_RUN,
                &raw mut attributes,
                size_of::<Attributes>(),
            )
        };
        if result == 0 {
            out.truncate(attributes.data_out_size as usize);
            return Some(Ok(Ran {
                action: attributes.action as i32,
                packet: out,
            }));
        }
        match std::io::Error::last_os_error().raw_os_error() {
            Some(libc::EINVAL) => None,
            error => Some(Err(error.unwrap_or(0))),
        }
    }

    /// What is not zero; what was forwarded is counted by the flows.
    pub(crate) fn outcomes(&self) -> Vec<(Outcome, u64)> {
        let map = PerCpuArray::<_, u64>::try_from(self.ebpf.map(OUTCOMES).unwrap()).unwrap();
        assert_eq!(map.len(), OUTCOMES_LEN);
        let counted = |outcome| map.get(&(outcome as u32), 0).unwrap().iter().sum::<u64>();
        assert_eq!(counted(Outcome::Forwarded), 0, "flows count it");
        let forwarded = (0..RECORDS_LEN).map(|number| packets(&self.stats(number)));
        let forwarded = (Outcome::Forwarded, forwarded.sum());
        std::iter::once(forwarded)
            .chain(Outcome::ALL.map(|outcome| (outcome, counted(outcome))))
            .filter(|(_, count)| *count != 0)
            .collect()
    }

    pub(crate) fn stats(&self, record: u32) -> FlowStats {
        self.record(record).stats
    }

    /// What it returns for a packet that goes up.
    pub(crate) fn pass(&self) -> i32 {
        if self.hook == Hook::Tc {
            TC_ACT_UNSPEC
        } else {
            XDP_PASS
        }
    }

    /// What it returns for a packet that leaves by another interface.
    pub(crate) fn redirect(&self) -> i32 {
        if self.hook == Hook::Tc {
            TC_ACT_REDIRECT
        } else {
            XDP_REDIRECT
        }
    }
}

fn xdp(ebpf: &mut Ebpf) -> &mut Xdp {
    ebpf.program_mut("underpass_xdp")
        .unwrap()
        .try_into()
        .unwrap()
}

fn tc(ebpf: &mut Ebpf) -> &mut SchedClassifier {
    ebpf.program_mut("underpass_tc")
        .unwrap()
        .try_into()
        .unwrap()
}

/// An abi type as a map's value.
#[repr(transparent)]
#[derive(Clone, Copy)]
struct Plain<T>(T);

// SAFETY: made of the abi's types alone, which have no padding and take any bytes.
unsafe impl<T: Copy + 'static> aya::Pod for Plain<T> {}

/// Packets of all CPUs: tests are moved between them.
pub(crate) fn packets(stats: &FlowStats) -> u64 {
    stats.packets + stats.other_packets
}

/// Payload bytes of all CPUs.
pub(crate) fn bytes(stats: &FlowStats) -> u64 {
    stats.bytes + stats.other_bytes
}

/// A flow that takes any payload type and SSRC from `source`, and sends `from` - `to`.
pub(crate) fn flow(source: &str, from: &str, to: &str) -> Flow {
    let [source, from, to]: [SocketAddr; 3] =
        [source, from, to].map(|address| address.parse().unwrap());
    Flow {
        payload_types: [u64::MAX; 2],
        ssrcs: [0; MAX_SSRCS],
        ssrc_count: 0,
        flags: ANY_SSRC,
        source,
        from,
        to,
        from_mac: [2, 0, 0, 0, 0, 0x11],
        to_mac: [2, 0, 0, 0, 0, 0x22],
        local_mac: [0; 6],
        tos: 0xb8,
        ttl: 64,
        egress_mtu: 1500,
        egress_ifindex: 77,
        egress_vlan: 0,
        stats_record: STATS_RECORD,
        clock_rate: 8000,
    }
}

impl Flow {
    /// As the program reads it.
    fn at(&self, local: SocketAddr) -> abi::Flow {
        let mut flow = abi::Flow {
            payload_types: self.payload_types,
            ssrcs: self.ssrcs,
            egress_ifindex: self.egress_ifindex,
            stats_record: self.stats_record,
            clock_rate: self.clock_rate,
            egress_mtu: self.egress_mtu,
            local_mac: self.local_mac,
            egress_vlan: self.egress_vlan,
            flags: self.flags,
            ssrc_count: self.ssrc_count,
            ..abi::Flow::default()
        };
        let addressing = Addressing {
            local,
            source: self.source,
            from: self.from,
            to: self.to,
            from_mac: self.from_mac,
            to_mac: self.to_mac,
            tos: self.tos,
            ttl: self.ttl,
        };
        addressing.fill(&mut flow);
        flow
    }

    /// 4 or 6.
    pub(crate) fn egress_family(&self) -> u8 {
        if self.to.is_ipv4() { 4 } else { 6 }
    }
}

/// What `frame` must have become by `flow`, written out from nothing; tc keeps the tag beside the packet.
pub(crate) fn expected(
    frame: &Frame,
    flow: &Flow,
    from: SocketAddr,
    to: SocketAddr,
    hook: Hook,
) -> Vec<u8> {
    let tags = if flow.egress_vlan == 0 || hook == Hook::Tc {
        vec![]
    } else {
        vec![(0x8100, flow.egress_vlan)]
    };
    Frame {
        tags,
        to_mac: flow.to_mac,
        from_mac: flow.from_mac,
        source: from,
        destination: to,
        tos: flow.tos,
        ttl: flow.ttl,
        id: 0,
        ..frame.clone()
    }
    .bytes()
}

/// G.711, 20 ms.
pub(crate) fn voice() -> Vec<u8> {
    rtp(0, 1000, 160_000, SSRC, &[0xd5; 160])
}
