//! Reading a `features.db` of the original, whatever its version and whoever used it last.
//!
//! The file is only read, and nothing appears beside it. That rules out the plain way where SQLite would have to
//! clean up after a killed program first: then a copy is cleaned up and read.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};
use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};
use serde_json::{Map, Value};

use super::source::{Found, MissingPriority};
use crate::error::AdoptionFault;
use crate::open::immutable_uri;

/// How long the file may be locked: a transaction of the original takes milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// The columns that every version had, by which the table is known.
const ALWAYS: [&str; 3] = ["id", "name", "passes"];

/// The columns that hold JSON.
const JSON: [&str; 4] = ["steps", "dependencies", "human_input_request", "human_input_response"];

/// Where each connection to a database with a write-ahead log holds a lock in the shared memory while it lives.
const ALIVE_LOCK: (u64, u64) = (128, 1);

/// Where all other locks of SQLite are, in the database itself.
const FILE_LOCKS: (u64, u64) = (0x4000_0000, 512);

/// Reads all features.
pub(super) fn read(path: &Path) -> Result<Found, AdoptionFault> {
    let before = Stamp::of(path)?;
    if let Some(holder) = user(&beside(path, "-shm"), ALIVE_LOCK)? {
        return Err(AdoptionFault::InUse { holder: Some(holder) });
    }
    let read_only = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let found = if before.log.is_some() {
        in_copy(path)
    } else if has_log_format(path)? {
        // Nobody has it open and it has no log: the file is all there is. The plain way would make a log.
        let uri = PathBuf::from(immutable_uri(path));
        with(&uri, read_only | OpenFlags::SQLITE_OPEN_URI)
    } else {
        match with(path, read_only) {
            // That is how SQLite says that it would have to write to read: a killed program left a journal.
            Err(Failure::Sql(error)) if error.sqlite_error_code() == Some(ErrorCode::ReadOnly) => {
                in_copy(path)
            }
            other => other,
        }
    };
    let found = found.map_err(|failure| failure.about(path))?;
    // Whoever began to use it meanwhile may have changed it under the eyes of a reader without locks.
    if Stamp::of(path)? != before {
        return Err(AdoptionFault::InUse { holder: None });
    }
    Ok(found)
}

/// What tells a file that was changed, and its log.
#[derive(PartialEq, Eq)]
struct Stamp {
    file: (u64, Option<SystemTime>),
    log: Option<(u64, Option<SystemTime>)>,
}

impl Stamp {
    fn of(path: &Path) -> Result<Self, AdoptionFault> {
        let of = |path: &Path| fs::metadata(path).map(|found| (found.len(), found.modified().ok()));
        let file = of(path).map_err(unreadable)?;
        match of(&beside(path, "-wal")) {
            Ok(log) => Ok(Self { file, log: Some(log) }),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self { file, log: None }),
            Err(error) => Err(unreadable(error)),
        }
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.to_owned().into_os_string();
    name.push(ending);
    name.into()
}

/// Returns a process that holds a lock within these bytes.
fn user(path: &Path, (start, length): (u64, u64)) -> Result<Option<i32>, AdoptionFault> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let lock =
        Flock { start, length, pid: None, typ: FlockType::WriteLock, offset_type: FlockOffsetType::Set };
    let held = fcntl_getlk(&file, &lock).map_err(|error| unreadable(error.into()))?;
    Ok(held.map(|lock| lock.pid.map_or(0, |pid| pid.as_raw_nonzero().get())))
}

/// Returns whether the header asks for a write-ahead log.
fn has_log_format(path: &Path) -> Result<bool, AdoptionFault> {
    let mut header = Vec::new();
    File::open(path).and_then(|file| file.take(20).read_to_end(&mut header)).map_err(unreadable)?;
    Ok(header.get(19) == Some(&2))
}

