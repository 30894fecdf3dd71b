//! Starting and stopping, as an init system, an operator and an unprivileged user do it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use lab::process::Process;
use lab::relay::{NG, underpass_binary};
use lab::{
    Call, CallOptions, Engine, Lab, Netns, NgClient, Relay, TwoNetworks, Wiring, wait_until,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// What every start here has in common; each in a namespace of its own.
const COMMON: [&str; 5] = [
    "--config-file=none",
    "--agent=embedded",
    "--state-dir=none",
    "--interface=127.0.0.1",
    "--listen-ng=127.0.0.1:2223",
];

/// Runs underpass in `ns` to its end, or until it has gone into the background.
fn underpass(ns: &Netns, options: &[&str]) -> Output {
    let mut command = ns.command(underpass_binary());
    command.args(COMMON).args(options).output().unwrap()
}

/// A copy of the relay that an unprivileged user can reach, wherever the workspace is.
fn for_everyone(directory: &Path) -> PathBuf {
    let copy = directory.join("underpass");
    fs::copy(underpass_binary(), &copy).unwrap();
    for path in [directory, &copy] {
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    copy
}

/// What runs `program` as nobody. (Not `Command::uid`: that would be too early to enter a namespace.)
fn as_nobody(program: &Path) -> [String; 4] {
    let program = program.to_string_lossy().into_owned();
    ["--reuid=65534", "--regid=65534", "--clear-groups", &program].map(str::to_owned)
}

fn ng(ns: &Netns) -> NgClient {
    NgClient::connect(ns, NG.parse().unwrap())
}

/// The last line of what was written to stderr; warnings about the machine come before it.
fn last_line(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    text.lines().last().unwrap_or_default().to_owned()
}

/// Processes with this argument on their command line.
fn processes_with(argument: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|pid| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0)
            .any(|word| word == argument.as_bytes())
    })
    .collect()
}

#[test]
fn in_the_background_it_answers_when_the_launcher_ends() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let ns = lab.netns("start");
    let directory = tempfile::tempdir().unwrap();
    let pidfile = directory.path().join("pid");
    let option = format!("--pidfile={}", pidfile.display());
    // Its stderr may be ours; waiting for the end of that would be waiting for the relay's.
    let mut command = ns.command(underpass_binary());
    let status = command.args(COMMON).arg(&option).status().unwrap();
    let pid: i32 = fs::read_to_string(&pidfile)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let (pid, answers) = (Pid::from_raw(pid), ng(&ns).pings());
    kill(pid, Signal::SIGTERM).unwrap();
    wait_until("its end", || processes_with(&option).is_empty());
    assert!(status.success());
    assert!(answers);
    assert!(!pidfile.exists());
}

#[test]
fn in_the_background_a_taken_ng_port_is_one_line_a_failure_and_no_process() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let ns = lab.netns("start");
    let _holder = ns.run(|| std::net::UdpSocket::bind(NG)).unwrap();
    let mark = format!("--name={}", ns.name());
    let output = underpass(&ns, &[&mark]);
    assert!(!output.status.success());
    let line = last_line(&output);
    assert!(line.contains("listen-ng = 127.0.0.1:2223"), "{line}");
    assert_eq!(processes_with(&mark), [0; 0]);
}

#[test]
fn a_taken_table_is_said_once() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    let (ns, other) = (lab.netns("holder"), lab.netns("start"));
    let holder = Relay::underpass()
        .table("7")
        .interface("127.0.0.1")
        .start(&ns);
    let registry = format!("--registry={}", holder.node().registry().display());
    let output = underpass(&other, &["--table=7", &registry]);
    assert!(!output.status.success());
    let line = last_line(&output);
    assert_eq!(line.matches("is taken by").count(), 1, "{line}");
}

#[test]
fn without_privilege_it_runs_in_user_space_and_says_so_in_one_line() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let ns = lab.netns("start");
    let directory = tempfile::tempdir().unwrap();
    let program = for_everyone(directory.path());
    let mut relay = Process::start(&ns, "setpriv", |command| {
        command.args(as_nobody(&program)).args(COMMON);
        command.arg("--foreground");
    });
    wait_until("the relay's pong", || {
        assert!(relay.is_running(), "{}", relay.log());
        ng(&ns).pings()
    });
    let log = relay.log();
    let said = log
        .lines()
        .filter(|line| line.contains("forwarding in user space only"));
    assert_eq!(said.count(), 1, "{log}");
    relay.signal(Signal::SIGTERM);
    assert!(relay.wait().success(), "{}", relay.log());
}

#[test]
fn without_privilege_no_fallback_refuses_to_start() {
    let Some(lab) = Lab::for_underpass() else {
        return;
    };
    let ns = lab.netns("start");
    let directory = tempfile::tempdir().unwrap();
    let program = for_everyone(directory.path());
    let mut command = ns.command("setpriv");
    command.args(as_nobody(&program)).args(COMMON);
    let output = command
        .args(["--foreground", "--no-fallback"])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let line = last_line(&output);
    assert!(line.starts_with("underpass: "), "{line}");
    assert!(
        line.ends_with("; not going on in user space because of no-fallback"),
        "{line}"
    );
}

#[test]
fn stopped_with_calls_up_it_ends_well_and_leaves_nothing_in_the_kernel() {
    let Some(lab) = Lab::for_kernel_path() else {
        return;
    };
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let net = TwoNetworks::build(&lab, Wiring::Veth);
        let mut relay = Relay::underpass()
            .engine(Engine::Tc)
            .two_networks()
            .start(&net.relay);
        let ng = relay.client(&net.relay);
        let call = Call::set_up(&net, &ng, &CallOptions::default());
        call.bring_into_kernel(&ng);
        assert!(!relay.node().pins().is_empty());
        relay.process().signal(signal);
        assert!(relay.process().wait().success(), "{signal}");
        relay.node().assert_empty();
        let filters = net
            .relay
            .command("tc")
            .args(["filter", "show", "dev", "a", "ingress"])
            .output();
        assert_eq!(filters.unwrap().stdout, b"", "{signal}: filters left");
    }
}
