//! The host's programs, and the shared libraries they are loaded with.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;
use crate::packages::output;

/// Where a program is on the host: in PATH, or where administrators' tools are.
pub(crate) fn find(name: &str) -> Result<PathBuf, Error> {
    let path = env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(system)
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
        .ok_or_else(|| Error::NoProgram(name.to_owned()))
}

/// The libraries `program` is loaded with, the loader among them; none if it is linked statically.
pub(crate) fn of(program: &Path) -> Result<Vec<PathBuf>, Error> {
    // ldd fails for static programs.
    let listed = match output(Command::new("ldd").arg(program)) {
        Ok(listed) => listed,
        Err(Error::Failed { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(listed.lines().filter_map(path).collect())
}

/// `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)`, `/lib64/ld-linux-x86-64.so.2 (0x…)`
fn path(line: &str) -> Option<PathBuf> {
    let path = line.split_whitespace().find(|word| word.starts_with('/'))?;
    Some(path.into())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn a_program_of_the_host_has_a_loader() {
        let libraries = super::of(Path::new("/bin/sh")).unwrap();
        assert!(
            libraries
                .iter()
                .any(|path| path.to_string_lossy().contains("/ld-linux"))
        );
    }
}
