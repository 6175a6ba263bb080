//! Making, opening and refusing files.

use std::fs;
use std::path::Path;
use std::thread;

use cogwork_store::{ImportLimits, STATE_DIR, Store, StoreError, state_dir};

use crate::fixture::*;

fn message(error: &StoreError, project: &Path) -> String {
    error.to_string().replace(project.to_str().unwrap(), "[project]")
}

#[test]
fn a_project_is_made_once_and_opened_ever_after() {
    let dir = tempfile::tempdir().unwrap();
    on_disk(dir.path());
    assert_eq!(fs::read_to_string(dir.path().join(STATE_DIR).join(".gitignore")).unwrap(), "*\n");
    let again = Store::create(dir.path(), clock_at(5)).unwrap();
    let opened = Store::open(dir.path(), clock()).unwrap();
    assert_eq!(again.features().unwrap().len(), 4);
    assert_eq!(all(&again), all(&opened));
    opened.file().check_integrity().unwrap();
}

#[test]
fn commits_are_durable_and_references_hold() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    claim(&store, 1, BASE);
    let other = raw(&database(dir.path()));
    let mode: String = other.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    for wrong in [
        "UPDATE journal SET at = 1",
        "DELETE FROM journal",
        "UPDATE features SET status = 'done'",
        "UPDATE features SET status = 'claimed' WHERE id = 2",
        "UPDATE features SET status = 'passing' WHERE id = 2",
        "UPDATE features SET priority = 'high'",
        "INSERT INTO dependencies VALUES (1, 1)",
        "INSERT INTO dependencies VALUES (1, 100)",
        "INSERT INTO attempts (feature_id, session_id, number, secret, started_at, lease_until)
         VALUES (1, 1, 2, '0123456789abcdef0123456789abcdef', 0, 0)",
    ] {
        other.execute_batch("PRAGMA foreign_keys = ON").unwrap();
        other.execute_batch(wrong).expect_err(wrong);
    }
}

#[test]
fn there_is_no_project_until_one_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let error = Store::open(dir.path(), clock()).unwrap_err();
    insta::assert_snapshot!(message(&error, dir.path()), @"there is no Cogwork project in [project]: run `cogwork import FILE.json --project-dir [project]` first");
    assert!(!state_dir(dir.path()).exists());
    let error = Store::create(&dir.path().join("typo"), clock_at(0)).unwrap_err();
    insta::assert_snapshot!(message(&error, dir.path()), @"the directory [project]/typo does not exist: create it first");
}

#[test]
fn a_kill_while_making_a_project_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(state_dir(dir.path())).unwrap();
    fs::write(state_dir(dir.path()).join(".gitignore"), "").unwrap();
    fs::write(database(dir.path()), "").unwrap();
    // Nobody who only reads makes it a project: it may be one that somebody emptied.
    let error = Store::open(dir.path(), clock()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert_eq!(fs::metadata(database(dir.path())).unwrap().len(), 0);
    assert_eq!(Store::create(dir.path(), clock_at(0)).unwrap().features().unwrap(), []);
    assert_eq!(fs::read_to_string(state_dir(dir.path()).join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn many_may_make_the_same_project_at_once() {
    let dir = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| Store::create(dir.path(), clock_at(0)).unwrap().features().unwrap());
        }
    });
}

#[test]
fn paths_may_have_any_characters() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a b?mode=ro#%41;'é");
    fs::create_dir(&odd).unwrap();
    on_disk(&odd);
    assert!(database(&odd).is_file());
    assert_eq!(Store::open(&odd, clock()).unwrap().features().unwrap().len(), 4);
}

