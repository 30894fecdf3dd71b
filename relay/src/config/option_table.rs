//! The table of options.

use super::options::{Kind, OptionSpec, Role};
use crate::tables::SOCKET;

const RELAY: &[Role] = &[Role::Relay];
const RELAY_AND_AGENT: &[Role] = &[Role::Relay, Role::Agent];
const RELAY_AND_TABLES: &[Role] = &[Role::Relay, Role::Tables];
const AGENT: &[Role] = &[Role::Agent];
const EVERYBODY: &[Role] = &[Role::Relay, Role::Agent, Role::Tables];

/// Options that have an effect, in the order of help.
pub const OPTIONS: &[OptionSpec] = &[
    text(
        "config-file",
        None,
        "",
        "FILE",
        "INI file to read; none for no file. Default: /etc/underpass/underpass.conf, else /etc/rtpengine/rtpengine.conf, if there",
    )
    .of(EVERYBODY),
    text(
        "config-section",
        None,
        "",
        "NAME",
        "Section of the INI file. Default: [underpass] if there, else [rtpengine]",
    )
    .of(EVERYBODY),
    text(
        "name",
        None,
        "underpass",
        "NAME",
        "What this relay is called where tables and their owners are listed",
    ),
    list(
        "interface",
        Some('i'),
        "",
        "[NAME/]ADDRESS[!ADVERTISED]",
        "Local address, device or any for media; repeatable. Default: this machine's own addresses",
    ),
    text(
        "interfaces-config",
        None,
        "",
        "PREFIX",
        "Media interfaces also from the sections [PREFIX-NAME] of the configuration file: address or alias, advertised, \
         name, port-min, port-max, exclude-ports",
    ),
    list(
        "listen-ng",
        Some('n'),
        "127.0.0.1:2223",
        "[ADDRESS:]PORT",
        "UDP address of the ng protocol; repeatable",
    ),
    list(
        "listen-tcp-ng",
        Some('N'),
        "",
        "[ADDRESS:]PORT",
        "TCP address of the ng protocol; repeatable",
    ),
    list(
        "listen-cli",
        Some('c'),
        "",
        "[ADDRESS:]PORT",
        "TCP address of the text CLI; repeatable",
    ),
    list(
        "listen-http",
        None,
        "",
        "[ADDRESS:]PORT",
        "TCP address of HTTP and WebSocket (/metrics, /ping, /ng, /ng-plain, /cli); repeatable",
    ),
    list(
        "listen-https",
        None,
        "",
        "[ADDRESS:]PORT",
        "The same over TLS; repeatable",
    ),
    text(
        "https-cert",
        None,
        "",
        "FILE",
        "Certificate of listen-https with its chain, in PEM format; read again when it changes",
    ),
    text(
        "https-key",
        None,
        "",
        "FILE",
        "Its private key, in PEM format. Default: in the same file",
    ),
    integer(
        "http-idle-timeout",
        None,
        "30",
        0,
        MAX_INT,
        "SECONDS",
        "How long a connection of HTTP may stay without a request; 0: the default",
    ),
    text(
        "table",
        Some('t'),
        "auto",
        "auto|NUMBER|-1",
        "Forwarding table: the first free one, exactly this one, or -1 for user space only",
    ),
    flag(
        "require-kernel",
        None,
        "Do not start where the kernel cannot forward",
    ),
    flag(
        "no-fallback",
        Some('F'),
        "The same, as rtpengine calls it",
    ),
    text(
        "agent",
        None,
        "auto",
        "auto|embedded|SOCKET|none",
        "Who does what takes privilege: the node's agent at this socket, the relay itself, or nobody; auto is the agent \
         at /run/underpass/agent.sock if there is one, else the relay itself",
    )
    .of(RELAY_AND_TABLES),
    text(
        "identity",
        None,
        "",
        "NAME",
        "Who this relay is across restarts. Default: its pod's UID, else a name kept in the state directory",
    ),
    text(
        "state-dir",
        None,
        "/run/underpass/state",
        "DIR|none",
        "Where calls are journalled, to go on after a crash; none for no journal",
    ),
    integer(
        "table-lease",
        None,
        "60",
        1,
        86_400,
        "SECONDS",
        "How long a table goes on forwarding for a relay that is gone, where this process grants it",
    )
    .of(RELAY_AND_AGENT),
    text(
        "registry",
        None,
        "/run/underpass/tables",
        "DIR",
        "Where the node's tables are registered; the same for everybody on a node",
    )
    .of(EVERYBODY),
    text(
        "bpffs",
        None,
        "/sys/fs/bpf",
        "DIR",
        "Where the BPF file system is, or is to be mounted",
    )
    .of(EVERYBODY),
    text(
        "socket",
        None,
        SOCKET,
        "PATH",
        "Where the agent listens",
    )
    .of(AGENT),
    text(
        "policy",
        None,
        "",
        "FILE",
        "Who may claim which addresses and ports. Default: the addresses of a caller's own network namespace",
    )
    .of(AGENT),
    list(
        "uplink",
        None,
        "",
        "INTERFACE",
        "Interface of the node that relays are reached through: their media turns around there; repeatable",
    )
    .of(AGENT),
    list(
        "engine",
        None,
        "auto",
        "[DEVICE:]auto|xdp|xdp-generic|tc|null",
        "What forwards in the kernel, for all devices or one; repeatable",
    ),
    integer(
        "max-flows",
        None,
        "65536",
        1,
        4_194_304,
        "NUMBER",
        "Flows that the table holds, 432 bytes of kernel memory each",
    ),
    integer(
        "port-min",
        Some('m'),
        "30000",
        1,
        65535,
        "PORT",
        "Lowest port for media",
    ),
    integer(
        "port-max",
        Some('M'),
        "39999",
        1,
        65535,
        "PORT",
        "Highest port for media",
    ),
    list(
        "exclude-ports",
        None,
        "",
        "PORT|FIRST-LAST",
        "Ports that media does not use; repeatable",
    ),
    integer(
        "timeout",
        Some('o'),
        "60",
        MIN_INT,
        MAX_INT,
        "SECONDS",
        "End a call without media after this time",
    ),
    integer(
        "silent-timeout",
        Some('s'),
        "3600",
        MIN_INT,
        MAX_INT,
        "SECONDS",
        "The same for a call on hold",
    ),
    integer(
        "offer-timeout",
        None,
        "3600",
        MIN_INT,
        MAX_INT,
        "SECONDS",
        "The same for a call that was never answered",
    ),
    integer(
        "final-timeout",
        Some('a'),
        "0",
        MIN_INT,
        MAX_INT,
        "SECONDS",
        "End any call at this age; 0 never",
    ),
    integer(
        "delete-delay",
        Some('d'),
        "30",
        0,
        MAX_INT,
        "SECONDS",
        "Keep a deleted call's media for this time",
    ),
    integer(
        "tos",
        Some('T'),
        "0",
        0,
        255,
        "BYTE",
        "TOS byte or traffic class of outgoing media",
    ),
    integer(
        "max-sessions",
        None,
        "-1",
        -1,
        MAX_INT,
        "NUMBER",
        "Calls at a time; -1 no limit, 0 none",
    ),
    text(
        "max-cpu",
        None,
        "0",
        "PERCENT",
        "Refuse new calls while the processors are so busy; 0 never",
    ),
    text(
        "max-load",
        None,
        "0",
        "LOAD",
        "Refuse new calls at such a load average of the last minute; 0 never",
    ),
    integer(
        "max-bandwidth",
        None,
        "0",
        0,
        i64::MAX,
        "BYTES",
        "Refuse new calls while so many bytes a second are relayed; 0 never",
    ),
    integer(
        "control-tos",
        None,
        "0",
        0,
        255,
        "BYTE",
        "TOS byte or traffic class of ng replies over UDP",
    ),
    choice(
        "endpoint-learning",
        "heuristic",
        &["delayed", "immediate", "off", "heuristic"],
        "delayed|immediate|off|heuristic",
        "How the source of a stream is learned",
    ),
    flag(
        "sip-source",
        None,
        "Send media to the SIP message's source address by default",
    ),
    list(
        "mos",
        None,
        "CQ;G.107",
        "CQ|LQ|G.107|legacy",
        "The mean opinion score: with the round trip (CQ) or without (LQ), and its formula",
    ),
    integer(
        "rtcp-interval",
        None,
        "5000",
        1,
        MAX_INT,
        "MILLISECONDS",
        "How often reports are sent where generate-RTCP is on",
    ),
    integer(
        "graphite-interval",
        Some('G'),
        "10",
        MIN_INT,
        MAX_INT,
        "SECONDS",
        "How long an interval of statistics is (intervalstatistics); 0 for none. Graphite itself is not told",
    ),
    text(
        "b2b-url",
        Some('b'),
        "",
        "URL",
        "Whom to tell by XML-RPC that a call has timed out; %% stands for the address of its proxy. An https server must \
         have a certificate that the system trusts, or SSL_CERT_FILE",
    ),
    integer(
        "xmlrpc-format",
        Some('x'),
        "0",
        0,
        2,
        "NUMBER",
        "What to say there: 0 to SEMS, 1 the call-id, 2 to Kamailio",
    ),
    text(
        "dtmf-log-dest",
        None,
        "",
        "ADDRESS:PORT",
        "Whom to tell of digits (RFC 4733) by UDP, in JSON",
    ),
    flag(
        "dtmf-log-ng-tcp",
        None,
        "Tell the clients of listen-tcp-ng of digits",
    ),
    integer(
        "dtmf-digit-delay",
        None,
        "2500",
        0,
        i32::MAX as i64,
        "MS",
        "Longest pause between digits that are dialled as one code",
    ),
    text(
        "templates",
        None,
        "",
        "SECTION",
        "Section of the configuration file with options of ng under names (template=NAME). Default: none",
    ),
    text(
        "recording-dir",
        None,
        "",
        "DIR",
        "Where calls are recorded. Default: nowhere, and none are",
    ),
    choice(
        "recording-method",
        "pcap",
        &["pcap", "proc", "all"],
        "pcap|proc|all",
        "How calls are recorded: pcap files; there is no proc interface, so all is pcap and proc nothing",
    ),
    choice(
        "recording-format",
        "raw",
        &["raw", "eth"],
        "raw|eth",
        "What frames of pcap files begin with: IP, or Ethernet",
    ),
    flag(
        "record-egress",
        None,
        "Record packets as they are sent, and not as they arrive",
    ),
    flag(
        "record-both",
        None,
        "Record packets as they arrive and as they are sent",
    ),
    text(
        "vsc-start-rec",
        None,
        "",
        "DIGITS",
        "What parties with recording-vsc dial to have their call recorded, such as *9. Default: nothing",
    ),
    text(
        "vsc-stop-rec",
        None,
        "",
        "DIGITS",
        "What ends the recording",
    ),
    text(
        "vsc-start-stop-rec",
        None,
        "",
        "DIGITS",
        "What begins one, or ends it where there is one",
    ),
    text(
        "vsc-pause-rec",
        None,
        "",
        "DIGITS",
        "What pauses it",
    ),
    text(
        "vsc-pause-resume-rec",
        None,
        "",
        "DIGITS",
        "What pauses it, or goes on with it",
    ),
    text(
        "vsc-start-pause-resume-rec",
        None,
        "",
        "DIGITS",
        "What does all three in turn",
    ),
    integer(
        "num-threads",
        None,
        "0",
        0,
        1024,
        "NUMBER",
        "Media workers; 0 one per core",
    ),
    integer(
        "log-level",
        Some('L'),
        "6",
        0,
        7,
        "LEVEL",
        "0 emergency to 7 debug, as in syslog",
    )
    .of(RELAY_AND_AGENT),
    part("log-level-control", "The same of what is said about commands; -1: log-level"),
    part("log-level-http", "The same about HTTP and calls to proxies"),
    part("log-level-internals", "The same about media, the kernel path and the journal"),
    text(
        "log-facility",
        None,
        "daemon",
        "FACILITY",
        "Facility of lines to syslog",
    )
    .of(RELAY_AND_AGENT),
    text(
        "log-facility-cdr",
        None,
        "",
        "FACILITY",
        "Log a record of each call that ends, with this facility. Default: none",
    ),
    text(
        "log-facility-dtmf",
        None,
        "",
        "FACILITY",
        "Log digits (RFC 4733) in JSON, with this facility. Default: none",
    ),
    flag("log-stderr", Some('E'), "Log to stderr instead of syslog").of(RELAY_AND_AGENT),
    flag(
        "no-log-timestamps",
        None,
        "No timestamps before log lines on stderr",
    )
    .of(RELAY_AND_AGENT),
    flag(
        "foreground",
        Some('f'),
        "Do not go into the background; not needed under systemd with Type=notify, nor as process 1",
    )
    .of(RELAY_AND_AGENT),
    text(
        "pidfile",
        Some('p'),
        "",
        "FILE",
        "Write the process id there",
    )
    .of(RELAY_AND_AGENT),
];

