//! Streams that are recorded: into real files, and out of the kernel.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::plan::{Recording, RecordingId, Treatment};
use crate::recording::{Format, Recorder as FileRecorder, Sides};

const ID: RecordingId = RecordingId(1);

struct Room {
    directory: TempDir,
    recorder: Arc<FileRecorder>,
    relay: Relay,
}

impl Room {
    fn open() -> Self {
        Self::recording(Sides::default())
    }

    fn recording(sides: Sides) -> Self {
        let directory = TempDir::new().unwrap();
        let recorder = FileRecorder::start(directory.path(), Format::Raw).unwrap();
        let recorder = Arc::new(recorder.of(sides));
        let relay = Relay::recording(Arc::clone(&recorder));
        relay.media.apply(vec![Action::Record(Recording::Begin {
            id: ID,
            name: "x".to_owned(),
        })]);
        Self {
            directory,
            recorder,
            relay,
        }
    }

    /// The datagrams that have been recorded: UDP headers and payloads.
    fn recorded(&self) -> Vec<Vec<u8>> {
        self.recorder.settle();
        let file = fs::read(self.directory.path().join("pcaps/x.pcap")).unwrap();
        let mut datagrams = Vec::new();
        let mut rest = &file[24..];
        while let Some((header, after)) = rest.split_at_checked(16) {
            let length = u32::from_le_bytes(header[8..12].try_into().unwrap()) as usize;
            datagrams.push(after[20..length].to_vec());
            rest = &after[length..];
        }
        datagrams
    }
}

/// A datagram as it is recorded: ports and payload; the checksum left out.
fn datagram(from: SocketAddr, to: SocketAddr, payload: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let ports = [from.port().to_be_bytes(), to.port().to_be_bytes()].concat();
    (ports, payload.to_vec())
}

fn taken_apart(recorded: &[Vec<u8>]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let parts = recorded
        .iter()
        .map(|bytes| (bytes[..4].to_vec(), bytes[8..].to_vec()));
    parts.collect()
}

#[test]
fn what_is_sent_is_recorded_as_each_receiver_gets_it() {
    let mut room = Room::recording(Sides {
        ingress: true,
        egress: true,
    });
    let call = room.relay.call(|plan| plan.recording = Some(ID));
    let (sent, port) = (rtp(7, 1), call.b.pair.rtp.address);
    call.a.send(&sent);
    receive(&call.b.rtp);
    let mut silenced = rtp(7, 2);
    let plan = StreamPlan {
        sinks: vec![Sink {
            stream: call.b.id(),
            treatment: Treatment {
                silence: true,
                ..Treatment::default()
            },
        }],
        ..call.a_plan.clone()
    };
    room.relay.update(call.a.id(), plan);
    call.a.send(&silenced);
    silenced[12..].fill(0xff);
    assert_eq!(receive(&call.b.rtp).0, silenced);
    let (a, b) = (call.a.endpoint(), call.b.endpoint());
    let at = call.a.pair.rtp.address;
    let expected = [
        datagram(a, at, &sent),
        datagram(port, b, &sent),
        datagram(a, at, &rtp(7, 2)),
        datagram(port, b, &silenced),
    ];
    assert_eq!(taken_apart(&room.recorded()), expected);
}

#[test]
fn what_arrives_is_recorded_once_and_passed_on() {
    let mut room = Room::open();
    let call = room.relay.call(|plan| plan.recording = Some(ID));
    call.a.send(&rtp(7, 1));
    receive(&call.b.rtp);
    call.b.send(&rtp(8, 1));
    receive(&call.a.rtp);
    let rtcp = [0x80, 200, 0, 1, 0, 0, 0, 7];
    let rtcp_port = call.a.pair.rtcp.address;
    call.a.rtcp.send_to(&rtcp, rtcp_port).unwrap();
    receive(&call.b.rtcp);
    let expected = [
        datagram(call.a.endpoint(), call.a.pair.rtp.address, &rtp(7, 1)),
        datagram(call.b.endpoint(), call.b.pair.rtp.address, &rtp(8, 1)),
        datagram(call.a.rtcp.local_addr().unwrap(), rtcp_port, &rtcp),
    ];
    assert_eq!(taken_apart(&room.recorded()), expected);
}

#[test]
fn strangers_that_are_refused_are_not_recorded() {
    let mut room = Room::open();
    let call = room.relay.call(|plan| {
        plan.recording = Some(ID);
        plan.strict_source = true;
        plan.learning = EndpointLearning::Immediate;
    });
    call.a.send(&rtp(7, 1));
    receive(&call.b.rtp);
    let stranger = phone();
    stranger
        .send_to(&rtp(9, 1), call.a.pair.rtp.address)
        .unwrap();
    wait_until("the stranger is refused", || {
        room.relay.view(call.a.id()).errors == 1
    });
    assert_eq!(room.recorded().len(), 1);
}

#[test]
fn a_stream_that_is_recorded_comes_out_of_the_kernel_and_goes_back() {
    let mut room = Room::open();
    let call = room.relay.call(|_| {});
    let id = call.a.id();
    call.a.send(&rtp(7, 1));
    receive(&call.b.rtp);
    wait_until("the flow is asked for", || {
        room.relay.datapath.flow(id).is_some()
    });

    let recorded = StreamPlan {
        recording: Some(ID),
        ..call.a_plan.clone()
    };
    room.relay.update(id, recorded);
    wait_until("the flow is taken back", || {
        room.relay.datapath.flow(id).is_none()
    });
    let reason = room.relay.view(id).kernel_reason;
    assert_eq!(reason, Some("being recorded"));
    call.a.send(&rtp(7, 2));
    receive(&call.b.rtp);
    assert_eq!(room.recorded().len(), 1);

    room.relay.update(id, call.a_plan.clone());
    wait_until("the flow is asked for again", || {
        room.relay.datapath.flow(id).is_some()
    });
}
