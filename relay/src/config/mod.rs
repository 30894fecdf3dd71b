//! Options: rtpengine.conf keys, environment and flags; each value knows where it came from.
//!
//! One table ([`options`]) says what an option is called, what it may be and what it is when nobody says. A value comes
//! from, in this order: command line, environment (`UNDERPASS_LISTEN_NG=…`), INI file, default. [`load`] asks the
//! machine it runs on only through [`Machine`], so all of it is tested as values in and values out.

mod address;
mod command_line;
mod environment;
mod error;
mod file;
mod help;
mod ini;
mod interface_sections;
mod interfaces;
mod listeners;
mod load;
mod machine;
mod mos;
mod nearest;
mod option_row;
mod option_table;
pub mod options;
mod ports;
mod recording;
mod report;
mod resolve;
mod resolve_node;
mod settings;
#[cfg(test)]
mod tests;
mod value;
mod without_effect;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use ng_protocol::Templates;

pub use command_line::{Command, CommandLine, Topic, parse};
pub use error::{ConfigError, ListenError};
pub use help::{help, version};
pub use load::{Loaded, load, load_agent, load_tables};
pub use machine::{LocalIp, Machine, ThisMachine};
#[cfg(feature = "kernel")]
pub(crate) use ports::overlap;
pub use report::{json, text, values};
pub use settings::{Given, Origin, Setting, Settings};

use crate::call::{Hundredths, StarCodes};
use crate::callbacks;
use crate::datapath::EngineChoice;
use crate::media::{MediaPorts, Mos};
use crate::ops::logging::{Facilities, Levels};
use crate::plan::{EndpointLearning, LogicalInterface};
use crate::recording::{Format, Sides};
use crate::tables::{AgentChoice, TableRequest};

/// Everything an operator can say, checked against this machine. See `underpass help` for each option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What this relay is called where tables and their owners are listed.
    pub name: String,
    /// Options of ng that have names.
    pub templates: Templates,
    /// Where media is received and sent, in order; the first is used where signalling names none. Never empty.
    pub interfaces: Vec<LogicalInterface>,
    /// UDP addresses of the ng protocol. Never empty. An IPv6 wildcard comes with its IPv4 twin: bind it V6ONLY.
    pub listen_ng: Vec<SocketAddr>,
    /// TCP addresses of the ng protocol.
    pub listen_tcp_ng: Vec<SocketAddr>,
    /// TCP addresses of the text CLI.
    pub listen_cli: Vec<SocketAddr>,
    /// TCP addresses of HTTP and WebSocket: metrics, the ng protocol, the text CLI.
    pub listen_http: Vec<SocketAddr>,
    /// The same over TLS.
    pub listen_https: Vec<SocketAddr>,
    /// Their certificate with its chain, in PEM format.
    pub https_cert: Option<PathBuf>,
    /// Its private key, in PEM format; `None`: in the same file.
    pub https_key: Option<PathBuf>,
    /// How long a connection of HTTP may stay without a request.
    pub http_idle_timeout: Duration,
    /// Which forwarding table to claim.
    pub table: TableRequest,
    /// Refuse to start rather than forward in user space (rtpengine's `no-fallback`).
    pub require_kernel: bool,
    /// Who claims tables and does what else takes privilege.
    pub agent: AgentChoice,
    /// Who this relay is across restarts; `None`: its pod's UID, or a name kept in the state directory. Fit for a file's name.
    pub identity: Option<String>,
    /// Where calls are journalled; `None`: nowhere, and they end with the process.
    pub state_dir: Option<PathBuf>,
    /// The lease that an embedded agent grants.
    pub table_lease: Duration,
    /// Where the node's tables are registered, for an embedded agent.
    pub registry: PathBuf,
    /// bpffs, for an embedded agent.
    pub bpffs: PathBuf,
    /// What forwards flows…
    pub engine: EngineChoice,
    /// …except on these devices.
    pub device_engines: BTreeMap<String, EngineChoice>,
    /// Flows that the table holds, of both address families.
    pub max_flows: u32,
    /// The addresses of all interfaces with the ports of each. Never empty, and each has a pair of ports.
    pub media_ports: BTreeMap<IpAddr, MediaPorts>,
    /// A call with no media for this long ends.
    pub timeout: Duration,
    /// The same where media is held or muted.
    pub silent_timeout: Duration,
    /// The same where the offer was never answered.
    pub offer_timeout: Duration,
    /// A call ends at this age; `None` never.
    pub final_timeout: Option<Duration>,
    /// How long a deleted call goes on before its ports are freed.
    pub delete_delay: Duration,
    /// TOS byte or traffic class of outgoing media.
    pub tos: u8,
    /// Calls at a time; `None` no limit, 0 refuses every new call.
    pub max_sessions: Option<u32>,
    /// New calls are refused while the processors are so busy, in percent; 0 turns it off.
    pub max_cpu: Hundredths,
    /// New calls are refused at such a load average; 0 turns it off.
    pub max_load: Hundredths,
    /// New calls are refused while so many bytes a second are relayed; 0 turns it off.
    pub max_bandwidth: u64,
    /// TOS byte or traffic class of ng replies over UDP.
    pub control_tos: u8,
    /// How a stream's source is learned unless a command says otherwise.
    pub endpoint_learning: EndpointLearning,
    /// Send media to the SIP message's source address instead of the SDP's, unless a command says otherwise.
    pub sip_source: bool,
    /// Who is told of calls that time out, and how; `None`: nobody.
    pub callbacks: Option<CallbackConfig>,
    /// Who is told of digits by UDP.
    pub dtmf_log_dest: Option<SocketAddr>,
    /// Whether clients of ng over TCP are told of digits.
    pub dtmf_log_ng_tcp: bool,
    /// The longest pause between digits that are dialled as one code.
    pub dtmf_digit_delay: Duration,
    /// How the mean opinion score is made.
    pub mos: Mos,
    /// How often reports are sent where RTCP is generated.
    pub rtcp_interval: Duration,
    /// How long an interval of `intervalstatistics` is; zero: there are none.
    pub graphite_interval: Duration,
    /// Where and how calls are recorded; `None`: not at all.
    pub recording: Option<RecordingConfig>,
    /// What parties dial to control recordings.
    pub star_codes: StarCodes,
    /// Media workers; at least 1.
    pub num_threads: usize,
    /// The process itself.
    pub process: ProcessConfig,
}

