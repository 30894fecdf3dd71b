//! The loaded programs and their maps.

use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use aya::maps::{Array, HashMap, MapData, PerCpuArray, PerCpuValues};
use aya::programs::tc::{SchedClassifierLinkId, qdisc_add_clsact};
use aya::programs::{SchedClassifier, TcAttachType, TestRun, TestRunOptions, Xdp};
use aya::{Ebpf, EbpfLoader};
use underpass::datapath::object;
use underpass_abi::{
    ANY_SSRC, FLOWS_V4, FLOWS_V6, Flow, FlowStats, OUTCOMES, OUTCOMES_LEN, Outcome, STATS,
};

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

/// One program with its own maps.
pub(crate) struct Kernel {
    ebpf: Ebpf,
    pub(crate) hook: Hook,
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
            .override_global(object::GENERIC_XDP, &generic, true)
            .load(object::BYTES)
            .unwrap();
        match hook {
            Hook::Tc => tc(&mut ebpf).load().unwrap(),
            Hook::Xdp | Hook::GenericXdp => xdp(&mut ebpf).load().unwrap(),
        }
        Self { ebpf, hook }
    }

    fn clear(&mut self) {
        let mut four = self.flows::<8>(FLOWS_V4);
        for key in four.keys().flatten().collect::<Vec<_>>() {
            four.remove(&key).unwrap();
        }
        let mut six = self.flows::<20>(FLOWS_V6);
        for key in six.keys().flatten().collect::<Vec<_>>() {
            six.remove(&key).unwrap();
        }
        let mut outcomes =
            PerCpuArray::<_, u64>::try_from(self.ebpf.map_mut(OUTCOMES).unwrap()).unwrap();
        for index in 0..outcomes.len() {
            let cpus = outcomes.get(&index, 0).unwrap().len();
            outcomes
                .set(index, PerCpuValues::try_from(vec![0; cpus]).unwrap(), 0)
                .unwrap();
        }
        let mut stats = Array::<_, [u64; 24]>::try_from(self.ebpf.map_mut(STATS).unwrap()).unwrap();
        stats.set(3, [0; 24], 0).unwrap();
    }

    /// With `flow` for what arrives at `local`.
    pub(crate) fn with(hook: Hook, local: &str, flow: Flow) -> Loaded {
        let mut kernel = Self::load(hook);
        kernel.install(local.parse().unwrap(), flow);
        kernel
    }

    pub(crate) fn install(&mut self, local: SocketAddr, flow: Flow) {
        // SAFETY: a flow is 128 bytes without padding.
        let value: [u8; 128] = unsafe { std::mem::transmute(flow) };
        match local.ip() {
            IpAddr::V4(_) => self
                .flows::<8>(FLOWS_V4)
                .insert(key::<8>(local), value, 0)
                .unwrap(),
            IpAddr::V6(_) => self
                .flows::<20>(FLOWS_V6)
                .insert(key::<20>(local), value, 0)
                .unwrap(),
        }
    }

    pub(crate) fn remove(&mut self, local: SocketAddr) {
        match local.ip() {
            IpAddr::V4(_) => self.flows::<8>(FLOWS_V4).remove(&key::<8>(local)).unwrap(),
            IpAddr::V6(_) => self
                .flows::<20>(FLOWS_V6)
                .remove(&key::<20>(local))
                .unwrap(),
        }
    }

    fn flows<const KEY: usize>(
        &mut self,
        name: &str,
    ) -> HashMap<&mut MapData, [u8; KEY], [u8; 128]> {
        self.ebpf.map_mut(name).unwrap().try_into().unwrap()
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

    pub(crate) fn outcomes(&self) -> Vec<(Outcome, u64)> {
        let map = PerCpuArray::<_, u64>::try_from(self.ebpf.map(OUTCOMES).unwrap()).unwrap();
        assert_eq!(map.len(), OUTCOMES_LEN);
        Outcome::ALL
            .into_iter()
            .map(|outcome| (outcome, map.get(&(outcome as u32), 0).unwrap().iter().sum()))
            .filter(|(_, count)| *count != 0)
            .collect()
    }

    pub(crate) fn stats(&self, slot: u32) -> FlowStats {
        let map = Array::<_, [u64; 24]>::try_from(self.ebpf.map(STATS).unwrap()).unwrap();
        // SAFETY: both are 192 bytes, and any bytes are statistics.
        unsafe { std::mem::transmute(map.get(&slot, 0).unwrap()) }
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

/// A flow that takes any payload type and SSRC from `source`, and sends `from` - `to`.
pub(crate) fn flow(source: &str, from: &str, to: &str) -> Flow {
    let [source, from, to]: [SocketAddr; 3] =
        [source, from, to].map(|address| address.parse().unwrap());
    Flow {
        payload_types: [u64::MAX; 2],
        source_address: octets(source.ip()),
        from_address: octets(from.ip()),
        to_address: octets(to.ip()),
        source_port: source.port().to_be_bytes(),
        from_port: from.port().to_be_bytes(),
        to_port: to.port().to_be_bytes(),
        egress_mtu: 1500,
        egress_ifindex: 77,
        stats_slot: 3,
        clock_rate: 8000,
        to_mac: [2, 0, 0, 0, 0, 0x22],
        from_mac: [2, 0, 0, 0, 0, 0x11],
        egress_family: if to.is_ipv4() { 4 } else { 6 },
        flags: ANY_SSRC,
        tos: 0xb8,
        ttl: 64,
        ..Flow::default()
    }
}

/// Address, port, two zero bytes.
fn key<const KEY: usize>(local: SocketAddr) -> [u8; KEY] {
    let mut key = [0; KEY];
    key[..KEY - 4].copy_from_slice(&octets(local.ip())[..KEY - 4]);
    key[KEY - 4..KEY - 2].copy_from_slice(&local.port().to_be_bytes());
    key
}

fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => {
            let mut octets = [0; 16];
            octets[..4].copy_from_slice(&ip.octets());
            octets
        }
        IpAddr::V6(ip) => ip.octets(),
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
