//! The connection: how the database is opened, and how everything else reads and writes through it.

#[cfg(test)]
mod round_trips;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, Row, Transaction, TransactionBehavior};

use crate::calls::Calling;
use crate::clock::TimeSource;
use crate::columns::Micros;
use crate::disk::{FileIdentity, Filesystem};
use crate::error::{AdoptionFault, Fail};
use crate::file::Home;
use crate::journal::last_seq;
use crate::kept::Kept;
use crate::lock::{LOCK_WAIT, WriteLock};
use crate::migrate::{self, Schema};
use crate::secret::random_project_id;
use crate::state_home::StateHome;
use crate::writable::Writable;
use crate::{ErrorClass, StoreError, absence, integrity, legacy, state_dir};

/// The database, in the state directory.
pub(crate) const DATABASE: &str = "features.db";
/// What belongs to it beside it. Left behind by one that is gone, SQLite would take it for part of the next.
pub(crate) const SIDECARS: [&str; 3] = ["features.db-wal", "features.db-shm", "features.db-journal"];
/// What writers queue at, beside it.
const WRITE_LOCK: &str = "write.lock";

/// Earlier ones can damage a database in WAL mode when two connections write and checkpoint (fixed in 3.51.3).
const OLDEST_SQLITE: i32 = 3_051_003;

/// Pages in the log after which it is copied into the database; more only makes readers slower.
const CHECKPOINT_PAGES: i64 = 1_000;

/// The log is cut back to this after a checkpoint; without it one large import would keep its size for ever.
const LOG_SIZE_LIMIT: i64 = 64 * 1024 * 1024;

/// A database has at least one page, and there are no smaller ones.
const SMALLEST_PAGE: u64 = 512;

/// Statements kept prepared: all there are, so that a hot path never parses SQL again.
const PREPARED_STATEMENTS: usize = 160;

/// The state of one project.
///
/// One connection: it may move to another thread but not be shared. Every method is one transaction, blocks for
/// milliseconds normally, and for ten seconds at most when another process does not let go.
#[derive(Debug)]
pub struct Store {
    connection: Connection,
    pub(crate) home: Home,
    pub(crate) clock: TimeSource,
    pub(crate) calling: Calling,
    pub(crate) kept: Kept,
    pub(crate) writable: Writable,
}

impl Store {
    /// Opens the project in an existing directory, making it one if need be: with the features that the original
    /// left there, or with none. Looks for nothing outside the project: programs make it by
    /// [`StateHome::create`](crate::StateHome::create).
    ///
    /// # Errors
    ///
    /// The directory does not exist or cannot be written, or what it holds cannot be opened (see [`Store::open`]).
    /// [`StoreError::DatabaseMissing`] when the database is gone and the rest of the project's state is not.
    pub fn create(project: &Path, clock: TimeSource) -> Result<Self, StoreError> {
        if !project.is_dir() {
            return Err(StoreError::NoDirectory { path: project.to_owned() });
        }
        absence::refuse(project, &StateHome::none())?;
        match legacy::adopt(project, clock.read()) {
            // A file of somebody else's that only has the same name.
            Err(StoreError::NotAdopted {
                fault: AdoptionFault::Empty | AdoptionFault::Foreign { .. },
                ..
            }) => {}
            other => drop(other?),
        }
        let dir = state_dir(project);
        prepare(&dir)?;
        if let Ok(found) = fs::metadata(dir.join(DATABASE)) {
            refuse_stump(&dir.join(DATABASE), found.len())?;
        }
        let lock = open_lock(&dir)?;
        let create = OpenFlags::SQLITE_OPEN_CREATE;
        let store = Self::open_writable(&dir, Filesystem::of(&dir), lock, create, clock)?;
        store.write(|tx, now| {
            tx.execute(
                "INSERT INTO project (one, created_at, id) VALUES (1, ?1, ?2) ON CONFLICT (one) DO NOTHING",
                (Micros(now), random_project_id()?),
            )?;
            Ok(())
        })?;
        Ok(store)
    }

