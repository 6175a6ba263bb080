//! Attempts: the one way to look one up by its token, which every write goes through, and their history.

use std::collections::BTreeMap;

use cogwork_schemas::{AttemptId, AttemptOutcome, FeatureId, SessionId, Token};
use rusqlite::{OptionalExtension, Row, Transaction};

use crate::columns::{Id, Json, Micros, Word};
use crate::error::Fail;
use crate::features::{list, status};
use crate::secret::digest;
use crate::types::{Attempt, AttemptRecord, Submitted, Taken};
use crate::{Store, StoreError, evidence};

/// An attempt's columns, as [`read`] takes them.
const ATTEMPT: &str =
    "SELECT a.id, a.feature_id, a.session_id, s.isolation, a.number, a.started_at, a.lease_until,
       a.submitted_commit, a.submitted_proof, a.before = 'already_green', a.before IS NOT NULL, a.outcome,
       a.ended_at, f.attempt_id IS NOT DISTINCT FROM a.id, f.status = 'passing', a.base_commit
  FROM attempts a JOIN sessions s ON s.id = a.session_id JOIN features f ON f.id = a.feature_id";

/// An attempt as the operations see it, dead or alive.
pub(crate) struct Found {
    pub(crate) attempt: Attempt,
    /// Whether its checks were run before the work.
    pub(crate) before_known: bool,
    pub(crate) outcome: Option<AttemptOutcome>,
    /// Whether the feature is claimed by it.
    pub(crate) owns: bool,
    /// Whether its feature passes: it is being tested then.
    tests: bool,
}

/// Returns the attempt of a token, if it lives and its feature is claimed or tested by it. The fence in front of every write.
pub(crate) fn live(tx: &Transaction<'_>, token: &Token) -> Result<Found, Fail> {
    match find(tx, token)? {
        Some(found) if (found.owns || found.tests) && found.outcome.is_none() => Ok(found),
        found => Err(stale(found.as_ref()).into()),
    }
}

/// Returns the attempt of a token, dead or alive; `None` when the token is no attempt's.
pub(crate) fn find(tx: &Transaction<'_>, token: &Token) -> Result<Option<Found>, Fail> {
    let Some((id, secret)) = token.parts() else {
        return Ok(None);
    };
    Ok(tx
        .prepare_cached(&format!("{ATTEMPT} WHERE a.id = ?1 AND a.digest = ?2"))?
        .query_row((Id(id), digest(secret)), read)
        .optional()?)
}

/// Returns what the database holds of the secret in a token.
pub(crate) fn digest_of(token: &Token) -> String {
    digest(token.parts().map_or("", |(_, secret)| secret))
}

/// Returns an attempt by its number alone, dead or alive: for what needs no right.
pub(crate) fn by_id(tx: &Transaction<'_>, id: AttemptId) -> Result<Option<Found>, Fail> {
    Ok(tx.prepare_cached(&format!("{ATTEMPT} WHERE a.id = ?1"))?.query_row([Id(id)], read).optional()?)
}

/// Returns the refusal of a token that gives no right.
pub(crate) fn stale(found: Option<&Found>) -> StoreError {
    StoreError::StaleToken {
        feature: found.map(|found| found.attempt.feature),
        attempt: found.map(|found| found.attempt.id),
        ended: found.and_then(|found| found.outcome.as_ref()).map(|outcome| outcome.word().to_owned()),
    }
}

/// Reads the live attempts, by id.
pub(crate) fn all_live(tx: &Transaction<'_>) -> Result<Vec<Attempt>, Fail> {
    // The plus keeps SQLite from reading every attempt there ever was, because that is in the order of ids.
    let sql = format!("{ATTEMPT} WHERE a.ended_at IS NULL ORDER BY +a.id");
    list(tx, &sql, [], |row| Ok(read(row)?.attempt))
}

/// Reads the attempts of a session, dead or alive, oldest first.
pub(crate) fn of_session(tx: &Transaction<'_>, session: SessionId) -> Result<Vec<Taken>, Fail> {
    list(tx, &format!("{ATTEMPT} WHERE a.session_id = ?1 ORDER BY a.id"), [Id(session)], |row| {
        let Found { attempt, outcome, .. } = read(row)?;
        Ok(Taken { attempt, outcome })
    })
}

impl Store {
    /// Returns the live attempt of a token.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`] when it has ended or never was.
    pub fn attempt(&self, token: &Token) -> Result<Attempt, StoreError> {
        self.read(|tx| Ok(live(tx, token)?.attempt))
    }

