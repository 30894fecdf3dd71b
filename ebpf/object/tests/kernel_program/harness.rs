//! The loaded programs and their maps.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use aya::maps::Array;
use aya::programs::tc::{SchedClassifierLinkId, qdisc_add_clsact};
use aya::programs::{ProgramFd, SchedClassifier, TcAttachType, TestRun, TestRunOptions, Xdp};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfLoader};
use nix::time::{ClockId, clock_gettime};
use underpass_abi::{
    FlowStats, GRANT, Grant, HEADER, Header, OUTCOMES, Outcome, Outcomes, PLACE_NODE, PLACE_OWN,
    PORT_LINES, PORTS, PORTS_PER_LINE, PortLine, RECORDS, Record, SEVERAL_RECEIVERS,
};
use underpass_object as object;

use crate::flow::Flow;
use crate::granting::Granting;

pub(crate) const XDP_DROP: i32 = 1;
pub(crate) const XDP_PASS: i32 = 2;
pub(crate) const XDP_TX: i32 = 3;
pub(crate) const XDP_REDIRECT: i32 = 4;
pub(crate) const TC_ACT_UNSPEC: i32 = -1;
pub(crate) const TC_ACT_SHOT: i32 = 2;
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

impl Hook {
    /// What a program returns for a packet that goes up.
    pub(crate) fn pass(self) -> i32 {
        if self == Self::Tc {
            TC_ACT_UNSPEC
        } else {
            XDP_PASS
        }
    }
}

pub(crate) const HOOKS: [Hook; 3] = [Hook::Xdp, Hook::GenericXdp, Hook::Tc];

/// The record that the tests' flows are counted in; the first flow of a test lies there, too.
pub(crate) const STATS_RECORD: u32 = 3;
/// Records of a program; used in turns.
const RECORDS_LEN: u32 = 16;
/// Granted addresses that there is room for in the ports' table.
const BLOCKS: u32 = 16;

/// One program with its own maps.
pub(crate) struct Kernel {
    ebpf: Ebpf,
    pub(crate) hook: Hook,
    place: u32,
    granting: Granting,
    next_record: u32,
    /// Ports that were ever named something.
    named: BTreeSet<SocketAddr>,
}

/// What a program did with a packet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Ran {
    pub(crate) action: i32,
    pub(crate) packet: Vec<u8>,
}

/// Held by one test at a time: the verifier takes long enough that each program is loaded only once.
pub(crate) type Loaded = MutexGuard<'static, Kernel>;

/// At either place, by hook.
static LOADED: [[LazyLock<Mutex<Kernel>>; 3]; 2] = [
    [
        LazyLock::new(|| Mutex::new(Kernel::from_object(Hook::Xdp, PLACE_OWN))),
        LazyLock::new(|| Mutex::new(Kernel::from_object(Hook::GenericXdp, PLACE_OWN))),
        LazyLock::new(|| Mutex::new(Kernel::from_object(Hook::Tc, PLACE_OWN))),
    ],
    [
        LazyLock::new(|| Mutex::new(Kernel::from_object(Hook::Xdp, PLACE_NODE))),
        LazyLock::new(|| Mutex::new(Kernel::from_object(Hook::GenericXdp, PLACE_NODE))),
        LazyLock::new(|| Mutex::new(Kernel::from_object(Hook::Tc, PLACE_NODE))),
    ],
];

impl Kernel {
    /// The program with empty maps, at the node: what goes up goes up, whether there is a socket for it or not.
    pub(crate) fn load(hook: Hook) -> Loaded {
        Self::load_at(hook, PLACE_NODE)
    }

    /// The program with empty maps.
    pub(crate) fn load_at(hook: Hook, place: u32) -> Loaded {
        let mut kernel = LOADED[place as usize][hook as usize]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        kernel.clear();
        kernel
    }

    /// The program with maps of its own.
    pub(crate) fn from_object(hook: Hook, place: u32) -> Self {
        let generic = u32::from(hook == Hook::GenericXdp);
        let mut ebpf = EbpfLoader::new()
            .map_max_entries(PORTS, BLOCKS * PORT_LINES)
            .map_max_entries(RECORDS, RECORDS_LEN)
            .map_max_entries(OUTCOMES, nr_cpus().unwrap() as u32)
            .override_global(object::GENERIC_XDP, &generic, true)
            .override_global(object::PLACE, &place, true)
            .load(object::INSTANCE)
            .unwrap();
        match hook {
            Hook::Tc => tc(&mut ebpf).load().unwrap(),
            Hook::Xdp | Hook::GenericXdp => xdp(&mut ebpf).load().unwrap(),
        }
        Self {
            ebpf,
            hook,
            place,
            granting: Granting::default(),
            next_record: STATS_RECORD,
            named: BTreeSet::new(),
        }
    }

    /// Empties all maps.
    pub(crate) fn clear(&mut self) {
        for local in std::mem::take(&mut self.named) {
            self.name(local, 0);
        }
        self.named.clear();
        self.granting = Granting::default();
        self.write_grant();
        self.say_alive(now_ns());
        for number in 0..RECORDS_LEN {
            self.set(RECORDS, number, &Record::default());
        }
        self.next_record = STATS_RECORD;
        self.forget_outcomes();
    }

