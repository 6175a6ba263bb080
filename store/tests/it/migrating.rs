//! Databases of earlier versions: opened, brought to the present one, and nothing of them lost.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cogwork_schemas::{FeatureId, Proof, Status, Token};
use cogwork_store::{Store, StoreError, state_dir};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::fixture::*;
use crate::processes::{start, wait};

const VERSION_1: &str = include_str!("migrating/version_1.sql");

fn make(project: &Path) {
    fs::create_dir_all(state_dir(project)).unwrap();
    raw(&database(project)).execute_batch(VERSION_1).unwrap();
}

/// Everything in the columns that version 1 had, but for the secrets, of which the digests are left.
fn rows(connection: &Connection) -> Vec<(String, Vec<Vec<Value>>)> {
    let old = Connection::open_in_memory().unwrap();
    old.execute_batch(VERSION_1).unwrap();
    let strings = |connection: &Connection, sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let tables =
        strings(&old, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'");
    let content = |table: String| {
        let columns =
            strings(&old, &format!("SELECT name FROM pragma_table_info('{table}') WHERE name <> 'secret'"));
        let sql = format!("SELECT {} FROM {table} ORDER BY 1, 2", columns.join(", "));
        let mut statement = connection.prepare(&sql).unwrap();
        let rows = statement.query_map([], |row| (0..columns.len()).map(|n| row.get(n)).collect()).unwrap();
        let rows = rows.map(Result::unwrap).collect::<Vec<_>>();
        assert!(!rows.is_empty(), "the fixture has no row in {table}");
        (table, rows)
    };
    tables.into_iter().map(content).collect()
}

/// Returns the version that a new project has.
fn present() -> i64 {
    let dir = tempfile::tempdir().unwrap();
    drop(on_disk(dir.path()));
    version(&raw(&database(dir.path())))
}

fn version(connection: &Connection) -> i64 {
    connection.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

#[test]
fn version_1_is_brought_to_the_present_with_all_it_has() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let before = rows(&raw(&database(dir.path())));
    assert_eq!(before.len(), 8);
    let store = Store::open(dir.path(), clock()).unwrap();
    let after = raw(&database(dir.path()));
    assert_eq!((version(&after), rows(&after)), (present(), before));
    store.file().check_integrity().unwrap();
    let features = store.features().unwrap();
    let statuses: Vec<_> = features.iter().map(|feature| (feature.id.0, feature.status)).collect();
    assert_eq!(
        statuses,
        [(1, Status::Passing), (2, Status::Claimed), (3, Status::Parked), (7, Status::Pending)]
    );
    assert_eq!((features[0].proof, &features[0].human_request), (Some(Proof::RedGreen), &None));
    assert_eq!(features[3].dependencies, [FeatureId(1), FeatureId(3)]);
    assert_eq!(
        (store.attempts_of(FeatureId(2)).unwrap().len(), store.live_attempts().unwrap().len()),
        (2, 1)
    );
    assert_eq!((store.last_seq().unwrap(), store.live_sessions().unwrap().len()), (3, 1));
    // Whoever worked over the upgrade has its right still.
    let token = Token::new("3-0123456789abcdef0123456789abcded");
    renew(store.at(4), &token).unwrap();
    // And it is one to work with.
    let imported = store.at(5).import(&list(r#"{"name": "new"}"#), &cogwork_store::ImportLimits::default());
    assert_eq!(imported.unwrap().created, [FeatureId(8)]);
}

#[test]
fn a_migration_that_cannot_be_finished_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path());
    let connection = raw(&database(dir.path()));
    // The last thing that version 2 makes is in its way.
    connection.execute_batch("CREATE TABLE calls (theirs)").unwrap();
    let before = rows(&connection);
    let error = Store::open(dir.path(), clock()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("table calls already exists"), "{error}");
    assert_eq!((version(&connection), rows(&connection)), (1, before));
    let columns: i64 = connection
        .query_row("SELECT count(*) FROM pragma_table_info('features') WHERE name LIKE 'human%'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(columns, 0);
}

#[test]
#[ignore = "a child of a_kill_while_migrating_leaves_the_old_or_the_new"]
fn migrates() {
    if let Some(project) = wait(Path::to_owned) {
        Store::open(&project, clock()).unwrap();
    }
}

#[test]
fn a_kill_while_migrating_leaves_the_old_or_the_new() {
    let (mut old, mut new) = (0, 0);
    for round in 0..24 {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path());
        let before = rows(&raw(&database(dir.path())));
        let mut child = start("migrating::migrates", dir.path(), 0);
        child.go();
        child.kill_after(Duration::from_millis(round));
        let connection = raw(&database(dir.path()));
        match version(&connection) {
            1 => old += 1,
            version => {
                assert_eq!(version, present());
                new += 1;
            }
        }
        assert_eq!(rows(&connection), before);
        drop(connection);
        Store::open(dir.path(), clock()).unwrap().file().check_integrity().unwrap();
    }
    println!("{old} were killed before, {new} after");
}
