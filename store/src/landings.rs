//! Landings as rows: every try at moving a branch to an attempt's work. The intent is recorded before the branch is
//! touched, so that a start after a kill sees what has to be looked at.

use cogwork_schemas::{
    AttemptId, Fact, FeatureId, LandingId, LandingOutcome, LandingWait, RunId, SessionId, Token,
};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Params, Row, Transaction};

use crate::activity::bounded;
use crate::columns::{Id, Json, Micros};
use crate::error::Fail;
use crate::features::list;
use crate::journal::{self, About};
use crate::types::{Attempt, Merge};
use crate::{Store, StoreError, attempts, landing};

/// Characters of a reason in a row or an entry: a sentence or two of git's, not its whole output.
const REASON_CHARS: usize = 500;

/// A landing's columns, as [`record`] takes them.
const LANDING: &str = "SELECT id, attempt_id, feature_id, run_id, branch, from_commit, to_commit, started_at,
       ended_at, outcome FROM landings";

/// How a branch is to be moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLanding {
    pub branch: String,
    /// The commit that the branch is at.
    pub from: String,
    /// The commit that it is to be at.
    pub to: String,
}

/// One try at landing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LandingRecord {
    pub id: LandingId,
    pub attempt: AttemptId,
    pub feature: FeatureId,
    pub run: Option<RunId>,
    /// `None` where no branch was moved: in a shared directory, without git, or before branches were recorded.
    pub branch: Option<String>,
    pub from: Option<String>,
    pub to: Option<String>,
    pub started_at: Timestamp,
    /// When and how it ended; `None` for one of which nobody knows yet whether the branch was moved.
    pub ended: Option<(Timestamp, LandingOutcome)>,
}

/// Work that is green and has not landed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedLanding {
    pub attempt: AttemptId,
    pub feature: FeatureId,
    pub session: SessionId,
    /// When it was handed in.
    pub since: Timestamp,
    /// What it waits for; `None` when it is landing or nobody has said anything.
    pub wait: Option<LandingWait>,
}

impl Store {
    /// Records that a branch is about to be moved to an attempt's work. Whoever moves it calls this first, and then
    /// [`Store::land`] or [`Store::end_landing`]. Beginning the same landing again gives the same number.
    ///
    /// # Errors
    ///
    /// Those for which [`Store::land`] would refuse the work whatever its checks show: [`StoreError::StaleToken`],
    /// [`StoreError::NotSubmitted`], [`StoreError::DependencyNotPassing`]. [`StoreError::Misuse`] while another
    /// landing of the attempt has not ended.
    pub fn begin_landing(&self, token: &Token, new: &NewLanding) -> Result<LandingId, StoreError> {
        self.write_once("begin_landing", |tx, now| {
            let attempt = attempts::live(tx, token)?.attempt;
            landing::landable(tx, &attempt)?;
            let sql = format!("{LANDING} WHERE attempt_id = ?1 AND ended_at IS NULL");
            if let Some(open) = tx.prepare_cached(&sql)?.query_row([Id(attempt.id)], record).optional()? {
                let same = (open.branch.as_ref(), open.from.as_ref(), open.to.as_ref())
                    == (Some(&new.branch), Some(&new.from), Some(&new.to));
                if same {
                    return Ok(open.id);
                }
                let what = "a landing is ended before another one of the same attempt begins";
                return Err(StoreError::Misuse { what }.into());
            }
            let run = run_of(tx, attempt.session)?;
            let mut insert = tx.prepare_cached(
                "INSERT INTO landings (attempt_id, feature_id, run_id, branch, from_commit, to_commit, started_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) RETURNING id",
            )?;
            let (attempt_id, feature) = (Id(attempt.id), Id(attempt.feature));
            let params =
                (attempt_id, feature, run.map(Id), &new.branch, &new.from, &new.to, Micros(now));
            let id = insert.query_row(params, |row| row.get::<_, Id<LandingId>>(0))?.0;
            tx.prepare_cached("UPDATE attempts SET landing_wait = NULL WHERE id = ?1")?
                .execute([Id(attempt.id)])?;
            let NewLanding { branch, from, to } = new.clone();
            let fact = Fact::LandingBegun { landing: id, branch, from, to };
            journal::record(tx, now, About { run, ..About::from(&attempt) }, &fact)?;
            Ok(id)
        })
    }

