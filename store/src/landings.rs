//! Landings as rows: every try at moving a branch to an attempt's work. The intent is recorded before the branch is
//! touched, so that a start after a kill sees what has to be looked at.

use cogwork_schemas::{
    AttemptId, Fact, FeatureId, LandingId, LandingOutcome, LandingWait, RunId, SessionId, Token,
};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction};

use crate::activity::bounded;
use crate::columns::{Id, Json, Micros};
use crate::error::Fail;
use crate::features::list;
use crate::journal::{self, About};
use crate::types::{Attempt, Merge};
use crate::{Store, StoreError, attempts, landing};

/// Characters of a reason in a row or an entry: a sentence or two of git's, not its whole output.
const REASON_CHARS: usize = 500;

/// The columns of a landing that has not ended, as [`record`] takes them.
const OPEN: &str = "SELECT id, attempt_id, feature_id, run_id, branch, from_commit, to_commit, started_at
       FROM landings WHERE ended_at IS NULL";

/// How a branch is to be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLanding {
    pub branch: String,
    /// The commit that the branch is at.
    pub from: String,
    /// The commit that it is to be at.
    pub to: String,
}

/// A try at landing that has not ended: nobody has said yet whether the branch was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenLanding {
    pub id: LandingId,
    pub attempt: AttemptId,
    pub feature: FeatureId,
    pub run: Option<RunId>,
    pub started_at: Timestamp,
    /// How the branch was to be moved.
    pub intent: NewLanding,
}

/// A commit that landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LandedCommit {
    pub landing: LandingId,
    pub feature: FeatureId,
    /// `None` where nothing is known of the branch: in a landing of an early version.
    pub branch: Option<String>,
    pub commit: String,
    pub at: Timestamp,
}

impl Store {
    /// Returns the commits that landed, newest first.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn landed_commits(&self) -> Result<Vec<LandedCommit>, StoreError> {
        let sql = "SELECT id, feature_id, branch, to_commit, ended_at FROM landings
            WHERE outcome ->> 'outcome' = 'landed' AND to_commit IS NOT NULL ORDER BY id DESC";
        self.read(|tx| list(tx, sql, [], landed_commit))
    }

    /// Records that a branch is about to be moved to an attempt's work. Whoever moves it calls this first, and then
    /// [`Store::land`] or [`Store::end_landing`]. One of the same attempt that has not ended, because whoever began it
    /// was killed or git failed, was overtaken by this one.
    ///
    /// # Errors
    ///
    /// Those for which [`Store::land`] would refuse the work whatever its checks show: [`StoreError::StaleToken`],
    /// [`StoreError::NotSubmitted`], [`StoreError::DependencyNotPassing`].
    pub fn begin_landing(&self, token: &Token, new: &NewLanding) -> Result<(), StoreError> {
        self.write(|tx, now| {
            let attempt = attempts::live(tx, token)?.attempt;
            landing::landable(tx, &attempt)?;
            match open_of(tx, attempt.id)? {
                Some(open) if open.intent == *new => return Ok(()),
                Some(open) => end(tx, now, &open, LandingOutcome::Overtaken)?,
                None => {}
            }
            let run = run_of(tx, attempt.session)?;
            let mut insert = tx.prepare_cached(
                "INSERT INTO landings (attempt_id, feature_id, run_id, branch, from_commit, to_commit, started_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
            )?;
            let NewLanding { branch, from, to } = new.clone();
            let (attempt_id, feature) = (Id(attempt.id), Id(attempt.feature));
            let params = (attempt_id, feature, run.map(Id), &branch, &from, &to, Micros(now));
            let landing = insert.query_row(params, |row| row.get::<_, Id<_>>(0))?.0;
            let fact = Fact::LandingBegun { landing, branch, from, to };
            journal::record(tx, now, About { run, ..About::from(&attempt) }, &fact)?;
            Ok(())
        })
    }

    /// Ends the landing of an attempt, if one has begun and not ended. Needs no token, because the attempt may be over:
    /// what landed then is wanted by nobody, and everything else lands by [`Store::land`].
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn end_landing(&self, attempt: AttemptId, outcome: &LandingOutcome) -> Result<(), StoreError> {
        self.write(|tx, now| match open_of(tx, attempt)? {
            Some(open) => end(tx, now, &open, outcome.clone()),
            None => Ok(()),
        })
    }

    /// Records what an attempt's work waits for before it can land. It is told once for as long as that is the same.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`], [`StoreError::NotSubmitted`].
    pub fn landing_waits(&self, token: &Token, wait: &LandingWait) -> Result<(), StoreError> {
        let wait = match wait.clone() {
            LandingWait::Behind { feature } => LandingWait::Behind { feature },
            LandingWait::InUse { reason } => LandingWait::InUse { reason: bounded(&reason, REASON_CHARS) },
            LandingWait::GitFailed { reason, until } => {
                LandingWait::GitFailed { reason: bounded(&reason, REASON_CHARS), until }
            }
        };
        self.write(|tx, now| {
            let attempt = attempts::live(tx, token)?.attempt;
            if attempt.submitted.is_none() {
                let (feature, attempt) = (attempt.feature, attempt.id);
                return Err(StoreError::NotSubmitted { feature, attempt }.into());
            }
            let told: Option<Json<LandingWait>> = tx
                .prepare_cached("SELECT landing_wait FROM attempts WHERE id = ?1")?
                .query_row([Id(attempt.id)], |row| row.get(0))?;
            if told.is_some_and(|told| told.0 == wait) {
                return Ok(());
            }
            tx.prepare_cached("UPDATE attempts SET landing_wait = ?2 WHERE id = ?1")?
                .execute((Id(attempt.id), Json(&wait)))?;
            let about = About { run: run_of(tx, attempt.session)?, ..About::from(&attempt) };
            journal::record(tx, now, about, &Fact::LandingWaits { wait })?;
            Ok(())
        })
    }

    /// Returns the landings that began and have not ended, by id: after a kill, the branches to be looked at.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn open_landings(&self) -> Result<Vec<OpenLanding>, StoreError> {
        self.read(|tx| list(tx, &format!("{OPEN} ORDER BY id"), [], record))
    }
}