/// Reads a copy, in which SQLite may first roll back or take over what a killed program left.
fn in_copy(path: &Path) -> Result<Found, Failure> {
    let dir = tempfile::tempdir()?;
    let copy = dir.path().join("features.db");
    for ending in ["", "-wal", "-journal"] {
        match fs::copy(beside(path, ending), beside(&copy, ending)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error.into()),
            Ok(_) | Err(_) => {}
        }
    }
    with(&copy, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

/// Why it could not be read.
enum Failure {
    Io(io::Error),
    Sql(rusqlite::Error),
    Fault(AdoptionFault),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Failure {
    fn about(self, path: &Path) -> AdoptionFault {
        let error = match self {
            Self::Fault(fault) => return fault,
            Self::Io(error) => return unreadable(error),
            Self::Sql(error) => error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                AdoptionFault::InUse { holder: user(path, FILE_LOCKS).ok().flatten() }
            }
            Some(ErrorCode::NotADatabase) => AdoptionFault::Foreign { what: "it is no database" },
            // The only way in which a file that is there cannot be opened.
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                unreadable(ErrorKind::PermissionDenied.into())
            }
            _ => AdoptionFault::Damaged { detail: error.to_string() },
        }
    }
}

fn unreadable(source: io::Error) -> AdoptionFault {
    AdoptionFault::Unreadable { source }
}

fn with(path: &Path, flags: OpenFlags) -> Result<Found, Failure> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    // It is somebody else's file: nothing in it is to run.
    connection.pragma_update(None, "trusted_schema", false)?;
    // All questions see the same moment.
    connection.execute_batch("BEGIN")?;
    let columns = columns(&connection)?;
    if !ALWAYS.iter().all(|name| columns.iter().any(|column| column == name)) {
        let what = "its tables are of another program";
        return Err(Failure::Fault(AdoptionFault::Foreign { what }));
    }
    refuse_damaged(&connection)?;
    let mut left_out = tables(&connection)?;
    let mut statement = connection.prepare("SELECT * FROM main.features ORDER BY id")?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([])?;
    let mut features = Vec::new();
    while let Some(row) = rows.next()? {
        features.push(fields(row, &names, &mut left_out)?);
    }
    Ok(Found { source: String::new(), features, priority: MissingPriority::Late, left_out })
}

fn columns(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let is_table: bool = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'features')",
        [],
        |row| row.get(0),
    )?;
    if !is_table {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info('features')")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

/// Looks at every page before a feature is believed. That the original broke its own rules when it added columns is
/// no damage.
fn refuse_damaged(connection: &Connection) -> Result<(), Failure> {
    let mut statement = connection.prepare("PRAGMA quick_check")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let detail: String = row.get(0)?;
        let is_rule = detail.contains(" value in ") || detail.starts_with("CHECK constraint failed");
        if detail != "ok" && !is_rule {
            return Err(Failure::Fault(AdoptionFault::Damaged { detail }));
        }
    }
    Ok(())
}

/// Names the tables that hold something else.
fn tables(connection: &Connection) -> Result<Vec<String>, Failure> {
    let mut statement = connection.prepare(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'features' AND name NOT LIKE 'sqlite\\_%'
             ESCAPE '\\' ORDER BY name",
    )?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut told = Vec::new();
    for name in names {
        let sql = format!("SELECT count(*) FROM main.\"{}\"", name.replace('"', "\"\""));
        match connection.query_row(&sql, [], |row| row.get::<_, i64>(0)) {
            Ok(0) => {}
            Ok(rows) => told.push(format!("the table `{name}` (rows: {rows})")),
            // One that needs an extension of SQLite.
            Err(_) => told.push(format!("the table `{name}`")),
        }
    }
    Ok(told)
}

fn fields(
    row: &Row<'_>,
    names: &[String],
    left_out: &mut Vec<String>,
) -> rusqlite::Result<Map<String, Value>> {
    let mut fields = Map::new();
    for (index, name) in names.iter().enumerate() {
        let value = match row.get_ref(index)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::from(number),
            ValueRef::Real(number) => Value::from(number),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                let text = String::from_utf8_lossy(bytes).into_owned();
                if text.as_bytes() != bytes {
                    let id = row.get::<_, i64>("id").unwrap_or_default();
                    left_out.push(format!("#{id} had bytes in its {name} that are no text"));
                }
                // What should be JSON and is not is still what somebody wrote.
                let json = JSON.contains(&name.as_str()).then(|| serde_json::from_str(&text).ok()).flatten();
                json.unwrap_or(Value::String(text))
            }
        };
        fields.insert(name.clone(), value);
    }
    Ok(fields)
}
