//! Claims: taking a feature, and keeping it.

use cogwork_schemas::{AttemptId, Fact, FeatureId, ProcessIdentity, SessionId, Status, Token};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, ToSql, Transaction};
use serde::{Deserialize, Serialize};

use crate::columns::{Id, Micros};
use crate::error::Fail;
use crate::features::{list, status, unmet_of};
use crate::graph::Graph;
use crate::journal::{self, About};
use crate::secret::{Secret, digest};
use crate::types::{Claim, NewSession};
use crate::{Store, StoreError, sessions};

/// Tokens in one statement, whose parameters are limited.
const RENEWED_AT_ONCE: usize = 1_000;

impl Store {
    /// Takes a ready feature for a new session, until it lands, the attempt ends or the lease runs out. Of any
    /// number of processes that try at once, one wins. `secret` is the session's from now on, and makes its tokens.
    ///
    /// # Errors
    ///
    /// [`StoreError::AlreadyClaimed`] naming the owner; [`StoreError::NotClaimable`] when it is not pending or waits
    /// for dependencies; [`StoreError::UnknownFeature`].
    pub fn claim(
        &self,
        feature: FeatureId,
        new: &NewSession,
        secret: &Secret,
        lease: SignedDuration,
    ) -> Result<Claim, StoreError> {
        let made = self.write_once("claim", |tx, now| self.take(tx, now, feature, new, secret, lease))?;
        Ok(made.claim(secret.token(made.attempt)))
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
        secret: &Secret,
        lease: SignedDuration,
    ) -> Result<Claim, StoreError> {
        let made = self.write_once("claim_by", |tx, now| {
            let made = self.take(tx, now, feature, new, secret, lease)?;
            sessions::up(tx, now, made.session, process)?;
            Ok(made)
        })?;
        Ok(made.claim(secret.token(made.attempt)))
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
        secret: &Secret,
        lease: SignedDuration,
    ) -> Result<Option<(FeatureId, Claim)>, StoreError> {
        if features.is_empty() {
            return Ok(None);
        }
        let won = self.write_once_if("claim_first", Option::is_some, |tx, now| {
            for feature in features {
                if is_free(tx, *feature)? {
                    let made = self.take(tx, now, *feature, new, secret, lease)?;
                    sessions::up(tx, now, made.session, process)?;
                    return Ok(Some((*feature, made)));
                }
            }
            Ok(None)
        })?;
        Ok(won.map(|(feature, made)| (feature, made.claim(secret.token(made.attempt)))))
    }

    fn take(
        &self,
        tx: &Transaction<'_>,
        now: Timestamp,
        feature: FeatureId,
        new: &NewSession,
        secret: &Secret,
        lease: SignedDuration,
    ) -> Result<Made, Fail> {
        let status = status(tx, feature)?;
        if status == Status::Claimed {
            return Err(already_claimed(tx, feature)?.unwrap_or_else(|| not_owned(feature)).into());
        }
        if status != Status::Pending || !unmet_of(tx, feature)?.is_empty() {
            return Err(not_claimable(&*self.kept.now(tx)?, feature).into());
        }
        let session = sessions::insert_session(tx, now, new)?;
        let made = insert_attempt(tx, now, feature, session, &secret.digest(), lease)?;
        tx.prepare_cached("UPDATE features SET status = 'claimed', attempt_id = ?2 WHERE id = ?1")?
            .execute((Id(feature), Id(made.attempt)))?;
        let about = About { feature: Some(feature), attempt: Some(made.attempt), ..About::from(session) };
        sessions::tell_started(tx, now, about, new)?;
        journal::record(tx, now, about, &Fact::Claimed { number: made.number })?;
        Ok(made)
    }

    /// Keeps claims for another lease from now, all in one write, and returns the tokens that are stale: their claims are
    /// lost, and their work must stop. A submitted attempt has no lease any more and needs none.
    ///
    /// A renewal changes nothing that a reader of the journal would want to know, so it leaves no entry.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn renew(&self, tokens: &[Token], lease: SignedDuration) -> Result<Vec<Token>, StoreError> {
        let mut stale = tokens.to_vec();
        for some in tokens.chunks(RENEWED_AT_ONCE) {
            let live = self.write(|tx, now| renew(tx, some, after(now, lease)))?;
            stale.retain(|token| {
                !token.parts().is_some_and(|(id, secret)| live.contains(&(id, digest(secret))))
            });
        }
        Ok(stale)
    }
}

/// Moves the lease of those attempts whose tokens give a right, and returns their ids and digests. One statement,
/// however many there are.
fn renew(tx: &Transaction<'_>, tokens: &[Token], until: Timestamp) -> Result<Vec<(AttemptId, String)>, Fail> {
    let shown: Vec<(AttemptId, String)> =
        tokens.iter().filter_map(Token::parts).map(|(id, secret)| (id, digest(secret))).collect();
    if shown.is_empty() {
        return Ok(Vec::new());
    }
    let places = |each: &dyn Fn(usize) -> String| (0..shown.len()).map(each).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "UPDATE attempts SET lease_until = CASE WHEN submitted_at IS NULL THEN ?1 END
          WHERE id IN ({}) AND (id, digest) IN (VALUES {}) AND ended_at IS NULL
            AND EXISTS (SELECT 1 FROM features f WHERE f.id = attempts.feature_id
                           AND (f.attempt_id = attempts.id OR f.status = 'passing'))
         RETURNING id, digest",
        places(&|place| format!("?{}", 2 * place + 2)),
        places(&|place| format!("(?{}, ?{})", 2 * place + 2, 2 * place + 3)),
    );
    let (until, ids): (_, Vec<_>) = (Micros(until), shown.iter().map(|(id, _)| Id(*id)).collect());
    let mut params: Vec<&dyn ToSql> = vec![&until];
    for (id, (_, digest)) in ids.iter().zip(&shown) {
        params.extend([id as &dyn ToSql, digest]);
    }
    list(tx, &sql, params.as_slice(), |row| Ok((row.get::<_, Id<_>>(0)?.0, row.get(1)?)))
}

/// A claim as it may be remembered: without the secret.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Made {
    session: SessionId,
    pub(crate) attempt: AttemptId,
    pub(crate) number: u32,
}

impl Made {
    pub(crate) fn claim(self, token: Token) -> Claim {
        Claim { session: self.session, attempt: self.attempt, token, number: self.number }
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

/// Begins an attempt of a session.
pub(crate) fn insert_attempt(
    tx: &Transaction<'_>,
    now: Timestamp,
    feature: FeatureId,
    session: SessionId,
    digest: &str,
    lease: SignedDuration,
) -> Result<Made, Fail> {
    let mut statement = tx.prepare_cached(
        "INSERT INTO attempts (feature_id, session_id, number, digest, started_at, lease_until)
         VALUES (?1, ?2, (SELECT count(*) + 1 FROM attempts WHERE feature_id = ?1), ?3, ?4, ?5)
         RETURNING id, number",
    )?;
    let params = (Id(feature), Id(session), digest, Micros(now), Micros(after(now, lease)));
    Ok(statement.query_row(params, |row| {
        Ok(Made { session, attempt: row.get::<_, Id<_>>(0)?.0, number: row.get(1)? })
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
