//! The file with the process id, for init scripts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A written file; gone when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    content: String,
}

impl PidFile {
    /// Writes this process's id, over whatever an earlier process left.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(path: &Path) -> io::Result<Self> {
        let content = format!("{}\n", std::process::id());
        fs::write(path, &content)?;
        // The working directory may change before the file is removed.
        let path = fs::canonicalize(path)?;
        Ok(Self { path, content })
    }

    /// The same where a process without its pid file is better than none, as rtpengine has it.
    #[must_use]
    pub fn write_or_warn(path: &Path) -> Option<Self> {
        Self::write(path)
            .inspect_err(|error| {
                tracing::warn!("pidfile = {}: cannot write it: {error}", path.display());
            })
            .ok()
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // A successor may have written its own by now.
        let ours = fs::read_to_string(&self.path).is_ok_and(|content| content == self.content);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_holds_the_process_id_for_as_long_as_it_is_held() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("relay.pid");
        fs::write(&path, "an earlier process, with a longer text\n").unwrap();
        let file = PidFile::write(&path).unwrap();
        let content = fs::read_to_string(&path).unwrap();
        assert_eq!(content, format!("{}\n", std::process::id()));
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn a_successors_file_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("relay.pid");
        let file = PidFile::write(&path).unwrap();
        fs::write(&path, "1\n").unwrap();
        drop(file);
        assert_eq!(fs::read_to_string(&path).unwrap(), "1\n");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        assert!(PidFile::write(Path::new("/nowhere/relay.pid")).is_err());
    }
}
