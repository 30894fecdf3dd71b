//! npm's ng client and what it needs, installed below `target/` in the versions that tests/assets/npm/ pins.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::shell::{command, has, root, run, say};

const FILES: [&str; 2] = ["package.json", "package-lock.json"];

/// Installs it unless it is there. Returns whether it is there now.
pub(crate) fn install() -> anyhow::Result<bool> {
    let pinned = root().join("tests/assets/npm");
    let directory = root().join("target/lab");
    // Put there last: they tell that the installation they describe has been completed.
    let is_done = FILES.iter().all(|file| {
        let read = |at: &std::path::Path| fs::read(at.join(file)).ok();
        read(&directory).is_some_and(|there| Some(there) == read(&pinned))
    });
    if is_done && directory.join("node_modules").is_dir() {
        return Ok(true);
    }
    if !has("npm") {
        return Ok(false);
    }
    say("installing rtpengine-client and what it needs from npm into target/lab");
    let building = root().join("target/lab-npm");
    let _ = fs::remove_dir_all(&building);
    copy_into(&pinned, &building)?;
    let mut npm = command("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    run(npm.args(["--loglevel=error", "--prefix"]).arg(&building))?;
    fs::create_dir_all(&directory)?;
    let modules = directory.join("node_modules");
    let _ = fs::remove_dir_all(&modules);
    fs::rename(building.join("node_modules"), &modules)
        .with_context(|| format!("moving npm's packages to {}", modules.display()))?;
    copy_into(&pinned, &directory)?;
    let _ = fs::remove_dir_all(&building);
    Ok(true)
}

fn copy_into(pinned: &Path, directory: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(directory)?;
    for file in FILES {
        fs::copy(pinned.join(file), directory.join(file))
            .with_context(|| format!("copying {file} to {}", directory.display()))?;
    }
    Ok(())
}
