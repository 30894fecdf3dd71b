//! What has been fetched, below one directory.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::packages::{Package, Packages};
use crate::{Emulator, Error, Kernel, KernelFiles};

/// A directory with kernels and QEMU in it. What is missing is fetched when asked for; several processes may share one.
#[derive(Clone, Debug)]
pub struct Store {
    directory: PathBuf,
}

impl Store {
    /// The store in `directory`, which need not exist yet.
    #[must_use]
    pub fn at(directory: impl AsRef<Path>) -> Self {
        let given = directory.as_ref();
        // apt and make want absolute paths; only an empty one can't be made so.
        let directory = std::path::absolute(given).unwrap_or_else(|_| given.to_owned());
        Self { directory }
    }

    /// The newest kernel of a series.
    ///
    /// # Errors
    /// If the archive can't be reached and it was never fetched, or a program of apt is missing.
    pub fn kernel(&self, kernel: Kernel) -> Result<KernelFiles, Error> {
        self.locked(|packages| {
            let image = image_package(packages, kernel)?;
            let release = image.name.trim_start_matches("linux-image-").to_owned();
            let root = self.directory.join("kernels").join(exactly(&image));
            packages.unpack(&[image], &root)?;
            let modules = root.join("lib/modules").join(&release);
            Ok(KernelFiles {
                image: root.join("boot").join(format!("vmlinuz-{release}")),
                modules,
                release,
            })
        })
    }

    /// QEMU 10 of Debian 12's backports: the 7.2 of Debian 12 itself crashes Linux 6.12. The libraries it needs are those
    /// of 7.2, whose package (`qemu-system-x86`) must be installed.
    ///
    /// # Errors
    /// As [`Store::kernel`].
    pub fn emulator(&self) -> Result<Emulator, Error> {
        self.locked(|packages| {
            let newest = |name| packages.newest(name, "");
            let all = Emulator::PACKAGES
                .into_iter()
                .map(newest)
                .collect::<Result<Vec<_>, _>>()?;
            let root = self.directory.join("qemu").join(exactly(&all[0]));
            packages.unpack(&all, &root)?;
            Ok(Emulator { root })
        })
    }

    /// What a module for the newest kernel of a series is built with: the directory for `make -C DIRECTORY M=SOURCES modules`,
    /// by the host's make and gcc. The module has no BTF.
    ///
    /// # Errors
    /// As [`Store::kernel`].
    pub fn headers(&self, kernel: Kernel) -> Result<PathBuf, Error> {
        self.locked(|packages| {
            let image = image_package(packages, kernel)?;
            let name = image.name.replacen("image", "headers", 1);
            let headers = packages.newest(&name, &image.version)?;
            let root = self.directory.join("headers").join(exactly(&headers));
            let needed = headers
                .depends
                .iter()
                .filter(|name| name.contains("-headers-") || name.contains("-kbuild-"));
            let needed = needed.map(|name| packages.newest(name, &image.version));
            let mut all = needed.collect::<Result<Vec<_>, _>>()?;
            all.push(headers);
            packages.unpack(&all, &root)?;
            let sources = root.join("usr/src");
            let common = sources.join(name.replace("-cloud-amd64", "-common"));
            let directory = sources.join(name);
            // Debian's has one line, which looks for the other packages where they are installed.
            let makefile = directory.join("Makefile");
            let include = format!("include {}\n", common.join("Makefile").display());
            fs::write(&makefile, include).map_err(Error::file(&makefile))?;
            // With the kernel's own type information beside it make wants pahole, to add the module's.
            let _ = fs::remove_file(directory.join("vmlinux"));
            Ok(directory)
        })
    }

    /// Unpacks the newest version of a package of Debian 12 (backports included) and returns the directory its tree is in.
    /// What it depends on is not looked at.
    ///
    /// # Errors
    /// As [`Store::kernel`].
    pub fn package(&self, name: &str) -> Result<PathBuf, Error> {
        self.locked(|packages| {
            let package = packages.newest(name, "")?;
            let root = self.directory.join("packages").join(exactly(&package));
            packages.unpack(&[package], &root)?;
            Ok(root)
        })
    }

    /// Runs `work` with apt, alone among the processes that share the store.
    fn locked<T>(&self, work: impl FnOnce(&Packages) -> Result<T, Error>) -> Result<T, Error> {
        fs::create_dir_all(&self.directory).map_err(Error::file(&self.directory))?;
        let path = self.directory.join("lock");
        let lock = File::create(&path).map_err(Error::file(&path))?;
        lock.lock().map_err(Error::file(&path))?;
        work(&Packages::open(self.directory.join("apt"))?)
    }
}

/// The package with the kernel itself, which the archive's metapackage of the series names.
fn image_package(packages: &Packages, kernel: Kernel) -> Result<Package, Error> {
    let series = format!("{kernel}.");
    let meta = packages.newest("linux-image-cloud-amd64", &series)?;
    let name = meta.depends.first().ok_or(Error::NoPackage(series))?;
    packages.newest(name, &meta.version)
}

/// A directory's name for a package in a version.
fn exactly(package: &Package) -> PathBuf {
    Path::new(&format!("{}_{}", package.name, package.version)).to_owned()
}
