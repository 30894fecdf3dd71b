//! Recording: what tshark finds in the files of a call, and what a full disk does to it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lab::relay::{Kind, Launch, kind_under_test};
use lab::{Call, CallOptions, Lab, NgClient, Relay, TwoNetworks, Wiring, rtp, wait_until};
use serde_json::json;
use tempfile::TempDir;

/// A frame as tshark reads it.
#[derive(Debug)]
struct Frame {
    /// Addresses and ports: from, to.
    from: String,
    to: String,
    payload: Vec<u8>,
}

/// What tshark reads from a file, every checksum verified.
fn frames(pcap: &Path) -> Vec<Frame> {
    let fields = [
        "ip.src",
        "ipv6.src",
        "udp.srcport",
        "ip.dst",
        "ipv6.dst",
        "udp.dstport",
        "ip.checksum.status",
        "udp.checksum.status",
        "udp.payload",
    ];
    let mut tshark = Command::new("tshark");
    tshark
        .arg("-r")
        .arg(pcap)
        .args(["-T", "fields", "-E", "separator=|"]);
    tshark.args([
        "-o",
        "ip.check_checksum:TRUE",
        "-o",
        "udp.check_checksum:TRUE",
    ]);
    for field in fields {
        tshark.args(["-e", field]);
    }
    let output = tshark.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("cut short"), "{said}");
    let listing = String::from_utf8(output.stdout).unwrap();
    listing.lines().map(frame).collect()
}

fn frame(line: &str) -> Frame {
    let cells: Vec<&str> = line.split('|').collect();
    let [
        v4_from,
        v6_from,
        from_port,
        v4_to,
        v6_to,
        to_port,
        ip,
        udp,
        payload,
    ] = cells[..]
    else {
        panic!("{line}");
    };
    // rtpengine leaves them out.
    if kind_under_test() == Kind::Underpass {
        assert!(ip.is_empty() || ip == "1", "IP checksum: {line}");
        assert_eq!(udp, "1", "UDP checksum: {line}");
    }
    let payload = payload.as_bytes().chunks(2).map(|hex| {
        let hex = std::str::from_utf8(hex).unwrap();
        u8::from_str_radix(hex, 16).unwrap()
    });
    Frame {
        from: format!("{v4_from}{v6_from}:{from_port}"),
        to: format!("{v4_to}{v6_to}:{to_port}"),
        payload: payload.collect(),
    }
}

/// How often each packet of each stream is there, by mark and number.
fn packets(frames: &[Frame]) -> BTreeMap<(u64, u32), usize> {
    let mut found = BTreeMap::new();
    for frame in frames {
        let packet = rtp::read(&frame.payload).expect("a packet that was sent");
        assert!(packet.intact, "{frame:?}");
        *found.entry((packet.mark, packet.number)).or_default() += 1;
    }
    found
}

/// The numbers of a party's packets that are there, in order; each once.
fn numbers_of(frames: &[Frame], party: &lab::Endpoint) -> Vec<u32> {
    let mark = party.stream().mark;
    let packets = packets(frames);
    assert!(packets.values().all(|count| *count == 1), "{packets:?}");
    let of_party = packets.keys().filter(|(other, _)| *other == mark);
    of_party.map(|(_, number)| *number).collect()
}

struct Spool(TempDir);

impl Spool {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn relay(&self, launch: Launch) -> Launch {
        launch
            .option(&format!("--recording-dir={}", self.0.path().display()))
            .option("--recording-method=pcap")
            .option("--delete-delay=0")
    }

    /// The only file of an inner directory.
    fn only(&self, inner: &str) -> PathBuf {
        let mut files = self.files(inner);
        assert_eq!(files.len(), 1, "{inner}: {files:?}");
        files.remove(0)
    }

