//! The line to the host.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};

use anyhow::{Context, Result};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};

use crate::vm::protocol::{FromGuest, FromHost, Wire};

const PORT: &str = "/dev/ttyS2";

/// The guest's end of the third serial port.
pub(super) struct Host {
    port: RefCell<BufReader<File>>,
}

impl Host {
    pub(super) fn open() -> Result<Self> {
        let port = OpenOptions::new().read(true).write(true).open(PORT);
        let port = port.with_context(|| format!("no {PORT}"))?;
        let mut terminal = tcgetattr(&port)?;
        cfmakeraw(&mut terminal);
        tcsetattr(&port, SetArg::TCSANOW, &terminal)?;
        Ok(Self {
            port: RefCell::new(BufReader::new(port)),
        })
    }

    pub(super) fn say(&self, message: &FromGuest) -> Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        Ok(self.port.borrow_mut().get_mut().write_all(&line)?)
    }

    pub(super) fn progress(&self, what: &str) -> Result<()> {
        self.say(&FromGuest::Progress(what.to_owned()))
    }

    pub(super) fn flows(&self, flows: Vec<Wire>) -> Result<()> {
        self.say(&FromGuest::Flows(flows))
    }

    /// One frame of every flow: how many were sent, and how many came back.
    pub(super) fn once(&self) -> Result<(u64, u64)> {
        self.say(&FromGuest::Once)?;
        self.done()
    }

    /// Ends a stream: how many frames were sent, and how many came back.
    pub(super) fn stop(&self) -> Result<(u64, u64)> {
        self.say(&FromGuest::Stop)?;
        self.done()
    }

    fn done(&self) -> Result<(u64, u64)> {
        let mut line = String::new();
        self.port.borrow_mut().read_line(&mut line)?;
        let FromHost::Done { sent, back } =
            serde_json::from_str(&line).with_context(|| format!("the host said {line:?}"))?;
        Ok((sent, back))
    }
}
