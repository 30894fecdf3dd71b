//! What `underpass help` and `underpass version` print.

use super::command_line::Topic;
use super::options::{OPTIONS, OptionSpec, Role};

const RUN: &str = "\
Usage: underpass [COMMAND] [OPTION]...

An RTP media relay for SIP proxies that speak rtpengine's ng protocol. Established flows are forwarded in the kernel.

Commands:
  run               Be a relay (also when no command is given)
  agent             Be the node's agent, the one part that needs privilege: relays beside it need none
  config            Print every option's value and where it came from; --json for programs
  tables            Print this node's forwarding tables; --json for programs
  tables release N  Free a table whose owner is gone; --force: even if it lives
  doctor            Look for what keeps the kernel from forwarding, and say what to do; --json for programs
  version           Print the version
  help [COMMAND]    Print this, or a command's own options

Exit status: 0 well, 1 the machine is in the way (doctor: something is bad), 2 the command line, the environment or a file
is wrong.

Options of run and config, also in an INI file (name = value) and in the environment (listen-ng is UNDERPASS_LISTEN_NG).
The command line counts before the environment, the environment before the file:
";

const AGENT: &str = "\
Usage: underpass agent [OPTION]...

The node's agent: it loads and attaches the kernel programs, and grants tables to relays that ask for them on its socket.
Those need no privilege then. It keeps no state of its own: stopped, killed or replaced, forwarding goes on.

Options, also in the section [agent] of the INI file and in the environment (table-lease is UNDERPASS_TABLE_LEASE):
";

const CONFIG: &str = "\
Usage: underpass config [--json] [OPTION]...

Prints the value of every option of run and where it came from. Options are those of run: see underpass help.
";

const TABLES: &str = "\
Usage: underpass tables [--json] [OPTION]...
       underpass tables release N [--force] [OPTION]...

Prints every forwarding table of this node: its owner and whether that lives, what is left of its lease, what it may
forward for, its interfaces with engine and shape (own, shared, uplink), flows, packets and bytes.

release frees a table whose owner is gone before its lease is over; its flows end. With --force it does so even if the
owner lives: that relay goes on in user space. It takes the superuser.

  --json
          For programs
  --force
          Release the table of an owner that lives

Options:
";

const DOCTOR: &str = "\
Usage: underpass doctor [--json] [OPTION]...

Looks for what keeps the kernel from forwarding, or makes it slow, and says what to do: one line a finding, ok, warn or
bad. The exit status is 0 if nothing is bad, else 1. It changes nothing, and says what it may not see: run it as root to see
all. Options are those of run, so that it looks at what run would do, and --uplink of agent.
";

const CLOSING: &str = "
Other options of rtpengine are accepted and have no effect; each is named in the log.
";

/// The help text on a command.
#[must_use]
pub fn help(topic: Topic) -> String {
    match topic {
        Topic::Run => format!("{RUN}{}{CLOSING}", options(Role::Relay)),
        Topic::Agent => format!("{AGENT}{}", options(Role::Agent)),
        Topic::Config => CONFIG.to_owned(),
        Topic::Tables => format!("{TABLES}{}", options(Role::Tables)),
        Topic::Doctor => DOCTOR.to_owned(),
    }
}

/// The version line.
#[must_use]
pub fn version() -> String {
    format!("underpass {}\n", env!("CARGO_PKG_VERSION"))
}

fn options(role: Role) -> String {
    let options = OPTIONS.iter().filter(|option| option.is_for(role));
    options.map(option).collect()
}

fn option(option: &OptionSpec) -> String {
    let short = option
        .short
        .map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
    let value = match option.value_name {
        "" => String::new(),
        name => format!("={name}"),
    };
    let default = match option.default {
        "" | "false" => String::new(),
        default => format!(" (default {default})"),
    };
    format!(
        "  {short}--{}{value}\n          {}{default}\n",
        option.long, option.help
    )
}