    /// Opens an existing project. One that this user cannot write is opened for reading.
    ///
    /// # Errors
    ///
    /// There is none, its file is missing, damaged, of a newer version or of another program, or it stays busy.
    pub fn open(project: &Path, clock: TimeSource) -> Result<Self, StoreError> {
        let dir = state_dir(project);
        let database = dir.join(DATABASE);
        match fs::metadata(&database) {
            Ok(found) if found.len() == 0 => {
                return Err(StoreError::corrupt(&database, "the file is empty"));
            }
            Ok(found) => refuse_stump(&database, found.len())?,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                absence::refuse(project, &StateHome::none())?;
                return Err(StoreError::NoProject { path: project.to_owned() });
            }
            Err(error) => return Err(failed("open", &database, error)),
        }
        match open_lock(&dir) {
            Ok(lock) => Self::open_writable(&dir, Filesystem::of(&dir), lock, OpenFlags::empty(), clock),
            Err(StoreError::ReadOnly { .. }) => Self::open_read_only(database, clock),
            Err(error) => Err(error),
        }
    }

    /// Opens an empty database that lives as long as this value.
    ///
    /// # Errors
    ///
    /// The SQLite in this program is too old.
    pub fn in_memory(clock: TimeSource) -> Result<Self, StoreError> {
        refuse_old_sqlite(rusqlite::version_number(), rusqlite::version())?;
        let home = Home::Memory;
        let connection = Connection::open_in_memory().map_err(|error| Fail::from(error).at(home.name()))?;
        let store = Self::over(connection, home, clock);
        store.ask(configure)?;
        store.migrate()?;
        Ok(store)
    }

    /// Returns what tells this project from all others, wherever it is moved: 32 hexadecimal digits. A copy of it
    /// (`cp -r`) has the same.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn project_id(&self) -> Result<String, StoreError> {
        self.read(|tx| {
            let id: String = tx.query_row("SELECT id FROM project", [], |row| row.get(0))?;
            // It becomes part of a path.
            let is_id = id.len() == 32 && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if is_id { Ok(id) } else { Err(Fail::Damaged("the project's id is none".to_owned())) }
        })
    }

    /// Asks or writes something without waiting for anybody: what another process holds up is [`StoreError::Busy`] at
    /// once. For callers on a thread that has other things to do; they may call again where there is time.
    ///
    /// # Errors
    ///
    /// Those of the work.
    pub fn at_once<T, E: From<StoreError>>(&self, work: impl FnOnce(&Self) -> Result<T, E>) -> Result<T, E> {
        self.set_wait(Duration::ZERO)?;
        let answer = work(self);
        self.set_wait(LOCK_WAIT)?;
        answer
    }

    /// Waits for a turn to write, for so long, and writes nothing: whether others have to wait is told by the error.
    ///
    /// # Errors
    ///
    /// [`StoreError::Busy`], and the database's.
    pub fn await_turn(&self, wait: Duration) -> Result<(), StoreError> {
        self.set_wait(wait)?;
        let turn = self.in_turn(|_| Ok(()));
        self.set_wait(LOCK_WAIT)?;
        turn.map_err(|mut error| {
            if let StoreError::Busy { waited_s, .. } = &mut error {
                *waited_s = wait.as_secs();
            }
            error
        })
    }

    fn set_wait(&self, wait: Duration) -> Result<(), StoreError> {
        self.home.set_wait(wait);
        self.ask(|connection| connection.busy_timeout(wait))
    }

    /// Runs `work` in one read transaction: all its queries see the same moment.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fail>,
    ) -> Result<T, StoreError> {
        self.transact(TransactionBehavior::Deferred, work)
    }

    /// Runs `work` in one write transaction, in its turn, with the time that it is then. Nothing of it stays unless all
    /// of it succeeds.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>, Timestamp) -> Result<T, Fail>,
    ) -> Result<T, StoreError> {
        let done = self.in_turn(|tx| {
            let now = self.clock.time(tx)?;
            self.writable.got_turn(now);
            work(tx, now)
        });
        self.writable.wrote(done.as_ref().is_err_and(|error| error.class() == ErrorClass::Again));
        done
    }

    /// Runs `work` as [`Store::write`] does, in a database that may have no tables yet.
    fn in_turn<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, Fail>) -> Result<T, StoreError> {
        let held = self.home.take_turn()?;
        let done = self.transact(TransactionBehavior::Immediate, work);
        if done.is_err() {
            self.kept.forget_beyond(last_seq(&self.connection).ok());
        }
        drop(held);
        done
    }

    fn transact<T>(
        &self,
        behavior: TransactionBehavior,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, Fail>,
    ) -> Result<T, StoreError> {
        let attempt = || {
            // Unchecked: `&self` cannot prove that no transaction is open. This is the only place that begins one.
            let transaction = Transaction::new_unchecked(&self.connection, behavior)?;
            let done = work(&transaction)?;
            transaction.commit().map_err(Fail::Commit)?;
            Ok(done)
        };
        attempt().map_err(|fail: Fail| fail.at(self.home.name()))
    }

    fn over(connection: Connection, home: Home, clock: TimeSource) -> Self {
        let (calling, kept, writable) = (Calling::default(), Kept::default(), Writable::default());
        Self { connection, home, clock, calling, kept, writable }
    }

    fn open_writable(
        dir: &Path,
        filesystem: Filesystem,
        lock: WriteLock,
        flags: OpenFlags,
        clock: TimeSource,
    ) -> Result<Self, StoreError> {
        refuse_old_sqlite(rusqlite::version_number(), rusqlite::version())?;
        let database = dir.join(DATABASE);
        // Without SQLITE_OPEN_URI: a path is a path, whatever characters it has.
        let flags = flags | OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            Connection::open_with_flags(&database, flags).map_err(|error| Fail::from(error).at(&database))?;
        let identity = FileIdentity::of(&database).map_err(|error| failed("look at", &database, error))?;
        let home = Home::Disk { database, identity, lock };
        let store = Self::over(connection, home, clock);
        // First of all: whatever follows may have to wait.
        store.ask(|connection| connection.busy_timeout(LOCK_WAIT))?;
        // Only after a look, so that a file that is not for us stays untouched, its journal mode included.
        let schema = store.read(|tx| migrate::look(tx))?;
        store.refuse_unknown(schema)?;
        store.set_journal_mode(filesystem.journal_mode())?;
        store.ask(configure)?;
        if schema == Schema::Behind {
            store.migrate()?;
        }
        store.read(integrity::glance)?;
        Ok(store)
    }

    /// Opens a file in a directory that cannot be written. A leftover log makes the plain way necessary, which
    /// works while the writer's shared memory is there; without one nobody writes, and no lock is needed.
    fn open_read_only(database: PathBuf, clock: TimeSource) -> Result<Self, StoreError> {
        let (store, schema) = Self::connect_read_only(database, clock)?;
        if schema == Schema::Behind {
            return Err(StoreError::ReadOnly { path: store.home.name().to_owned() });
        }
        store.read(integrity::glance)?;
        Ok(store)
    }

    /// Opens a file of this version or an earlier one for reading, and says which it is.
    pub(crate) fn connect_read_only(
        database: PathBuf,
        clock: TimeSource,
    ) -> Result<(Self, Schema), StoreError> {
        refuse_old_sqlite(rusqlite::version_number(), rusqlite::version())?;
        let mut log = database.clone().into_os_string();
        log.push("-wal");
        let idle = fs::metadata(log).map_or(true, |log| log.len() == 0);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = if idle {
            Connection::open_with_flags(immutable_uri(&database), flags | OpenFlags::SQLITE_OPEN_URI)
        } else {
            Connection::open_with_flags(&database, flags)
        };
        let connection = connection.map_err(|error| Fail::from(error).at(&database))?;
        let home = Home::ReadOnly { database };
        let store = Self::over(connection, home, clock);
        store.ask(|connection| connection.busy_timeout(LOCK_WAIT))?;
        store.ask(configure)?;
        let schema = match store.read(|tx| migrate::look(tx)) {
            // That is how SQLite says that it would have to write to read.
            Err(
                StoreError::Database { path, .. }
                | StoreError::DiskFailed { path, .. }
                | StoreError::NotWritable { path },
            ) => return Err(StoreError::ReadOnly { path }),
            other => other?,
        };
        store.refuse_unknown(schema)?;
        Ok((store, schema))
    }

    /// Sets what the file remembers, if it has to be changed, and checks the reply: SQLite refuses silently.
    fn set_journal_mode(&self, wanted: &'static str) -> Result<(), StoreError> {
        let mode = |row: &Row<'_>| row.get::<_, String>(0);
        let mut got = self.ask(|connection| connection.pragma_query_value(None, "journal_mode", mode))?;
        if got != wanted {
            let held = self.home.take_turn()?;
            got = self
                .ask(|connection| connection.pragma_update_and_check(None, "journal_mode", wanted, mode))?;
            drop(held);
        }
        if got == wanted {
            return Ok(());
        }
        Err(StoreError::JournalMode { path: self.home.name().to_owned(), wanted, got })
    }

    pub(crate) fn ask<T>(
        &self,
        question: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        question(&self.connection).map_err(|error| Fail::from(error).at(self.home.name()))
    }

    fn migrate(&self) -> Result<(), StoreError> {
        let schema = self.in_turn(migrate::migrate)?;
        self.refuse_unknown(schema)
    }

    fn refuse_unknown(&self, schema: Schema) -> Result<(), StoreError> {
        let path = self.home.name().to_owned();
        match schema {
            Schema::Current | Schema::Behind => Ok(()),
            Schema::Newer { found } => Err(StoreError::Newer { path, found, known: migrate::known() }),
            Schema::Foreign => Err(StoreError::NotOurs { path }),
        }
    }
}

