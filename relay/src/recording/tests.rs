//! The recorder with real files; what is in them is read back byte for byte.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use jiff::tz::{Offset, TimeZone};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use proptest::prelude::*;
use tempfile::TempDir;

use super::metadata::date;
use super::*;

const ID: RecordingId = RecordingId(7);
const NAME: &str = "a%2Fb-0123456789abcdef";

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn begin() -> Recording {
    Recording::Begin {
        id: ID,
        name: NAME.to_owned(),
    }
}

fn sdp(mode: &'static str, label: Option<&'static str>, body: &'static str) -> Recording {
    Recording::Sdp {
        id: ID,
        mode,
        label: label.map(Bytes::from),
        started_us: 1_795_989_181_985_074,
        body: body.into(),
    }
}

fn end(metadata: Option<&'static str>) -> Recording {
    Recording::End {
        id: ID,
        created_us: 1_795_989_181_984_716,
        terminated_us: 0,
        at_us: 1_795_989_182_053_525,
        metadata: metadata.map(Bytes::from),
    }
}

struct Room {
    recorder: Recorder,
    directory: TempDir,
}

impl Room {
    fn open(format: Format) -> Self {
        let directory = TempDir::new().unwrap();
        let recorder = Recorder::start(&directory.path().join("spool"), format).unwrap();
        Self {
            recorder,
            directory,
        }
    }

    fn path(&self, inner: &str) -> PathBuf {
        self.directory.path().join("spool").join(inner)
    }

    fn pcap(&self) -> PathBuf {
        self.path(&format!("pcaps/{NAME}.pcap"))
    }

    fn finished(&self) -> PathBuf {
        self.path(&format!("metadata/rtpengine-meta-{NAME}.txt"))
    }

    fn unfinished(&self) -> PathBuf {
        self.path(&format!("tmp/rtpengine-meta-{NAME}.tmp"))
    }

    fn send(&self, payload: &[u8]) {
        let (from, to) = (at("192.0.2.1:4000"), at("198.51.100.2:30000"));
        self.recorder.tap().record(ID, from, to, payload);
    }

    fn tell(&self, events: impl IntoIterator<Item = Recording>) {
        events
            .into_iter()
            .for_each(|event| self.recorder.tell(event));
        self.recorder.settle();
    }

    fn failures(&self) -> Vec<Failure> {
        self.recorder.take_failures().collect()
    }
}

/// The frames of a pcap file, which has to be whole.
fn frames(path: &Path) -> (u32, Vec<Vec<u8>>) {
    let file = fs::read(path).unwrap();
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!(word(0), 0xa1b2_c3d4);
    let mut frames = Vec::new();
    let mut position = 24;
    while position < file.len() {
        let length = word(position + 8) as usize;
        assert_eq!(word(position + 12) as usize, length);
        frames.push(file[position + 16..position + 16 + length].to_vec());
        position += 16 + length;
    }
    (word(20), frames)
}

