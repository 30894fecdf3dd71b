//! The whole of media on loopback: real sockets, a datapath that records what it is asked.

mod events;
mod flood;
mod forwarding;
mod kernel;
mod lengths;
mod piercing;
mod pool;
mod recording;
mod resuming;
mod rtcp;
mod treatment;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::*;
use crate::datapath::{Flow, FlowId, FlowReport, FlowState, PayloadTypes, Reason};
use crate::plan::{
    Component, Digits, EndpointLearning, LocalAddress, PortPair, PortSource, RtcpHandling,
    Silences, Sink, StreamId, StreamPlan, StreamReader, StreamView,
};

/// Far longer than anything here takes; no test passes by waiting it out.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for a condition.
#[track_caller]
fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A loopback address that no other test uses, likely not even one in another process.
fn own_address() -> IpAddr {
    let [a, b, c]: [u8; 3] = rand::random();
    Ipv4Addr::new(127, a.max(1), b, c.clamp(1, 254)).into()
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Asked {
    Install(FlowId, Flow),
    Remove(FlowId),
}

/// A datapath that forwards nothing and says it does.
#[derive(Default)]
struct Recorder {
    asked: Mutex<Vec<Asked>>,
    reports: Mutex<BTreeMap<FlowId, Arc<FlowReport>>>,
    /// Ports said to have sockets, and how often something was said about that.
    held: Mutex<(BTreeSet<SocketAddr>, usize)>,
}

impl Datapath for Recorder {
    fn install(&self, id: FlowId, flow: Flow, report: Arc<FlowReport>) {
        report.set_state(FlowState::Kernel);
        self.asked.lock().unwrap().push(Asked::Install(id, flow));
        self.reports.lock().unwrap().insert(id, report);
    }

    fn remove(&self, id: FlowId) {
        if let Some(report) = self.reports.lock().unwrap().remove(&id) {
            report.set_state(FlowState::UserSpace(Reason::NotInstalled));
        }
        self.asked.lock().unwrap().push(Asked::Remove(id));
    }

    fn refresh(&self) {}

    fn refresh_flows(&self, _flows: &[FlowId]) {}

    fn hold(&self, ports: &[SocketAddr]) {
        let mut held = self.held.lock().unwrap();
        held.0.extend(ports);
        held.1 += 1;
    }

    fn let_go(&self, ports: &[SocketAddr]) {
        let mut held = self.held.lock().unwrap();
        held.0.retain(|port| !ports.contains(port));
        held.1 += 1;
    }
}

impl Recorder {
    /// What was asked about a stream's flow.
    fn about(&self, stream: StreamId) -> Vec<Asked> {
        let id = FlowId(stream.0);
        let of_stream = |asked: &&Asked| match asked {
            Asked::Install(other, _) | Asked::Remove(other) => *other == id,
        };
        let asked = self.asked.lock().unwrap();
        asked.iter().filter(of_stream).cloned().collect()
    }

    /// The flow of a stream that stands now.
    fn flow(&self, stream: StreamId) -> Option<Flow> {
        match self.about(stream).pop() {
            Some(Asked::Install(_, flow)) => Some(flow),
            _ => None,
        }
    }
}

/// The same range at every address.
fn ports(
    addresses: impl IntoIterator<Item = IpAddr>,
    (first, last): (u16, u16),
) -> BTreeMap<IpAddr, MediaPorts> {
    let range = MediaPorts::new(PortRange { first, last }, &[]);
    let addresses = addresses.into_iter();
    addresses.map(|address| (address, range.clone())).collect()
}

struct Relay {
    media: Media,
    datapath: Arc<Recorder>,
    address: IpAddr,
    calls: u64,
}

impl Relay {
    fn start() -> Self {
        Self::with(own_address(), (20_000, 20_199))
    }

    fn with(address: IpAddr, ports: (u16, u16)) -> Self {
        let relay = Self::resting(address, ports, Duration::from_millis(1));
        assert!(relay.media.wait_ready(PATIENCE));
        relay
    }

    fn recording(recorder: Arc<crate::recording::Recorder>) -> Self {
        let rest = Duration::from_millis(1);
        let relay = Self::made(own_address(), (20_000, 20_199), rest, Some(recorder));
        assert!(relay.media.wait_ready(PATIENCE));
        relay
    }

    /// A relay whose ports rest for `rest`; none of them has yet.
    fn resting(address: IpAddr, ports: (u16, u16), rest: Duration) -> Self {
        Self::made(address, ports, rest, None)
    }

    fn made(
        address: IpAddr,
        ports: (u16, u16),
        rest: Duration,
        recorder: Option<Arc<crate::recording::Recorder>>,
    ) -> Self {
        let datapath = Arc::new(Recorder::default());
        let media = Media::start(MediaConfig {
            workers: 2,
            rest,
            ready_pairs: 8,
            recorder,
            ..MediaConfig::new(self::ports([address], ports), datapath.clone())
        })
        .unwrap();
        Self {
            media,
            datapath,
            address,
            calls: 0,
        }
    }

    fn take(&self) -> Result<PortPair, crate::plan::OutOfPorts> {
        self.media.ports().take(&LocalAddress {
            address: self.address,
            advertised: self.address,
        })
    }

    /// Takes a pair, however long one takes to get ready.
    fn take_in_time(&self) -> PortPair {
        let mut taken = None;
        wait_until("a pair can be taken", || {
            taken = self.take().ok();
            taken.is_some()
        });
        taken.unwrap()
    }

    fn view(&self, stream: StreamId) -> StreamView {
        self.media
            .streams()
            .view(stream)
            .expect("the stream is open")
    }

    fn update(&self, stream: StreamId, plan: StreamPlan) {
        self.media.apply(vec![Action::Update { stream, plan }]);
    }

    /// A call of two phones with separate RTCP; `rules` shapes each stream's plan before it is opened.
    fn call(&mut self, rules: impl Fn(&mut StreamPlan)) -> Call {
        self.calls += 1;
        let call = CallKey(self.calls);
        let sides = [
            Side::new(self.take_in_time()),
            Side::new(self.take_in_time()),
        ];
        let mut actions = Vec::new();
        let mut plans = Vec::new();
        for (own, other) in [(0, 1), (1, 0)] {
            let (own, other) = (&sides[own], &sides[other]);
            for (port, phone, component, sinks, rtcp_sinks) in [
                (
                    &own.pair.rtp,
                    &own.rtp,
                    Component::Rtp,
                    other.pair.rtp.id,
                    other.pair.rtcp.id,
                ),
                (
                    &own.pair.rtcp,
                    &own.rtcp,
                    Component::Rtcp,
                    other.pair.rtcp.id,
                    other.pair.rtcp.id,
                ),
            ] {
                let mut plan = StreamPlan {
                    component,
                    endpoint: Some(phone.local_addr().unwrap()),
                    public: true,
                    signalled: 1,
                    resets: 0,
                    learning: EndpointLearning::Heuristic,
                    strict_source: false,
                    media_handover: false,
                    asymmetric: false,
                    nat_wait: false,
                    pierce_nat: false,
                    sinks: vec![Sink::untouched(sinks)],
                    rtcp_sinks: vec![rtcp_sinks],
                    rtcp: RtcpHandling::default(),
                    payload_types: PayloadTypes::ALL,
                    telephone_events: PayloadTypes::NONE,
                    event_clock_rates: Vec::new(),
                    digits: Digits::Pass,
                    detect_events: false,
                    watch_digits: false,
                    silences: Silences::default(),
                    never_short: PayloadTypes::NONE,
                    clock_rate: 8000,
                    tos: 0,
                    recording: None,
                };
                rules(&mut plan);
                plans.push(plan.clone());
                let port = port.clone();
                actions.push(Action::Open {
                    call,
                    port,
                    plan,
                    predecessor: None,
                    learned: None,
                });
            }
        }
        self.media.apply(actions);
        let [a, b] = sides;
        let mut plans = plans.into_iter();
        let mut next = || plans.next().unwrap();
        let (a_plan, _, b_plan, b_rtcp_plan) = (next(), next(), next(), next());
        Call {
            a_plan,
            b_plan,
            b_rtcp_plan,
            a,
            b,
        }
    }

    fn hang_up(&self, call: &Call) {
        self.media.apply(vec![
            Action::Close {
                pair: call.a.pair.clone(),
            },
            Action::Close {
                pair: call.b.pair.clone(),
            },
        ]);
    }
}

struct Call {
    a: Side,
    b: Side,
    a_plan: StreamPlan,
    b_plan: StreamPlan,
    b_rtcp_plan: StreamPlan,
}

/// A phone and the relay's ports for it.
struct Side {
    pair: PortPair,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Side {
    fn new(pair: PortPair) -> Self {
        Self {
            pair,
            rtp: phone(),
            rtcp: phone(),
        }
    }

    fn id(&self) -> StreamId {
        self.pair.rtp.id
    }

    fn rtcp_id(&self) -> StreamId {
        self.pair.rtcp.id
    }

    /// Sends from the phone's RTP socket to the relay's RTP port.
    fn send(&self, packet: &[u8]) {
        self.rtp.send_to(packet, self.pair.rtp.address).unwrap();
    }

    fn endpoint(&self) -> SocketAddr {
        self.rtp.local_addr().unwrap()
    }
}

fn phone() -> UdpSocket {
    let socket = UdpSocket::bind((own_address(), 0)).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 65_536];
    let (length, from) = socket.recv_from(&mut buffer).expect("a packet arrives");
    buffer.truncate(length);
    (buffer, from)
}

fn rtp(ssrc: u32, sequence: u16) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend(sequence.to_be_bytes());
    packet.extend((u32::from(sequence) * 160).to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([0xd5; 160]);
    packet
}

fn rtcp() -> Vec<u8> {
    vec![0x80, 200, 0, 1, 0, 0, 0, 7]
}
