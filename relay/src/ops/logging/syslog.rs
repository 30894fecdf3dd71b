//! Lines to the local syslog daemon: one datagram each to /dev/log (RFC 3164, as syslog(3) writes it).

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::str::FromStr;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

use super::{CDR, DTMF};

const SOCKET: &str = "/dev/log";

/// Names of facilities and their numbers, as in syslog(3).
const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];

/// What kind of program a line is said to be from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facility(u8);

impl Default for Facility {
    /// `daemon`
    fn default() -> Self {
        Self(3)
    }
}

/// No facility has that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected daemon, local0 to local7 or another facility of syslog")]
pub struct UnknownFacility;

impl FromStr for Facility {
    type Err = UnknownFacility;

    fn from_str(name: &str) -> Result<Self, UnknownFacility> {
        let mut known = FACILITIES.iter();
        let found = known.find(|(known, _)| known.eq_ignore_ascii_case(name));
        found
            .map(|(_, number)| Self(*number))
            .ok_or(UnknownFacility)
    }
}

/// The facilities of what is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facilities {
    /// Of everything else.
    pub general: Facility,
    /// Of records of calls; `None`: there are none.
    pub cdr: Option<Facility>,
    /// Of digits; `None`: they are not logged.
    pub dtmf: Option<Facility>,
}

impl Facilities {
    fn of(&self, meta: &Metadata<'_>) -> Facility {
        let own = match meta.target() {
            CDR => self.cdr,
            DTMF => self.dtmf,
            _ => None,
        };
        own.unwrap_or(self.general)
    }
}

/// Makes a writer for each line.
#[derive(Debug)]
pub(super) struct Syslog {
    socket: UnixDatagram,
    facilities: Facilities,
}

impl Syslog {
    /// `None` where no syslog daemon listens.
    pub(super) fn connect(facilities: Facilities) -> Option<Self> {
        let socket = UnixDatagram::unbound().ok()?;
        // A daemon that does not keep up must not hold up the relay: lines are lost instead.
        socket.set_nonblocking(true).ok()?;
        Path::new(SOCKET)
            .exists()
            .then_some(Self { socket, facilities })
    }
}

impl<'a> MakeWriter<'a> for Syslog {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line {
            socket: &self.socket,
            facility: self.facilities.general,
            severity: severity(Level::INFO),
        }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line {
            socket: &self.socket,
            facility: self.facilities.of(meta),
            severity: severity(*meta.level()),
        }
    }
}

/// Writes one line of one severity.
pub(super) struct Line<'a> {
    socket: &'a UnixDatagram,
    facility: Facility,
    severity: u8,
}

impl io::Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let datagram = datagram(self.facility, self.severity, std::process::id(), line);
        // By path and not connected: the daemon may restart.
        self.socket.send_to(&datagram, SOCKET)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn datagram(facility: Facility, severity: u8, pid: u32, line: &[u8]) -> Vec<u8> {
    let priority = facility.0 * 8 + severity;
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
        let facility = Facility::default();
        let datagram = datagram(
            facility,
            severity(Level::WARN),
            42,
            b"port range overlaps\n",
        );
        assert_eq!(datagram, b"<28>underpass[42]: port range overlaps");
    }

    #[test]
    fn facilities_have_the_numbers_of_syslog() {
        assert_eq!("daemon".parse(), Ok(Facility::default()));
        assert_eq!("LOCAL1".parse(), Ok(Facility(17)));
        assert_eq!("local8".parse::<Facility>(), Err(UnknownFacility));
        let datagram = datagram(Facility(17), 6, 42, b"ci=x, ");
        assert_eq!(datagram, b"<142>underpass[42]: ci=x,");
    }
}
