//! Runs: their beginning and end, and why they start nothing at a moment.

use cogwork_schemas::{
    Fact, FeatureId, NodeIdentity, ProcessIdentity, RunId, RunOutcome, RunSettings, StartHold,
};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction};

use crate::columns::{Id, Json, Micros};
use crate::error::Fail;
use crate::features::status;
use crate::journal::{self, About};
use crate::{Store, StoreError};

/// What a run says about itself when it begins.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// Who runs it.
    pub process: ProcessIdentity,
    /// Where that process is to be looked for.
    pub node: Option<NodeIdentity>,
    pub settings: RunSettings,
    /// Where the main branch is; `None` without git.
    pub base_commit: Option<String>,
}

/// One run, going on or over.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    pub id: RunId,
    pub started_at: Timestamp,
    /// When and how it ended; `None` while it goes on, and for one that was killed.
    pub ended: Option<(Timestamp, RunOutcome)>,
    pub process: ProcessIdentity,
    pub node: Option<NodeIdentity>,
    pub settings: RunSettings,
    pub base_commit: Option<String>,
}

impl Store {
    /// Begins a run and returns its number. That no other one goes on is the caller's matter.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn begin_run(&self, new: &NewRun) -> Result<RunId, StoreError> {
        self.write_once("begin_run", |tx, now| {
            let mut insert = tx.prepare_cached(
                "INSERT INTO runs (started_at, settings, base_commit, process, node)
                 VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id",
            )?;
            let (settings, process) = (Json(&new.settings), Json(&new.process));
            let params = (Micros(now), settings, &new.base_commit, process, new.node.as_ref().map(Json));
            let id = insert.query_row(params, |row| row.get::<_, Id<RunId>>(0))?.0;
            let RunSettings { agent, slots, isolation, .. } = new.settings.clone();
            let fact = Fact::RunStarted { process: new.process.clone(), agent, slots, isolation };
            journal::record(tx, now, About::from(id), &fact)?;
            Ok(id)
        })
    }

    /// Ends a run. The first outcome counts, later calls change nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`].
    pub fn end_run(&self, run: RunId, outcome: &RunOutcome) -> Result<(), StoreError> {
        self.write(|tx, now| {
            if is_over(tx, run)? {
                return Ok(());
            }
            tx.prepare_cached("UPDATE runs SET ended_at = ?2, outcome = ?3 WHERE id = ?1")?.execute((
                Id(run),
                Micros(now),
                Json(outcome),
            ))?;
            tx.prepare_cached("DELETE FROM idle_slots WHERE run_id = ?1")?.execute([Id(run)])?;
            journal::record(tx, now, About::from(run), &Fact::RunEnded { result: outcome.clone() })?;
            Ok(())
        })
    }

    /// Returns the run that began last; `None` when there never was one.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn last_run(&self) -> Result<Option<RunRecord>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT id, started_at, ended_at, outcome, process, node, settings, base_commit
                   FROM runs ORDER BY id DESC LIMIT 1",
            )?;
            Ok(statement.query_row([], record).optional()?)
        })
    }

    /// Records why a free slot of a run stays free. It is told once for as long as the reason is the same; a session
    /// that begins in the slot ends it.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`].
    pub fn slot_idle(&self, run: RunId, slot: u32, hold: &StartHold) -> Result<(), StoreError> {
        self.write(|tx, now| {
            if is_over(tx, run)? {
                return Ok(());
            }
            let told: Option<Json<StartHold>> = tx
                .prepare_cached("SELECT hold FROM idle_slots WHERE run_id = ?1 AND slot = ?2")?
                .query_row((Id(run), slot), |row| row.get(0))
                .optional()?;
            if told.is_some_and(|told| told.0 == *hold) {
                return Ok(());
            }
            tx.prepare_cached(
                "INSERT INTO idle_slots (run_id, slot, since, hold) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (run_id, slot) DO UPDATE SET since = excluded.since, hold = excluded.hold",
            )?
            .execute((Id(run), slot, Micros(now), Json(hold)))?;
            journal::record(tx, now, About::from(run), &Fact::SlotIdle { slot, hold: hold.clone() })?;
            Ok(())
        })
    }

    /// Returns the free slots of a run with the reason and since when it is that one, by slot.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn idle_slots(&self, run: RunId) -> Result<Vec<(u32, Timestamp, StartHold)>, StoreError> {
        self.read(|tx| {
            crate::features::list(
                tx,
                "SELECT slot, since, hold FROM idle_slots WHERE run_id = ?1 ORDER BY slot",
                [Id(run)],
                |row| Ok((row.get(0)?, row.get::<_, Micros>(1)?.0, row.get::<_, Json<_>>(2)?.0)),
            )
        })
    }

    /// Records that a session for a ready feature was not started, because it would have been in vain. It is told
    /// once for as long as the reason is the same.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownRun`], [`StoreError::UnknownFeature`].
    pub fn start_avoided(&self, run: RunId, feature: FeatureId, hold: &StartHold) -> Result<(), StoreError> {
        self.write(|tx, now| {
            status(tx, feature)?;
            if is_over(tx, run)? {
                return Ok(());
            }
            let fact = Fact::StartAvoided { hold: hold.clone() };
            let told = tx
                .prepare_cached(
                    "SELECT version, fact, run_id FROM journal
                      WHERE feature_id = ?1 AND fact ->> 'kind' = 'start_avoided' ORDER BY seq DESC LIMIT 1",
                )?
                .query_row([Id(feature)], |row| {
                    Ok((journal::read_fact(row, 0, 1)?, row.get::<_, Option<Id<RunId>>>(2)?.map(|run| run.0)))
                })
                .optional()?;
            if told == Some((Some(fact.clone()), Some(run))) {
                return Ok(());
            }
            let about = About { run: Some(run), feature: Some(feature), ..About::default() };
            journal::record(tx, now, about, &fact)?;
            Ok(())
        })
    }
}

/// Returns whether a run has ended.
pub(crate) fn is_over(tx: &Transaction<'_>, id: RunId) -> Result<bool, Fail> {
    tx.prepare_cached("SELECT ended_at IS NOT NULL FROM runs WHERE id = ?1")?
        .query_row([Id(id)], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::UnknownRun { id }.into())
}

/// Takes a slot out of the free ones.
pub(crate) fn take_slot(tx: &Transaction<'_>, run: RunId, slot: u32) -> Result<(), Fail> {
    tx.prepare_cached("DELETE FROM idle_slots WHERE run_id = ?1 AND slot = ?2")?.execute((Id(run), slot))?;
    Ok(())
}

fn record(row: &Row<'_>) -> rusqlite::Result<RunRecord> {
    let outcome = row.get::<_, Option<Json<_>>>(3)?.map(|outcome| outcome.0);
    Ok(RunRecord {
        id: row.get::<_, Id<_>>(0)?.0,
        started_at: row.get::<_, Micros>(1)?.0,
        ended: row.get::<_, Option<Micros>>(2)?.map(|at| at.0).zip(outcome),
        process: row.get::<_, Json<_>>(4)?.0,
        node: row.get::<_, Option<Json<_>>>(5)?.map(|node| node.0),
        settings: row.get::<_, Json<_>>(6)?.0,
        base_commit: row.get(7)?,
    })
}
