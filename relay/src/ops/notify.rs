//! Telling systemd (`Type=notify`) how the service is doing: sd_notify(3), the few lines of it we need.

use std::env;
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
    let Some(path) = env::var_os(VARIABLE).filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    // A leading @ is a name in the abstract namespace.
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&path)?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.send_to_addr(state.as_bytes(), &address)?;
    Ok(())
}
