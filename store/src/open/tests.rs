//! What only shows from inside: other file systems, other SQLites, disks without room.

use cogwork_schemas::FeatureList;

use super::*;
use crate::ImportLimits;
use crate::features::FEATURE;

fn clock() -> TimeSource {
    TimeSource::new(|| Timestamp::UNIX_EPOCH)
}

fn features(names: usize) -> FeatureList {
    let features: Vec<_> =
        (0..names).map(|_| format!(r#"{{"name": "n", "description": "{}"}}"#, "x".repeat(999))).collect();
    serde_json::from_str(&format!(r#"{{"features": [{}]}}"#, features.join(","))).unwrap()
}

fn import(store: &Store, many: usize) -> Result<(), StoreError> {
    store.import(&features(many), &ImportLimits::default()).map(drop)
}

fn open_on(filesystem: Filesystem, project: &Path) -> Store {
    let dir = state_dir(project);
    fs::create_dir_all(&dir).unwrap();
    let lock = open_lock(&dir).unwrap();
    Store::open_writable(&dir, filesystem, lock, OpenFlags::SQLITE_OPEN_CREATE, clock()).unwrap()
}

fn pragma(store: &Store, name: &str) -> String {
    store
        .connection
        .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
        .map(|value| format!("{value:?}"))
        .unwrap()
}

#[test]
fn sqlite_that_damages_databases_is_refused() {
    let error = refuse_old_sqlite(3_051_002, "3.51.2").unwrap_err();
    assert!(error.to_string().contains("built with SQLite 3.51.2"), "{error}");
    refuse_old_sqlite(3_051_003, "3.51.3").unwrap();
}

#[test]
fn every_connection_is_set_up_the_same() {
    let dir = tempfile::tempdir().unwrap();
    Store::create(dir.path(), clock()).unwrap();
    for store in [Store::create(dir.path(), clock()).unwrap(), Store::open(dir.path(), clock()).unwrap()] {
        let settings = [
            ("busy_timeout", "Integer(10000)"),
            ("journal_mode", r#"Text("wal")"#),
            ("synchronous", "Integer(2)"),
            ("foreign_keys", "Integer(1)"),
            ("wal_autocheckpoint", "Integer(1000)"),
            ("journal_size_limit", "Integer(67108864)"),
            ("trusted_schema", "Integer(0)"),
        ];
        for (name, expected) in settings {
            assert_eq!(pragma(&store, name), expected, "{name}");
        }
        assert!(!store.connection.db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA).unwrap());
        assert!(store.connection.db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG).unwrap());
    }
}

#[test]
fn on_a_network_file_system_there_is_no_write_ahead_log() {
    let dir = tempfile::tempdir().unwrap();
    import(&open_on(Filesystem::Local, dir.path()), 3).unwrap();
    let moved = open_on(Filesystem::Network, dir.path());
    assert_eq!(pragma(&moved, "journal_mode"), r#"Text("delete")"#);
    import(&moved, 3).unwrap();
    assert!(!state_dir(dir.path()).join("features.db-wal").exists());
    let second = open_on(Filesystem::Network, dir.path());
    assert_eq!(second.features().unwrap().len(), 6);
    import(&second, 1).unwrap();
    assert_eq!(moved.features().unwrap().len(), 7);
}

#[test]
fn a_foreign_writer_is_waited_for_and_then_named_as_such() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_on(Filesystem::Local, dir.path());
    let foreign = open_on(Filesystem::Local, dir.path());
    store.connection.busy_timeout(std::time::Duration::from_millis(20)).unwrap();
    foreign.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = import(&store, 1).unwrap_err();
    assert!(matches!(error, StoreError::Busy { holder: None, .. }), "{error:?}");
    assert!(error.to_string().contains("another program uses it"), "{error}");
    assert_eq!(store.features().unwrap(), [], "readers need not wait");
    foreign.connection.execute_batch("ROLLBACK").unwrap();
    import(&store, 1).unwrap();
}

#[test]
fn a_question_at_once_waits_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    // Where readers have to wait for writers.
    let store = open_on(Filesystem::Network, dir.path());
    let foreign = open_on(Filesystem::Network, dir.path());
    foreign.connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let error = store.at_once(|store| store.features()).unwrap_err();
    assert!(matches!(error, StoreError::Busy { .. }), "{error:?}");
    foreign.connection.execute_batch("ROLLBACK").unwrap();
    assert_eq!(store.at_once(|store| store.features()).unwrap(), []);
    assert_eq!(pragma(&store, "busy_timeout"), "Integer(10000)", "others wait as before");
}

#[test]
fn a_write_at_once_waits_for_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let (store, other) = (open_on(Filesystem::Local, dir.path()), open_on(Filesystem::Local, dir.path()));
    let is_busy = |store: &Store| {
        let error = store.at_once(|store| import(store, 1)).unwrap_err();
        matches!(error, StoreError::Busy { .. })
    };
    let held = other.home.take_turn().unwrap();
    assert!(is_busy(&store), "the queue of writers is not entered");
    drop(held);
    other.connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(is_busy(&store));
    other.connection.execute_batch("ROLLBACK").unwrap();
    store.at_once(|store| import(store, 1)).unwrap();
    assert_eq!(pragma(&store, "busy_timeout"), "Integer(10000)", "others wait as before");
}

/// A value that might be better served by another plan once had SQLite make the plan anew, in every call.
#[test]
fn a_prepared_statement_is_never_made_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_on(Filesystem::Local, dir.path());
    import(&store, 3).unwrap();
    let mut statement = store.connection.prepare(&format!("{FEATURE} WHERE f.id = ?1")).unwrap();
    for id in 1..=3 {
        assert!(statement.exists([id]).unwrap());
    }
    assert_eq!(statement.get_status(rusqlite::StatementStatus::RePrepare), 0);
}

