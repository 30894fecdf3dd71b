//! Tools of the system that are asked.

use std::ffi::OsString;
use std::io;
use std::process::{Command, Stdio};

/// Directories where system tools are, which an ordinary user's PATH lacks.
const SYSTEM: &str = "/usr/sbin:/sbin";

/// What a command prints, in the C locale.
///
/// # Errors
/// It is not installed, or what it said on its way out.
pub(super) fn output(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut path = std::env::var_os("PATH").unwrap_or_else(|| OsString::from("/usr/bin:/bin"));
    path.push(":");
    path.push(SYSTEM);
    let output = Command::new(program)
        .args(arguments)
        .env("PATH", path)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => format!("{program} is not installed"),
            _ => format!("{program}: {error}"),
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().next().unwrap_or("fails");
    Err(format!("{program}: {line}"))
}
