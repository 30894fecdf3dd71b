//! What is left of a relay that ends, and what its successor goes on with.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use underpass::datapath::{FlowId, FlowReport};
use underpass::tables::TableRequest;
use underpass_abi::LAYOUT_VERSION;

use crate::net::{CALLEE, CALLER, LONG, Net, RELAY_A, RELAY_B, rtp, rtp_of, skipped, until};
use crate::relay::{Directory, Relay, config, started};
use crate::{flow, is_in_kernel, local, relayed};

const PORT: u16 = 30_000;

/// Not a test by itself: the relay that others kill.
#[test]
fn victim() {
    let Ok(directory) = std::env::var("UNDERPASS_TEST_VICTIM") else {
        return;
    };
    let mut config = config(Path::new(&directory), &[RELAY_A, RELAY_B]);
    config.claim.identity = "victim".to_owned();
    if let Ok(lease) = std::env::var("UNDERPASS_TEST_LEASE") {
        config.lease = Duration::from_secs(lease.parse().unwrap());
    }
    let started = started(&config);
    let report = Arc::new(FlowReport::default());
    let datapath = &started.datapath;
    datapath.install(FlowId(1), flow(PORT), report.clone());
    until("in the kernel", || is_in_kernel(&report));
    println!("started");
    loop {
        std::thread::park();
    }
}

/// Starts the victim, and returns when its flow is in the kernel.
fn start_victim(net: &Net, directory: &Directory, variables: &[(&str, &str)]) -> Child {
    let mut victim = net
        .command("r", &std::env::current_exe().unwrap())
        .args(["--exact", "lease::victim", "--nocapture"])
        .env("UNDERPASS_TEST_VICTIM", directory.path())
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("started")));
    victim
}

fn kill(mut victim: Child) {
    victim.kill().unwrap();
    victim.wait().unwrap();
}

/// Pins of a table.
fn pins(directory: &Directory, table: u32) -> usize {
    fn count(at: &Path) -> usize {
        let entries = std::fs::read_dir(at).into_iter().flatten().flatten();
        entries
            .map(|entry| match entry.file_type() {
                Ok(kind) if kind.is_dir() => count(&entry.path()),
                _ => 1,
            })
            .sum()
    }
    let tables = format!("bpf/underpass/v{LAYOUT_VERSION}/tables/{table}");
    count(&directory.path().join(tables))
}

#[test]
fn a_datapath_that_ends_leaves_no_pin_and_its_table_is_free() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let directory = Directory::new();
    let first = Relay::among(&net, &directory, |config| {
        config.claim.identity = "a".to_owned()
    });
    assert!(pins(&directory, 0) > 0);
    drop(first);
    assert_eq!(pins(&directory, 0), 0);
    let second = Relay::among(&net, &directory, |config| {
        config.claim.identity = "b".to_owned();
        config.claim.table = TableRequest::Number(0);
    });
    assert!(!second.started().takes_over);
}

#[test]
fn a_killed_relays_flows_go_on_and_its_lease_ends_them() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let directory = Directory::new();
    let of_table = |table| pins(&directory, table);
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    let victim = start_victim(&net, &directory, &[("UNDERPASS_TEST_LEASE", "3")]);
    assert!(relayed(&caller, local(PORT), &callee).is_some());

    kill(victim);

    assert!(relayed(&caller, local(PORT), &callee).is_some());
    let forwards = || {
        let _ = caller.send_to(&rtp(1), local(PORT));
        callee.recv(&mut [0; 2048]).is_ok()
    };
    until("no longer forwarded, with no agent alive", || !forwards());
    assert!(of_table(0) > 0);
    let other = Relay::among(&net, &directory, |config| {
        config.claim.identity = "other".to_owned();
        config.claim.table = TableRequest::Number(1);
        config.claim.ports.all.last = 2047;
    });
    until("nothing of the dead is left", || of_table(0) == 0);
    assert!(of_table(1) > 0);
    drop(other);
}

