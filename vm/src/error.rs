//! What can go wrong between a package and a result.

use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why a kernel could not be had or a guest gave no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file of the host could not be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A program of the host could not be started.
    #[error("{program} does not start ({source}); cargo xtask setup installs what is needed")]
    Start {
        /// Which.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// A program of the host failed.
    #[error("{command} failed: {message}")]
    Failed {
        /// As one would type it.
        command: String,
        /// The end of what it wrote to stderr.
        message: String,
    },
    /// The archive has no package of this name (and version).
    #[error("Debian's archive has no {0}; is this an amd64 machine that reaches deb.debian.org?")]
    NoPackage(String),
    /// A package does not hold what it should.
    #[error("the package {package} has no {file}")]
    Incomplete {
        /// Which package.
        package: String,
        /// What was looked for.
        file: String,
    },
    /// The kernel has no such module, neither built in.
    #[error("Linux {release} has no module {module}")]
    NoModule {
        /// The kernel's release.
        release: String,
        /// The module's name.
        module: String,
    },
    /// A program meant for the guest is not on the host.
    #[error("{0} is not installed here, and the guest needs it; cargo xtask setup installs it")]
    NoProgram(String),
    /// The guest was still running when its time was over.
    #[error("no result from the guest within {} s; the end of its console:\n{console}", limit.as_secs())]
    TimedOut {
        /// How long it had.
        limit: Duration,
        /// The last lines of the console.
        console: String,
    },
    /// QEMU ended before the job had: the guest panicked, or QEMU refused its arguments.
    #[error("the guest ended without a result; the end of its console:\n{console}")]
    NoResult {
        /// The last lines of the console, and what QEMU said.
        console: String,
    },
}

impl Error {
    /// For `map_err`: what happened at `path`.
    pub(crate) fn file(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::File { path, source }
    }
}