#[test]
fn a_full_disk_is_said_and_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_on(Filesystem::Local, dir.path());
    import(&store, 2).unwrap();
    store.connection.pragma_update_and_check(None, "max_page_count", 60, |_| Ok(())).unwrap();
    let error = import(&store, 500).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull { .. }), "{error:?}");
    assert_eq!(store.features().unwrap().len(), 2);
    assert_eq!(store.last_seq().unwrap(), 2);
    store.file().check_integrity().unwrap();
    import(&store, 1).unwrap();
}

#[test]
fn a_directory_that_cannot_be_written_is_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let project = dir.path().join("odd ?#% é");
    let database = state_dir(&project).join(DATABASE);
    let writer = open_on(Filesystem::Local, &project);
    import(&writer, 2).unwrap();
    // While somebody who may write is at it, and after that.
    let reader = Store::open_read_only(database.clone(), clock()).unwrap();
    assert_eq!(reader.features().unwrap().len(), 2);
    import(&writer, 1).unwrap();
    assert_eq!(reader.features().unwrap().len(), 3);
    drop((reader, writer));
    let left: Vec<_> =
        fs::read_dir(state_dir(&project)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let reader = Store::open_read_only(database, clock()).unwrap();
    assert_eq!(reader.features().unwrap().len(), 3);
    let after: Vec<_> =
        fs::read_dir(state_dir(&project)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, after, "reading made files");
    let error = import(&reader, 1).unwrap_err();
    assert!(matches!(error, StoreError::ReadOnly { .. }), "{error:?}");
}

#[test]
fn a_panic_inside_a_transaction_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = open_on(Filesystem::Local, dir.path());
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.write(|tx, _| -> Result<(), Fail> {
            tx.execute("INSERT INTO project VALUES (1, 0, '0123456789abcdef0123456789abcdef')", [])?;
            panic!("in the middle");
        })
    }));
    assert!(panicked.is_err());
    let rows: i64 =
        store.read(|tx| Ok(tx.query_row("SELECT count(*) FROM project", [], |row| row.get(0))?)).unwrap();
    assert_eq!(rows, 0);
    import(&store, 1).unwrap();
}
