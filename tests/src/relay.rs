//! The relay under test: underpass, or Debian's rtpengine in user space to prove the lab itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::agent::Agent;
use crate::metrics::Metrics;
use crate::netns::Netns;
use crate::ng::NgClient;
use crate::node::Node;
use crate::process::Process;
use crate::topology::{Family, Side};
use crate::wait::wait_until;

/// Where every relay of the lab listens for ng, in its own namespace.
pub const NG: &str = "127.0.0.1:2223";
/// Where it serves its metrics.
pub const HTTP: &str = "127.0.0.1:9101";

/// Which program is the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The binary of this workspace.
    Underpass,
    /// Debian's rtpengine-daemon, in user space.
    Rtpengine,
}

/// What forwards: the value of `--engine`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Whatever the machine allows best.
    Auto,
    /// Programs at the tc hook.
    Tc,
    /// Programs at the XDP hook.
    Xdp,
    /// User space only.
    Null,
}

/// The relay that scenarios run against: the one the variable `LAB_RELAY` names (`underpass`, `rtpengine`), else underpass.
#[must_use]
pub fn kind_under_test() -> Kind {
    match std::env::var("LAB_RELAY").as_deref() {
        Ok("rtpengine") => Kind::Rtpengine,
        _ => Kind::Underpass,
    }
}

/// A relay that is about to start, on a node of its own unless [`Launch::on`] or [`Launch::with`] says which. A clone is
/// the same relay started again: it keeps its state where the first one did.
#[derive(Clone, Debug)]
pub struct Launch {
    kind: Kind,
    node: Arc<Node>,
    state: PathBuf,
    agent: String,
    as_nobody: bool,
    engine: Engine,
    binary: Option<PathBuf>,
    table: String,
    ng: String,
    http: String,
    interfaces: Vec<String>,
    options: Vec<String>,
}

/// A running relay; killed when dropped.
#[derive(Debug)]
pub struct Relay {
    process: Process,
    node: Arc<Node>,
    ng: SocketAddr,
    http: SocketAddr,
}

impl Relay {
    /// The relay under test (see [`kind_under_test`]).
    #[must_use]
    pub fn under_test() -> Launch {
        Launch::new(kind_under_test())
    }

    /// This workspace's relay.
    #[must_use]
    pub fn underpass() -> Launch {
        Launch::new(Kind::Underpass)
    }

    /// Debian's rtpengine.
    #[must_use]
    pub fn rtpengine() -> Launch {
        Launch::new(Kind::Rtpengine)
    }

    /// A client of it, in its own namespace.
    #[must_use]
    pub fn client(&self, ns: &Netns) -> NgClient {
        NgClient::connect(ns, self.ng)
    }

    /// A scrape of its metrics.
    #[must_use]
    #[track_caller]
    pub fn metrics(&self, ns: &Netns) -> Metrics {
        Metrics::scrape(ns, self.http)
    }

    /// Its process.
    #[must_use]
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// The node it is on.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Asserts that nothing of any call is left: no call listed, no port in use.
    #[track_caller]
    pub fn assert_idle(&self, ns: &Netns) {
        let client = self.client(ns);
        let calls = client.ok(&json!({"command": "list", "limit": 100}));
        assert_eq!(
            calls["calls"].as_array().map(Vec::len),
            Some(0),
            "calls left: {calls}"
        );
        let mut used = 0;
        for _ in 0..1000 {
            used = self.metrics(ns).ports_used();
            if used == 0 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{used} ports left in use");
    }

    /// How many calls it lists.
    #[must_use]
    #[track_caller]
    pub fn calls(&self, ns: &Netns) -> Vec<Value> {
        let reply = self
            .client(ns)
            .ok(&json!({"command": "list", "limit": 1000}));
        reply["calls"].as_array().cloned().unwrap_or_default()
    }
}

impl Launch {
    fn new(kind: Kind) -> Self {
        let (table, ng, http) = ("auto".to_owned(), NG.to_owned(), HTTP.to_owned());
        let node = Node::new();
        let state = node.new_state();
        Self {
            kind,
            node,
            state,
            agent: "embedded".to_owned(),
            as_nobody: false,
            engine: Engine::Auto,
            binary: None,
            table,
            ng,
            http,
            interfaces: Vec::new(),
            options: Vec::new(),
        }
    }

    /// Forwards by this engine.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Starts this underpass instead of the one beside the running test.
    #[must_use]
    pub fn binary(mut self, path: PathBuf) -> Self {
        self.binary = Some(path);
        self
    }

    /// On this node, with its own agent inside.
    #[must_use]
    pub fn on(mut self, node: &Arc<Node>) -> Self {
        (self.node, self.state) = (node.clone(), node.new_state());
        self
    }

    /// On the node of this agent, with a table from it.
    #[must_use]
    pub fn with(mut self, agent: &Agent) -> Self {
        self = self.on(agent.node());
        self.agent = agent.node().socket().to_string_lossy().into_owned();
        self
    }

    /// Runs it as nobody, without any capability, in a file system that is read-only but for [`Launch::state`].
    #[must_use]
    pub fn as_nobody(mut self) -> Self {
        self.as_nobody = true;
        self
    }

    /// Keeps no journal: its calls end with it. Whoever starts it again has to say who it is.
    #[must_use]
    pub fn without_journal(mut self, identity: &str) -> Self {
        self.state = "none".into();
        self.option(&format!("--identity={identity}"))
    }

