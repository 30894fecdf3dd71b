//! Lines to the local syslog daemon: one datagram each to /dev/log (RFC 3164, as syslog(3) writes it).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

const SOCKET: &str = "/dev/log";
const FACILITY_DAEMON: u8 = 3;

/// Makes a writer for each line.
#[derive(Debug)]
pub(super) struct Syslog {
    socket: UnixDatagram,
}

impl Syslog {
    /// `None` where no syslog daemon listens.
    pub(super) fn connect() -> Option<Self> {
        let socket = UnixDatagram::unbound().ok()?;
        // A daemon that does not keep up must not hold up the relay: lines are lost instead.
        socket.set_nonblocking(true).ok()?;
        Path::new(SOCKET).exists().then_some(Self { socket })
    }
}

impl<'a> MakeWriter<'a> for Syslog {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            socket: &self.socket,
            severity: severity(Level::INFO),
        }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line {
            socket: &self.socket,
            severity: severity(*meta.level()),
        }
    }
}

/// Writes one line of one severity.
pub(super) struct Line<'a> {
    socket: &'a UnixDatagram,
    severity: u8,
}

impl io::Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let datagram = datagram(self.severity, std::process::id(), line);
        // By path and not connected: the daemon may restart.
        self.socket.send_to(&datagram, SOCKET)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn datagram(severity: u8, pid: u32, line: &[u8]) -> Vec<u8> {
    let priority = FACILITY_DAEMON * 8 + severity;
    let mut datagram = format!("<{priority}>underpass[{pid}]: ").into_bytes();
    datagram.extend_from_slice(line.trim_ascii_end());
    datagram
}

fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_carries_priority_program_and_pid_and_no_newline() {
        let datagram = datagram(severity(Level::WARN), 42, b"port range overlaps\n");
        assert_eq!(datagram, b"<28>underpass[42]: port range overlaps");
    }
}