    /// Counts anew what becomes of packets.
    pub(crate) fn forget_outcomes(&mut self) {
        for cpu in 0..nr_cpus().unwrap() as u32 {
            self.set(OUTCOMES, cpu, &Outcomes([0; 32]));
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
        self.granting.block(local.ip());
        let egress = self.granting.egress(&flow);
        let from_local = self.granting.local(flow.from.ip());
        let record = Record {
            flow: flow.at(local, egress, from_local),
            ..self.record(number)
        };
        self.set(RECORDS, number, &record);
        self.name(local, number + 1);
    }

    /// The same for a flow with several receivers: each record is reckoned from what the one before it sends.
    pub(crate) fn install_several(&mut self, local: SocketAddr, receivers: &[Flow]) {
        let first = self.next_record;
        let mut arriving = (receivers[0].source, local);
        for (n, receiver) in receivers.iter().enumerate() {
            let number = (first + n as u32) % RECORDS_LEN;
            let egress = self.granting.egress(receiver);
            let from_local = self.granting.local(receiver.from.ip());
            let (source, local) = arriving;
            let mut flow = Flow {
                source,
                ..*receiver
            }
            .at(local, egress, from_local);
            if n == 0 && receivers.len() > 1 {
                flow.flags |= SEVERAL_RECEIVERS;
                for further in 1..receivers.len() as u32 {
                    flow.further[further as usize - 1] = (number + further) % RECORDS_LEN + 1;
                }
            }
            let record = Record {
                flow,
                ..self.record(number)
            };
            self.set(RECORDS, number, &record);
            arriving = (receiver.from, receiver.to);
        }
        self.next_record = (first + receivers.len() as u32) % RECORDS_LEN;
        self.granting.block(local.ip());
        self.name(local, first + 1);
    }

    /// Puts `name` at the port, whatever it is.
    pub(crate) fn name(&mut self, local: SocketAddr, name: u32) {
        self.named.insert(local);
        let block = self.granting.block(local.ip());
        self.write_grant();
        let port = usize::from(local.port());
        let line = block * PORT_LINES + (port / PORTS_PER_LINE) as u32;
        let mut ports: PortLine = self.get(PORTS, line);
        ports.0[port % PORTS_PER_LINE] = name;
        self.set(PORTS, line, &ports);
    }

    /// Takes the address out of the grant; what stands at its ports stays.
    pub(crate) fn forget(&mut self, address: IpAddr) {
        self.granting.forget(address);
        self.write_grant();
    }

    /// Changes what the table may do.
    pub(crate) fn change_grant(&mut self, change: impl FnOnce(&mut Grant)) {
        change(&mut self.granting.grant);
        self.write_grant();
    }

    /// Takes the lease of this place away, and gives the other one all.
    pub(crate) fn revoke_here_and_grant_elsewhere(&mut self) {
        let grant = self.granting.grant;
        self.set(GRANT, 1 - self.place, &grant);
        self.change_grant(|grant| grant.lease_ns = 0);
    }

    /// Changes the flow that was installed first.
    pub(crate) fn change_flow(&mut self, change: impl FnOnce(&mut underpass_abi::Flow)) {
        self.change_record(STATS_RECORD, change);
    }

    /// Changes the flow in a record.
    pub(crate) fn change_record(
        &mut self,
        number: u32,
        change: impl FnOnce(&mut underpass_abi::Flow),
    ) {
        let mut record = self.record(number);
        change(&mut record.flow);
        self.set(RECORDS, number, &record);
    }

    /// Says when the owner was alive.
    pub(crate) fn say_alive(&mut self, alive_ns: u64) {
        let header = Header {
            alive_ns,
            ..Header::default()
        };
        self.set(HEADER, 0, &header);
    }

    fn write_grant(&mut self) {
        let grant = self.granting.grant;
        self.set(GRANT, self.place, &grant);
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

    pub(crate) fn descriptor(&mut self) -> ProgramFd {
        let descriptor = match self.hook {
            Hook::Tc => tc(&mut self.ebpf).fd(),
            Hook::Xdp | Hook::GenericXdp => xdp(&mut self.ebpf).fd(),
        };
        descriptor.unwrap().try_clone().unwrap()
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
        // Before Linux 6.6 there is no hook without it; later it is not needed and does no harm.
        qdisc_add_clsact(interface).unwrap();
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
        let cpus = nr_cpus().unwrap() as u32;
        let lines: Vec<Outcomes> = (0..cpus).map(|cpu| self.get(OUTCOMES, cpu)).collect();
        let counted = |outcome| -> u64 { lines.iter().map(|line| line.0[outcome as usize]).sum() };
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
        self.hook.pass()
    }

    /// What it returns for a packet that is dropped.
    pub(crate) fn drop(&self) -> i32 {
        if self.hook == Hook::Tc {
            TC_ACT_SHOT
        } else {
            XDP_DROP
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
    ebpf.program_mut(object::XDP).unwrap().try_into().unwrap()
}

fn tc(ebpf: &mut Ebpf) -> &mut SchedClassifier {
    ebpf.program_mut(object::TC).unwrap().try_into().unwrap()
}

/// CLOCK_MONOTONIC.
pub(crate) fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// An abi type as a map's value.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub(crate) struct Plain<T>(pub(crate) T);

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