    /// Ends a landing after which the branch is where it was. Needs no token, because its attempt may be over. The
    /// first outcome counts, later calls change nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownLanding`]; [`StoreError::Misuse`] for [`LandingOutcome::Landed`], which only
    /// [`Store::land`] can bring about.
    pub fn end_landing(&self, landing: LandingId, outcome: &LandingOutcome) -> Result<(), StoreError> {
        let outcome = match outcome {
            LandingOutcome::Landed => {
                return Err(StoreError::Misuse { what: "work can only land by `land`" });
            }
            LandingOutcome::Overtaken => LandingOutcome::Overtaken,
            LandingOutcome::Undone { reason } => {
                LandingOutcome::Undone { reason: bounded(reason, REASON_CHARS) }
            }
        };
        self.write(|tx, now| {
            let found = tx
                .prepare_cached(&format!("{LANDING} WHERE id = ?1"))?
                .query_row([Id(landing)], record)
                .optional()?
                .ok_or(StoreError::UnknownLanding { id: landing })?;
            if found.ended.is_some() {
                return Ok(());
            }
            tx.prepare_cached("UPDATE landings SET ended_at = ?2, outcome = ?3 WHERE id = ?1")?.execute((
                Id(landing),
                Micros(now),
                Json(&outcome),
            ))?;
            let about = About {
                run: found.run,
                feature: Some(found.feature),
                attempt: Some(found.attempt),
                ..About::default()
            };
            journal::record(tx, now, about, &Fact::LandingEnded { landing, result: outcome })?;
            Ok(())
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

    /// Returns the work that is green and has not landed, in the order in which it was handed in.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn landing_queue(&self) -> Result<Vec<QueuedLanding>, StoreError> {
        self.read(|tx| {
            let sql = "SELECT id, feature_id, session_id, submitted_at, landing_wait FROM attempts
                WHERE ended_at IS NULL AND submitted_at IS NOT NULL ORDER BY submitted_at, id";
            list(tx, sql, [], |row| {
                Ok(QueuedLanding {
                    attempt: row.get::<_, Id<_>>(0)?.0,
                    feature: row.get::<_, Id<_>>(1)?.0,
                    session: row.get::<_, Id<_>>(2)?.0,
                    since: row.get::<_, Micros>(3)?.0,
                    wait: row.get::<_, Option<Json<_>>>(4)?.map(|wait| wait.0),
                })
            })
        })
    }

    /// Returns the landings that began and have not ended, by id: after a kill, the branches to be looked at.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn open_landings(&self) -> Result<Vec<LandingRecord>, StoreError> {
        self.landings("WHERE ended_at IS NULL ORDER BY id", [])
    }

    /// Returns the landings of a run, those that failed included, by id.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn landings_of(&self, run: RunId) -> Result<Vec<LandingRecord>, StoreError> {
        self.landings("WHERE run_id = ?1 ORDER BY id", [Id(run)])
    }

    /// Returns the last landings of any run that moved a branch, newest first: what the next one may take.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn recent_landings(&self, limit: u32) -> Result<Vec<LandingRecord>, StoreError> {
        let of = "WHERE branch IS NOT NULL AND outcome ->> 'outcome' = 'landed' ORDER BY id DESC LIMIT ?1";
        self.landings(of, [limit])
    }

    fn landings(&self, of: &str, params: impl Params) -> Result<Vec<LandingRecord>, StoreError> {
        self.read(|tx| list(tx, &format!("{LANDING} {of}"), params, record))
    }
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

fn record(row: &Row<'_>) -> rusqlite::Result<LandingRecord> {
    let outcome = row.get::<_, Option<Json<_>>>(9)?.map(|outcome| outcome.0);
    Ok(LandingRecord {
        id: row.get::<_, Id<_>>(0)?.0,
        attempt: row.get::<_, Id<_>>(1)?.0,
        feature: row.get::<_, Id<_>>(2)?.0,
        run: row.get::<_, Option<Id<_>>>(3)?.map(|run| run.0),
        branch: row.get(4)?,
        from: row.get(5)?,
        to: row.get(6)?,
        started_at: row.get::<_, Micros>(7)?.0,
        ended: row.get::<_, Option<Micros>>(8)?.map(|at| at.0).zip(outcome),
    })
}
