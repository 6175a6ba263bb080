//! Looking for damage: a little at every open, everything when there is time for it.
//!
//! A damaged database mostly answers, only wrongly: a page that cannot be read is said by SQLite itself, one that can
//! is found by nobody who does not look.

use rusqlite::{Connection, ErrorCode, Row, Transaction};

use crate::StoreError;
use crate::error::Fail;
use crate::file::DatabaseFile;
use crate::migrate;

/// The tables, each with its first page and the way to its first row: what an open reads.
const FIRST_ROWS: &str = "SELECT
    EXISTS (SELECT 1 FROM project), EXISTS (SELECT 1 FROM features), EXISTS (SELECT 1 FROM dependencies),
    EXISTS (SELECT 1 FROM checks), EXISTS (SELECT 1 FROM sessions), EXISTS (SELECT 1 FROM attempts),
    EXISTS (SELECT 1 FROM evidence), EXISTS (SELECT 1 FROM journal), EXISTS (SELECT 1 FROM calls),
    EXISTS (SELECT 1 FROM runs), EXISTS (SELECT 1 FROM landings), EXISTS (SELECT 1 FROM outputs),
    EXISTS (SELECT 1 FROM pause)";

/// What decides what runs and passes. The journal, which is most of a database, does not.
const DECIDING: [&str; 5] = ["features", "dependencies", "checks", "attempts", "sessions"];

impl DatabaseFile<'_> {
    /// Reads the whole database and looks for damage: every page, every index against its table, every rule of the
    /// schema, and the schema itself. Takes a fifth of a second with ten thousand features.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] with the first thing found.
    pub fn check_integrity(self) -> Result<(), StoreError> {
        let found = self.store.read(|tx| match schema_damage(tx)? {
            Some(damage) => Ok(Some(damage)),
            None => first_finding(tx, "PRAGMA integrity_check(1)"),
        })?;
        self.sound(found)
    }

    /// Reads the whole database as [`DatabaseFile::check_integrity`] does, but for the schema, which may be an earlier
    /// one.
    pub(crate) fn check_pages(self) -> Result<(), StoreError> {
        let found = self.store.read(|tx| first_finding(tx, "PRAGMA integrity_check(1)"))?;
        self.sound(found)
    }

    /// Looks for damage in what decides what runs and passes; in a quarter of the time.
    ///
    /// # Errors
    ///
    /// [`StoreError::Corrupt`] with the first thing found.
    pub fn check_features(self) -> Result<(), StoreError> {
        for table in DECIDING {
            let found =
                self.store.read(|tx| first_finding(tx, &format!("PRAGMA integrity_check({table})")))?;
            self.sound(found)?;
        }
        Ok(())
    }

    fn sound(self, found: Option<String>) -> Result<(), StoreError> {
        match found {
            None => Ok(()),
            Some(detail) => Err(StoreError::corrupt(self.store.home.name(), detail)),
        }
    }
}

/// Looks at what costs nothing: that all tables are there and begin as tables do.
pub(crate) fn glance(tx: &Transaction<'_>) -> Result<(), Fail> {
    // A table that is not there is a mistake in SQL to SQLite; here it can only be damage.
    tx.prepare_cached(FIRST_ROWS).and_then(|mut all| all.query_row([], |_| Ok(()))).map_err(|error| {
        match error.sqlite_error_code() {
            Some(ErrorCode::Unknown) => Fail::Damaged(error.to_string()),
            _ => error.into(),
        }
    })
}

fn first_finding(tx: &Transaction<'_>, sql: &str) -> Result<Option<String>, Fail> {
    let answer: String = match tx.query_row(sql, [], |row| row.get(0)) {
        // A rule that cannot even be asked about, such as one about JSON that is none.
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::Unknown) => {
            return Ok(Some(error.to_string()));
        }
        other => other?,
    };
    Ok((answer != "ok").then_some(answer))
}

/// Compares the schema with what the migrations make of an empty file.
fn schema_damage(tx: &Transaction<'_>) -> Result<Option<String>, Fail> {
    let mut empty = Connection::open_in_memory()?;
    let fresh = empty.transaction()?;
    migrate::migrate(&fresh)?;
    let (found, wanted) = (schema(tx)?, schema(&fresh)?);
    let first = wanted.iter().find(|object| !found.contains(object));
    let differs = first.or_else(|| found.iter().find(|object| !wanted.contains(object)));
    Ok(differs.map(|(name, _)| format!("its schema is not what was made: look at `{name}`")))
}

fn schema(connection: &Connection) -> Result<Vec<(String, Option<String>)>, Fail> {
    // A text that is none any more is another one.
    let text = |row: &Row<'_>, column: usize| -> rusqlite::Result<Option<String>> {
        let bytes = row.get_ref(column)?.as_bytes_or_null().ok().flatten();
        Ok(bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned()))
    };
    // What SQLite keeps for itself comes and goes.
    let mut statement = connection
        .prepare("SELECT name, type || ' on ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_schema WHERE name NOT LIKE 'sqlite_stat%'")?;
    let objects = statement.query_map([], |row| Ok((text(row, 0)?.unwrap_or_default(), text(row, 1)?)))?;
    Ok(objects.collect::<Result<_, _>>()?)
}