    /// The node it will be on.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }

    /// Where it keeps its identity and its journal.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Takes this table: `auto`, a number, `-1`.
    #[must_use]
    pub fn table(mut self, table: &str) -> Self {
        self.table = table.to_owned();
        self
    }

    /// Listens elsewhere (a second relay in one namespace).
    #[must_use]
    pub fn listen(mut self, ng: &str, http: &str) -> Self {
        (self.ng, self.http) = (ng.to_owned(), http.to_owned());
        self
    }

    /// Adds an interface: `name/address`.
    #[must_use]
    pub fn interface(mut self, interface: &str) -> Self {
        self.interfaces.push(interface.to_owned());
        self
    }

    /// Adds the interfaces `a` and `b` of [`crate::TwoNetworks`], IPv4 and IPv6.
    #[must_use]
    pub fn two_networks(mut self) -> Self {
        for side in [Side::A, Side::B] {
            for family in [Family::V4, Family::V6] {
                self.interfaces
                    .push(format!("{}/{}", side.interface(), side.relay(family)));
            }
        }
        self
    }

    /// Adds an option as it is written on the command line.
    #[must_use]
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// Starts it in `ns` and waits until it answers a ping.
    #[must_use]
    #[track_caller]
    pub fn start(self, ns: &Netns) -> Relay {
        let mut relay = self.spawn(ns);
        wait_until("the relay's pong", || {
            assert!(
                relay.process.is_running(),
                "the relay ended:\n{}",
                relay.process.log()
            );
            relay.client(ns).pings()
        });
        relay
    }

    /// Starts it in `ns`, expecting that it refuses to run; returns how it ended and what it wrote.
    #[must_use]
    #[track_caller]
    pub fn start_refused(self, ns: &Netns) -> (ExitStatus, String) {
        let mut relay = self.spawn(ns);
        let status = relay.process.wait();
        (status, relay.process.log())
    }

    /// Starts it in `ns` and awaits nothing.
    #[must_use]
    #[track_caller]
    pub fn spawn(self, ns: &Netns) -> Relay {
        let mut command = match self.kind {
            Kind::Underpass => {
                let binary = self.binary.clone().unwrap_or_else(underpass_binary);
                self.command_of(&binary)
            }
            Kind::Rtpengine => vec!["rtpengine".to_owned()],
        };
        command.extend(self.arguments());
        let process = Process::start(ns, &command[0], |process| {
            process.args(&command[1..]);
        });
        Relay {
            process,
            node: self.node,
            ng: self.ng.parse().unwrap(),
            http: self.http.parse().unwrap(),
        }
    }

    /// What starts `binary`. (Not `Command::uid`: that would be too early to enter a namespace.)
    fn command_of(&self, binary: &Path) -> Vec<String> {
        if !self.as_nobody {
            return vec![binary.to_string_lossy().into_owned()];
        }
        let copy = self.node.binary_for_everyone(binary);
        // Its state, and nothing else, can be written.
        let script = "mount --bind $1 $1 && mount -o remount,ro,bind / && shift && exec \"$@\"";
        let mounted = ["unshare", "--mount", "sh", "-c", script, "sh"].map(str::to_owned);
        let user = "setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all --bounding-set=-all \
                    --no-new-privs --pdeathsig=KILL";
        let mut command = Vec::from(mounted);
        command.push(self.state.to_string_lossy().into_owned());
        command.extend(user.split_whitespace().map(str::to_owned));
        command.push(copy.to_string_lossy().into_owned());
        command
    }

    fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<_> = self
            .interfaces
            .iter()
            .map(|i| format!("--interface={i}"))
            .collect();
        arguments.push(format!("--listen-ng={}", self.ng));
        arguments.push(format!("--listen-http={}", self.http));
        arguments.extend(["--config-file=none", "--foreground", "--log-stderr"].map(str::to_owned));
        match self.kind {
            Kind::Rtpengine => {
                arguments.extend(["--table=-1", "--delete-delay=0"].map(str::to_owned))
            }
            Kind::Underpass => {
                let engine = match self.engine {
                    Engine::Auto => "auto",
                    Engine::Tc => "tc",
                    Engine::Xdp => "xdp",
                    Engine::Null => "null",
                };
                arguments.extend([
                    format!("--table={}", self.table),
                    format!("--engine={engine}"),
                    "--delete-delay=0".to_owned(),
                    format!("--agent={}", self.agent),
                    format!("--registry={}", self.node.registry().display()),
                    format!("--bpffs={}", self.node.bpffs().display()),
                    format!("--state-dir={}", self.state.display()),
                ]);
            }
        }
        arguments.extend(self.options.iter().cloned());
        arguments
    }
}

/// The binary beside the running test (`target/PROFILE/underpass`), or the one `LAB_UNDERPASS` names.
///
/// # Panics
/// If there is none.
#[must_use]
pub fn underpass_binary() -> PathBuf {
    if let Some(path) = std::env::var_os("LAB_UNDERPASS") {
        return path.into();
    }
    let own = std::env::current_exe().unwrap();
    let profile = own
        .ancestors()
        .find(|directory| directory.join("underpass").is_file());
    profile
        .map(|directory| directory.join("underpass"))
        .expect("target/debug/underpass is built: cargo build -p underpass")
}
