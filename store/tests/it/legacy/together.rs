//! Originals that are in use or were killed, and several processes of ours at once.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cogwork_schemas::{Fact, FeatureId};
use cogwork_store::{Store, state_dir};

use super::originals::*;
use super::refusals::refused;
use super::{adopt, files};
use crate::fixture::*;
use crate::processes::{Racer, start, wait};

/// Puts a database and what lies beside it where a project has it, as a kill would leave it.
fn kill(from: &Path, project: &Path, endings: &[&str]) {
    for ending in endings {
        let file = |base: &Path| base.join(format!("features.db{ending}"));
        fs::copy(file(from), file(project)).unwrap();
    }
}

#[test]
fn the_log_of_a_killed_original_counts() {
    for endings in [&["", "-wal"][..], &["", "-wal", "-shm"]] {
        let (scratch, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sql = format!("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; {LAST}");
        let connection = open(&scratch.path().join("features.db"), &sql);
        connection.execute_batch("UPDATE features SET name = 'in the log' WHERE id = 2").unwrap();
        kill(scratch.path(), dir.path(), endings);
        let (store, _) = adopt(dir.path());
        assert_eq!(store.feature(FeatureId(2)).unwrap().name, "in the log");
    }
}

#[test]
fn the_half_of_a_transaction_of_a_killed_original_does_not_count() {
    let (scratch, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sql = of_real_size(300).replace("WAL", "DELETE");
    let connection = open(&scratch.path().join("features.db"), &sql);
    // With hardly any memory, what is changed goes into the file before it is done.
    connection
        .execute_batch("PRAGMA cache_size = 2; BEGIN; UPDATE features SET passes = 1, name = 'half'")
        .unwrap();
    kill(scratch.path(), dir.path(), &["", "-journal"]);
    let half = fs::read(dir.path().join("features.db")).unwrap();
    assert!(half.windows(4).any(|bytes| bytes == b"half"), "nothing of it was written");
    let (store, _) = adopt(dir.path());
    let features = store.features().unwrap();
    assert_eq!(features.len(), 300);
    assert!(features.iter().all(|feature| feature.name.starts_with("Feature number")));
}

#[test]
fn an_original_that_was_closed_well_is_read_without_a_trace() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(".autoforge/features.db");
    make(&path, &of_real_size(1_000));
    assert_eq!(fs::read(&path).unwrap()[18..20], [2, 2], "it is in the log's format");
    let (store, adoption) = adopt(dir.path());
    assert_eq!((adoption.features, adoption.left_out), (1_000, vec![]));
    let features = store.features().unwrap();
    assert_eq!(features.iter().map(|feature| feature.dependencies.len()).sum::<usize>(), 950 + 949);
    assert_eq!(features.iter().filter(|feature| feature.proof.is_some()).count(), 333);
}

#[test]
#[ignore = "a child of an_original_in_use_is_named"]
fn is_the_original() {
    wait(|project| open(&project.join("features.db"), &format!("PRAGMA journal_mode = WAL; {LAST}")));
}

#[test]
fn an_original_in_use_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let mut original = start("legacy::together::is_the_original", dir.path(), 0);
    let sentence = refused(dir.path());
    assert!(sentence.contains(&format!("process {} uses it; end that", original.pid())), "{sentence}");
    original.go();
    original.finish();
    adopt(dir.path());
}

#[test]
fn an_original_in_the_middle_of_a_write_is_waited_for_and_then_named() {
    let dir = tempfile::tempdir().unwrap();
    let connection = open(&dir.path().join("features.db"), LAST);
    connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let sentence = refused(dir.path());
    assert!(sentence.ends_with("another program uses it; end that, then try again"), "{sentence}");
    connection.execute_batch("ROLLBACK").unwrap();
    adopt(dir.path());
}

#[test]
#[ignore = "a child of processes_that_open_at_once_adopt_once"]
fn opens_the_project() {
    if let Some(project) = wait(Path::to_owned) {
        let (store, _) = Store::open_or_adopt(&project, clock_at(1)).unwrap();
        assert_eq!(store.features().unwrap().len(), 200);
    }
}

#[test]
fn processes_that_open_at_once_adopt_once() {
    let dir = tempfile::tempdir().unwrap();
    make(&dir.path().join("features.db"), &of_real_size(200));
    let before = files(dir.path());
    let mut racers: Vec<_> =
        (0..8).map(|n| start("legacy::together::opens_the_project", dir.path(), n)).collect();
    racers.iter_mut().for_each(Racer::go);
    racers.into_iter().for_each(Racer::finish);
    assert!(files(dir.path()) == before);
    let store = Store::open(dir.path(), clock()).unwrap();
    let adopted = facts(&store, 0).into_iter().filter(|fact| matches!(fact, Fact::Adopted { .. }));
    assert_eq!((adopted.count(), facts(&store, 0).len()), (1, 201));
}

#[test]
fn a_kill_at_any_moment_leaves_all_or_nothing() {
    let (mut nothing, mut whole) = (0, 0);
    for round in 0..24 {
        let dir = tempfile::tempdir().unwrap();
        make(&dir.path().join("features.db"), &of_real_size(200));
        let before = files(dir.path());
        let mut child = start("legacy::together::opens_the_project", dir.path(), 0);
        child.go();
        child.kill_after(Duration::from_millis(round));
        assert!(files(dir.path()) == before);
        if state_dir(dir.path()).join("features.db").exists() {
            whole += 1;
            assert_eq!(Store::open(dir.path(), clock()).unwrap().features().unwrap().len(), 200);
        } else {
            nothing += 1;
        }
        let (store, _) = Store::open_or_adopt(dir.path(), clock_at(1)).unwrap();
        assert_eq!((store.features().unwrap().len(), facts(&store, 0).len()), (200, 201));
        store.file().check_integrity().unwrap();
    }
    println!("{nothing} were killed before it was there, {whole} after");
}