#[test]
fn a_relay_left_by_its_process_is_taken_over_like_one_that_was_killed() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let directory = Directory::new();
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    let first = Relay::among(&net, &directory, |_| {});
    let report = first.install(1, flow(PORT));
    until("in the kernel", || is_in_kernel(&report));
    first.started().datapath.leave();
    drop(first);
    assert!(relayed(&caller, local(PORT), &callee).is_some());
    let second = Relay::among(&net, &directory, |_| {});
    assert!(second.started().takes_over);
    assert_eq!(second.started().monitor.table(), Some(0));
    assert!(relayed(&caller, local(PORT), &callee).is_some());
    // With nothing restored the old flows end.
    second.started().datapath.settled();
    while callee.recv(&mut [0; 2048]).is_ok() {}
    let _ = caller.send_to(&rtp(1), local(PORT));
    assert!(callee.recv(&mut [0; 2048]).is_err());
}

#[test]
fn a_takeover_loses_no_packet_and_counters_go_on() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let directory = Directory::new();
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    let victim = start_victim(&net, &directory, &[]);
    // Neighbours know one another from here on.
    assert!(relayed(&caller, local(PORT), &callee).is_some());
    callee.set_read_timeout(Some(LONG)).unwrap();
    let stream = Stream::start(caller, callee);
    stream.goes_on();
    kill(victim);
    stream.goes_on();

    let successor = Relay::among(&net, &directory, |config| {
        config.claim.identity = "victim".to_owned();
    });
    assert!(successor.started().takes_over);
    stream.goes_on();
    let report = successor.install(7, flow(PORT));
    until("in the kernel", || is_in_kernel(&report));
    successor.started().datapath.settled();
    assert!(report.packets() > 0, "what the one before has counted");
    stream.goes_on();

    let sent = u64::from(stream.stop());
    successor.started().datapath.refresh();
    let ssrcs = report.ssrcs();
    let ssrc = ssrcs.iter().find(|ssrc| ssrc.ssrc == SSRC).unwrap();
    assert_eq!((ssrc.packets, ssrc.lost), (sent, 0));
    assert_eq!(u64::from(ssrc.highest_sequence), sent);
    // And those by which neighbours came to know one another.
    assert!(report.packets() > sent);
}

/// The sender of a [`Stream`].
const SSRC: u32 = 7;

/// Packets numbered from 1, each of which must arrive at the callee, in order.
struct Stream {
    arrived: Arc<AtomicU16>,
    stop: Arc<AtomicBool>,
    sender: JoinHandle<u16>,
    receiver: JoinHandle<()>,
}

impl Stream {
    fn start(caller: UdpSocket, callee: UdpSocket) -> Self {
        let (arrived, stop) = (Arc::<AtomicU16>::default(), Arc::<AtomicBool>::default());
        let ends = stop.clone();
        let sender = std::thread::spawn(move || {
            for sequence in 1.. {
                let mut packet = rtp_of(SSRC, sequence);
                let is_last = ends.load(Ordering::Relaxed);
                packet[12] = u8::from(is_last);
                caller.send_to(&packet, local(PORT)).unwrap();
                if is_last {
                    return sequence;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            unreachable!("a test that lasts for minutes")
        });
        let at = arrived.clone();
        let receiver = std::thread::spawn(move || {
            let mut expected = 1;
            loop {
                let mut packet = [0; 2048];
                callee.recv(&mut packet).unwrap();
                if packet[8..12] != SSRC.to_be_bytes() {
                    continue;
                }
                let sequence = u16::from_be_bytes([packet[2], packet[3]]);
                assert_eq!(sequence, expected, "a packet got lost");
                expected += 1;
                at.store(sequence, Ordering::Relaxed);
                if packet[12] == 1 {
                    return;
                }
            }
        });
        Self {
            arrived,
            stop,
            sender,
            receiver,
        }
    }

    /// Waits for more packets to arrive.
    fn goes_on(&self) {
        let arrived = || self.arrived.load(Ordering::Relaxed);
        let before = arrived();
        until("more packets arrive", || {
            assert!(!self.receiver.is_finished(), "a packet got lost");
            arrived() > before + 20
        });
    }

    /// Ends it when the last packet has arrived; returns how many there were.
    fn stop(self) -> u16 {
        self.stop.store(true, Ordering::Relaxed);
        let sent = self.sender.join().unwrap();
        self.receiver.join().unwrap();
        sent
    }
}