/// Who is told of calls that time out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackConfig {
    /// An http or https URL; `%%` stands for the proxy's address.
    pub url: String,
    /// What is said.
    pub format: callbacks::Format,
}

/// How calls are recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingConfig {
    /// The spool directory.
    pub directory: PathBuf,
    /// What frames of pcap files begin with.
    pub format: Format,
    /// Which packets are recorded.
    pub sides: Sides,
}

/// What `underpass agent` runs with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentConfig {
    /// Where it listens.
    pub socket: PathBuf,
    /// Who may claim what; `None`: the default policy.
    pub policy: Option<PathBuf>,
    /// How long a table outlives its owner.
    pub table_lease: Duration,
    /// Interfaces of the node that relays are reached through. They need not be there yet.
    pub uplinks: Vec<String>,
    /// Where the node's tables are registered.
    pub registry: PathBuf,
    /// bpffs.
    pub bpffs: PathBuf,
    /// The process itself.
    pub process: ProcessConfig,
}

/// What `underpass tables` looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TablesConfig {
    /// Whom to ask.
    pub agent: AgentChoice,
    /// Where the node's tables are registered, where there is no agent to ask.
    pub registry: PathBuf,
    /// bpffs, likewise.
    pub bpffs: PathBuf,
}

/// What relay and agent have in common: they run, log, and are watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessConfig {
    /// What is said, and of which parts.
    pub log_levels: Levels,
    /// What lines to syslog are said to be from, and what is logged beside them.
    pub facilities: Facilities,
    /// Log to stderr.
    pub log_stderr: bool,
    /// Put timestamps before lines on stderr.
    pub log_timestamps: bool,
    /// Do not go into the background.
    pub foreground: bool,
    /// Where to write the process id.
    pub pidfile: Option<PathBuf>,
}
