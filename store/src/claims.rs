//! Claims: taking a feature, and keeping it.

use cogwork_schemas::{Fact, FeatureId, ProcessIdentity, SessionId, Status, Token};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Transaction};

use crate::columns::{Id, Micros, Word};
use crate::error::Fail;
use crate::features::{status, unmet_of};
use crate::graph::Graph;
use crate::journal::{self, About};
use crate::types::{Claim, NewSession};
use crate::{Store, StoreError, attempts, sessions};

impl Store {
    /// Takes a ready feature for a new session, until it lands, the attempt ends or the lease runs out. Of any
    /// number of processes that try at once, one wins.
    ///
    /// # Errors
    ///
    /// [`StoreError::AlreadyClaimed`] naming the owner; [`StoreError::NotClaimable`] when it is not pending or waits
    /// for dependencies; [`StoreError::UnknownFeature`].
    pub fn claim(
        &self,
        feature: FeatureId,
        new: &NewSession,
        lease: SignedDuration,
    ) -> Result<Claim, StoreError> {
        self.write(|tx, now| self.take(tx, now, feature, new, lease))
    }

    /// Takes a ready feature as [`Store::claim`] does, for a session that this process runs: nobody ever sees the
    /// claim without whose it is.
    ///
    /// # Errors
    ///
    /// Those of [`Store::claim`].
    pub fn claim_by(
        &self,
        feature: FeatureId,
        new: &NewSession,
        process: &ProcessIdentity,
        lease: SignedDuration,
    ) -> Result<Claim, StoreError> {
        self.write(|tx, now| {
            let claim = self.take(tx, now, feature, new, lease)?;
            sessions::up(tx, now, claim.session, process)?;
            Ok(claim)
        })
    }

    /// Takes the first of these features that can be taken, as [`Store::claim_by`] does; `None` when none can. One
    /// turn at the database for all of them: of many processes that want the same ones, each gets another.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn claim_first(
        &self,
        features: &[FeatureId],
        new: &NewSession,
        process: &ProcessIdentity,
        lease: SignedDuration,
    ) -> Result<Option<(FeatureId, Claim)>, StoreError> {
        if features.is_empty() {
            return Ok(None);
        }
        self.write(|tx, now| {
            for feature in features {
                if is_free(tx, *feature)? {
                    let claim = self.take(tx, now, *feature, new, lease)?;
                    sessions::up(tx, now, claim.session, process)?;
                    return Ok(Some((*feature, claim)));
                }
            }
            Ok(None)
        })
    }

    fn take(
        &self,
        tx: &Transaction<'_>,
        now: Timestamp,
        feature: FeatureId,
        new: &NewSession,
        lease: SignedDuration,
    ) -> Result<Claim, Fail> {
        let status = status(tx, feature)?;
        if status == Status::Claimed {
            return Err(already_claimed(tx, feature)?.unwrap_or_else(|| not_owned(feature)).into());
        }
        if status != Status::Pending || !unmet_of(tx, feature)?.is_empty() {
            return Err(not_claimable(&*self.kept.now(tx)?, feature).into());
        }
        let session = insert_session(tx, now, new)?;
        let claim = insert_attempt(tx, now, feature, session, lease)?;
        tx.prepare_cached("UPDATE features SET status = 'claimed', attempt_id = ?2 WHERE id = ?1")?
            .execute((Id(feature), Id(claim.attempt)))?;
        let about = About { feature: Some(feature), session: Some(session), attempt: Some(claim.attempt) };
        let started = Fact::SessionStarted { role: new.role, agent: new.agent.clone() };
        journal::record(tx, now, about, &started)?;
        journal::record(tx, now, about, &Fact::Claimed { number: claim.number })?;
        Ok(claim)
    }

    /// Keeps a claim for another lease from now. A submitted attempt has no lease any more and needs none.
    ///
    /// A renewal changes nothing that a reader of the journal would want to know, so it leaves no entry.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`]: the claim is lost, and its work must stop.
    pub fn renew(&self, token: &Token, lease: SignedDuration) -> Result<(), StoreError> {
        self.write(|tx, now| {
            let found = attempts::live(tx, token)?;
            tx.prepare_cached("UPDATE attempts SET lease_until = ?2 WHERE id = ?1 AND submitted_at IS NULL")?
                .execute((Id(found.attempt.id), Micros(after(now, lease))))?;
            Ok(())
        })
    }
}

