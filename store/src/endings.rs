//! How attempts end without landing, and what that costs the feature.

use cogwork_schemas::{AttemptOutcome, Fact, FeatureId, SessionId, Status, Token};
use jiff::Timestamp;
use rusqlite::Transaction;

use crate::columns::{Id, Json, Micros, Word};
use crate::error::Fail;
use crate::features::status;
use crate::types::{Attempt, AttemptLimits};
use crate::{Store, StoreError, attempts, journal};

impl Store {
    /// Ends an attempt without success and returns where its feature stands now: pending, or parked when its
    /// failures reached the limit.
    ///
    /// Crashes cost nothing by themselves, but as many in a row as the limit says cost one attempt. An attempt that
    /// was stopped, orphaned or expired neither breaks nor lengthens the row.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`]; [`StoreError::Misuse`] for [`AttemptOutcome::Landed`], which only
    /// [`Store::land`] can bring about.
    pub fn end_attempt(
        &self,
        token: &Token,
        outcome: &AttemptOutcome,
        limits: &AttemptLimits,
    ) -> Result<Status, StoreError> {
        if *outcome == AttemptOutcome::Landed {
            return Err(StoreError::Misuse { what: "an attempt can only land by `land`" });
        }
        self.write_once("end_attempt", |tx, now| {
            end(tx, now, &attempts::live(tx, token)?.attempt, outcome, limits)
        })
    }

    /// Takes back the claims whose lease ran out before they submitted anything, and returns their features.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn reap(&self, limits: &AttemptLimits) -> Result<Vec<FeatureId>, StoreError> {
        self.write_once("reap", |tx, now| take_back(tx, now, limits, |_| true))
    }
}

/// Takes back the claims of these sessions whose lease ran out.
pub(crate) fn take_back(
    tx: &Transaction<'_>,
    now: Timestamp,
    limits: &AttemptLimits,
    of: impl Fn(SessionId) -> bool,
) -> Result<Vec<FeatureId>, Fail> {
    let live = attempts::all_live(tx)?;
    let expired = live
        .iter()
        .filter(|attempt| of(attempt.session) && attempt.lease_until.is_some_and(|until| until <= now));
    expired
        .map(|attempt| {
            end(tx, now, attempt, &AttemptOutcome::Expired, limits)?;
            Ok(attempt.feature)
        })
        .collect()
}

/// Ends an attempt. A feature that was only tested by it stands where it stood.
pub(crate) fn end(
    tx: &Transaction<'_>,
    now: Timestamp,
    attempt: &Attempt,
    outcome: &AttemptOutcome,
    limits: &AttemptLimits,
) -> Result<Status, Fail> {
    let (mut failed_attempts, mut crashes, owns): (u32, u32, bool) = tx
        .prepare_cached(
            "SELECT failed_attempts, crashes, attempt_id IS NOT DISTINCT FROM ?2 FROM features WHERE id = ?1",
        )?
        .query_row((Id(attempt.feature), Id(attempt.id)), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
    tx.prepare_cached("UPDATE attempts SET ended_at = ?2, outcome = ?3 WHERE id = ?1")?.execute((
        Id(attempt.id),
        Micros(now),
        Json(outcome),
    ))?;
    if !owns {
        let fact = Fact::AttemptEnded { result: outcome.clone(), failed_attempts };
        journal::record(tx, now, attempt, &fact)?;
        return status(tx, attempt.feature);
    }
    let crashed = matches!(outcome, AttemptOutcome::Crashed { .. });
    crashes += u32::from(crashed);
    let charged = outcome.costs_attempt() || (crashed && crashes >= limits.crashes);
    if charged {
        failed_attempts += 1;
        crashes = 0;
    }
    let parked = charged && failed_attempts >= limits.attempts;
    let status = if parked { Status::Parked } else { Status::Pending };
    let reason = parked.then(|| outcome.to_string());
    tx.prepare_cached(
        "UPDATE features SET status = ?2, attempt_id = NULL, failed_attempts = ?3, crashes = ?4,
             parked_because = ?5 WHERE id = ?1",
    )?
    .execute((Id(attempt.feature), Word(status), failed_attempts, crashes, &reason))?;
    let fact = Fact::AttemptEnded { result: outcome.clone(), failed_attempts };
    journal::record(tx, now, attempt, &fact)?;
    if let Some(reason) = reason {
        journal::record(tx, now, attempt, &Fact::Parked { reason })?;
    }
    Ok(status)
}
