//! The schema's versions: an append-only list, applied in one transaction.
//!
//! `user_version` counts the entries that were applied. An entry is never edited once it was released.

use rusqlite::{Connection, Transaction};

use crate::error::Fail;
use crate::secret::digest;

/// Every step from an empty file to the present schema.
const MIGRATIONS: &[Step] = &[
    Step::Sql(include_str!("migrations/0001_start.sql")),
    Step::Sql(include_str!("migrations/0002_people_and_calls.sql")),
    Step::Sql(include_str!("migrations/0003_batches.sql")),
    Step::Sql(include_str!("migrations/0004_quick_questions.sql")),
    Step::Sql(include_str!("migrations/0005_notes.sql")),
    Step::Code(secrets_become_digests),
    Step::Sql(include_str!("migrations/0007_runs.sql")),
    Step::Sql(include_str!("migrations/0008_project_id.sql")),
    Step::Sql(include_str!("migrations/0009_bases.sql")),
    Step::Sql(include_str!("migrations/0010_pause.sql")),
];

/// One step: statements, or a function where these cannot compute what is needed.
enum Step {
    Sql(&'static str),
    Code(fn(&Transaction<'_>) -> rusqlite::Result<()>),
}

impl Step {
    fn apply(&self, transaction: &Transaction<'_>) -> rusqlite::Result<()> {
        match self {
            Self::Sql(statements) => transaction.execute_batch(statements),
            Self::Code(change) => change(transaction),
        }
    }
}

/// Puts the digest of each attempt's secret in its place. A session keeps its rights over an upgrade.
fn secrets_become_digests(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(include_str!("migrations/0006_digests.sql"))?;
    let mut read = transaction.prepare("SELECT id, secret FROM attempts")?;
    let mut write = transaction.prepare("UPDATE attempts SET digest = ?2 WHERE id = ?1")?;
    let secrets = read.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (id, secret) in secrets.collect::<rusqlite::Result<Vec<(i64, String)>>>()? {
        write.execute((id, digest(secret)))?;
    }
    drop((read, write));
    transaction.execute_batch("ALTER TABLE attempts DROP COLUMN secret")
}

/// Marks a SQLite file as ours, in its header: `Cogw`.
const APPLICATION_ID: i64 = 0x436f_6777;

/// Where a database stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Schema {
    /// As this program knows it.
    Current,
    /// Empty, or of an earlier version: to be migrated.
    Behind,
    /// Of a later version, which this program must not touch.
    Newer { found: i64 },
    /// Made by another program.
    Foreign,
}

/// Returns the version that this program knows.
pub(crate) fn known() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Looks at a database without changing it.
pub(crate) fn look(connection: &Connection) -> Result<Schema, Fail> {
    let version = pragma(connection, "user_version")?;
    let application = pragma(connection, "application_id")?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match version {
        0 if tables == 0 => Schema::Behind,
        _ if application != APPLICATION_ID => Schema::Foreign,
        version if version > known() => Schema::Newer { found: version },
        version if version < known() => Schema::Behind,
        _ => Schema::Current,
    })
}

/// Brings a database to the present schema and returns how it stood before. Looks again, because another process
/// may have migrated it between the first look and this transaction.
pub(crate) fn migrate(transaction: &Transaction<'_>) -> Result<Schema, Fail> {
    let schema = look(transaction)?;
    if schema == Schema::Behind {
        let version = usize::try_from(pragma(transaction, "user_version")?).unwrap_or(usize::MAX);
        for step in MIGRATIONS.iter().skip(version) {
            // What every file of that version takes, and this one does not.
            step.apply(transaction).map_err(|error| Fail::Damaged(error.to_string()))?;
        }
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", known())?;
    }
    Ok(schema)
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, Fail> {
    Ok(connection.pragma_query_value(None, name, |row| row.get(0))?)
}
