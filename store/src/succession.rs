//! Taking over what a dead owner left: its attempts get a new secret, its successor's.

use cogwork_schemas::{AttemptId, ProcessIdentity, Token};

use crate::columns::Id;
use crate::secret::Secret;
use crate::{Store, StoreError, attempts, sessions};

impl Store {
    /// Gives a live attempt, and with it its whole session, a new secret, if the session's owner is still the one that
    /// the caller has looked at and found dead; returns the attempt's token. Whoever held the old secret has no right
    /// any more, should he live after all.
    ///
    /// `seen` is what [`LiveSession::process`](crate::LiveSession::process) said. A session that is over has no owner
    /// and its attempts may always be taken. Whoever takes over several attempts of a session uses one secret.
    ///
    /// # Errors
    ///
    /// [`StoreError::OwnerChanged`] when another process owns the session; [`StoreError::StaleToken`] when the attempt
    /// has ended or never was.
    pub fn take_over(
        &self,
        attempt: AttemptId,
        seen: Option<&ProcessIdentity>,
        secret: &Secret,
    ) -> Result<Token, StoreError> {
        self.write(|tx, _| {
            let session = match attempts::by_id(tx, attempt)? {
                Some(found) if found.outcome.is_none() => found.attempt.session,
                found => return Err(attempts::stale(found.as_ref()).into()),
            };
            if let Some(owner) = sessions::owner(tx, session)?
                && owner.as_ref() != seen
            {
                return Err(StoreError::OwnerChanged { attempt, session, owner }.into());
            }
            // The ended ones too: their tokens ask for further features.
            tx.prepare_cached("UPDATE attempts SET digest = ?2 WHERE session_id = ?1")?
                .execute((Id(session), secret.digest()))?;
            Ok(secret.token(attempt))
        })
    }
}
