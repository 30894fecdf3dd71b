//! Debian packages, fetched and verified by apt but installed nowhere.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use crate::Error;

const SUITES: [(&str, &str); 4] = [
    ("debian", "bookworm"),
    ("debian", "bookworm-updates"),
    ("debian-security", "bookworm-security"),
    ("debian", "bookworm-backports"),
];
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// How long a list of packages is taken for the newest there is.
const FRESH: Duration = Duration::from_secs(24 * 3600);

/// apt with sources, lists and a cache of its own below one directory.
#[derive(Debug)]
pub(crate) struct Packages {
    directory: PathBuf,
}

/// A package as the archive has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Names only; of alternatives the first.
    pub(crate) depends: Vec<String>,
}

impl Packages {
    /// Reads the archive's lists, unless that was done less than a day ago. With older lists and no network those are used.
    pub(crate) fn open(directory: PathBuf) -> Result<Self, Error> {
        let packages = Self { directory };
        let lists = packages.directory.join("lists");
        let updated = packages.directory.join("updated");
        let age = fs::metadata(&updated).and_then(|file| file.modified());
        let age = age.map(|time| SystemTime::now().duration_since(time).unwrap_or_default());
        if age.as_ref().is_ok_and(|age| *age < FRESH) {
            return Ok(packages);
        }
        for directory in [
            lists.join("partial"),
            packages.cache().join("archives/partial"),
        ] {
            fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
        }
        let sources = packages.directory.join("sources.list");
        fs::write(&sources, sources_list()).map_err(Error::file(&sources))?;
        match packages.apt("apt-get", ["-q", "update", "--error-on=any"]) {
            Ok(_) => drop(File::create(&updated).map_err(Error::file(&updated))?),
            Err(_) if age.is_ok() => {}
            Err(error) => return Err(error),
        }
        Ok(packages)
    }

    /// The newest version of the package `name` that starts with `version`.
    pub(crate) fn newest(&self, name: &str, version: &str) -> Result<Package, Error> {
        let shown = self.apt("apt-cache", ["show", name])?;
        shown
            .split("\n\n")
            .filter_map(Package::parse)
            .find(|package| package.version.starts_with(version))
            .ok_or_else(|| Error::NoPackage(format!("{name} {version}")))
    }

    /// Unpacks packages into `to`, which appears only when all are in it. Done before, nothing is done.
    pub(crate) fn unpack(&self, packages: &[Package], to: &Path) -> Result<(), Error> {
        if to.exists() {
            return Ok(());
        }
        let parent = to.parent().unwrap_or(to);
        fs::create_dir_all(parent).map_err(Error::file(parent))?;
        let scratch = tempfile::tempdir_in(parent).map_err(Error::file(parent))?;
        let tree = scratch.path().join("tree");
        let mut download = vec!["-q".to_owned(), "download".to_owned()];
        download.extend(packages.iter().map(Package::exactly));
        self.apt_in(scratch.path(), "apt-get", download)?;
        for entry in fs::read_dir(scratch.path()).map_err(Error::file(scratch.path()))? {
            let file = entry.map_err(Error::file(scratch.path()))?.path();
            if file.extension() == Some(OsStr::new("deb")) {
                let mut unpack = Command::new("dpkg-deb");
                unpack.arg("-x").arg(&file).arg(&tree);
                output(&mut unpack)?;
            }
        }
        fs::rename(&tree, to).map_err(Error::file(to))
    }

    fn apt<I: AsRef<OsStr>>(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item = I>,
    ) -> Result<String, Error> {
        self.apt_in(&self.directory, program, arguments)
    }

    fn apt_in<I: AsRef<OsStr>>(
        &self,
        directory: &Path,
        program: &str,
        arguments: impl IntoIterator<Item = I>,
    ) -> Result<String, Error> {
        let mut apt = Command::new(program);
        apt.current_dir(directory);
        for (option, path) in [
            ("Dir::Etc::SourceList", self.directory.join("sources.list")),
            ("Dir::Etc::SourceParts", "/dev/null".into()),
            ("Dir::Etc::Preferences", "/dev/null".into()),
            ("Dir::Etc::PreferencesParts", "/dev/null".into()),
            ("Dir::State::Lists", self.directory.join("lists")),
            ("Dir::Cache", self.cache()),
            // The user _apt may not enter this directory.
            ("APT::Sandbox::User", "".into()),
            ("APT::Architecture", "amd64".into()),
            ("APT::Architectures", "amd64".into()),
            ("Acquire::Languages", "none".into()),
            ("Acquire::Retries", "3".into()),
        ] {
            apt.arg("-o").arg(format!("{option}={}", path.display()));
        }
        output(apt.args(arguments))
    }

    fn cache(&self) -> PathBuf {
        self.directory.join("cache")
    }
}

impl Package {
    /// A paragraph of what `apt-cache show` prints.
    fn parse(paragraph: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = paragraph.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
        };
        let depends = field("Depends").unwrap_or_default().split(',');
        Some(Self {
            name: field("Package")?.to_owned(),
            version: field("Version")?.to_owned(),
            depends: depends
                .filter_map(|one| one.split_whitespace().next())
                .map(str::to_owned)
                .collect(),
        })
    }

    fn exactly(&self) -> String {
        format!("{}={}", self.name, self.version)
    }
}

fn sources_list() -> String {
    let line = |(archive, suite)| {
        format!("deb [signed-by={KEYRING}] http://deb.debian.org/{archive} {suite} main\n")
    };
    SUITES.map(line).concat()
}

/// What a program prints, if it succeeds.
pub(crate) fn output(command: &mut Command) -> Result<String, Error> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|source| Error::Start {
            program: program.clone(),
            source,
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    let last = message.trim().lines().next_back().unwrap_or_default();
    Err(Error::Failed {
        command: program,
        message: last.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::Package;

    #[test]
    fn a_package_is_read_from_its_paragraph() {
        let shown = "Package: linux-headers\nSource: linux\nVersion: 6.1.192-2\nDepends: a (= 1), b | c, d\n";
        let package = Package::parse(shown).unwrap();
        assert_eq!(package.exactly(), "linux-headers=6.1.192-2");
        assert_eq!(package.depends, ["a", "b", "d"]);
    }
}
