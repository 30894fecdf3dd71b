use std::collections::BTreeSet;
use std::os::unix::fs::symlink;

use super::sample::record;
use super::*;

fn registry() -> (tempfile::TempDir, Registry) {
    let directory = tempfile::tempdir().unwrap();
    let registry = Registry::open(&directory.path().join("run/tables")).unwrap();
    (directory, registry)
}

#[test]
fn a_record_is_found_again_as_it_was() {
    let (_directory, registry) = registry();
    let locked = registry.lock().unwrap();
    locked.write(&record(3)).unwrap();
    let entry = locked.entry(3).unwrap().unwrap();
    assert_eq!(entry.record, Some(record(3)));
    assert_eq!(locked.entries().unwrap(), [entry]);
    assert_eq!(locked.entry(4).unwrap(), None);
}

#[test]
fn everybody_may_read_records_and_nobody_locks() {
    let (_directory, registry) = registry();
    let locked = registry.lock().unwrap();
    let _lock = locked.new_owner(3).unwrap();
    locked.write(&record(3)).unwrap();
    let mode = |name: &str| {
        let file = fs::metadata(registry.directory.join(name)).unwrap();
        file.permissions().mode() & 0o777
    };
    assert_eq!(mode("3.json"), 0o644);
    assert_eq!((mode("3.lock"), mode("node.lock")), (0o600, 0o600));
}

#[test]
fn an_owner_lives_as_long_as_its_descriptor() {
    let (_directory, registry) = registry();
    let locked = registry.lock().unwrap();
    let lock = locked.new_owner(3).unwrap();
    locked.write(&record(3)).unwrap();
    let is_alive = || locked.entry(3).unwrap().unwrap().is_alive;
    assert!(is_alive());
    let passed_on = lock.try_clone().unwrap();
    drop(lock);
    assert!(is_alive());
    drop(passed_on);
    assert!(!is_alive());
}

#[test]
fn an_owners_descriptor_can_not_be_written_to() {
    let (_directory, registry) = registry();
    let lock = registry.lock().unwrap().new_owner(3).unwrap();
    assert!(File::from(lock).write_all(b"x").is_err());
}

#[test]
fn an_owners_descriptor_is_closed_on_exec() {
    let (_directory, registry) = registry();
    let lock = registry.lock().unwrap().new_owner(3).unwrap();
    let flags = nix::fcntl::fcntl(&lock, nix::fcntl::FcntlArg::F_GETFD).unwrap();
    assert_eq!(flags & libc::FD_CLOEXEC, libc::FD_CLOEXEC);
}

#[test]
fn only_the_newest_lock_is_the_owners() {
    let (directory, registry) = registry();
    let locked = registry.lock().unwrap();
    let earlier = locked.new_owner(3).unwrap();
    assert!(locked.is_owners(3, earlier.as_fd()));
    let newest = locked.new_owner(3).unwrap();
    let other_table = locked.new_owner(4).unwrap();
    let elsewhere = File::create(directory.path().join("3.lock")).unwrap();
    assert!(locked.is_owners(3, newest.as_fd()));
    for lock in [earlier.as_fd(), other_table.as_fd(), elsewhere.as_fd()] {
        assert!(!locked.is_owners(3, lock));
    }
}

#[test]
fn a_damaged_record_is_a_table_without_one() {
    let (_directory, registry) = registry();
    let locked = registry.lock().unwrap();
    let whole = serde_json::to_vec(&record(3)).unwrap();
    let other_table = serde_json::to_vec(&record(4)).unwrap();
    let endless = vec![b'['; 2 << 20];
    for damaged in [
        &whole[..whole.len() / 2],
        b"",
        b"\xff\x00",
        &other_table,
        &endless,
    ] {
        fs::write(registry.directory.join("3.json"), damaged).unwrap();
        let entry = locked.entry(3).unwrap().unwrap();
        assert_eq!((entry.record, entry.is_alive), (None, false));
    }
}

#[test]
fn what_is_removed_leaves_nothing_and_may_be_removed_again() {
    let (_directory, registry) = registry();
    let locked = registry.lock().unwrap();
    let lock = locked.new_owner(3).unwrap();
    locked.write(&record(3)).unwrap();
    locked.remove(3).unwrap();
    locked.remove(3).unwrap();
    assert_eq!(locked.entries().unwrap(), []);
    // Its owner, who may not have closed it yet, is in nobody's way.
    let next = locked.new_owner(3).unwrap();
    assert!(locked.is_owners(3, next.as_fd()) && !locked.is_owners(3, lock.as_fd()));
}

#[test]
fn generations_are_never_the_same_even_if_the_counter_is_lost() {
    let (_directory, registry) = registry();
    let locked = registry.lock().unwrap();
    let mut numbers = BTreeSet::new();
    for now in [1000, 1000, 900, 2000] {
        assert!(numbers.insert(locked.next_generation(now).unwrap()));
    }
    fs::remove_file(registry.directory.join("generation")).unwrap();
    assert!(numbers.insert(locked.next_generation(3000).unwrap()));
    fs::write(registry.directory.join("generation"), "nonsense").unwrap();
    assert!(numbers.insert(locked.next_generation(4000).unwrap()));
    assert_eq!(numbers.len(), 6);
}

#[test]
fn one_agent_at_a_time_changes_anything() {
    let (_directory, registry) = registry();
    let locked = registry.lock().unwrap();
    let other = registry.clone();
    let waiting = thread::spawn(move || other.lock().map(drop));
    thread::yield_now();
    assert!(!waiting.is_finished());
    drop(locked);
    waiting.join().unwrap().unwrap();
}

#[test]
fn a_link_left_in_place_of_a_new_file_is_not_followed() {
    let (directory, registry) = registry();
    let target = directory.path().join("target");
    fs::write(&target, "precious").unwrap();
    symlink(&target, registry.directory.join("3.json.new")).unwrap();
    registry.lock().unwrap().write(&record(3)).unwrap();
    assert_eq!(fs::read_to_string(target).unwrap(), "precious");
}

#[test]
fn a_directory_that_can_not_be_made_is_named() {
    let (directory, _registry) = registry();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Registry::open(&file.join("tables")).unwrap_err();
    assert!(error.to_string().contains("file/tables"), "{error}");
}
