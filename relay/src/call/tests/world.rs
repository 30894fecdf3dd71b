//! A relay without sockets: every action is carried out on a table, and checked.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use ng_protocol::{Datagram, Dict, Reply, Value, bencode};

use crate::call::{Calls, Settings, Timestamp};
use crate::plan::{
    Action, Learned, LocalAddress, LocalPort, LogicalInterface, OutOfPorts, PortPair, PortSource,
    Recording, RecordingId, RetakeError, StreamId, StreamPlan, StreamReader, StreamView,
};
use crate::sdp::{self, Session};

/// What the relay announces on its default interface: 192.0.2.1 is 203.0.113.1 outside.
pub(super) const LOCAL: &str = "192.0.2.1";
pub(super) const ADVERTISED: &str = "203.0.113.1";
pub(super) const LOCAL6: &str = "2001:db8::1";
/// The only address of the interface `int`.
pub(super) const INTERNAL: &str = "10.0.0.1";

pub(super) struct World {
    pub(super) calls: Calls,
    pub(super) pool: Pool,
    pub(super) streams: Streams,
    pub(super) now: Timestamp,
    pub(super) plans: BTreeMap<StreamId, StreamPlan>,
    /// Those that have begun and not ended.
    pub(super) recordings: BTreeSet<RecordingId>,
    /// What the last command or tick asked for.
    pub(super) actions: Vec<Action>,
    /// Those of them that do more than count a command ([`StreamPlan::signalled`]).
    pub(super) news: Vec<Action>,
}

/// Hands out ports from 30000 up, and from there again once they have all been used.
pub(super) struct Pool {
    pub(super) next: u16,
    pub(super) left: usize,
    /// Addresses with fewer pairs left than that.
    pub(super) short: BTreeMap<IpAddr, usize>,
    pub(super) held: BTreeMap<StreamId, PortPair>,
    /// What is added to the names of ports that are taken again.
    pub(super) renamed: u64,
    /// The ports that cannot be taken again.
    pub(super) refused: BTreeMap<SocketAddr, RetakeError>,
}

impl Pool {
    fn advance(&mut self) {
        self.next = if self.next > 65_000 {
            30_000
        } else {
            self.next + 2
        };
    }
}

impl PortSource for Pool {
    fn take(&mut self, address: &LocalAddress) -> Result<PortPair, OutOfPorts> {
        if self.free(address) == 0 {
            return Err(OutOfPorts);
        }
        self.left -= 1;
        if let Some(left) = self.short.get_mut(&address.address) {
            *left -= 1;
        }
        while self.held.contains_key(&StreamId(u64::from(self.next))) {
            self.advance();
        }
        let port = |number: u16| LocalPort {
            id: StreamId(u64::from(number)),
            address: SocketAddr::new(address.address, number),
            advertised: address.advertised,
        };
        let pair = PortPair {
            rtp: port(self.next),
            rtcp: port(self.next + 1),
        };
        self.advance();
        self.held.insert(pair.rtp.id, pair.clone());
        Ok(pair)
    }

    fn free(&self, address: &LocalAddress) -> usize {
        let left = self.short.get(&address.address);
        left.map_or(self.left, |left| *left.min(&self.left))
    }

    fn retake(&mut self, rtp: SocketAddr) -> Result<PortPair, RetakeError> {
        if let Some(why) = self.refused.get(&rtp) {
            return Err(why.clone());
        }
        self.left -= 1;
        let port = |number: u16| LocalPort {
            id: StreamId(u64::from(number) + self.renamed),
            address: SocketAddr::new(rtp.ip(), number),
            advertised: rtp.ip(),
        };
        let pair = PortPair {
            rtp: port(rtp.port()),
            rtcp: port(rtp.port() + 1),
        };
        self.held.insert(pair.rtp.id, pair.clone());
        Ok(pair)
    }

    fn give_back(&mut self, pair: PortPair) {
        assert!(self.held.remove(&pair.rtp.id).is_some(), "given back twice");
        self.left += 1;
        if let Some(left) = self.short.get_mut(&pair.rtp.address.ip()) {
            *left += 1;
        }
    }
}

