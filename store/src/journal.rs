//! The journal: what happened, in order, appended by every change in its own transaction.

use std::collections::BTreeSet;

use cogwork_schemas::{AttemptId, CheckPhase, CheckReport, Entry, Fact, FeatureId, RunId, SessionId};
use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, Transaction};

use crate::columns::{Id, Json, Micros};
use crate::error::Fail;
use crate::outputs::OutputId;
use crate::{Attempt, Store, StoreError};

/// What an entry is about.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct About {
    pub(crate) run: Option<RunId>,
    pub(crate) feature: Option<FeatureId>,
    pub(crate) session: Option<SessionId>,
    pub(crate) attempt: Option<AttemptId>,
}

impl From<&Attempt> for About {
    fn from(attempt: &Attempt) -> Self {
        let (feature, session, attempt) = (Some(attempt.feature), Some(attempt.session), Some(attempt.id));
        Self { run: None, feature, session, attempt }
    }
}

impl From<FeatureId> for About {
    fn from(feature: FeatureId) -> Self {
        Self { feature: Some(feature), ..Self::default() }
    }
}

impl From<SessionId> for About {
    fn from(session: SessionId) -> Self {
        Self { session: Some(session), ..Self::default() }
    }
}

impl From<RunId> for About {
    fn from(run: RunId) -> Self {
        Self { run: Some(run), ..Self::default() }
    }
}

/// Appends one entry and returns its number.
pub(crate) fn record(
    tx: &Transaction<'_>,
    now: Timestamp,
    about: impl Into<About>,
    fact: &Fact,
) -> Result<i64, Fail> {
    insert(tx, now, about.into(), fact, None)
}

/// Appends that a check was run. What it printed is kept already, and is not kept again.
pub(crate) fn record_check(
    tx: &Transaction<'_>,
    now: Timestamp,
    attempt: &Attempt,
    run: CheckRun<'_>,
) -> Result<i64, Fail> {
    let fact = Fact::Checked {
        phase: run.phase,
        commit: run.commit.map(str::to_owned),
        report: CheckReport { output_tail: String::new(), ..run.report.clone() },
    };
    insert(tx, now, attempt.into(), &fact, Some(run.output))
}

/// One run of one check, and where its output is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CheckRun<'a> {
    pub(crate) phase: CheckPhase,
    pub(crate) commit: Option<&'a str>,
    pub(crate) report: &'a CheckReport,
    pub(crate) output: OutputId,
}

fn insert(
    tx: &Transaction<'_>,
    now: Timestamp,
    about: About,
    fact: &Fact,
    output: Option<OutputId>,
) -> Result<i64, Fail> {
    let mut insert = tx.prepare_cached(
        "INSERT INTO journal (at, version, run_id, feature_id, session_id, attempt_id, fact, output_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) RETURNING seq",
    )?;
    let params = (
        Micros(now),
        fact.version(),
        about.run.map(Id),
        about.feature.map(Id),
        about.session.map(Id),
        about.attempt.map(Id),
        Json(fact),
        output.map(|output| output.0),
    );
    Ok(insert.query_row(params, |row| row.get(0))?)
}

/// What a reader gets who asks what happened after a number.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JournalPage {
    /// The entries that this program knows, oldest first.
    pub entries: Vec<Entry>,
    /// The features that all of them name, the unknown ones included: these may have changed.
    pub features: BTreeSet<FeatureId>,
    /// The number to ask with next. It lies behind unknown entries, too.
    pub through: i64,
}

impl Store {
    /// Returns at most `limit` entries after number `seq`, oldest first. 0 is before the first. What a later program
    /// wrote and this one does not know is passed over.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn journal_since(&self, seq: i64, limit: usize) -> Result<Vec<Entry>, StoreError> {
        Ok(self.journal_page(seq, limit)?.entries)
    }

    /// Returns at most `limit` entries after number `seq` as [`Store::journal_since`] does, with where to go on. For
    /// whoever follows the journal: an empty page with a later number means that all of it was unknown.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn journal_page(&self, seq: i64, limit: usize) -> Result<JournalPage, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT j.seq, j.at, j.version, j.run_id, j.feature_id, j.session_id, j.attempt_id, j.fact, o.tail
                   FROM journal j LEFT JOIN outputs o ON o.id = j.output_id WHERE j.seq > ?1 ORDER BY j.seq",
            )?;
            let mut page = JournalPage { through: seq, ..JournalPage::default() };
            let mut rows = statement.query([seq])?;
            while page.entries.len() < limit
                && let Some(row) = rows.next()?
            {
                page.through = row.get(0)?;
                page.features.extend(row.get::<_, Option<Id<FeatureId>>>(4)?.map(|id| id.0));
                page.entries.extend(entry(row)?);
            }
            Ok(page)
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

/// Reads an entry; `None` for one that a later program wrote.
fn entry(row: &Row<'_>) -> rusqlite::Result<Option<Entry>> {
    let Some(mut fact) = read_fact(row, 2, 7)? else { return Ok(None) };
    if let (Fact::Checked { report, .. }, Some(tail)) = (&mut fact, row.get(8)?) {
        report.output_tail = tail;
    }
    Ok(Some(Entry {
        seq: row.get(0)?,
        at: row.get::<_, Micros>(1)?.0,
        version: row.get(2)?,
        run: row.get::<_, Option<Id<_>>>(3)?.map(|id| id.0),
        feature: row.get::<_, Option<Id<_>>>(4)?.map(|id| id.0),
        session: row.get::<_, Option<Id<_>>>(5)?.map(|id| id.0),
        attempt: row.get::<_, Option<Id<_>>>(6)?.map(|id| id.0),
        fact,
    }))
}

/// Reads a fact from the columns of its version and its text; `None` for one that a later program wrote.
pub(crate) fn read_fact(row: &Row<'_>, version: usize, fact: usize) -> rusqlite::Result<Option<Fact>> {
    let text = row.get_ref(fact)?.as_str()?;
    Fact::read(row.get(version)?, text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(fact, Type::Text, error.into()))
}
