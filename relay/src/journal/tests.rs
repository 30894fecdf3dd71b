//! What is written is found again, and damage costs what it hits.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::store::{DAMAGED, NAME};
use super::*;

fn directory() -> TempDir {
    tempfile::tempdir().unwrap()
}

fn open(directory: &Path) -> (Journal, Found) {
    let (journal, found) = Journal::open(directory);
    (journal.unwrap(), found)
}

fn row(key: u64, length: usize) -> Row {
    let payload = (0..length).map(|index| (key as usize * 31 + index) as u8);
    Row {
        key,
        payload: payload.collect(),
    }
}

fn changed(rows: impl IntoIterator<Item = Row>) -> Batch {
    Batch {
        changed: rows.into_iter().collect(),
        ..Batch::default()
    }
}

/// A journal of calls of that length, closed again; and its rows.
fn filled(directory: &Path, calls: u64, length: usize) -> Vec<Row> {
    let rows: Vec<Row> = (0..calls).map(|key| row(key, length)).collect();
    let (mut journal, _) = open(directory);
    let owner = Owner {
        boot: "b".into(),
        alive_ms: 1,
        instance: 2,
        calls: 0,
    };
    let batch = Batch {
        owner: Some(owner),
        ..changed(rows.clone())
    };
    journal.write(batch).unwrap();
    rows
}

#[test]
fn a_new_journal_is_empty_and_nobodys() {
    let directory = directory();
    let (_, found) = open(&directory.path().join("not/there/yet"));
    assert_eq!(found, Found::default());
}

#[test]
fn what_was_written_is_found_again_in_order() {
    let directory = directory();
    let rows = filled(directory.path(), 100, 2500);
    let (_, found) = open(directory.path());
    assert_eq!(found.rows, rows);
    assert_eq!(found.damage, None);
    let owner = found.owner.unwrap();
    assert_eq!((owner.instance, owner.calls), (2, 100));
}

#[test]
fn the_latest_state_of_a_call_counts_and_one_that_ended_is_gone() {
    let directory = directory();
    filled(directory.path(), 3, 10);
    let (mut journal, _) = open(directory.path());
    let batch = Batch {
        ended: vec![1, 77],
        ..changed([row(2, 9000), row(3, 5)])
    };
    journal.write(batch).unwrap();
    drop(journal);
    let (_, found) = open(directory.path());
    assert_eq!(found.rows, [row(0, 10), row(2, 9000), row(3, 5)]);
}

#[test]
fn a_second_process_is_kept_out() {
    let directory = directory();
    let (_journal, _) = open(directory.path());
    let (second, _) = Journal::open(directory.path());
    assert!(matches!(second, Err(JournalError::Locked(_))));
}

#[test]
fn a_directory_that_cannot_be_made_is_an_error() {
    let directory = directory();
    fs::write(directory.path().join("file"), "").unwrap();
    let (journal, found) = Journal::open(&directory.path().join("file/journal"));
    assert!(matches!(journal, Err(JournalError::Io { .. })));
    assert_eq!(found, Found::default());
}

#[test]
fn a_full_journal_takes_no_more_until_something_ends() {
    let directory = directory();
    let (mut journal, _) = open(directory.path());
    journal.limit(40);
    let all: Vec<Row> = (0..200).map(|key| row(key, 2500)).collect();
    let (some, rest) = all.split_at(100);
    journal.write(changed(some.to_vec())).unwrap();
    let refused = journal.write(changed(rest.to_vec()));
    assert!(matches!(refused, Err(JournalError::Full(_))), "{refused:?}");
    let ended = Batch {
        ended: (0..100).collect(),
        ..Batch::default()
    };
    journal.write(ended).unwrap();
    journal.write(changed(rest.to_vec())).unwrap();
    drop(journal);
    assert_eq!(open(directory.path()).1.rows, rest);
}

#[test]
fn garbage_is_set_aside_and_the_journal_begins_anew() {
    let directory = directory();
    fs::write(directory.path().join(NAME), [0x5a; 50_000]).unwrap();
    let (mut journal, found) = open(directory.path());
    assert_eq!(found.rows, []);
    assert!(found.damage.is_some());
    assert!(directory.path().join(DAMAGED).exists());
    journal.write(changed([row(1, 10)])).unwrap();
    drop(journal);
    let (_, found) = open(directory.path());
    assert_eq!(found.rows, [row(1, 10)]);
    assert_eq!(found.damage, None);
}

#[test]
fn without_its_first_page_the_others_are_read() {
    let directory = directory();
    let rows = filled(directory.path(), 500, 2500);
    let path = directory.path().join(NAME);
    let mut file = fs::read(&path).unwrap();
    file[..PAGE].fill(0);
    fs::write(&path, file).unwrap();
    let (_, found) = open(directory.path());
    assert!(found.damage.is_some());
    assert_eq!(found.rows, rows);
}

#[test]
fn a_call_that_has_ended_is_not_found_by_a_salvage() {
    let directory = directory();
    filled(directory.path(), 300, 1700);
    let (mut journal, _) = open(directory.path());
    let ended = Batch {
        ended: (0..300).filter(|key| key % 50 != 0).collect(),
        ..Batch::default()
    };
    journal.write(ended).unwrap();
    drop(journal);
    let file = fs::read(directory.path().join(NAME)).unwrap();
    let keys: Vec<u64> = salvage::rows(&file).iter().map(|row| row.key).collect();
    // Places are keys plus one; 0 is the owner's.
    assert_eq!(keys, [0, 1, 51, 101, 151, 201, 251]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn damage_costs_the_calls_it_hits(
        length in prop::sample::select(vec![300_usize, 2500, 9000, 40_000]),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 0..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let directory = directory();
        let rows = filled(directory.path(), 40, length);
        let path = directory.path().join(NAME);
        let mut file = fs::read(&path).unwrap();
        let mut hit: Vec<usize> = Vec::new();
        for (place, bit) in flips {
            let place = place.index(file.len());
            file[place] ^= 1 << bit;
            hit.push(place / PAGE);
        }
        if let Some(cut) = cut {
            let cut = cut.index(file.len());
            hit.extend(cut / PAGE..file.len() / PAGE);
            file.truncate(cut);
        }
        hit.sort_unstable();
        hit.dedup();
        fs::write(&path, &file).unwrap();
        let (_, found) = open(directory.path());
        for row in &found.rows {
            prop_assert!(rows.contains(row), "a call that nobody wrote");
        }
        // Usual calls share a page with at most this many others; long ones are spread over several.
        let a_page = (PAGE / length + 2).max(2);
        prop_assert!(rows.len() - found.rows.len() <= hit.len() * a_page);
    }
}
