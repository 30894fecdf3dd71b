//! The table of options.

use super::without_effect;

/// One option.
#[derive(Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Name on the command line (`--name`), in the INI file, and in the environment (`UNDERPASS_NAME`).
    pub long: &'static str,
    /// rtpengine's letter for it.
    pub short: Option<char>,
    /// What its value may be.
    pub kind: Kind,
    /// What it is when nobody says; lists separate by `;`.
    pub default: &'static str,
    /// What the value is, for help.
    pub value_name: &'static str,
    /// One line for help.
    pub help: &'static str,
}

/// What a value may be.
#[derive(Debug, PartialEq, Eq)]
pub enum Kind {
    /// There or not; `true` or `false` (1 or 0) in INI files and the environment.
    Flag,
    /// A whole number within bounds, decimal or 0x hexadecimal.
    Integer {
        /// Lowest.
        min: i64,
        /// Highest.
        max: i64,
    },
    /// One of these words, in any case.
    Choice(&'static [&'static str]),
    /// Anything, checked where it is used.
    Text,
    /// Several texts: the option may be repeated, or `;` used.
    List,
    /// An option of rtpengine that is accepted and has no effect; says whether it takes a value.
    WithoutEffect {
        /// Takes a value.
        takes_value: bool,
    },
    /// rtpengine does one thing and exits; there is nothing to do here.
    NothingToDo,
}

impl OptionSpec {
    /// The option needs a value on the command line.
    #[must_use]
    pub fn takes_value(&self) -> bool {
        match self.kind {
            Kind::Flag | Kind::NothingToDo => false,
            Kind::Integer { .. } | Kind::Choice(_) | Kind::Text | Kind::List => true,
            Kind::WithoutEffect { takes_value } => takes_value,
        }
    }

    /// The option may have several values.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.kind == Kind::List
    }

    /// The option does something.
    #[must_use]
    pub fn has_effect(&self) -> bool {
        !matches!(self.kind, Kind::WithoutEffect { .. } | Kind::NothingToDo)
    }
}

/// Finds an option by its long name, those without effect included.
#[must_use]
pub fn by_long(name: &str) -> Option<&'static OptionSpec> {
    let used = OPTIONS.iter().find(|option| option.long == name);
    used.or_else(|| without_effect::by_long(name))
}

/// Finds an option by its letter, those without effect included.
#[must_use]
pub fn by_short(letter: char) -> Option<&'static OptionSpec> {
    let used = OPTIONS.iter().find(|option| option.short == Some(letter));
    used.or_else(|| without_effect::by_short(letter))
}

/// Options that have an effect, in the order of help.
pub const OPTIONS: &[OptionSpec] = &[
    text(
        "config-file",
        None,
        "",
        "FILE",
        "INI file to read; none for no file. Default: /etc/underpass/underpass.conf, else /etc/rtpengine/rtpengine.conf, if there",
    ),
    text(
        "config-section",
        None,
        "",
        "NAME",
        "Section of the INI file. Default: [underpass] if there, else [rtpengine]",
    ),
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
    list(
        "listen-ng",
        Some('n'),
        "127.0.0.1:2223",
        "[ADDRESS:]PORT",
        "UDP address of the ng protocol; repeatable",
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
        "TCP address of HTTP (/ping, /metrics); repeatable",
    ),
    text(
        "table",
        Some('t'),
        "auto",
        "auto|NUMBER|-1",
        "Forwarding table: the first free one, exactly this one, or -1 for user space only",
    ),
    flag(
        "no-fallback",
        Some('F'),
        "Do not start where the kernel cannot forward",
    ),
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
        "Flows that the table holds",
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
    ),
    flag("log-stderr", Some('E'), "Log to stderr instead of syslog"),
    flag(
        "no-log-timestamps",
        None,
        "No timestamps before log lines on stderr",
    ),
    flag(
        "foreground",
        Some('f'),
        "Do not go into the background; not needed under systemd with Type=notify, nor as process 1",
    ),
    text(
        "pidfile",
        Some('p'),
        "",
        "FILE",
        "Write the process id there",
    ),
];

const MIN_INT: i64 = i32::MIN as i64;
const MAX_INT: i64 = i32::MAX as i64;

const fn flag(long: &'static str, short: Option<char>, help: &'static str) -> OptionSpec {
    OptionSpec {
        long,
        short,
        kind: Kind::Flag,
        default: "false",
        value_name: "",
        help,
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
    }
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
    }
}