    /// Returns all attempts that have not ended, by id.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn live_attempts(&self) -> Result<Vec<Attempt>, StoreError> {
        self.read(all_live)
    }

    /// Returns the newest attempt of all, if there was one.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn newest_attempt(&self) -> Result<Option<AttemptId>, StoreError> {
        self.read(|tx| {
            let newest: Option<i64> = tx.query_row("SELECT max(id) FROM attempts", [], |row| row.get(0))?;
            Ok(newest.map(AttemptId))
        })
    }

    /// Returns these attempts, dead or alive, as far as there are such.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn attempts_by_id(&self, ids: &[AttemptId]) -> Result<Vec<Attempt>, StoreError> {
        self.read(|tx| {
            let found = ids.iter().map(|id| Ok(by_id(tx, *id)?.map(|found| found.attempt)));
            found.filter_map(Result::transpose).collect()
        })
    }

    /// Returns how the last ended attempt at a feature went, if there was one.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn last_outcome(&self, feature: FeatureId) -> Result<Option<AttemptOutcome>, StoreError> {
        self.read(|tx| {
            let sql = "SELECT outcome FROM attempts WHERE feature_id = ?1 AND ended_at IS NOT NULL
                        ORDER BY number DESC LIMIT 1";
            let outcome: Option<Json<_>> =
                tx.prepare_cached(sql)?.query_row([Id(feature)], |row| row.get(0)).optional()?;
            Ok(outcome.map(|outcome| outcome.0))
        })
    }

    /// Returns the attempts that a session has made, oldest first; none for a session that never was.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn attempts_of_session(&self, session: SessionId) -> Result<Vec<Taken>, StoreError> {
        self.read(|tx| of_session(tx, session))
    }

    /// Returns the attempts of the session that a token belongs to, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`] when the token is no attempt's.
    pub fn attempts_beside(&self, token: &Token) -> Result<Vec<Taken>, StoreError> {
        self.read(|tx| {
            let Some(found) = find(tx, token)? else { return Err(stale(None).into()) };
            of_session(tx, found.attempt.session)
        })
    }

    /// Returns the history of a feature, oldest attempt first.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownFeature`].
    pub fn attempts_of(&self, feature: FeatureId) -> Result<Vec<AttemptRecord>, StoreError> {
        self.read(|tx| {
            status(tx, feature)?;
            records(tx, feature)
        })
    }
}

/// Reads the history of a feature, oldest attempt first.
pub(crate) fn records(tx: &Transaction<'_>, feature: FeatureId) -> Result<Vec<AttemptRecord>, Fail> {
    let mut records: BTreeMap<AttemptId, AttemptRecord> = BTreeMap::new();
    let sql = format!("{ATTEMPT} WHERE a.feature_id = ?1");
    for record in list(tx, &sql, [Id(feature)], record)? {
        records.insert(record.id, record);
    }
    for (attempt, evidence) in evidence::of_feature(tx, feature)? {
        if let Some(record) = records.get_mut(&attempt) {
            record.evidence.push(evidence);
        }
    }
    Ok(records.into_values().collect())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Found> {
    let attempt = Attempt {
        id: row.get::<_, Id<_>>(0)?.0,
        feature: row.get::<_, Id<_>>(1)?.0,
        session: row.get::<_, Id<_>>(2)?.0,
        isolation: row.get::<_, Word<_>>(3)?.0,
        number: row.get(4)?,
        started_at: row.get::<_, Micros>(5)?.0,
        lease_until: row.get::<_, Option<Micros>>(6)?.map(|at| at.0),
        submitted: submitted(row)?,
        already_green: row.get::<_, Option<bool>>(9)?.unwrap_or(false),
        base: row.get(15)?,
    };
    Ok(Found {
        attempt,
        before_known: row.get(10)?,
        outcome: row.get::<_, Option<Json<_>>>(11)?.map(|outcome| outcome.0),
        owns: row.get(13)?,
        tests: row.get(14)?,
    })
}

fn record(row: &Row<'_>) -> rusqlite::Result<AttemptRecord> {
    let Found { attempt, outcome, .. } = read(row)?;
    Ok(AttemptRecord {
        id: attempt.id,
        number: attempt.number,
        session: attempt.session,
        started_at: attempt.started_at,
        ended_at: row.get::<_, Option<Micros>>(12)?.map(|at| at.0),
        outcome,
        submitted: attempt.submitted,
        evidence: Vec::new(),
    })
}

fn submitted(row: &Row<'_>) -> rusqlite::Result<Option<Submitted>> {
    let commit = row.get(7)?;
    Ok(row.get::<_, Option<Word<_>>>(8)?.map(|proof| Submitted { commit, proof: proof.0 }))
}