/// Reads the landing of an attempt that has not ended.
fn open_of(tx: &Transaction<'_>, attempt: AttemptId) -> Result<Option<OpenLanding>, Fail> {
    let mut statement = tx.prepare_cached(&format!("{OPEN} AND attempt_id = ?1"))?;
    Ok(statement.query_row([Id(attempt)], record).optional()?)
}

/// Ends a landing that did not make its feature pass.
fn end(
    tx: &Transaction<'_>,
    now: Timestamp,
    open: &OpenLanding,
    outcome: LandingOutcome,
) -> Result<(), Fail> {
    let result = match outcome {
        LandingOutcome::Undone { reason } => {
            LandingOutcome::Undone { reason: bounded(&reason, REASON_CHARS) }
        }
        LandingOutcome::Landed | LandingOutcome::Overtaken => outcome,
    };
    tx.prepare_cached("UPDATE landings SET ended_at = ?2, outcome = ?3 WHERE id = ?1")?.execute((
        Id(open.id),
        Micros(now),
        Json(&result),
    ))?;
    let (feature, attempt) = (Some(open.feature), Some(open.attempt));
    let about = About { run: open.run, feature, attempt, ..About::default() };
    journal::record(tx, now, about, &Fact::LandingEnded { landing: open.id, result })?;
    Ok(())
}

/// Ends the landing of work that is on its branch; work of which no branch was said gets its row now.
pub(crate) fn landed(
    tx: &Transaction<'_>,
    now: Timestamp,
    attempt: &Attempt,
    merge: &Merge,
) -> Result<(), Fail> {
    let landed = Json(LandingOutcome::Landed);
    let ended = tx
        .prepare_cached(
            "UPDATE landings SET ended_at = ?2, outcome = ?3, to_commit = coalesce(?4, to_commit)
              WHERE attempt_id = ?1 AND ended_at IS NULL",
        )?
        .execute((Id(attempt.id), Micros(now), &landed, &merge.commit))?;
    if ended == 0 {
        let run = run_of(tx, attempt.session)?.map(Id);
        tx.prepare_cached(
            "INSERT INTO landings (attempt_id, feature_id, run_id, to_commit, started_at, ended_at, outcome)
             VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6)",
        )?
        .execute((Id(attempt.id), Id(attempt.feature), run, &merge.commit, Micros(now), &landed))?;
    }
    Ok(())
}

/// Reads which run a session belongs to.
fn run_of(tx: &Transaction<'_>, session: SessionId) -> Result<Option<RunId>, Fail> {
    let run: Option<Id<RunId>> = tx
        .prepare_cached("SELECT run_id FROM sessions WHERE id = ?1")?
        .query_row([Id(session)], |row| row.get(0))?;
    Ok(run.map(|run| run.0))
}

fn landed_commit(row: &Row<'_>) -> rusqlite::Result<LandedCommit> {
    Ok(LandedCommit {
        landing: row.get::<_, Id<_>>(0)?.0,
        feature: row.get::<_, Id<_>>(1)?.0,
        branch: row.get(2)?,
        commit: row.get(3)?,
        at: row.get::<_, Micros>(4)?.0,
    })
}

fn record(row: &Row<'_>) -> rusqlite::Result<OpenLanding> {
    Ok(OpenLanding {
        id: row.get::<_, Id<_>>(0)?.0,
        attempt: row.get::<_, Id<_>>(1)?.0,
        feature: row.get::<_, Id<_>>(2)?.0,
        run: row.get::<_, Option<Id<_>>>(3)?.map(|run| run.0),
        intent: NewLanding { branch: row.get(4)?, from: row.get(5)?, to: row.get(6)? },
        started_at: row.get::<_, Micros>(7)?.0,
    })
}
