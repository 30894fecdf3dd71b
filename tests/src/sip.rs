//! A SIP call by programs written elsewhere: Kamailio between two networks, sipp at both ends. The media beside sipp
//! is the lab's own, so that every packet is accounted for. The demo plays the same files.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;

use crate::endpoint::Endpoint;
use crate::netns::Netns;
use crate::process::Process;
use crate::topology::{Family, Side, TwoNetworks};
use crate::wait::{wait_for, wait_until};

const KAMAILIO: &str = include_str!("../assets/sip/kamailio.cfg");
const CALLER: &str = include_str!("../assets/sip/uac.xml");
const CALLER_REINVITES: &str = include_str!("../assets/sip/reinvite.xml");
const CALLER_CANCELS: &str = include_str!("../assets/sip/uac-cancel.xml");
const CALLEE: &str = include_str!("../assets/sip/uas.xml");
const CALLEE_REINVITED: &str = include_str!("../assets/sip/uas-reinvite.xml");
const CALLEE_CANCELLED: &str = include_str!("../assets/sip/uas-cancelled.xml");
/// The lines of the proxy's configuration that say where its relay is.
const ONE_RELAY: &str = r#"loadmodule "rtpengine.so"

modparam("rtpengine", "rtpengine_sock", "udp:127.0.0.1:2223")
"#;
/// The lines for relays that stand in a table, which is read again when the proxy is told to.
const TABLE_OF_RELAYS: &str = r#"loadmodule "db_text.so"
loadmodule "ctl.so"
loadmodule "rtpengine.so"

modparam("db_text", "db_mode", 1)
modparam("ctl", "binrpc", "unix:{DIRECTORY}/ctl")
modparam("rtpengine", "db_url", "text://{DIRECTORY}")
"#;
/// Media ports of callers and callees: this one for the first call, 4 more for each next.
const FIRST_PORT: u16 = 20_000;

/// What the caller does between answer and BYE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Play {
    /// Nothing.
    Talk,
    /// Puts the call on hold by a re-INVITE, and takes it back by another.
    HoldAndResume,
    /// Cancels while it rings: there is no answer.
    Cancel,
}

/// The proxy, running in the relay's namespace.
#[derive(Debug)]
pub struct Kamailio(Process);

/// A row of the proxy's table of relays.
#[derive(Clone, Copy, Debug)]
pub struct Node<'u> {
    /// As in `udp:127.0.0.1:2223`.
    pub url: &'u str,
    /// How often it is chosen for new calls, against others.
    pub weight: u32,
    /// Whether it is not to be used.
    pub disabled: bool,
}

impl Kamailio {
    /// As [`Kamailio::start`], with the relay at `url`; the configuration `more` comes before it.
    #[must_use]
    #[track_caller]
    pub fn start_at(net: &TwoNetworks, url: &str, more: &str) -> Self {
        let relay = ONE_RELAY.replace("udp:127.0.0.1:2223", url);
        let callee = Side::B.far(Family::V4);
        Self::configured(net, Family::V4, &[callee], &format!("{more}{relay}"), &[])
    }

