//! Sessions: who runs one, and that it is over. The beginning of one with a feature is a claim's.

use cogwork_schemas::{AttemptId, Fact, FeatureId, ProcessIdentity, SessionId, SessionOutcome};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Row, Transaction};

use crate::columns::{Id, Json, Micros, Millis, Word};
use crate::error::Fail;
use crate::features::list;
use crate::journal::{self, About};
use crate::types::{LiveSession, NewSession};
use crate::{Store, StoreError, activity, attempts, runs};

impl Store {
    /// Begins a session without a feature: one that plans, and has no right to any.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn begin_session(&self, new: &NewSession) -> Result<SessionId, StoreError> {
        self.write_once("begin_session", |tx, now| {
            let session = insert_session(tx, now, new)?;
            tell_started(tx, now, About::from(session), new)?;
            Ok(session)
        })
    }

    /// Returns the number that the next session gets, whoever begins it.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn next_session(&self) -> Result<SessionId, StoreError> {
        self.read(|tx| {
            // Sessions are never deleted, so the highest number is the last one given.
            let sql = "SELECT coalesce(max(id), 0) + 1 FROM sessions";
            Ok(SessionId(tx.prepare_cached(sql)?.query_row([], |row| row.get(0))?))
        })
    }

    /// Records which process runs a session; again when another process took it over. The process itself and whoever
    /// started it may both say so: the second time changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::SessionOver`] when it was ended meanwhile: the process came too late and has nothing to do;
    /// [`StoreError::UnknownSession`].
    pub fn session_up(&self, session: SessionId, process: &ProcessIdentity) -> Result<(), StoreError> {
        self.write(|tx, now| up(tx, now, session, process))
    }

    /// Ends a session; `agent_ms` is how long its agent itself ran. Its attempts are not touched. The first outcome
    /// counts, later calls change nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSession`].
    pub fn end_session(
        &self,
        session: SessionId,
        outcome: &SessionOutcome,
        agent_ms: u64,
    ) -> Result<(), StoreError> {
        self.write(|tx, now| end(tx, now, session, outcome, agent_ms))
    }

    /// Returns the sessions that have not ended, by id.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn live_sessions(&self) -> Result<Vec<LiveSession>, StoreError> {
        self.read(|tx| {
            let mut sessions = list(
                tx,
                "SELECT id, role, agent, isolation, started_at, pid, process_started, boot_id, run_id, slot,
                        account, node, usage, cost_usd, waits_until, waits_for, activity
                   FROM sessions WHERE ended_at IS NULL ORDER BY id",
                [],
                live_session,
            )?;
            for attempt in attempts::all_live(tx)? {
                if let Ok(index) = sessions.binary_search_by_key(&attempt.session, |session| session.id) {
                    sessions[index].attempts.push(attempt);
                }
            }
            Ok(sessions)
        })
    }
}

/// Begins a session.
pub(crate) fn insert_session(
    tx: &Transaction<'_>,
    now: Timestamp,
    new: &NewSession,
) -> Result<SessionId, Fail> {
    if let Some(run) = new.run {
        runs::is_over(tx, run)?;
        new.slot.map_or(Ok(()), |slot| runs::take_slot(tx, run, slot))?;
    }
    let mut insert = tx.prepare_cached(
        "INSERT INTO sessions (role, agent, isolation, started_at, run_id, slot, account, node, batch, slots)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) RETURNING id",
    )?;
    let (role, isolation, run) = (Word(new.role), Word(new.isolation), new.run.map(Id));
    let node = new.node.as_ref().map(Json);
    let (size, slots) =
        (new.batch.map_or(1, |batch| batch.size.max(1)), new.batch.map(|batch| batch.slots.max(1)));
    let params = (role, &new.agent, isolation, Micros(now), run, new.slot, &new.account, node, size, slots);
    Ok(insert.query_row(params, |row| row.get::<_, Id<_>>(0))?.0)
}

/// Tells that a session began, with what it took at once.
pub(crate) fn tell_started(
    tx: &Transaction<'_>,
    now: Timestamp,
    about: About,
    new: &NewSession,
) -> Result<(), Fail> {
    let fact = Fact::SessionStarted {
        role: new.role,
        agent: new.agent.clone(),
        slot: new.slot,
        account: new.account.clone(),
    };
    journal::record(tx, now, About { run: new.run, ..about }, &fact)?;
    Ok(())
}