/// Returns whether a feature is there, pending, and waits for nothing.
fn is_free(tx: &Transaction<'_>, id: FeatureId) -> Result<bool, Fail> {
    let pending: Option<bool> = tx
        .prepare_cached("SELECT status = 'pending' FROM features WHERE id = ?1")?
        .query_row([Id(id)], |row| row.get(0))
        .optional()?;
    Ok(pending == Some(true) && unmet_of(tx, id)?.is_empty())
}

/// Begins a session.
pub(crate) fn insert_session(
    tx: &Transaction<'_>,
    now: Timestamp,
    new: &NewSession,
) -> Result<SessionId, Fail> {
    tx.prepare_cached("INSERT INTO sessions (role, agent, isolation, started_at) VALUES (?1, ?2, ?3, ?4)")?
        .execute((Word(new.role), &new.agent, Word(new.isolation), Micros(now)))?;
    Ok(SessionId(tx.last_insert_rowid()))
}

/// Begins an attempt of a session.
pub(crate) fn insert_attempt(
    tx: &Transaction<'_>,
    now: Timestamp,
    feature: FeatureId,
    session: SessionId,
    lease: SignedDuration,
) -> Result<Claim, Fail> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO attempts (feature_id, session_id, number, secret, started_at, lease_until)
         VALUES (?1, ?2, (SELECT count(*) + 1 FROM attempts WHERE feature_id = ?1),
                 lower(hex(randomblob(16))), ?3, ?4)
         RETURNING id, number, secret",
    )?;
    let params = (Id(feature), Id(session), Micros(now), Micros(after(now, lease)));
    Ok(statement.query_row(params, |row| {
        let attempt = row.get::<_, Id<_>>(0)?.0;
        let token = attempts::token(attempt, &row.get::<_, String>(2)?);
        Ok(Claim { session, attempt, token, number: row.get(1)? })
    })?)
}

/// Returns the refusal of a feature that has a live attempt; `None` when it has none.
pub(crate) fn already_claimed(tx: &Transaction<'_>, id: FeatureId) -> Result<Option<StoreError>, Fail> {
    Ok(tx
        .prepare_cached(
            "SELECT session_id, started_at FROM attempts WHERE feature_id = ?1 AND ended_at IS NULL",
        )?
        .query_row([Id(id)], |row| {
            let (owner, since) = (row.get::<_, Id<_>>(0)?.0, row.get::<_, Micros>(1)?.0);
            Ok(StoreError::AlreadyClaimed { id, owner, since })
        })
        .optional()?)
}

/// The refusal of a claimed feature whose attempt is not there, which the schema excludes.
fn not_owned(id: FeatureId) -> StoreError {
    StoreError::WrongStatus { id, action: "claimed", status: Status::Claimed }
}

/// Says why, by the same function that answers it everywhere.
fn not_claimable(graph: &Graph, id: FeatureId) -> StoreError {
    match graph.hold(id) {
        Some(hold) => StoreError::NotClaimable { id, hold },
        None => StoreError::UnknownFeature { id, highest: None },
    }
}

pub(crate) fn after(now: Timestamp, lease: SignedDuration) -> Timestamp {
    // The last full second there is: the library prints microseconds after it that it does not read again.
    let never = || Timestamp::from_second(Timestamp::MAX.as_second()).unwrap_or(Timestamp::MAX);
    now.checked_add(lease).unwrap_or_else(|_| never())
}
