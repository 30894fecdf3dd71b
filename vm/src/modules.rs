//! A kernel's modules, and which of them one needs.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Error, KernelFiles};

/// The modules of a kernel by name.
#[derive(Clone, Debug)]
pub(crate) struct Modules {
    release: String,
    /// `None`: built in.
    files: HashMap<String, Option<PathBuf>>,
}

impl Modules {
    pub(crate) fn of(kernel: &KernelFiles) -> Result<Self, Error> {
        let mut files = HashMap::new();
        collect(&kernel.modules, &mut files)?;
        let list = kernel.modules.join("modules.builtin");
        let builtin = fs::read_to_string(&list).map_err(Error::file(&list))?;
        files.extend(
            builtin
                .lines()
                .filter_map(|line| Some((name(Path::new(line))?, None))),
        );
        Ok(Self {
            release: kernel.release.clone(),
            files,
        })
    }

    /// What `module` needs and then itself, in the order to load, as name and contents; empty if it is built in.
    pub(crate) fn closure(&self, module: &str) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let module = module.replace('-', "_");
        let file = self.files.get(&module).ok_or_else(|| Error::NoModule {
            release: self.release.clone(),
            module: module.clone(),
        })?;
        match file {
            None => Ok(Vec::new()),
            Some(file) => self.with_needed(module, contents(file)?),
        }
    }

    /// As [`Modules::closure`], for a module that is not the kernel's own.
    pub(crate) fn with_needed(
        &self,
        name: String,
        contents: Vec<u8>,
    ) -> Result<Vec<(String, Vec<u8>)>, Error> {
        let mut all = Vec::new();
        for needed in depends(&contents) {
            all.extend(self.closure(&needed)?);
        }
        all.push((name, contents));
        Ok(all)
    }
}

/// The name of the module in a file: `nf_tables` for `nf-tables.ko.xz`.
pub(crate) fn name(file: &Path) -> Option<String> {
    let (name, _) = file.file_name()?.to_str()?.split_once(".ko")?;
    Some(name.replace('-', "_"))
}

fn collect(directory: &Path, files: &mut HashMap<String, Option<PathBuf>>) -> Result<(), Error> {
    for entry in fs::read_dir(directory).map_err(Error::file(directory))? {
        let path = entry.map_err(Error::file(directory))?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if let Some(name) = name(&path) {
            files.insert(name, Some(path));
        }
    }
    Ok(())
}

/// A module, decompressed here rather than under emulation.
fn contents(file: &Path) -> Result<Vec<u8>, Error> {
    if file.extension() != Some(OsStr::new("xz")) {
        return fs::read(file).map_err(Error::file(file));
    }
    let program = "xz".to_owned();
    let unpacked = Command::new(&program).arg("-dc").arg(file).output();
    let unpacked = unpacked.map_err(|source| Error::Start { program, source })?;
    if unpacked.status.success() {
        return Ok(unpacked.stdout);
    }
    let message = String::from_utf8_lossy(&unpacked.stderr).trim().to_owned();
    Err(Error::Failed {
        command: format!("xz -dc {}", file.display()),
        message,
    })
}

/// The modules named in `depends=` of a module's own description, which is a list of zero-terminated strings.
fn depends(module: &[u8]) -> Vec<String> {
    const FIELD: &[u8] = b"\0depends=";
    let Some(at) = module
        .windows(FIELD.len())
        .position(|window| window == FIELD)
    else {
        return Vec::new();
    };
    let value = module[at + FIELD.len()..]
        .split(|byte| *byte == 0)
        .next()
        .unwrap_or_default();
    let names = String::from_utf8_lossy(value).into_owned();
    names
        .split(',')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_depends_on_is_read_from_its_description() {
        let module = b"\x7fELF..\0license=GPL\0depends=stp,llc\0retpoline=Y\0";
        assert_eq!(depends(module), ["stp", "llc"]);
        assert_eq!(depends(b"\0depends=\0name=veth\0"), [""; 0]);
    }

    #[test]
    fn a_module_is_named_after_its_file() {
        assert_eq!(
            name(Path::new("kernel/net/nf-tables.ko.xz")).as_deref(),
            Some("nf_tables")
        );
        assert_eq!(name(Path::new("modules.order")), None);
    }
}
