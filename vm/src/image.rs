//! The guest's files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::cpio::Cpio;
use crate::modules::{self, Modules};
use crate::{Error, KernelFiles, libraries};

/// What the guest finds in its file system: the host's `sh`, busybox's tools in `/bin` (last in the path), an init, and what
/// is added here. All of it is in
/// memory, what the guest writes too. Every file may be executed.
#[derive(Clone, Debug)]
pub struct Image {
    files: BTreeMap<PathBuf, Contents>,
    modules: Modules,
    load: Vec<String>,
}

#[derive(Clone, Debug)]
enum Contents {
    Of(PathBuf),
    Bytes(Vec<u8>),
}

impl Image {
    /// The least a guest with this kernel needs.
    ///
    /// # Errors
    /// If the host has no busybox, or the kernel's files can't be read.
    pub fn new(kernel: &KernelFiles) -> Result<Self, Error> {
        let mut image = Self {
            files: BTreeMap::new(),
            modules: Modules::of(kernel)?,
            load: Vec::new(),
        };
        image.binary(libraries::find("busybox")?, "/bin/busybox")?;
        image.contents("/init", include_bytes!("init.sh"));
        // busybox's shell runs its own tools even where the path has others first.
        image.binary(libraries::find("sh")?, "/bin/sh")?;
        Ok(image)
    }

    /// Adds the host's file `from` as `to`, read when a machine starts.
    pub fn file(&mut self, from: impl Into<PathBuf>, to: impl AsRef<Path>) -> &mut Self {
        self.files.insert(absolute(to), Contents::Of(from.into()));
        self
    }

    /// Adds a file with these contents.
    pub fn contents(&mut self, to: impl AsRef<Path>, contents: impl Into<Vec<u8>>) -> &mut Self {
        self.files
            .insert(absolute(to), Contents::Bytes(contents.into()));
        self
    }

    /// Adds the host's program `from` as `to`, and the shared libraries it is loaded with.
    ///
    /// # Errors
    /// If `ldd` does not start.
    pub fn binary(
        &mut self,
        from: impl AsRef<Path>,
        to: impl AsRef<Path>,
    ) -> Result<&mut Self, Error> {
        for library in libraries::of(from.as_ref())? {
            self.file(&library, &library);
        }
        Ok(self.file(from.as_ref(), to))
    }

    /// Adds a program of the host by name (`ip`), at the path it has there, and its libraries.
    ///
    /// # Errors
    /// If it is not installed.
    pub fn program(&mut self, name: &str) -> Result<&mut Self, Error> {
        let path = libraries::find(name)?;
        self.binary(&path, &path)
    }

    /// Has a module of the kernel loaded before the job starts, and what that module needs. One that is built in is there
    /// already.
    ///
    /// # Errors
    /// If the kernel has no such module.
    pub fn module(&mut self, name: &str) -> Result<&mut Self, Error> {
        let modules = self.modules.closure(name)?;
        Ok(self.load(modules))
    }

    /// Has a module that was built apart loaded, and what it needs of the kernel's own; in the order of the calls.
    ///
    /// # Errors
    /// If it can't be read, is no `.ko`, or needs a module that the kernel does not have.
    pub fn module_file(&mut self, file: impl AsRef<Path>) -> Result<&mut Self, Error> {
        let file = file.as_ref();
        let not_a_module = || Error::file(file)(io::Error::other("its name does not end in .ko"));
        let name = modules::name(file).ok_or_else(not_a_module)?;
        let contents = fs::read(file).map_err(Error::file(file))?;
        let modules = self.modules.with_needed(name, contents)?;
        Ok(self.load(modules))
    }

    fn load(&mut self, modules: Vec<(String, Vec<u8>)>) -> &mut Self {
        for (name, contents) in modules {
            if !self.load.contains(&name) {
                self.contents(format!("/modules/{name}.ko"), contents);
                self.load.push(name);
            }
        }
        self
    }

    /// Writes the initramfs of a guest whose job is `script`.
    pub(crate) fn write(&self, script: &str, to: &Path) -> Result<(), Error> {
        let mut all = self.clone();
        all.contents("/job", script);
        all.contents(
            "/modules/order",
            self.load
                .iter()
                .map(|name| format!("{name}\n"))
                .collect::<String>(),
        );
        let file = fs::File::create(to).map_err(Error::file(to))?;
        let mut archive = Cpio::new(BufWriter::new(file));
        for directory in all.directories() {
            archive
                .directory(&in_archive(&directory))
                .map_err(Error::file(to))?;
        }
        for (path, contents) in &all.files {
            let bytes = match contents {
                Contents::Bytes(bytes) => bytes,
                Contents::Of(file) => &fs::read(file).map_err(Error::file(file))?,
            };
            archive
                .file(&in_archive(path), bytes)
                .map_err(Error::file(to))?;
        }
        archive
            .finish()
            .and_then(|mut file| file.flush())
            .map_err(Error::file(to))
    }

    /// Every directory that has a file below it, from the root on.
    fn directories(&self) -> BTreeSet<PathBuf> {
        let above = |path: &PathBuf| {
            path.ancestors()
                .skip(1)
                .map(Path::to_owned)
                .collect::<Vec<_>>()
        };
        let mut all: BTreeSet<_> = self.files.keys().flat_map(above).collect();
        all.remove(Path::new("/"));
        all
    }
}

fn absolute(path: impl AsRef<Path>) -> PathBuf {
    Path::new("/").join(path)
}

/// Paths in the archive are relative to its root.
fn in_archive(path: &Path) -> String {
    path.to_string_lossy().trim_start_matches('/').to_owned()
}