#[test]
fn a_newer_file_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    on_disk(dir.path());
    raw(&database(dir.path()))
        .execute_batch("PRAGMA journal_mode = DELETE; PRAGMA user_version = 99")
        .unwrap();
    let before = fs::read(database(dir.path())).unwrap();
    for error in
        [Store::open(dir.path(), clock()).unwrap_err(), Store::create(dir.path(), clock_at(0)).unwrap_err()]
    {
        insta::allow_duplicates! {
            insta::assert_snapshot!(message(&error, dir.path()), @"[project]/.cogwork/features.db was written by a newer Cogwork (schema 99, this one knows 10): upgrade cogwork");
        }
    }
    assert_eq!(fs::read(database(dir.path())).unwrap(), before);
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(state_dir(dir.path())).unwrap();
    raw(&database(dir.path())).execute_batch("CREATE TABLE features (id INTEGER)").unwrap();
    let before = fs::read(database(dir.path())).unwrap();
    let error = Store::create(dir.path(), clock_at(0)).unwrap_err();
    insta::assert_snapshot!(message(&error, dir.path()), @"[project]/.cogwork/features.db holds tables that Cogwork did not make: move it away and run again");
    assert_eq!(fs::read(database(dir.path())).unwrap(), before);
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(state_dir(dir.path())).unwrap();
    let prose = "this is no database, but somebody's notes. ".repeat(100);
    fs::write(database(dir.path()), &prose).unwrap();
    for error in
        [Store::open(dir.path(), clock()).unwrap_err(), Store::create(dir.path(), clock_at(0)).unwrap_err()]
    {
        insta::allow_duplicates! {
            insta::assert_snapshot!(message(&error, dir.path()), @"[project]/.cogwork/features.db is damaged (file is not a database); it was left as it is: restore it from a copy: `cogwork restore --project-dir [project]` looks for one outside the project, `cogwork restore FILE --project-dir [project]` takes yours; or begin anew, which sets what is left aside: `cogwork restore --begin-anew --project-dir [project]`");
        }
        assert!(matches!(error, StoreError::Corrupt { .. }));
    }
    assert_eq!(fs::read_to_string(database(dir.path())).unwrap(), prose);
}

#[test]
fn a_damaged_page_is_noticed_wherever_it_is() {
    let dir = tempfile::tempdir().unwrap();
    drop(on_disk(dir.path()));
    let sound = fs::read(database(dir.path())).unwrap();
    let pages = sound.len() / 4096;
    assert!(pages > 10, "{pages}");
    for page in 0..pages {
        let mut damaged = sound.clone();
        // The first page begins with the header, which is another test's matter.
        let start = if page == 0 { 100 } else { page * 4096 };
        damaged[start..start + 300].fill(0x5a);
        fs::write(database(dir.path()), &damaged).unwrap();
        let opened = Store::open(dir.path(), clock()).and_then(|store| store.file().check_integrity());
        assert!(matches!(opened, Err(StoreError::Corrupt { .. })), "page {page}: {opened:?}");
        assert!(fs::read(database(dir.path())).unwrap() == damaged, "page {page} was written to");
    }
}

#[test]
fn a_deleted_or_replaced_file_takes_no_write() {
    let ruins: [fn(&Path); 3] = [
        |project| fs::remove_file(database(project)).unwrap(),
        |project| fs::remove_dir_all(state_dir(project)).unwrap(),
        |project| {
            fs::copy(database(project), project.join("copy")).unwrap();
            fs::rename(project.join("copy"), database(project)).unwrap();
        },
    ];
    for ruin in ruins {
        let dir = tempfile::tempdir().unwrap();
        let store = on_disk(dir.path());
        let claim = claim(&store, 1, BASE);
        ruin(dir.path());
        for (name, write) in writes() {
            let result = write(&store, &claim.token);
            assert!(matches!(result, Err(StoreError::Replaced { .. })), "{name}: {result:?}");
        }
        let error = store.at(2).import(&list(r#"{"name": "lost"}"#), &ImportLimits::default()).unwrap_err();
        insta::allow_duplicates! {
            insta::assert_snapshot!(message(&error, dir.path()), @"[project]/.cogwork/features.db was deleted or replaced while in use, nothing was written: stop all of cogwork, put the right file in place and start again");
        }
        assert!(matches!(store.file().data_version(), Err(StoreError::Replaced { .. })));
    }
}

#[test]
fn commits_of_others_change_the_data_version() {
    let dir = tempfile::tempdir().unwrap();
    let (store, other) = (on_disk(dir.path()), Store::open(dir.path(), clock()).unwrap());
    let version = store.file().data_version().unwrap();
    claim(&store, 1, BASE);
    assert_eq!(store.file().data_version().unwrap(), version, "its own commits do not");
    claim(&other, 1, PROSE);
    assert_ne!(store.file().data_version().unwrap(), version);
}

#[test]
fn a_store_moves_between_threads() {
    let store = Store::in_memory(clock()).unwrap();
    thread::spawn(move || store.features().unwrap()).join().unwrap();
}
