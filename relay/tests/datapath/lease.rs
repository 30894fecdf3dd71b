//! What is left of a relay that ends, and what its successor goes on with.

use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::time::Duration;

use underpass::datapath::{EngineChoice, FlowReport};
use underpass::tables::TableRequest;

use crate::net::{CALLEE, CALLER, LONG, Net, RELAY_A, RELAY_B, rtp, skipped, until};
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
    if std::env::var_os("UNDERPASS_TEST_XDP").is_some() {
        config.claim.interface_engines = [("r0".to_owned(), EngineChoice::Xdp)].into();
    }
    let started = started(&config);
    let report = Arc::new(FlowReport::default());
    let id = underpass::datapath::FlowId(1);
    started.datapath.install(id, flow(PORT), report.clone());
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

/// Pins of any layout, and table.
fn pins(directory: &Directory) -> usize {
    fn count(at: &Path) -> usize {
        let entries = std::fs::read_dir(at).into_iter().flatten().flatten();
        entries
            .map(|entry| match entry.file_type() {
                Ok(kind) if kind.is_dir() => count(&entry.path()),
                _ => 1,
            })
            .sum()
    }
    count(&directory.path().join("bpf"))
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
    assert!(pins(&directory) > 0);
    drop(first);
    assert_eq!(pins(&directory), 0);
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
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    let xdp = [("UNDERPASS_TEST_XDP", "1"), ("UNDERPASS_TEST_LEASE", "3")];
    let victim = start_victim(&net, &directory, &xdp[1..]);
    assert!(relayed(&caller, local(PORT), &callee).is_some());

    kill(victim);

    assert!(relayed(&caller, local(PORT), &callee).is_some());
    let forwards = || {
        let _ = caller.send_to(&rtp(1), local(PORT));
        callee.recv(&mut [0; 2048]).is_ok()
    };
    until("no longer forwarded, with no agent alive", || !forwards());
    assert!(pins(&directory) > 0);
    let other = Relay::among(&net, &directory, |config| {
        config.claim.identity = "other".to_owned();
        config.claim.ports.last = 2047;
    });
    let engines = other.engines();
    drop(other);
    until("nothing of the dead is left", || pins(&directory) == 0);
    assert_eq!(engines.len(), 2);
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

    let sent = stream.stop();
    successor.started().datapath.refresh();
    let ssrc = report.ssrcs()[0];
    // A few of the packets by which neighbours were found had the same SSRC.
    assert!(
        report.packets() >= u64::from(sent),
        "{} of {sent}",
        report.packets()
    );
    assert_eq!((ssrc.packets, ssrc.lost), (report.packets(), 0));
}

/// Numbered packets from a caller, each of which must arrive at the callee, in order.
struct Stream {
    arrived: Arc<AtomicU16>,
    stop: Arc<AtomicBool>,
    sender: std::thread::JoinHandle<u16>,
    receiver: std::thread::JoinHandle<()>,
}

impl Stream {
    fn start(caller: UdpSocket, callee: UdpSocket) -> Self {
        let (arrived, stop) = (
            Arc::new(AtomicU16::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let ends = stop.clone();
        let sender = std::thread::spawn(move || {
            let mut sequence = 1000;
            while !ends.load(Ordering::Relaxed) {
                sequence += 1;
                caller.send_to(&rtp(sequence), local(PORT)).unwrap();
                std::thread::sleep(Duration::from_millis(1));
            }
            // The receiver's last.
            caller.send_to(&rtp(u16::MAX), local(PORT)).unwrap();
            sequence - 1000
        });
        let at = arrived.clone();
        let receiver = std::thread::spawn(move || {
            let mut expected = None;
            loop {
                let mut packet = [0; 2048];
                callee.recv(&mut packet).unwrap();
                let sequence = u16::from_be_bytes([packet[2], packet[3]]);
                if sequence == u16::MAX {
                    return;
                }
                if sequence > 1000 {
                    assert_eq!(sequence, expected.unwrap_or(1001), "a packet got lost");
                    expected = Some(sequence + 1);
                    at.store(sequence, Ordering::Relaxed);
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
