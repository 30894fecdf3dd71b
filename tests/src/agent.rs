//! A node's agent: `underpass agent`, for relays that run beside it.

use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::sync::Arc;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};

use crate::netns::Netns;
use crate::node::Node;
use crate::process::Process;
use crate::relay::underpass_binary;
use crate::wait::wait_until;

/// An agent that is about to start.
#[derive(Clone, Debug)]
pub struct AgentLaunch {
    node: Arc<Node>,
    binary: Option<PathBuf>,
    options: Vec<String>,
}

/// A running agent; killed when dropped.
#[derive(Debug)]
pub struct Agent {
    process: Process,
    node: Arc<Node>,
}

impl Agent {
    /// The agent of `node`.
    #[must_use]
    pub fn of(node: &Arc<Node>) -> AgentLaunch {
        AgentLaunch {
            node: node.clone(),
            binary: None,
            options: Vec::new(),
        }
    }

    /// Its process.
    #[must_use]
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Its node.
    #[must_use]
    pub fn node(&self) -> &Arc<Node> {
        &self.node
    }
}

impl AgentLaunch {
    /// Starts this underpass instead of the one beside the running test.
    #[must_use]
    pub fn binary(mut self, path: PathBuf) -> Self {
        self.binary = Some(path);
        self
    }

    /// Adds an option as it is written on the command line.
    #[must_use]
    pub fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// Starts it in `ns` and awaits nothing.
    #[must_use]
    #[track_caller]
    pub fn spawn(&self, ns: &Netns) -> Agent {
        let program = self.binary.clone().unwrap_or_else(underpass_binary);
        let process = Process::start(ns, &program.to_string_lossy(), |command| {
            command
                .args("agent --config-file=none --foreground --log-stderr".split_whitespace())
                .arg(format!("--socket={}", self.node.socket().display()))
                .arg(format!("--registry={}", self.node.registry().display()))
                .arg(format!("--bpffs={}", self.node.bpffs().display()))
                .args(&self.options);
        });
        Agent {
            process,
            node: self.node.clone(),
        }
    }

    /// Starts it in `ns` and waits until it listens.
    #[must_use]
    #[track_caller]
    pub fn start(&self, ns: &Netns) -> Agent {
        let mut agent = self.spawn(ns);
        wait_until("the agent to listen", || {
            let runs = agent.process.is_running();
            assert!(runs, "the agent ended:\n{}", agent.process.log());
            listens(&self.node)
        });
        agent
    }
}

/// Whether somebody accepts at the node's socket.
fn listens(node: &Node) -> bool {
    let socket = socket(
        AddressFamily::Unix,
        SockType::SeqPacket,
        SockFlag::SOCK_CLOEXEC,
        None,
    );
    let address = UnixAddr::new(&node.socket());
    let (Ok(socket), Ok(address)) = (socket, address) else {
        return false;
    };
    connect(socket.as_raw_fd(), &address).is_ok()
}
