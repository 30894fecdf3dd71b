//! Telling systemd (`Type=notify`) how the service is doing: sd_notify(3), the few lines of it we need.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

const VARIABLE: &str = "NOTIFY_SOCKET";

/// Somebody waits to be notified, and watches this very process.
#[must_use]
pub fn is_expected() -> bool {
    env::var_os(VARIABLE).is_some_and(|path| !path.is_empty())
}

/// The relay answers commands.
///
/// # Errors
/// When there is a socket to tell and it does not listen.
pub fn ready() -> io::Result<()> {
    send("READY=1")
}

/// The relay is going down on purpose.
///
/// # Errors
/// When there is a socket to tell and it does not listen.
pub fn stopping() -> io::Result<()> {
    send("STOPPING=1")
}

fn send(state: &str) -> io::Result<()> {
    let path = env::var_os(VARIABLE).filter(|path| !path.is_empty());
    path.map_or(Ok(()), |path| send_to(&path, state))
}

fn send_to(path: &OsStr, state: &str) -> io::Result<()> {
    // A leading @ is a name in the abstract namespace.
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What arrives at a listener on `address` when it is told to `path`.
    fn received(address: &SocketAddr, path: &str) -> Vec<u8> {
        let listener = UnixDatagram::bind_addr(address).unwrap();
        send_to(OsStr::new(path), "READY=1").unwrap();
        let mut buffer = [0; 64];
        let length = listener.recv(&mut buffer).unwrap();
        buffer[..length].to_vec()
    }

    #[test]
    fn a_socket_in_the_file_system_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let address = SocketAddr::from_pathname(&path).unwrap();
        assert_eq!(received(&address, path.to_str().unwrap()), b"READY=1");
    }

    #[test]
    fn a_socket_in_the_abstract_namespace_is_told() {
        let name = format!("underpass-notify-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        assert_eq!(received(&address, &format!("@{name}")), b"READY=1");
    }

    #[test]
    fn a_socket_that_nobody_listens_on_is_an_error() {
        assert!(send_to(OsStr::new("/nowhere/notify"), "READY=1").is_err());
    }
}