/// RFC 1071, over bytes in network order.
fn ones_complement_sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| {
        let low = pair.get(1).copied().unwrap_or(0);
        u32::from(u16::from_be_bytes([pair[0], low]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[test]
fn a_datagram_is_recorded_with_its_addresses_and_valid_checksums() {
    let room = Room::open(Format::Raw);
    room.tell([begin()]);
    room.send(b"odd");
    room.tell([]);
    let (link_type, frames) = frames(&room.pcap());
    assert_eq!((link_type, frames.len()), (101, 1));
    let frame = &frames[0];
    assert_eq!(frame[0], 0x45);
    assert_eq!(
        usize::from(u16::from_be_bytes([frame[2], frame[3]])),
        frame.len()
    );
    assert_eq!(ones_complement_sum(&frame[..20]), 0xffff);
    assert_eq!(frame[12..20], [192, 0, 2, 1, 198, 51, 100, 2]);
    assert_eq!(
        frame[20..24],
        [4000_u16.to_be_bytes(), 30000_u16.to_be_bytes()].concat()
    );
    let pseudo_header = [&frame[12..20], &[0, 17, 0, 11]].concat();
    assert_eq!(
        ones_complement_sum(&[&pseudo_header, &frame[20..]].concat()),
        0xffff
    );
    assert_eq!(&frame[28..], b"odd");
}

#[test]
fn ipv6_is_recorded_as_ipv6() {
    let room = Room::open(Format::Raw);
    room.tell([begin()]);
    let (from, to) = (at("[2001:db8::1]:4000"), at("[2001:db8::2]:30000"));
    room.recorder.tap().record(ID, from, to, b"even");
    room.tell([]);
    let frame = &frames(&room.pcap()).1[0];
    assert_eq!(frame[..8], [0x60, 0, 0, 0, 0, 12, 17, 64]);
    let pseudo_header = [&frame[8..40], &[0, 0, 0, 12, 0, 0, 0, 17]].concat();
    assert_eq!(
        ones_complement_sum(&[&pseudo_header, &frame[40..]].concat()),
        0xffff
    );
    assert_eq!(&frame[48..], b"even");
}

#[test]
fn the_eth_format_has_an_ethernet_header() {
    let room = Room::open(Format::Ethernet);
    room.tell([begin()]);
    room.send(b"x");
    room.tell([]);
    let (link_type, frames) = frames(&room.pcap());
    assert_eq!(link_type, 1);
    assert_eq!(
        frames[0][..15],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0x45]
    );
}

#[test]
fn every_datagram_is_recorded_once_and_in_order() {
    let room = Room::open(Format::Raw);
    room.tell([begin()]);
    let payloads: Vec<Vec<u8>> = (0..2000_u32)
        .map(|number| [&number.to_be_bytes()[..], &vec![0; number as usize % 1500]].concat())
        .collect();
    payloads.iter().for_each(|payload| room.send(payload));
    room.tell([end(None)]);
    let recorded: Vec<Vec<u8>> = frames(&room.pcap())
        .1
        .iter()
        .map(|frame| frame[28..].to_vec())
        .collect();
    assert_eq!(recorded, payloads);
    assert_eq!(
        room.recorder.recorded(),
        Recorded {
            packets: 2000,
            dropped: 0
        }
    );
}

#[test]
fn metadata_is_in_tmp_until_the_recording_ends_and_reads_as_rtpengines() {
    let room = Room::open(Format::Raw);
    room.tell([begin(), sdp("offer", Some("lab"), "v=0\r\noffer\r\n")]);
    room.send(b"first");
    room.tell([sdp("answer", None, "v=0\r\nanswer\r\n")]);
    assert!(room.unfinished().exists() && !room.finished().exists());
    room.tell([end(Some("k:v|x:y"))]);
    assert!(!room.unfinished().exists());
    let date = |us| date(us, TimeZone::system());
    let (path, start, end) = (
        room.pcap(),
        date(1_795_989_181_984_716),
        date(1_795_989_182_053_525),
    );
    let expected = format!(
        "{}\n\n\nLabel: lab\nTimestamp started ms: 1795989181985.074\nSDP mode: offer\nSDP before RTP packet: 1\n\n\
         v=0\r\noffer\r\n\nTimestamp started ms: 1795989181985.074\nSDP mode: answer\nSDP before RTP packet: 2\n\n\
         v=0\r\nanswer\r\n\nTimestamp terminated ms(first monologue): 0.000\n\ncall start time: {start}\n\
         call end time: {end}\n\n\nk:v|x:y\n",
        path.display()
    );
    assert_eq!(fs::read_to_string(room.finished()).unwrap(), expected);
}

#[test]
fn dates_are_local() {
    let us = 1_795_989_181_984_716;
    assert_eq!(date(us, TimeZone::UTC), "2026-11-29T21:53:01");
    let east = TimeZone::fixed(Offset::constant(2));
    assert_eq!(date(us, east), "2026-11-29T23:53:01");
    assert_eq!(date(u64::MAX, TimeZone::UTC), "1970-01-01T00:00:00");
}

#[test]
fn a_pause_is_noted() {
    let room = Room::open(Format::Raw);
    let at_us = 1_795_989_181_984_716;
    room.tell([
        begin(),
        Recording::Pause { id: ID, at_us },
        Recording::Resume { id: ID, at_us },
    ]);
    let text = fs::read_to_string(room.unfinished()).unwrap();
    let time = date(at_us, TimeZone::system());
    let expected = format!(
        "\nRecording paused at: {time} (1795989181984.716 ms)\n\nRecording resumed at: {time} (1795989181984.716 ms)\n"
    );
    assert!(text.ends_with(&expected), "{text}");
}

#[test]
fn a_discarded_recording_leaves_nothing() {
    let room = Room::open(Format::Raw);
    room.tell([begin(), sdp("offer", None, "v=0\r\n")]);
    room.send(b"x");
    room.tell([Recording::Discard { id: ID }]);
    assert!(!room.pcap().exists() && !room.unfinished().exists() && !room.finished().exists());
    assert_eq!(room.failures(), []);
}

#[test]
fn packets_after_the_end_are_nobodys() {
    let room = Room::open(Format::Raw);
    room.tell([begin(), end(None)]);
    room.send(b"late");
    room.tell([]);
    assert_eq!(frames(&room.pcap()).1.len(), 0);
    assert_eq!(room.failures(), []);
}

#[test]
fn a_recording_that_is_broken_off_can_be_read() {
    let room = Room::open(Format::Raw);
    room.tell([begin()]);
    room.send(b"one");
    let (pcap, unfinished) = (room.pcap(), room.unfinished());
    let Room {
        recorder,
        directory,
    } = room;
    drop(recorder);
    assert_eq!(frames(&pcap).1.len(), 1);
    assert!(unfinished.exists());
    drop(directory);
}

#[test]
fn what_is_in_memory_is_written_within_a_second_or_so() {
    let room = Room::open(Format::Raw);
    room.tell([begin()]);
    room.send(b"one");
    let deadline = Instant::now() + Duration::from_secs(60);
    while frames(&room.pcap()).1.is_empty() {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn files_that_are_there_are_never_written_to() {
    let room = Room::open(Format::Raw);
    fs::write(room.pcap(), "precious").unwrap();
    room.tell([begin()]);
    assert_eq!(fs::read_to_string(room.pcap()).unwrap(), "precious");
    assert!(!room.unfinished().exists());
    assert_eq!(room.failures()[0].id, ID);
}

#[test]
fn a_link_is_not_followed() {
    let room = Room::open(Format::Raw);
    let target = room.directory.path().join("target");
    std::os::unix::fs::symlink(&target, room.unfinished()).unwrap();
    room.tell([begin()]);
    assert!(!target.exists());
    assert!(!room.pcap().exists(), "both files or neither");
    assert_eq!(room.failures().len(), 1);
}

#[test]
fn the_spool_directory_is_its_owners_only() {
    let room = Room::open(Format::Raw);
    let mode = fs::metadata(room.path(".")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let inner = fs::read_dir(room.path(".")).unwrap();
    let names: BTreeSet<_> = inner.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["metadata", "pcaps", "tmp"].map(Into::into).into());
}

#[test]
fn a_spool_directory_that_is_a_file_is_said() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let error = Recorder::start(file.path(), Format::Raw).unwrap_err();
    let text = error.to_string();
    assert!(text.contains(&file.path().display().to_string()), "{text}");
}

#[test]
fn what_the_disk_does_not_take_in_time_is_dropped_and_counted() {
    // Nobody writes.
    let (orders, _waiting) = unbounded();
    let load = Arc::new(Load::with_room(1000));
    let tap = Tap {
        sides: Sides::default(),
        orders,
        load,
    };
    let started = Instant::now();
    for _ in 0..1000 {
        tap.record(
            ID,
            at("192.0.2.1:4000"),
            at("198.51.100.2:30000"),
            &[0; 172],
        );
    }
    assert!(started.elapsed() < Duration::from_secs(10), "nobody waits");
    assert_eq!(tap.load.dropped(), 1000 - 4);
}

#[test]
fn once_the_disk_has_caught_up_recording_goes_on() {
    let directory = TempDir::new().unwrap();
    let load = Load::with_room(1000);
    let recorder = Recorder::with_load(directory.path(), Format::Raw, load).unwrap();
    for _ in 0..100 {
        recorder.tell(begin());
        recorder.tell(Recording::Discard { id: ID });
        recorder.settle();
    }
    assert_eq!(recorder.take_failures().count(), 0);
}

/// A file system of so many bytes, seen by this thread and those it starts; `None` without root.
fn small_disk(bytes: usize) -> Option<TempDir> {
    if unshare(CloneFlags::CLONE_NEWNS).is_err() {
        eprintln!("skipped: not allowed to mount");
        return None;
    }
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).unwrap();
    let directory = TempDir::new().unwrap();
    let size = format!("size={bytes}");
    mount(
        Some("tmpfs"),
        directory.path(),
        Some("tmpfs"),
        MsFlags::empty(),
        Some(&*size),
    )
    .unwrap();
    Some(directory)
}

#[test]
fn a_full_disk_ends_the_recording_and_what_is_there_can_be_read() {
    // In a thread of its own, as other tests must not see its mounts.
    let outcome = std::thread::spawn(|| {
        let Some(disk) = small_disk(64 * 1024) else {
            return;
        };
        let recorder = Recorder::start(disk.path(), Format::Raw).unwrap();
        let room = Room {
            recorder,
            directory: disk,
        };
        let pcap = room.directory.path().join(format!("pcaps/{NAME}.pcap"));
        room.tell([begin(), sdp("offer", None, "v=0\r\n")]);
        for _ in 0..1000 {
            room.send(&[0; 172]);
        }
        room.tell([]);
        let failures = room.failures();
        assert_eq!(failures.len(), 1, "{failures:?}");
        assert!(failures[0].reason.contains("No space left"), "{failures:?}");
        let recorded = frames(&pcap).1.len();
        assert!((100..1000).contains(&recorded), "{recorded}");

        room.tell([end(None)]);
        let metadata = format!("metadata/rtpengine-meta-{NAME}.txt");
        assert!(room.directory.path().join(metadata).exists());
        // The mount goes with the last thread that sees it.
    });
    outcome.join().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_datagram_has_valid_checksums(
        payload in proptest::collection::vec(any::<u8>(), 0..2000),
        from in any::<[u8; 4]>(),
        port in any::<u16>(),
    ) {
        let mut frame = Vec::new();
        let from = SocketAddr::from((from, port));
        frame::append(&mut frame, Format::Raw, from, at("198.51.100.2:30000"), &payload);
        let length = (8 + payload.len()) as u16;
        let pseudo_header = [&frame[12..20], &[0, 17], &length.to_be_bytes()].concat();
        prop_assert_eq!(ones_complement_sum(&frame[..20]), 0xffff);
        prop_assert_eq!(ones_complement_sum(&[&pseudo_header, &frame[20..]].concat()), 0xffff);
        prop_assert_eq!(&frame[28..], &payload[..]);
    }
}