    /// As [`Kamailio::start`], with relays that stand in a table; `allow_op`: a relay that is gone from it, or disabled in
    /// it, is still told of its calls' ends.
    #[must_use]
    #[track_caller]
    pub fn start_with_table(net: &TwoNetworks, nodes: &[Node<'_>], allow_op: bool) -> Self {
        let allow = format!(
            "modparam(\"rtpengine\", \"rtpengine_allow_op\", {})\n",
            u8::from(allow_op)
        );
        let callee = Side::B.far(Family::V4);
        let relays = TABLE_OF_RELAYS.to_owned() + &allow;
        Self::configured(net, Family::V4, &[callee], &relays, nodes)
    }

    /// Puts other relays into the table, and has it read again, which is allowed every 10 s.
    #[track_caller]
    pub fn reload(&self, net: &TwoNetworks, nodes: &[Node<'_>]) {
        let directory = self.0.directory();
        write_table(&directory, nodes);
        let socket = format!("unixs:{}", directory.join("ctl").display());
        wait_until("the table to be read again", || {
            let mut kamcmd = net.relay.command("kamcmd");
            let told = kamcmd
                .args(["-s", &socket, "rtpengine.reload"])
                .output()
                .unwrap();
            let said = [told.stdout, told.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            let too_early = said.contains("Too short reload interval");
            assert!(
                too_early || !said.contains("error"),
                "rtpengine.reload: {said}"
            );
            if too_early {
                std::thread::sleep(std::time::Duration::from_millis(500));
            }
            !too_early
        });
    }

    /// Starts it between network a in IPv4 and network b in `callee`'s family, to send calls to every address of `callees` (two: both
    /// ring).
    #[must_use]
    #[track_caller]
    pub fn start(net: &TwoNetworks, callee: Family, callees: &[IpAddr]) -> Self {
        Self::configured(net, callee, callees, ONE_RELAY, &[])
    }

    #[track_caller]
    fn configured(
        net: &TwoNetworks,
        callee: Family,
        callees: &[IpAddr],
        relays: &str,
        nodes: &[Node<'_>],
    ) -> Self {
        let target = |at: usize| {
            callees
                .get(at)
                .map(|ip| SocketAddr::new(*ip, 5060).to_string())
                .unwrap_or_default()
        };
        let family = if callee == Family::V4 { "IP4" } else { "IP6" };
        assert!(KAMAILIO.contains(ONE_RELAY), "kamailio.cfg names its relay");
        let config = KAMAILIO
            .replace(ONE_RELAY, relays)
            .replace("{A}", &bracketed(Side::A.relay(Family::V4)))
            .replace("{B}", &bracketed(Side::B.relay(callee)))
            .replace("{CALLEE}", &target(0))
            .replace("{SECOND}", &target(1))
            .replace("{VIA}", "auto-next")
            .replace("{FAMILY}", family);
        let mut process = Process::start(&net.relay, "kamailio", |command| {
            let directory = command
                .get_current_dir()
                .expect("a process has a directory")
                .to_owned();
            let file = directory.join("kamailio.cfg");
            let config = config.replace("{DIRECTORY}", &directory.to_string_lossy());
            fs::write(&file, config).unwrap();
            write_table(&directory, nodes);
            if callees.len() > 1 {
                command.args(["-A", "FORK"]);
            }
            command
                .args(["-DD", "-E", "-m", "32", "-M", "4", "-f"])
                .arg(file)
                .arg("-Y")
                .arg(&directory);
        });
        wait_until("Kamailio's SIP ports", || {
            assert!(process.is_running(), "Kamailio ended:\n{}", process.log());
            listens(&net.relay, Side::B.relay(callee))
        });
        Self(process)
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        self.0.log()
    }
}

/// The table of relays as Kamailio's db_text reads it: a line of columns, then a line a row; a colon within a field is
/// escaped.
fn write_table(directory: &Path, nodes: &[Node<'_>]) {
    let mut table = "setid(int) url(string) weight(int) disabled(int)\n".to_owned();
    for node in nodes {
        let url = node.url.replace(':', "\\:");
        let _ = writeln!(table, "0:{url}:{}:{}", node.weight, u8::from(node.disabled));
    }
    let version = "table_name(string) table_version(int)\nrtpengine:1\n";
    fs::write(directory.join("version"), version).unwrap();
    fs::write(directory.join("rtpengine"), table).unwrap();
}

/// sipp as callee, with a media endpoint for each call that echoes what it hears.
#[derive(Debug)]
pub struct Callees {
    process: Process,
    /// Their media, in no order of calls.
    pub media: Vec<Endpoint>,
}

impl Callees {
    /// Starts it at `ip`, port 5060 of network b, for `calls` calls.
    #[must_use]
    #[track_caller]
    pub fn start(net: &TwoNetworks, ip: IpAddr, play: Play, calls: usize) -> Self {
        let scenario = match play {
            Play::Talk => CALLEE.replace("{REINVITES}", ""),
            Play::HoldAndResume => {
                let reinvited = |direction| CALLEE_REINVITED.replace("{DIRECTION}", direction);
                CALLEE.replace(
                    "{REINVITES}",
                    &(reinvited("recvonly") + &reinvited("sendrecv")),
                )
            }
            Play::Cancel => CALLEE_CANCELLED.to_owned(),
        };
        let media = ports(calls)
            .map(|port| Endpoint::echo_at(&net.callee, SocketAddr::new(ip, port)))
            .collect();
        let process = sipp(&net.callee, ip, &scenario, calls, &[]);
        wait_until("sipp's SIP port", || listens(&net.callee, ip));
        Self { process, media }
    }

    /// Waits until it has played all its calls to their end.
    #[track_caller]
    pub fn finish(&mut self) {
        finish(&mut self.process);
    }
}

/// sipp as caller, with a media endpoint for each call.
#[derive(Debug)]
pub struct Callers {
    process: Process,
    cues: UdpSocket,
    sip: SocketAddr,
    /// Their media, in the order of [`Callers::wait_for_answers`].
    pub media: Vec<Endpoint>,
}

/// A line of sipp's log: a call has been answered (again), or rings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The Call-ID.
    pub call: String,
    /// The caller's media port.
    pub port: u16,
    /// Where the answer tells the caller to send; `None` when it only rings.
    pub relay: Option<SocketAddr>,
}

impl Callers {
    /// Starts `calls` calls from network a, IPv4, at once.
    #[must_use]
    #[track_caller]
    pub fn start(net: &TwoNetworks, play: Play, calls: usize) -> Self {
        let scenario = match play {
            Play::Talk => CALLER.replace("{HOLD}", ""),
            Play::HoldAndResume => {
                let reinvite = |direction| CALLER_REINVITES.replace("{DIRECTION}", direction);
                CALLER.replace("{HOLD}", &(reinvite("sendonly") + &reinvite("sendrecv")))
            }
            Play::Cancel => CALLER_CANCELS.to_owned(),
        };
        let ip = Side::A.far(Family::V4);
        let media = ports(calls)
            .map(|port| Endpoint::bind_at(&net.caller, SocketAddr::new(ip, port)))
            .collect();
        let cues = net.caller.run(|| UdpSocket::bind((ip, 0))).unwrap();
        let proxy = SocketAddr::new(Side::A.relay(Family::V4), 5060).to_string();
        let process = sipp(&net.caller, ip, &scenario, calls, &["-s", "callee", &proxy]);
        Self {
            process,
            cues,
            sip: SocketAddr::new(ip, 5060),
            media,
        }
    }

    /// Waits until every call has come to its `times`-th answer (or rings) and returns the last of each, in the order of
    /// [`Callers::media`].
    #[track_caller]
    pub fn wait_for_answers(&mut self, times: usize) -> Vec<Progress> {
        let calls = self.media.len();
        wait_for("the answer to every call", || {
            assert!(
                self.process.is_running(),
                "the calling sipp ended:\n{}",
                self.errors()
            );
            let lines = self.progress();
            if lines.len() < calls * times {
                return None;
            }
            let last = |endpoint: &Endpoint| {
                lines
                    .iter()
                    .rev()
                    .find(|line| line.port == endpoint.address().port())
                    .cloned()
            };
            self.media.iter().map(last).collect()
        })
    }

    /// Lets every call go on with its scenario. A cue that was lost is not sent again: loopback of a namespace loses none.
    pub fn cue(&self, step: usize) {
        let calls: BTreeSet<_> = self.progress().into_iter().map(|line| line.call).collect();
        for (number, call) in calls.iter().enumerate() {
            let cue = format!(
                "INFO sip:caller@{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bKcue{step}x{number}\r\n\
                 From: <sip:lab@{own}>;tag=lab\r\nTo: <sip:caller@{sip}>\r\nCall-ID: {call}\r\nCSeq: {step} INFO\r\n\
                 Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
                sip = self.sip,
                own = self.cues.local_addr().unwrap(),
            );
            self.cues.send_to(cue.as_bytes(), self.sip).unwrap();
        }
    }

    /// Waits until it has played all its calls to their end.
    #[track_caller]
    pub fn finish(&mut self) {
        finish(&mut self.process);
    }

    fn progress(&self) -> Vec<Progress> {
        let log =
            fs::read_to_string(self.process.directory().join("calls.log")).unwrap_or_default();
        log.lines().filter_map(progress).collect()
    }

    fn errors(&self) -> String {
        let errors =
            fs::read_to_string(self.process.directory().join("errors.log")).unwrap_or_default();
        format!("{}\n{errors}", self.process.log())
    }
}

fn progress(line: &str) -> Option<Progress> {
    let mut words = line.split_whitespace();
    let answered = match words.next()? {
        "answered" => true,
        "ringing" => false,
        _ => return None,
    };
    let (call, port) = (words.next()?.to_owned(), words.next()?.parse().ok()?);
    let relay_port = words.next()?.parse().ok()?;
    let relay = match answered {
        true => Some(SocketAddr::new(words.next()?.parse().ok()?, relay_port)),
        false => None,
    };
    Some(Progress { call, port, relay })
}

#[track_caller]
fn sipp(ns: &Netns, ip: IpAddr, scenario: &str, calls: usize, more: &[&str]) -> Process {
    Process::start(ns, "sipp", |command| {
        let directory = command
            .get_current_dir()
            .expect("a process has a directory")
            .to_owned();
        let mut table = "SEQUENTIAL\n".to_owned();
        for port in ports(calls) {
            let _ = writeln!(table, "{port};");
        }
        fs::write(directory.join("scenario.xml"), scenario).unwrap();
        fs::write(directory.join("ports.csv"), table).unwrap();
        let (count, ip) = (calls.to_string(), ip.to_string());
        command.args([
            "-sf",
            "scenario.xml",
            "-inf",
            "ports.csv",
            "-i",
            &ip,
            "-p",
            "5060",
            "-mp",
            "50000",
        ]);
        command.args([
            "-m", &count, "-l", &count, "-r", &count, "-nostdin", "-cid_str", "%u-%p@%s",
        ]);
        command.args([
            "-trace_logs",
            "-log_file",
            "calls.log",
            "-trace_err",
            "-error_file",
            "errors.log",
        ]);
        command.args(more);
    })
}

#[track_caller]
fn finish(process: &mut Process) {
    let status = process.wait();
    let errors = fs::read_to_string(process.directory().join("errors.log")).unwrap_or_default();
    assert!(
        status.success(),
        "sipp: {status}\n{}\n{errors}",
        process.log()
    );
}

fn ports(calls: usize) -> impl Iterator<Item = u16> {
    (0..calls).map(|call| FIRST_PORT + 4 * u16::try_from(call).expect("a handful of calls"))
}

/// Whether a program has the SIP port. (Trying to take it oneself would keep it from the program.)
fn listens(ns: &Netns, ip: IpAddr) -> bool {
    let source = SocketAddr::new(ip, 5060).to_string();
    let sockets = ns
        .command("ss")
        .args(["-Huan", "src", &source])
        .output()
        .expect("ss (Debian package iproute2) is installed");
    !sockets.stdout.is_empty()
}

fn bracketed(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}
