//! The archive format of an initramfs (`newc`; Documentation/driver-api/early-userspace/buffer-format.rst in Linux).

use std::io::{Result, Write};

const DIRECTORY: u32 = 0o040_755;
const FILE: u32 = 0o100_755;
/// The entry that ends an archive.
const TRAILER: &str = "TRAILER!!!";

/// Writes an archive.
pub(crate) struct Cpio<W> {
    to: W,
    inode: u32,
}

impl<W: Write> Cpio<W> {
    pub(crate) fn new(to: W) -> Self {
        Self { to, inode: 0 }
    }

    /// Adds a directory; the one above it must be there.
    pub(crate) fn directory(&mut self, path: &str) -> Result<()> {
        self.entry(path, DIRECTORY, &[])
    }

    /// Adds a file that may be executed; its directory must be there.
    pub(crate) fn file(&mut self, path: &str, contents: &[u8]) -> Result<()> {
        self.entry(path, FILE, contents)
    }

    /// Ends the archive.
    pub(crate) fn finish(mut self) -> Result<W> {
        self.entry(TRAILER, 0, &[])?;
        self.to.flush()?;
        Ok(self.to)
    }

    fn entry(&mut self, path: &str, mode: u32, contents: &[u8]) -> Result<()> {
        self.inode += 1;
        let too_large =
            |_| std::io::Error::other(format!("{path} is too large for a cpio archive"));
        let size = u32::try_from(contents.len()).map_err(too_large)?;
        let name_size = u32::try_from(path.len() + 1).map_err(too_large)?;
        // inode, mode, uid, gid, links, mtime, size, device and special device (major, minor), name's size, checksum
        let fields = [self.inode, mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name_size, 0];
        write!(self.to, "070701")?;
        for field in fields {
            write!(self.to, "{field:08x}")?;
        }
        write!(self.to, "{path}\0")?;
        // The header is 110 bytes; name and contents are padded to 4.
        self.pad(110 + path.len() + 1)?;
        self.to.write_all(contents)?;
        self.pad(contents.len())
    }

    fn pad(&mut self, written: usize) -> Result<()> {
        self.to
            .write_all(&[0; 3][..written.next_multiple_of(4) - written])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_begin_at_multiples_of_four() {
        let mut archive = Cpio::new(Vec::new());
        archive.directory("etc").unwrap();
        archive.file("etc/name", b"guest").unwrap();
        let bytes = archive.finish().unwrap();
        let begins = |at: usize| bytes[at..].starts_with(b"070701");
        // 110 + "etc\0" = 114 -> 116; 110 + "etc/name\0" = 119 -> 120, 5 -> 8.
        assert!(begins(0) && begins(116) && begins(116 + 120 + 8));
        assert_eq!(&bytes[116 + 120..][..5], b"guest");
        assert_eq!(bytes.len() % 4, 0);
    }
}
