//! `demo`: a SIP call in throw-away networks, and a short account of what became of its packets.

mod account;
mod play;

use std::ffi::OsString;
use std::process::ExitCode;

use lab::Relay;
use lexopt::prelude::*;

use crate::shell::{is_root, say};
use crate::{build, setup};

/// Plays the call and prints its account: text, or JSON with `--json`. `--relay=rtpengine` plays it with Debian's rtpengine instead.
pub(crate) fn run(arguments: Vec<OsString>) -> anyhow::Result<ExitCode> {
    let (mut json, mut rtpengine) = (false, false);
    let mut parser = lexopt::Parser::from_args(arguments);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("json") => json = true,
            Long("relay") => rtpengine = parser.value()? == "rtpengine",
            other => return Err(other.unexpected().into()),
        }
    }
    anyhow::ensure!(
        setup::for_testing()?,
        "what the demo plays with is missing (see above)"
    );
    let (name, relay) = match rtpengine {
        true => ("rtpengine", Relay::rtpengine()),
        false => ("underpass", Relay::underpass().binary(build::release()?)),
    };
    if !is_root() {
        say(
            "the demo makes network namespaces, which needs root: sudo -E env PATH=\"$PATH\" cargo xtask demo",
        );
        return Ok(ExitCode::FAILURE);
    }
    let account = play::call(name, relay)?;
    match json {
        true => println!("{:#}", account.json()),
        false => print!("{}", account.text()),
    }
    Ok(ExitCode::SUCCESS)
}
