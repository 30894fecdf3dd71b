//! Going into the background, as rtpengine does unless told `foreground`.
//!
//! The process starts itself anew in a session of its own and waits until that one says that it is ready: an init
//! script (or `Type=forking`) then has a relay that answers, or an exit status that is not zero. No fork of a running
//! program is involved, so it does not matter which threads there are.

use std::env;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::logging::Destination;
use super::notify;

/// Set for the process in the background.
const MARK: &str = "_UNDERPASS_IN_BACKGROUND";
const READY: &[u8] = b"ready\n";

/// Why the relay did not get into the background.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// Starting the own program anew failed.
    #[error("cannot go into the background ({program}): {source}; use --foreground")]
    Spawn {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The kernel refused something.
    #[error("cannot go into the background: {0}; use --foreground")]
    Refused(#[from] io::Error),
}

/// Which of the processes this is.
#[derive(Debug)]
pub enum Role {
    /// The one that works; it says when it is ready.
    Relay(Background),
    /// The one that was started, and has done its part: exit with this status.
    Launcher(u8),
}

/// The working process's tie to the one that started it.
#[derive(Debug)]
pub struct Background {
    detached: bool,
}

/// Goes into the background unless `foreground`, or unless this is the process that somebody watches: systemd with
/// `Type=notify`, or a container (process 1).
///
/// # Errors
/// When the program cannot be started anew.
pub fn start(foreground: bool) -> Result<Role, DaemonError> {
    if env::var_os(MARK).is_some() {
        nix::unistd::setsid().map_err(io::Error::from)?;
        return Ok(Role::Relay(Background { detached: true }));
    }
    if foreground || notify::is_expected() || std::process::id() == 1 {
        return Ok(Role::Relay(Background { detached: false }));
    }
    launch().map(Role::Launcher)
}

impl Background {
    /// Lets the launcher go: from now on the relay is on its own. Standard error stays where lines go to it.
    ///
    /// # Errors
    /// When the launcher is gone or /dev/null cannot be opened.
    pub fn ready(self, lines: Destination) -> io::Result<()> {
        if !self.detached {
            return Ok(());
        }
        let mut stdout = io::stdout();
        stdout.write_all(READY)?;
        stdout.flush()?;
        let null = File::options().write(true).open("/dev/null")?;
        nix::unistd::dup2_stdout(&null)?;
        if lines == Destination::Syslog {
            nix::unistd::dup2_stderr(&null)?;
        }
        // Keep no directory from being unmounted.
        env::set_current_dir("/")
    }
}

fn launch() -> Result<u8, DaemonError> {
    let program = env::current_exe()?;
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_else(|| program.clone().into());
    let mut relay = Command::new(&program)
        .arg0(name)
        .args(arguments)
        .env(MARK, "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| DaemonError::Spawn { program, source })?;
    let mut said = Vec::new();
    if let Some(pipe) = relay.stdout.take() {
        pipe.take(READY.len() as u64).read_to_end(&mut said)?;
    }
    if said == READY {
        return Ok(0);
    }
    let status = relay.wait()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    // Ended before it was ready: no success, whatever it says.
    Ok(code.filter(|code| *code != 0).unwrap_or(1))
}
