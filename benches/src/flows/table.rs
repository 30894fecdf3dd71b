//! A running datapath between two networks, flows in it, and packets for them.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use lab::{Family, Lab, Netns, Side, TwoNetworks, Wiring, wait_until};
use underpass::datapath::{
    EngineChoice, Flow, FlowId, FlowReport, FlowState, PayloadTypes, SsrcFilter,
};

use crate::datapath::Running;
use crate::packet::PAYLOAD;

/// The parties' one port: as at a gateway, all flows of a side come from it and go to it.
const PARTY: u16 = 4000;
/// The relay's first port.
const FIRST: usize = 10_000;
/// The port of the two flows that stand all the time, so that next hops are known, as at a relay with calls.
const STANDING: u16 = 9000;
/// How long a removed flow's place in the table rests, and a little longer.
const REST: Duration = Duration::from_millis(3500);

/// The table under measurement.
pub(super) struct Table {
    running: Running,
    parties: [UdpSocket; 2],
    /// Wanted, and not installed yet.
    prepared: Vec<(FlowId, Flow)>,
    flows: Vec<(FlowId, Arc<FlowReport>)>,
    next_id: u64,
    sequence: u16,
    _net: TwoNetworks,
}

impl Table {
    /// A datapath on tc with room for so many flows, and none in it but the two that stand.
    pub(super) fn start(most: usize) -> Result<Self> {
        let lab = Lab::open().context("the datapath needs root for network namespaces")?;
        let net = TwoNetworks::build(&lab, Wiring::Veth);
        let addresses = vec![Side::A.relay(Family::V4), Side::B.relay(Family::V4)];
        let max_flows = u32::try_from(most)?.max(1) * 5 / 4 + 8;
        let running = Running::start(&net.relay, addresses, EngineChoice::Tc, max_flows)?;
        let parties = [party(&net.caller, Side::A)?, party(&net.callee, Side::B)?];
        let mut table = Self {
            running,
            parties,
            prepared: Vec::new(),
            flows: Vec::new(),
            next_id: 0,
            sequence: 0,
            _net: net,
        };
        table.stand()?;
        Ok(table)
    }

    /// Installs a flow each way, and waits until the kernel forwards both.
    fn stand(&mut self) -> Result<()> {
        for side in [Side::A, Side::B] {
            let (id, report) = (self.id(), Arc::<FlowReport>::default());
            let flow = flow(side, STANDING);
            let relay = flow.local;
            self.running
                .datapath()
                .install(id, flow, Arc::clone(&report));
            // Brings neighbours to know one another.
            let packet = self.packet();
            self.parties[side as usize].send_to(&packet, relay)?;
            wait_until("a flow in the kernel", || {
                report.state() == FlowState::Kernel
            });
        }
        Ok(())
    }

    /// Makes ready what is missing to have so many flows, and says how many that are.
    pub(super) fn prepare(&mut self, flows: usize) -> usize {
        for n in self.flows.len()..flows {
            let side = if n % 2 == 0 { Side::A } else { Side::B };
            let id = self.id();
            self.prepared.push((id, flow(side, (FIRST + n / 2) as u16)));
        }
        self.flows.reserve(self.prepared.len());
        self.prepared.len()
    }

    /// Installs what was prepared, and returns when it is done.
    pub(super) fn install(&mut self) {
        for (id, flow) in self.prepared.drain(..) {
            let report = Arc::<FlowReport>::default();
            self.running
                .datapath()
                .install(id, flow, Arc::clone(&report));
            self.flows.push((id, report));
        }
        self.await_done();
    }

    /// Removes flows until only so many are left, and returns when it is done.
    pub(super) fn remove_down_to(&mut self, flows: usize) {
        for (id, _) in self.flows.drain(flows..) {
            self.running.datapath().remove(id);
        }
        self.await_done();
    }

    /// Waits until the places of removed flows can be had again.
    pub(super) fn rest(&self) {
        std::thread::sleep(REST);
    }

    /// Brings all counters up to date.
    pub(super) fn refresh(&self) {
        self.running.datapath().refresh();
    }

    /// Flows that the kernel forwards, by their reports.
    pub(super) fn in_kernel(&self) -> usize {
        let reports = self.flows.iter().map(|(_, report)| report.state());
        reports.filter(|state| *state == FlowState::Kernel).count()
    }

    /// Packets counted at all flows, as of the last refresh.
    pub(super) fn counted(&self) -> u64 {
        self.flows.iter().map(|(_, report)| report.packets()).sum()
    }

    /// Sends one RTP packet to every flow.
    pub(super) fn send_one_each(&mut self) -> Result<()> {
        let packet = self.packet();
        for n in 0..self.flows.len() {
            let side = if n % 2 == 0 { Side::A } else { Side::B };
            let port = (FIRST + n / 2) as u16;
            let to = SocketAddr::new(side.relay(Family::V4), port);
            self.parties[side as usize].send_to(&packet, to)?;
        }
        Ok(())
    }

    /// Whatever was wished for has been carried out: wishes are carried out in turn.
    fn await_done(&self) {
        self.running.datapath().refresh_flows(&[]);
    }

    fn id(&mut self) -> FlowId {
        self.next_id += 1;
        FlowId(self.next_id)
    }

    /// The next RTP packet of every flow.
    fn packet(&mut self) -> Vec<u8> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut packet = vec![0x80, 0];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend([0, 0, 0, 160, 0, 0, 0, 1]);
        packet.resize(12 + PAYLOAD, 0xd5);
        packet
    }
}

/// What comes in on `side` at this port and goes out on the other.
fn flow(side: Side, port: u16) -> Flow {
    let other = match side {
        Side::A => Side::B,
        Side::B => Side::A,
    };
    Flow {
        local: SocketAddr::new(side.relay(Family::V4), port),
        source: SocketAddr::new(side.far(Family::V4), PARTY),
        from: SocketAddr::new(other.relay(Family::V4), port),
        to: SocketAddr::new(other.far(Family::V4), PARTY),
        tos: 0,
        further: Box::default(),
        payload_types: PayloadTypes::ALL,
        ssrcs: SsrcFilter::Any,
        clock_rate: 8000,
    }
}

/// A party's socket, whose small buffer is never read.
fn party(ns: &Netns, side: Side) -> Result<UdpSocket> {
    let address = SocketAddr::new(side.far(Family::V4), PARTY);
    let socket = ns.run(|| UdpSocket::bind(address))?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(4096)?;
    Ok(socket)
}