/// Counters set by the test.
#[derive(Default)]
pub(super) struct Streams(pub(super) BTreeMap<StreamId, StreamView>);

impl StreamReader for Streams {
    fn view(&self, stream: StreamId) -> Option<StreamView> {
        self.0.get(&stream).cloned()
    }

    fn last_packet_ms(&self, stream: StreamId) -> Option<u64> {
        let view = self.0.get(&stream)?;
        Some(view.last_user_ms.max(view.last_kernel_ms))
    }

    fn learned(&self, stream: StreamId) -> Option<Learned> {
        let view = self.0.get(&stream)?;
        Some(Learned {
            send_to: view.endpoint,
            packets: view.user_packets,
            bytes: view.user_bytes,
            last_ms: view.last_user_ms,
            ..Learned::default()
        })
    }

    fn kernel_reason(&self, stream: StreamId) -> Option<Option<&'static str>> {
        Some(self.0.get(&stream)?.kernel_reason)
    }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Settings::default())
    }

    /// A relay with other interfaces than usual.
    pub(super) fn on(interfaces: Vec<LogicalInterface>) -> Self {
        Self::made(Settings::default(), interfaces)
    }

    pub(super) fn with(settings: Settings) -> Self {
        Self::made(settings, interfaces())
    }

    fn made(settings: Settings, interfaces: Vec<LogicalInterface>) -> Self {
        let now = Timestamp {
            wall_us: 1_700_000_000_250_000,
            monotonic_ms: 1_000_000,
        };
        Self {
            calls: Calls::new(settings, interfaces, 0xabcd_ef01_2345, now),
            pool: Pool {
                next: 30000,
                left: 1000,
                short: BTreeMap::new(),
                held: BTreeMap::new(),
                renamed: 0,
                refused: BTreeMap::new(),
            },
            streams: Streams::default(),
            now,
            plans: BTreeMap::new(),
            recordings: BTreeSet::new(),
            actions: Vec::new(),
            news: Vec::new(),
        }
    }

    /// Sends a command through the codec, as a datagram.
    pub(super) fn send(&mut self, command: Command) -> Outcome {
        let mut datagram = b"cookie ".to_vec();
        bencode::encode_dict(&command.0, &mut datagram);
        self.receive(&datagram)
    }

    /// Receives a datagram.
    pub(super) fn receive(&mut self, datagram: &[u8]) -> Outcome {
        let received = Bytes::copy_from_slice(datagram);
        let request = Datagram::split(received.clone())
            .unwrap()
            .request()
            .unwrap();
        let (reply, actions) =
            self.calls
                .execute(&request, self.now, &mut self.pool, &self.streams);
        // A body that is looping goes back as it came.
        let body = request.sdp.clone().map(Value::from);
        let returned = body.is_some() && reply.dict().get("sdp") == body.as_ref();
        drop((request, body));
        assert!(returned || received.is_unique(), "the datagram is kept");
        self.carry_out(actions);
        Outcome(reply)
    }

    /// Lets time pass, then ticks.
    pub(super) fn pass(&mut self, seconds: u64) {
        self.pass_ms(seconds * 1000);
    }

    pub(super) fn pass_ms(&mut self, ms: u64) {
        self.now.monotonic_ms += ms;
        self.now.wall_us += ms * 1000;
        let actions = self.calls.tick(self.now, &self.streams);
        self.carry_out(actions);
    }

    /// Carries out the actions of something that is not a command.
    pub(super) fn finish(&mut self, actions: Vec<Action>) {
        self.carry_out(actions);
    }

    fn carry_out(&mut self, actions: Vec<Action>) {
        self.news.clear();
        for action in &actions {
            let mut says_something = true;
            match action.clone() {
                Action::Open {
                    port,
                    plan,
                    learned,
                    ..
                } => {
                    let learned = *learned.unwrap_or_default();
                    let view = StreamView {
                        user_packets: learned.packets,
                        user_bytes: learned.bytes,
                        last_user_ms: learned.last_ms,
                        endpoint: learned.send_to,
                        ..StreamView::default()
                    };
                    self.streams.0.insert(port.id, view);
                    assert!(self.plans.insert(port.id, plan).is_none(), "opened twice");
                }
                Action::Update { stream, plan } => {
                    let before = self.plans.insert(stream, plan.clone());
                    let before = before.expect("update of a closed stream");
                    assert_ne!(before, plan);
                    assert!(before.signalled <= plan.signalled, "counted backwards");
                    let signalled = plan.signalled;
                    says_something = StreamPlan {
                        signalled,
                        ..before
                    } != plan;
                }
                Action::Move { pairs, .. } => {
                    let mut ids = pairs.iter().flat_map(|pair| [pair.rtp.id, pair.rtcp.id]);
                    assert!(
                        ids.all(|id| self.plans.contains_key(&id)),
                        "moved and not open"
                    );
                }
                Action::Close { pair } => {
                    for id in [pair.rtp.id, pair.rtcp.id] {
                        assert!(self.plans.remove(&id).is_some(), "closed twice");
                        self.streams.0.remove(&id);
                    }
                    self.pool.give_back(pair);
                }
                Action::Record(event) => {
                    let open = &mut self.recordings;
                    match &event {
                        Recording::Begin { id, .. } => assert!(open.insert(*id), "begun twice"),
                        ending if ending.is_end() => {
                            assert!(open.remove(&ending.id()), "ended twice")
                        }
                        other => assert!(
                            open.contains(&other.id()),
                            "told of a recording that is not"
                        ),
                    }
                }
            }
            if says_something {
                self.news.push(action.clone());
            }
        }
        self.actions = actions;
        self.check();
    }

    /// What holds after every command: ports held are those of calls, all of them served, and sinks are open.
    fn check(&self) {
        let held: BTreeSet<StreamId> = self.pool.held.keys().copied().collect();
        let mut reachable = BTreeSet::new();
        for active in self.calls.calls.values() {
            for pair in active.call.ports() {
                assert!(reachable.insert(pair.rtp.id), "a port in two places");
            }
        }
        assert_eq!(held, reachable, "ports held against ports of calls");
        let of_pairs = |pair: &PortPair| [pair.rtp.id, pair.rtcp.id];
        let streams: BTreeSet<StreamId> = self.pool.held.values().flat_map(of_pairs).collect();
        let open: BTreeSet<StreamId> = self.plans.keys().copied().collect();
        assert_eq!(streams, open, "ports held against streams served");
        for plan in self.plans.values() {
            let recorded = plan.recording.iter();
            recorded.for_each(|id| assert!(self.recordings.contains(id), "into no recording"));
            let rtp_sinks = plan.sinks.iter().map(|sink| &sink.stream);
            for sink in rtp_sinks.chain(&plan.rtcp_sinks) {
                assert!(open.contains(sink), "a sink that is closed");
            }
        }
    }

    pub(super) fn plan(&self, port: u16) -> &StreamPlan {
        &self.plans[&StreamId(u64::from(port))]
    }

    pub(super) fn view(&mut self, port: u16) -> &mut StreamView {
        self.streams
            .0
            .get_mut(&StreamId(u64::from(port)))
            .expect("an open stream")
    }

    /// A packet has just been forwarded in user space.
    pub(super) fn packet(&mut self, port: u16) {
        let now = self.now.monotonic_ms;
        let view = self.view(port);
        view.user_packets += 1;
        view.user_bytes += 172;
        view.last_user_ms = now;
    }

    /// Offer and answer between tags `a` and `b` of call `c`: the ports towards b and towards a.
    pub(super) fn call(&mut self) -> (u16, u16) {
        let offer = self.send(offer(&audio(A, 4000)));
        let answer = self.send(answer(&audio(B, 5000)));
        (offer.port(), answer.port())
    }
}