/// Sets what lasts as long as the connection.
pub(crate) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // NORMAL would lose acknowledged commits when the power fails.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", CHECKPOINT_PAGES, |_| Ok(()))?;
    connection.pragma_update_and_check(None, "journal_size_limit", LOG_SIZE_LIMIT, |_| Ok(()))?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    // A prepared statement stays as it is. Otherwise SQLite makes its plan anew whenever another value is bound that
    // might be better served by a partial index, which is every time and takes longer than most questions.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

fn refuse_old_sqlite(number: i32, name: &str) -> Result<(), StoreError> {
    if number < OLDEST_SQLITE {
        return Err(StoreError::OldSqlite { found: name.to_owned() });
    }
    Ok(())
}

/// Refuses what is left of a file that was cut off. SQLite takes one of a single byte for a new one.
pub(crate) fn refuse_stump(database: &Path, bytes: u64) -> Result<(), StoreError> {
    if bytes > 0 && bytes < SMALLEST_PAGE {
        return Err(StoreError::corrupt(database, format!("only {bytes} bytes are left of it")));
    }
    Ok(())
}

/// Makes the state directory.
pub(crate) fn prepare(dir: &Path) -> Result<(), StoreError> {
    fs::create_dir_all(dir).map_err(|error| failed("create", dir, error))?;
    keep_private(dir)?;
    ignore_in_git(dir)
}

