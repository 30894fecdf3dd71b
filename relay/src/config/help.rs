//! What `underpass help` and `underpass version` print.

use super::options::OPTIONS;

const INTRODUCTION: &str = "\
Usage: underpass [COMMAND] [OPTION]...

An RTP media relay for SIP proxies that speak rtpengine's ng protocol. Established flows are forwarded in the kernel.

Commands:
  run       Be a relay (also when no command is given)
  config    Print every option's value and where it came from; --json for programs
  tables    Print this machine's forwarding tables; --json for programs
  version   Print the version
  help      Print this

Options, also in an INI file (name = value) and in the environment (listen-ng is UNDERPASS_LISTEN_NG). The command line
counts before the environment, the environment before the file:
";

const CLOSING: &str = "
Other options of rtpengine are accepted and have no effect; each is named in the log.
";

/// The help text.
#[must_use]
pub fn help() -> String {
    let mut out = INTRODUCTION.to_owned();
    for option in OPTIONS {
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
        out += &format!(
            "  {short}--{}{value}\n          {}{default}\n",
            option.long, option.help
        );
    }
    out + CLOSING
}

/// The version line.
#[must_use]
pub fn version() -> String {
    format!("underpass {}\n", env!("CARGO_PKG_VERSION"))
}