fn interfaces() -> Vec<LogicalInterface> {
    let address = |address: &str, advertised: &str| LocalAddress {
        address: ip(address),
        advertised: ip(advertised),
    };
    vec![
        LogicalInterface {
            name: "ext".into(),
            addresses: vec![address(LOCAL, ADVERTISED), address(LOCAL6, LOCAL6)],
        },
        LogicalInterface {
            name: "int".into(),
            addresses: vec![address(INTERNAL, INTERNAL)],
        },
    ]
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(super) fn at(text: &str) -> Option<SocketAddr> {
    Some(text.parse().unwrap())
}

/// The offerer's address.
pub(super) const A: &str = "198.51.100.10";
/// The answerer's address.
pub(super) const B: &str = "198.51.100.20";

/// An SDP with one audio section.
pub(super) fn audio(address: &str, port: u16) -> String {
    sdp_of(address, &[&format!("m=audio {port} RTP/AVP 0 8 101")])
}

/// An SDP with these lines after the session's.
pub(super) fn sdp_of(address: &str, lines: &[&str]) -> String {
    let family = if address.contains(':') { "IP6" } else { "IP4" };
    let mut body = format!(
        "v=0\r\no=- 1 1 IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n"
    );
    for line in lines {
        body.push_str(line);
        body.push_str("\r\n");
    }
    body
}

/// A request under construction.
#[derive(Clone, Debug)]
pub(super) struct Command(Dict);

pub(super) fn command(name: &'static str) -> Command {
    let mut dict = Dict::new();
    dict.insert("command", name);
    Command(dict)
}

pub(super) fn offer(sdp: &str) -> Command {
    command("offer")
        .with("call-id", "c")
        .with("from-tag", "a")
        .with("sdp", sdp.to_owned())
}

pub(super) fn answer(sdp: &str) -> Command {
    answer_by("b", sdp)
}

pub(super) fn answer_by(tag: &'static str, sdp: &str) -> Command {
    command("answer")
        .with("call-id", "c")
        .with("from-tag", "a")
        .with("to-tag", tag)
        .with("sdp", sdp.to_owned())
}

pub(super) fn delete() -> Command {
    command("delete").with("call-id", "c")
}

impl Command {
    pub(super) fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.0.insert(key, value);
        self
    }

    /// The same with another value for a key.
    pub(super) fn but(self, key: &'static str, value: impl Into<Value>) -> Self {
        let others = self.0.iter().filter(|(name, _)| *name != key);
        let dict = others
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Self(dict).with(key, value)
    }

    pub(super) fn list(self, key: &'static str, words: &[&'static str]) -> Self {
        let words: Vec<Value> = words.iter().map(|word| Value::from(*word)).collect();
        self.with(key, words)
    }
}