pub(crate) fn open_lock(dir: &Path) -> Result<WriteLock, StoreError> {
    let path = dir.join(WRITE_LOCK);
    WriteLock::open(&path, LOCK_WAIT).map_err(|error| {
        if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) {
            return StoreError::ReadOnly { path };
        }
        failed("open", &path, error)
    })
}

/// Beside the database are the configuration of servers, with tokens, and logs of what agents saw: for this user alone.
fn keep_private(dir: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).map_err(|error| failed("protect", dir, error))
}

/// Keeps the state out of the project's history. An empty file is what a kill at the wrong moment leaves.
fn ignore_in_git(dir: &Path) -> Result<(), StoreError> {
    let path = dir.join(".gitignore");
    if fs::metadata(&path).is_ok_and(|found| found.len() > 0) {
        return Ok(());
    }
    fs::write(&path, "*\n").map_err(|error| failed("write", &path, error))
}

/// Returns the path as a SQLite URI that says that nobody writes the file.
pub(crate) fn immutable_uri(path: &Path) -> String {
    use std::os::unix::ffi::OsStrExt;
    let mut uri = "file:".to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => {
                uri.push(char::from(*byte));
            }
            _ => uri.push_str(&format!("%{byte:02x}")),
        }
    }
    uri + "?immutable=1"
}

/// Removes a file; it is fine if there is none.
pub(crate) fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove", path, error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes the names in a directory outlast a power cut.
pub(crate) fn sync_names(dir: &Path) -> Result<(), StoreError> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(|error| failed("save", dir, error))
}

pub(crate) fn failed(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    let path = path.to_owned();
    let kind = source.kind();
    if kind == ErrorKind::StorageFull {
        StoreError::DiskFull { path }
    } else if kind == ErrorKind::ReadOnlyFilesystem {
        StoreError::NotWritable { path }
    } else {
        StoreError::Io { action, path, source }
    }
}
