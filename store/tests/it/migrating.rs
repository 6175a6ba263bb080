//! Databases of earlier versions: opened, brought to the present one, and nothing of them lost.

use std::fs;
use std::path::Path;
use std::time::Duration;

use cogwork_schemas::{Fact, FeatureId, Proof, RunId, Status, Token};
use cogwork_store::{Store, StoreError, state_dir};
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::fixture::*;
use crate::processes::{start, wait};

const VERSION_1: &str = include_str!("migrating/version_1.sql");
const VERSION_5: &str = include_str!("migrating/version_5.sql");

fn make(project: &Path, version: &str) {
    fs::create_dir_all(state_dir(project)).unwrap();
    raw(&database(project)).execute_batch(version).unwrap();
}

/// Where columns of earlier versions are found now: the output of checks is kept once.
const EVIDENCE: &str = "(SELECT e.*, o.tail AS output_tail, o.digest AS output_digest
    FROM evidence e JOIN outputs o ON o.id = e.output_id)";

/// Everything in the columns that an earlier version had, but for the secrets, of which the digests are left.
fn rows(connection: &Connection, earlier: &str) -> Vec<(String, Vec<Vec<Value>>)> {
    let old = Connection::open_in_memory().unwrap();
    old.execute_batch(earlier).unwrap();
    let strings = |connection: &Connection, sql: &str| -> Vec<String> {
        let mut statement = connection.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let tables =
        strings(&old, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'");
    let content = |table: String| {
        let columns =
            strings(&old, &format!("SELECT name FROM pragma_table_info('{table}') WHERE name <> 'secret'"));
        let moved = table == "evidence" && version(connection) == present();
        let from = if moved { EVIDENCE } else { &table };
        let sql = format!("SELECT {} FROM {from} ORDER BY 1, 2", columns.join(", "));
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
    make(dir.path(), VERSION_1);
    let before = rows(&raw(&database(dir.path())), VERSION_1);
    assert_eq!(before.len(), 8);
    let store = Store::open(dir.path(), clock()).unwrap();
    let after = raw(&database(dir.path()));
    assert_eq!((version(&after), rows(&after, VERSION_1)), (present(), before));
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
fn version_5_is_brought_to_the_present_with_all_it_has() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), VERSION_5);
    let before = rows(&raw(&database(dir.path())), VERSION_5);
    assert_eq!(before.len(), 10);
    let store = Store::open(dir.path(), clock()).unwrap();
    let after = raw(&database(dir.path()));
    assert_eq!((version(&after), rows(&after, VERSION_5)), (present(), before));
    store.file().check_integrity().unwrap();
    assert_eq!(store.last_report(FeatureId(2)).unwrap().as_deref(), Some("it hangs"));
    assert_eq!(store.note(FeatureId(2)).unwrap().unwrap().text, "the parser is odd");
    assert_eq!(store.feature(FeatureId(8)).unwrap().human_request.unwrap().prompt, "Which?");
}

#[test]
fn the_output_of_checks_is_kept_once_and_read_as_before() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), VERSION_5);
    let store = Store::open(dir.path(), clock()).unwrap();
    let seen = |feature: i64| -> Vec<(String, String)> {
        let records = store.attempts_of(FeatureId(feature)).unwrap();
        let evidence = records.into_iter().flat_map(|record| record.evidence);
        evidence.map(|seen| (seen.report.output_digest, seen.report.output_tail)).collect()
    };
    let words = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(digest, tail)| ((*digest).to_owned(), (*tail).to_owned())).collect()
    };
    assert_eq!(seen(1), words(&[("aa", "no"), ("bb", "yes")]));
    assert_eq!(seen(2), words(&[("aa", "no"), ("aa", "no"), ("aa", "no, really")]));
    let kept: i64 =
        raw(&database(dir.path())).query_row("SELECT count(*) FROM outputs", [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 3);
    // An entry from before holds its text itself, and is read like any other.
    let checked = store.journal_since(4, 1).unwrap().remove(0).fact;
    assert!(matches!(&checked, Fact::Checked { report, .. } if report.output_tail == "yes"), "{checked:?}");
}

#[test]
fn earlier_runs_and_landings_become_rows() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), VERSION_5);
    let store = Store::open(dir.path(), clock()).unwrap();
    let last = store.last_run().unwrap().unwrap();
    assert_eq!((last.id, last.ended, last.process.pid), (RunId(3), None, 10));
    assert_eq!((last.settings.slots, last.settings.batch, last.base_commit), (2, None, None));
    let raw = raw(&database(dir.path()));
    let mut statement = raw.prepare("SELECT outcome ->> 'outcome' FROM runs ORDER BY id").unwrap();
    let ends: Vec<Option<String>> =
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(ends, [Some("blocked".to_owned()), None, None]);
    let mut statement =
        raw.prepare("SELECT attempt_id, feature_id, to_commit, ended_at FROM landings").unwrap();
    let landings: Vec<(i64, i64, String, i64)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert_eq!(landings, [(1, 1, "c2".to_owned(), 1_700_000_006_000_000)]);
    assert_eq!(store.open_landings().unwrap(), []);
}

#[test]
fn a_migration_that_cannot_be_finished_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    make(dir.path(), VERSION_1);
    let connection = raw(&database(dir.path()));
    // The last thing that version 2 makes is in its way.
    connection.execute_batch("CREATE TABLE calls (theirs)").unwrap();
    let before = rows(&connection, VERSION_1);
    let error = Store::open(dir.path(), clock()).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    assert!(error.to_string().contains("table calls already exists"), "{error}");
    assert_eq!((version(&connection), rows(&connection, VERSION_1)), (1, before));
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
        make(dir.path(), VERSION_1);
        let before = rows(&raw(&database(dir.path())), VERSION_1);
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
        assert_eq!(rows(&connection, VERSION_1), before);
        drop(connection);
        Store::open(dir.path(), clock()).unwrap().file().check_integrity().unwrap();
    }
    println!("{old} were killed before, {new} after");
}