    fn files(&self, inner: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.0.path().join(inner)).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// The finished metadata, once it is there.
    fn metadata(&self) -> String {
        wait_until("the recording is finished", || {
            !self.files("metadata").is_empty()
        });
        fs::read_to_string(self.only("metadata")).unwrap()
    }
}

fn control(ng: &NgClient, call: &Call, command: &str) {
    ng.ok(&json!({"command": command, "call-id": call.id, "from-tag": "caller"}));
}

/// The kernel may go on forwarding for a moment.
fn wait_until_recorded(ng: &NgClient, call: &Call) {
    wait_until("both streams are recorded", || {
        let mut streams = call.rtp_streams(ng).into_iter();
        streams.all(|stream| stream["kernel reason"] == "being recorded")
    });
}

fn every_packet_is_recorded_once(format: &str, options: &CallOptions) {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let spool = Spool::new();
    let launch = spool.relay(Relay::under_test().two_networks());
    let relay = launch
        .option(&format!("--recording-format={format}"))
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let options = options
        .clone()
        .key("record-call", "yes")
        .key("metadata", "who:knows");
    let call = Call::set_up(&net, &ng, &options);
    call.talk(100);
    call.hang_up(&ng);
    relay.assert_idle(&net.relay);

    let metadata = spool.metadata();
    let pcap = spool.only("pcaps");
    let frames = frames(&pcap);
    let all: Vec<u32> = (0..100).collect();
    for (party, to) in [
        (&call.caller, call.caller_to),
        (&call.callee, call.callee_to),
    ] {
        assert_eq!(numbers_of(&frames, party), all);
        let mark = party.stream().mark;
        let theirs = frames
            .iter()
            .filter(|frame| rtp::read(&frame.payload).unwrap().mark == mark);
        for frame in theirs {
            let plain =
                |address: std::net::SocketAddr| format!("{}:{}", address.ip(), address.port());
            assert_eq!(
                (&frame.from, &frame.to),
                (&plain(party.address()), &plain(to))
            );
        }
    }
    assert!(
        metadata.starts_with(&format!("{}\n\n", pcap.display())),
        "{metadata}"
    );
    assert!(metadata.ends_with("\n\n\nwho:knows\n"), "{metadata}");
    for part in [
        "SDP mode: offer\nSDP before RTP packet: 1\n\nv=0\r\n",
        "SDP mode: answer\nSDP before RTP packet: 1\n\nv=0\r\n",
        "\nTimestamp terminated ms(first monologue): ",
        "\ncall start time: ",
        "\ncall end time: ",
    ] {
        assert!(metadata.contains(part), "no {part:?} in {metadata}");
    }
    assert!(spool.files("tmp").is_empty());
}

#[test]
fn every_packet_of_a_call_is_in_the_file_once() {
    every_packet_is_recorded_once("raw", &CallOptions::default());
}

#[test]
fn so_it_is_with_ethernet_headers() {
    every_packet_is_recorded_once("eth", &CallOptions::default());
}

#[test]
fn so_it_is_between_ipv6_and_ipv4() {
    let options = CallOptions::between(lab::Family::V6, lab::Family::V4);
    every_packet_is_recorded_once("raw", &options);
}

#[test]
fn a_call_that_is_recorded_leaves_the_kernel_and_no_packet_is_lost_on_the_way() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let spool = Spool::new();
    let relay = spool
        .relay(Relay::under_test().two_networks())
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default());
    call.bring_into_kernel(&ng);

    control(&ng, &call, "start recording");
    wait_until_recorded(&ng, &call);
    let first = call.caller.sent();
    call.talk(50);
    assert_eq!(call.query(&ng)["recording"]["call recording"], 1);
    control(&ng, &call, "stop recording");
    call.bring_into_kernel(&ng);
    spool.metadata();
    let recorded = numbers_of(&frames(&spool.only("pcaps")), &call.caller);
    assert_eq!(recorded, (first..first + 50).collect::<Vec<u32>>());
    call.hang_up(&ng);
}