/// Ends a session that has not ended yet.
pub(crate) fn end(
    tx: &Transaction<'_>,
    now: Timestamp,
    session: SessionId,
    outcome: &SessionOutcome,
    agent_ms: u64,
) -> Result<(), Fail> {
    if is_over(tx, session)? {
        return Ok(());
    }
    tx.prepare_cached("UPDATE sessions SET ended_at = ?2, outcome = ?3, agent_ms = ?4 WHERE id = ?1")?
        .execute((Id(session), Micros(now), Json(outcome), Millis(agent_ms)))?;
    activity::stop_waiting(tx, session)?;
    let usage = tx
        .prepare_cached("SELECT usage, cost_usd FROM sessions WHERE id = ?1")?
        .query_row([Id(session)], |row| Ok(activity::usage(row.get(0)?, row.get(1)?)))?;
    let fact = Fact::SessionEnded { result: outcome.clone(), agent_ms, usage };
    journal::record(tx, now, about(tx, session)?, &fact)?;
    Ok(())
}

/// Records which process runs a session.
pub(crate) fn up(
    tx: &Transaction<'_>,
    now: Timestamp,
    session: SessionId,
    process: &ProcessIdentity,
) -> Result<(), Fail> {
    if is_over(tx, session)? {
        return Err(StoreError::SessionOver { id: session }.into());
    }
    let changed = tx
        .prepare_cached(
            "UPDATE sessions SET pid = ?2, process_started = ?3, boot_id = ?4 WHERE id = ?1
                AND (pid, process_started, boot_id) IS DISTINCT FROM (?2, ?3, ?4)",
        )?
        .execute((Id(session), process.pid, process.started.cast_signed(), &process.boot_id))?;
    if changed == 0 {
        return Ok(());
    }
    let fact = Fact::SessionUp { process: process.clone() };
    journal::record(tx, now, about(tx, session)?, &fact)?;
    Ok(())
}

/// Returns who owns a session that is not over: a process, or one that has not named itself yet.
pub(crate) fn owner(
    tx: &Transaction<'_>,
    session: SessionId,
) -> Result<Option<Option<ProcessIdentity>>, Fail> {
    let sql = "SELECT pid, process_started, boot_id FROM sessions WHERE id = ?1 AND ended_at IS NULL";
    Ok(tx.prepare_cached(sql)?.query_row([Id(session)], |row| process(row, 0)).optional()?)
}

fn is_over(tx: &Transaction<'_>, id: SessionId) -> Result<bool, Fail> {
    tx.prepare_cached("SELECT ended_at IS NOT NULL FROM sessions WHERE id = ?1")?
        .query_row([Id(id)], |row| row.get(0))
        .optional()?
        .ok_or_else(|| StoreError::UnknownSession { id }.into())
}

/// Returns what an entry about a session is about: its feature too, while it has only one.
fn about(tx: &Transaction<'_>, session: SessionId) -> Result<About, Fail> {
    let attempts: Vec<(FeatureId, AttemptId)> = list(
        tx,
        "SELECT feature_id, id FROM attempts WHERE session_id = ?1 LIMIT 2",
        [Id(session)],
        |row| Ok((row.get::<_, Id<_>>(0)?.0, row.get::<_, Id<_>>(1)?.0)),
    )?;
    let only = match attempts.as_slice() {
        [only] => Some(*only),
        _ => None,
    };
    let (feature, attempt) = only.unzip();
    Ok(About { feature, attempt, ..About::from(session) })
}

/// Reads a process from three columns, of which `first` is the number of the first.
fn process(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<ProcessIdentity>> {
    let Some(pid) = row.get(first)? else { return Ok(None) };
    let started = row.get::<_, i64>(first + 1)?.cast_unsigned();
    Ok(Some(ProcessIdentity { pid, started, boot_id: row.get(first + 2)? }))
}

fn live_session(row: &Row<'_>) -> rusqlite::Result<LiveSession> {
    Ok(LiveSession {
        id: row.get::<_, Id<_>>(0)?.0,
        role: row.get::<_, Word<_>>(1)?.0,
        agent: row.get(2)?,
        isolation: row.get::<_, Word<_>>(3)?.0,
        started_at: row.get::<_, Micros>(4)?.0,
        process: process(row, 5)?,
        run: row.get::<_, Option<Id<_>>>(8)?.map(|run| run.0),
        slot: row.get(9)?,
        account: row.get(10)?,
        node: row.get::<_, Option<Json<_>>>(11)?.map(|node| node.0),
        usage: activity::usage(row.get(12)?, row.get(13)?),
        waiting: activity::waiting(row.get(14)?, row.get(15)?),
        activity: row.get::<_, Option<Json<_>>>(16)?.map(|activity| activity.0),
        attempts: Vec::new(),
    })
}
