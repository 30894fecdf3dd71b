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
