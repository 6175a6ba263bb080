//! Tests of what passes: taking a passing feature for a test, and reporting that it does not work.

use cogwork_schemas::{Fact, FeatureId, Status, Token};
use jiff::SignedDuration;
use rusqlite::OptionalExtension;

use crate::claims::{already_claimed, insert_attempt};
use crate::columns::Id;
use crate::features::status;
use crate::journal::{self, About};
use crate::secret::Secret;
use crate::types::{Claim, NewSession};
use crate::{Store, StoreError, attempts, sessions};

impl Store {
    /// Takes a passing feature for a test by a new session. It passes on, and counts for what depends on it, until
    /// [`Store::report_failing`] says otherwise; the attempt ends like any other.
    ///
    /// # Errors
    ///
    /// [`StoreError::WrongStatus`] when it does not pass; [`StoreError::AlreadyClaimed`] when it is being tested;
    /// [`StoreError::UnknownFeature`].
    pub fn inspect(
        &self,
        feature: FeatureId,
        new: &NewSession,
        secret: &Secret,
        lease: SignedDuration,
    ) -> Result<Claim, StoreError> {
        let made = self.write_once("inspect", |tx, now| {
            let status = status(tx, feature)?;
            if status != Status::Passing {
                return Err(StoreError::WrongStatus { id: feature, action: "tested", status }.into());
            }
            if let Some(taken) = already_claimed(tx, feature)? {
                return Err(taken.into());
            }
            let session = sessions::insert_session(tx, now, new)?;
            let made = insert_attempt(tx, now, feature, session, &secret.digest(), lease)?;
            let about = About { feature: Some(feature), attempt: Some(made.attempt), ..About::from(session) };
            sessions::tell_started(tx, now, about, new)?;
            journal::record(tx, now, about, &Fact::Inspected { number: made.number })?;
            Ok(made)
        })?;
        Ok(made.claim(secret.token(made.attempt)))
    }

    /// Records that a session found its feature not to work, and returns whether it was passing until now. Then it
    /// is claimed by that session, which may repair it: nobody else can start it meanwhile.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`].
    pub fn report_failing(&self, token: &Token, reason: &str) -> Result<bool, StoreError> {
        self.write_once("report_failing", |tx, now| {
            let attempt = attempts::live(tx, token)?.attempt;
            let reopened = status(tx, attempt.feature)? == Status::Passing;
            if reopened {
                tx.prepare_cached(
                    "UPDATE features SET status = 'claimed', proof = NULL, attempt_id = ?2 WHERE id = ?1",
                )?
                .execute((Id(attempt.feature), Id(attempt.id)))?;
            }
            let fact = Fact::ReportedFailing { reason: reason.to_owned(), reopened };
            journal::record(tx, now, &attempt, &fact)?;
            Ok(reopened)
        })
    }

    /// Returns what was said last about a feature that was found not to work; `None` when nobody ever did.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn last_report(&self, feature: FeatureId) -> Result<Option<String>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT fact ->> 'reason' FROM journal
                  WHERE feature_id = ?1 AND fact ->> 'kind' = 'reported_failing' ORDER BY seq DESC LIMIT 1",
            )?;
            Ok(statement.query_row([Id(feature)], |row| row.get(0)).optional()?)
        })
    }
}
