//! npm's ng client, installed below `target/`.

use crate::shell::{command, has, output, root, run, say};

const VERSION: &str = "0.4.12";

/// Installs it unless it is there. Returns whether it is there now.
pub(crate) fn install() -> anyhow::Result<bool> {
    let directory = root().join("target/lab");
    let mut works = command("node");
    works
        .env("NODE_PATH", directory.join("node_modules"))
        .args(["-e", "require('rtpengine-client')"]);
    if output(&mut works).is_some() {
        return Ok(true);
    }
    if !has("npm") {
        return Ok(false);
    }
    std::fs::create_dir_all(&directory)?;
    say(&format!(
        "installing rtpengine-client {VERSION} from npm into target/lab"
    ));
    let mut npm = command("npm");
    npm.args([
        "install",
        "--no-audit",
        "--no-fund",
        "--no-save",
        "--loglevel=error",
        "--prefix",
    ])
    .arg(&directory);
    // The package forgets to name debug among what it needs.
    run(npm.args([&format!("rtpengine-client@{VERSION}"), "debug@4"]))?;
    Ok(true)
}