#[test]
fn a_pause_leaves_a_gap() {
    let Some(lab) = Lab::open() else { return };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let spool = Spool::new();
    let relay = spool
        .relay(Relay::underpass().two_networks())
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default().key("record-call", "yes"));
    call.talk(20);
    control(&ng, &call, "pause recording");
    call.talk(20);
    control(&ng, &call, "start recording");
    wait_until_recorded(&ng, &call);
    call.talk(20);
    call.hang_up(&ng);
    let metadata = spool.metadata();
    assert!(metadata.contains("\nRecording paused at: "), "{metadata}");
    assert!(metadata.contains("\nRecording resumed at: "), "{metadata}");
    let recorded = numbers_of(&frames(&spool.only("pcaps")), &call.caller);
    assert_eq!(recorded, (0..20).chain(40..60).collect::<Vec<u32>>());
}

/// A file system of 64 KiB.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let directory = TempDir::new().unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]);
        assert!(mount.arg(directory.path()).status().unwrap().success());
        Self(directory)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.unwrap().success());
    }
}

#[test]
fn a_full_disk_stops_the_recording_and_not_the_call() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let disk = SmallDisk::mount();
    let directory = disk.0.path();
    let mut relay = Relay::under_test()
        .two_networks()
        .option(&format!("--recording-dir={}", directory.display()))
        .option("--delete-delay=0")
        .start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default().key("record-call", "yes"));
    wait_until("the disk is full and that was noticed", || {
        call.talk(100);
        call.query(&ng)["recording"]["call recording"] == 0
    });
    call.talk(100);
    let log = relay.process().log();
    assert!(
        log.contains("the call is no longer recorded: No space left on device"),
        "{log}"
    );
    let pcaps = fs::read_dir(directory.join("pcaps")).unwrap();
    let pcap = pcaps.map(|entry| entry.unwrap().path()).next().unwrap();
    let recorded = numbers_of(&frames(&pcap), &call.caller);
    let count = recorded.len() as u32;
    assert!(count > 50, "{count}");
    assert_eq!(
        recorded,
        (0..count).collect::<Vec<u32>>(),
        "whole up to where it ends"
    );
    call.hang_up(&ng);
    relay.assert_idle(&net.relay);
}

#[test]
fn a_relay_that_is_killed_leaves_a_file_that_can_be_read_and_goes_on_in_another() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let spool = Spool::new();
    let launch = spool.relay(Relay::under_test().two_networks());
    let mut relay = launch.clone().start(&net.relay);
    let ng = relay.client(&net.relay);
    let call = Call::set_up(&net, &ng, &CallOptions::default().key("record-call", "yes"));
    call.talk(50);
    let pcap = spool.only("pcaps");
    wait_until("the file has the packets", || frames(&pcap).len() == 100);
    relay.process().kill();

    let relay = launch.start(&net.relay);
    let ng = relay.client(&net.relay);
    wait_until("the call is recorded again", || {
        spool.files("pcaps").len() == 2
    });
    call.talk(50);
    call.hang_up(&ng);
    spool.metadata();
    let other = spool
        .files("pcaps")
        .into_iter()
        .find(|file| *file != pcap)
        .unwrap();
    assert_eq!(frames(&pcap).len(), 100);
    assert_eq!(
        numbers_of(&frames(&other), &call.caller),
        (50..100).collect::<Vec<u32>>()
    );
    assert_eq!(
        spool.files("tmp").len(),
        1,
        "metadata of what was broken off"
    );
}

#[test]
fn a_directory_that_cannot_be_made_is_said_at_the_start() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let net = TwoNetworks::build(&lab, Wiring::Veth);
    let launch = Relay::under_test()
        .two_networks()
        .option("--recording-dir=/proc/spool");
    let (status, log) = launch.start_refused(&net.relay);
    assert!(!status.success());
    assert!(log.contains("recording-dir: /proc/spool: "), "{log}");
}
