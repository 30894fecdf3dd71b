//! A relay without any privilege, and an agent that has it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use underpass::datapath::{FlowId, FlowReport};
use underpass::tables::client::AgentChoice;

use crate::agent::{Agent, socket};
use crate::net::{CALLEE, CALLER, Net, RELAY_A, RELAY_B, relayed, skipped, until};
use crate::relay::{Directory, config, started};
use crate::{flow, is_in_kernel, local};

const PORT: u16 = 30_000;

/// Not a test by itself: a relay that nobody runs.
#[test]
fn nobody() {
    let Ok(directory) = std::env::var("UNDERPASS_TEST_NOBODY") else {
        return;
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    assert!(status.contains("CapEff:\t0000000000000000"), "{status}");
    assert_ne!(nix::unistd::geteuid().as_raw(), 0);
    let directory = Path::new(&directory);
    let mut config = config(directory, &[RELAY_A, RELAY_B]);
    config.agent = AgentChoice::At(socket(directory));
    let started = started(&config);
    let report = Arc::new(FlowReport::default());
    started
        .datapath
        .install(FlowId(1), flow(PORT), report.clone());
    until("in the kernel", || is_in_kernel(&report));
    println!("started");
    until("packets are counted", || {
        started.datapath.refresh();
        report.packets() > 0
    });
    println!("counted");
}

#[test]
fn a_relay_of_nobody_without_capabilities_forwards_in_the_kernel() {
    if skipped() {
        return;
    }
    let net = Net::new();
    let directory = Directory::new();
    let _agent = Agent::start(&net, "r", &directory, &[]);
    let mut path = Command::new("chmod");
    assert!(
        path.arg("755")
            .arg(directory.path())
            .status()
            .unwrap()
            .success()
    );
    let (caller, callee) = (net.socket("a", CALLER, 4000), net.socket("b", CALLEE, 5000));
    // A copy where nobody may read it.
    let binary = directory.path().join("test");
    std::fs::copy(std::env::current_exe().unwrap(), &binary).unwrap();
    let mut relay = net
        .command("r", Path::new("setpriv"))
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .args(["--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"])
        .arg(&binary)
        .args(["--exact", "unprivileged::nobody", "--nocapture"])
        .env("UNDERPASS_TEST_NOBODY", directory.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // What brings neighbours to know one another: no user-space relay sends the first packet here.
    let hello = net.socket("r", RELAY_B, 9);
    hello.send_to(b"hello", (CALLEE, 9)).unwrap();
    let mut lines = BufReader::new(relay.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("started")));
    let from = relayed(&caller, local(PORT), &callee);
    assert_eq!(from, Some(flow(PORT).from));
    assert!(lines.any(|line| line.unwrap().contains("counted")));
    assert!(relay.wait().unwrap().success());
}