/// A reply.
#[derive(Debug)]
pub(super) struct Outcome(pub(super) Reply);

impl Outcome {
    pub(super) fn result(&self) -> &str {
        self.text("result")
    }

    pub(super) fn text(&self, key: &str) -> &str {
        let value = self.0.dict().get(key);
        value.and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn reason(&self) -> &str {
        self.text("error-reason")
    }

    pub(super) fn sdp(&self) -> &str {
        assert_eq!(self.result(), "ok", "{}", self.reason());
        self.text("sdp")
    }

    pub(super) fn has_line(&self, line: &str) -> bool {
        self.sdp().lines().any(|known| known == line)
    }

    pub(super) fn session(&self) -> Session {
        sdp::parse(&Bytes::copy_from_slice(self.sdp().as_bytes())).unwrap()
    }

    /// The port of a media section, the first if it is the only one that matters.
    pub(super) fn port_of(&self, index: usize) -> u16 {
        self.session().medias[index].port
    }

    pub(super) fn port(&self) -> u16 {
        self.port_of(0)
    }

    pub(super) fn address(&self) -> IpAddr {
        self.session().medias[0].connection.unwrap().address
    }

    /// A value deep in the reply; numbers index lists.
    pub(super) fn at(&self, path: &[&str]) -> Option<Value> {
        let mut value = Value::from(self.0.dict().clone());
        for step in path {
            value = match &value {
                Value::List(items) => items.get(step.parse::<usize>().ok()?)?.clone(),
                value => value.as_dict()?.get(step)?.clone(),
            };
        }
        Some(value)
    }

    pub(super) fn words(&self, path: &[&str]) -> Vec<String> {
        let value = self.at(path).expect("a list");
        let words = value.as_list().expect("a list").iter();
        words
            .map(|word| word.as_str().expect("a word").to_owned())
            .collect()
    }
}