const MIN_INT: i64 = i32::MIN as i64;
const MAX_INT: i64 = i32::MAX as i64;

impl OptionSpec {
    const fn of(mut self, roles: &'static [Role]) -> Self {
        self.roles = roles;
        self
    }
}

const fn flag(long: &'static str, short: Option<char>, help: &'static str) -> OptionSpec {
    OptionSpec {
        long,
        short,
        kind: Kind::Flag,
        default: "false",
        value_name: "",
        help,
        roles: RELAY,
    }
}

const fn integer(
    long: &'static str,
    short: Option<char>,
    default: &'static str,
    min: i64,
    max: i64,
    value_name: &'static str,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        long,
        short,
        kind: Kind::Integer { min, max },
        default,
        value_name,
        help,
        roles: RELAY,
    }
}

/// The log level of a part.
const fn part(long: &'static str, help: &'static str) -> OptionSpec {
    integer(long, None, "-1", -1, 7, "LEVEL", help)
}

const fn choice(
    long: &'static str,
    default: &'static str,
    words: &'static [&'static str],
    value_name: &'static str,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        long,
        short: None,
        kind: Kind::Choice(words),
        default,
        value_name,
        help,
        roles: RELAY,
    }
}

const fn text(
    long: &'static str,
    short: Option<char>,
    default: &'static str,
    value_name: &'static str,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        long,
        short,
        kind: Kind::Text,
        default,
        value_name,
        help,
        roles: RELAY,
    }
}

const fn list(
    long: &'static str,
    short: Option<char>,
    default: &'static str,
    value_name: &'static str,
    help: &'static str,
) -> OptionSpec {
    OptionSpec {
        long,
        short,
        kind: Kind::List,
        default,
        value_name,
        help,
        roles: RELAY,
    }
}
