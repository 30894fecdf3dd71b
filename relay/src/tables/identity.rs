//! Who a relay is across restarts, and where it keeps what it must remember.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

/// The file of a name that was made up.
const FILE: &str = "identity";
/// Groups of hexadecimal digits in a pod's UID.
const UID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// A relay as its tables and its journal know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Its name; the same after a restart, if there is a state directory.
    pub name: String,
    /// Its own directory, which need not be there yet; `None` without a state directory.
    pub directory: Option<PathBuf>,
}

/// The identity of this process: the configured one, else its pod's UID, else one made up and kept in the directory of those who
/// listen there in this network namespace.
///
/// Without a directory to keep a name in, it is called after the place itself.
#[must_use]
pub fn identity(
    configured: Option<&str>,
    state_dir: Option<&Path>,
    listen_ng: &[SocketAddr],
) -> Identity {
    let cgroup = || fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let given = configured.map(str::to_owned).or_else(|| pod_uid(&cgroup()));
    if let Some(name) = given {
        let directory = state_dir.map(|all| all.join(&name));
        return Identity { name, directory };
    }
    let place = place(listen_ng);
    let directory = state_dir.map(|all| all.join(&place));
    // Why there is no such directory is said by whoever keeps more than a name there.
    let kept = directory.as_deref().and_then(|own| kept_name(own).ok());
    Identity {
        name: kept.unwrap_or(place),
        directory,
    }
}

/// Names a network namespace and what is listened on there: two relays cannot be in one such place.
fn place(listen_ng: &[SocketAddr]) -> String {
    let namespace = fs::metadata("/proc/self/ns/net").map_or(0, |namespace| namespace.ino());
    let mut addresses: Vec<String> = listen_ng.iter().map(ToString::to_string).collect();
    addresses.sort_unstable();
    let addresses = crc32fast::hash(addresses.join(" ").as_bytes());
    format!("net{namespace}-ng{addresses:08x}")
}

fn kept_name(directory: &Path) -> io::Result<String> {
    let path = directory.join(FILE);
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let is_one = |name: &str| name.len() == 16 && name.bytes().all(|b| b.is_ascii_hexdigit());
    if is_one(kept.trim()) {
        return Ok(kept.trim().to_owned());
    }
    let name = made_up();
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    fs::write(&path, format!("{name}\n"))?;
    Ok(name)
}

fn made_up() -> String {
    format!("{:016x}", rand::random::<u64>())
}

/// The UID in a pod's cgroup path: `…/pod0123-…/…` or, as systemd has it, `…-pod0123_….slice/…`.
fn pod_uid(cgroup: &str) -> Option<String> {
    cgroup.match_indices("pod").find_map(|(at, word)| {
        let text = cgroup.get(at + word.len()..)?.get(..36)?;
        let uid = text.replace('_', "-");
        let groups: Vec<&str> = uid.split('-').collect();
        let hex = groups
            .iter()
            .all(|g| g.bytes().all(|b| b.is_ascii_hexdigit()));
        let lengths = groups.iter().map(|group| group.len());
        (hex && lengths.eq(UID_GROUPS)).then_some(uid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const UID: &str = "0a1b2c3d-1111-2222-3333-0123456789ab";

    fn listen(text: &str) -> Vec<SocketAddr> {
        vec![text.parse().unwrap()]
    }

    #[test]
    fn a_configured_name_is_the_identity() {
        let identity = identity(Some("media-1"), Some(Path::new("/s")), &[]);
        assert_eq!(identity.name, "media-1");
        assert_eq!(identity.directory, Some("/s/media-1".into()));
    }

    #[test]
    fn a_name_that_was_made_up_is_kept() {
        let state = tempfile::tempdir().unwrap();
        let ask = |listen: &[SocketAddr]| identity(None, Some(state.path()), listen);
        let one = ask(&listen("127.0.0.1:2223"));
        assert_eq!(one, ask(&listen("127.0.0.1:2223")));
        assert_ne!(one, ask(&listen("127.0.0.1:2224")));
    }

    #[test]
    fn a_kept_name_that_is_none_is_made_up_anew() {
        let state = tempfile::tempdir().unwrap();
        let first = identity(None, Some(state.path()), &[]);
        fs::write(first.directory.unwrap().join(FILE), "../../etc").unwrap();
        let second = identity(None, Some(state.path()), &[]);
        assert_eq!(second.name.len(), 16);
        assert_eq!(second, identity(None, Some(state.path()), &[]));
    }

    #[test]
    fn without_a_directory_to_keep_a_name_in_it_is_the_places() {
        let one = identity(None, None, &listen("127.0.0.1:2223"));
        assert_eq!(one.directory, None);
        assert_eq!(one, identity(None, None, &listen("127.0.0.1:2223")));
        assert_ne!(one, identity(None, None, &listen("127.0.0.1:2224")));
        let file = tempfile::NamedTempFile::new().unwrap();
        let in_vain = identity(None, Some(file.path()), &listen("127.0.0.1:2223"));
        assert_eq!(in_vain.name, one.name);
    }

    #[test]
    fn a_pods_uid_is_found_in_both_of_its_spellings() {
        let plain = format!("0::/kubepods/burstable/pod{UID}/0123\n");
        let slice = UID.replace('-', "_");
        let systemd = format!("0::/kubepods.slice/kubepods-pod{slice}.slice/cri-0123.scope\n");
        assert_eq!(pod_uid(&plain).as_deref(), Some(UID));
        assert_eq!(pod_uid(&systemd).as_deref(), Some(UID));
        assert_eq!(pod_uid("0::/user.slice/podman-1.scope\n"), None);
        assert_eq!(pod_uid("0::/pod0a1b2c3d-1111-2222-3333-0123456789xy"), None);
    }
}
