//! The journal: what happened, in order, appended by every change in its own transaction.

use cogwork_schemas::{AttemptId, Entry, Fact, FeatureId, SessionId};
use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction};

use crate::columns::{Id, Json, Micros};
use crate::error::Fail;
use crate::{Attempt, Store, StoreError};

/// What an entry is about.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About {
    pub(crate) feature: Option<FeatureId>,
    pub(crate) session: Option<SessionId>,
    pub(crate) attempt: Option<AttemptId>,
}

impl From<&Attempt> for About {
    fn from(attempt: &Attempt) -> Self {
        Self { feature: Some(attempt.feature), session: Some(attempt.session), attempt: Some(attempt.id) }
    }
}

impl From<FeatureId> for About {
    fn from(feature: FeatureId) -> Self {
        Self { feature: Some(feature), session: None, attempt: None }
    }
}

/// Appends one entry and returns its number.
pub(crate) fn record(
    tx: &Transaction<'_>,
    now: Timestamp,
    about: impl Into<About>,
    fact: &Fact,
) -> Result<i64, Fail> {
    let about = about.into();
    tx.prepare_cached(
        "INSERT INTO journal (at, feature_id, session_id, attempt_id, fact) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute((
        Micros(now),
        about.feature.map(Id),
        about.session.map(Id),
        about.attempt.map(Id),
        Json(fact),
    ))?;
    Ok(tx.last_insert_rowid())
}

impl Store {
    /// Appends what no other operation knows: that a run began or ended. Returns the entry's number.
    ///
    /// # Errors
    ///
    /// [`StoreError::Misuse`] for any other fact: those are appended by the operation that makes them true.
    pub fn append(&self, fact: &Fact) -> Result<i64, StoreError> {
        match fact {
            Fact::RunStarted { .. } | Fact::RunEnded { .. } => {
                self.write_once("append", |tx, now| record(tx, now, About::default(), fact))
            }
            Fact::Created { .. }
            | Fact::SessionStarted { .. }
            | Fact::SessionUp { .. }
            | Fact::SessionEnded { .. }
            | Fact::Claimed { .. }
            | Fact::Checked { .. }
            | Fact::ChecksRed { .. }
            | Fact::ChecksAlreadyGreen { .. }
            | Fact::ChecksGreen { .. }
            | Fact::SaidDone { .. }
            | Fact::Integrated { .. }
            | Fact::AttemptEnded { .. }
            | Fact::Parked { .. }
            | Fact::Retried
            | Fact::Inspected { .. }
            | Fact::ReportedFailing { .. }
            | Fact::NoteLeft { .. }
            | Fact::Skipped { .. }
            | Fact::DependenciesChanged { .. }
            | Fact::ChecksChanged { .. }
            | Fact::Deleted { .. }
            | Fact::HumanAsked { .. }
            | Fact::HumanAnswered { .. }
            | Fact::NotShown { .. }
            | Fact::Adopted { .. } => Err(StoreError::Misuse {
                what: "only the begin and the end of a run may be appended to the journal",
            }),
        }
    }

    /// Returns at most `limit` entries after number `seq`, oldest first. 0 is before the first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn journal_since(&self, seq: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT seq, at, feature_id, session_id, attempt_id, fact FROM journal
                 WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?;
            let entries = statement.query_map((seq, limit), entry)?.collect::<Result<_, _>>()?;
            Ok(entries)
        })
    }

    /// Returns the number of the newest entry, or 0.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn last_seq(&self) -> Result<i64, StoreError> {
        self.read(|tx| last_seq(tx))
    }
}

/// Reads the number of the newest entry, or 0.
pub(crate) fn last_seq(connection: &Connection) -> Result<i64, Fail> {
    let sql = "SELECT coalesce(max(seq), 0) FROM journal";
    Ok(connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        seq: row.get(0)?,
        at: row.get::<_, Micros>(1)?.0,
        feature: row.get::<_, Option<Id<_>>>(2)?.map(|id| id.0),
        session: row.get::<_, Option<Id<_>>>(3)?.map(|id| id.0),
        attempt: row.get::<_, Option<Id<_>>>(4)?.map(|id| id.0),
        fact: row.get::<_, Json<Fact>>(5)?.0,
    })
}
