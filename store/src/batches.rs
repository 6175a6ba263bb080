//! Batches: sessions that take one further feature after another, each when the one before is handed in.

use std::collections::BTreeSet;

use cogwork_schemas::{Fact, FeatureId, SessionId, Token};
use jiff::SignedDuration;
use rusqlite::{OptionalExtension, Transaction};
use serde::{Deserialize, Serialize};

use crate::claims::{Made, after, insert_attempt};
use crate::columns::{Id, Micros};
use crate::error::Fail;
use crate::features::list;
use crate::further::{Asking, Choice, choose};
use crate::journal::{self, About};
use crate::types::{Attempt, Next, Taken};
use crate::{Store, StoreError, attempts};

/// A session, as far as batches are concerned.
struct SessionBatch {
    is_over: bool,
    size: u32,
    is_closed: bool,
    slots: Option<u32>,
}

/// A [`Next`] as it may be remembered: without the secret.
#[derive(Debug, Serialize, Deserialize)]
enum Won {
    Claimed(FeatureId, Made),
    Wait,
    Nothing,
}

impl Won {
    fn is_claimed(&self) -> bool {
        matches!(self, Self::Claimed(..))
    }
}

impl SessionBatch {
    fn has_room(&self, taken: &[Taken]) -> bool {
        !self.is_closed && taken.len() < self.size as usize
    }
}

impl Store {
    /// Lets no session that lives now take a further feature: the run is about to end.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn close_batches(&self) -> Result<(), StoreError> {
        self.write(|tx, _| {
            tx.prepare_cached("UPDATE sessions SET closed = 1 WHERE ended_at IS NULL")?.execute([])?;
            Ok(())
        })
    }

    /// Takes the next feature for a session that has handed in all it had, or says that there is none. Any of the
    /// session's tokens shows which session asks, and the claim has the same secret. Against whoever else claims at this
    /// moment, one wins.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`] when the session is over or one of its claims was taken from it;
    /// [`StoreError::Misuse`] while it has work to do.
    pub fn claim_next(&self, token: &Token, lease: SignedDuration) -> Result<Next, StoreError> {
        let won = self.write_once_if("claim_next", Won::is_claimed, |tx, now| {
            let (session, batch, taken) = session_of(tx, token)?;
            if taken.iter().any(Taken::is_open) {
                let what = "a session takes a further feature only when the one it has is handed in";
                return Err(StoreError::Misuse { what }.into());
            }
            let Some(slots) = batch.slots.filter(|_| !batch.is_closed && taken.len() < batch.size as usize)
            else {
                return Ok(Won::Nothing);
            };
            let of = |which: &dyn Fn(&Taken) -> bool| -> BTreeSet<FeatureId> {
                taken.iter().filter(|taken| which(taken)).map(|taken| taken.attempt.feature).collect()
            };
            let graph = self.kept.now(tx)?;
            let asking = Asking {
                graph: &graph,
                mine: &of(&|_| true),
                kin: &kin(tx, session)?,
                landing: &of(&|taken| taken.outcome.is_none()),
                slots: slots as usize,
                free: slots.saturating_sub(sessions_with_a_slot(tx)?) as usize,
            };
            let choice = choose(&asking);
            drop(graph);
            let feature = match choice {
                Choice::Take(feature) => feature,
                Choice::Wait => return Ok(Won::Wait),
                Choice::Nothing => return Ok(Won::Nothing),
            };
            let made = insert_attempt(tx, now, feature, session, &attempts::digest_of(token), lease)?;
            tx.prepare_cached("UPDATE features SET status = 'claimed', attempt_id = ?2 WHERE id = ?1")?
                .execute((Id(feature), Id(made.attempt)))?;
            let about = About { feature: Some(feature), attempt: Some(made.attempt), ..About::from(session) };
            journal::record(tx, now, about, &Fact::Claimed { number: made.number })?;
            Ok(Won::Claimed(feature, made))
        })?;
        Ok(match won {
            Won::Claimed(feature, made) => {
                Next::Claimed { feature, claim: made.claim(token.for_attempt(made.attempt)) }
            }
            Won::Wait => Next::Wait,
            Won::Nothing => Next::Nothing,
        })
    }

    /// Returns whether a session that hands in what it has may ask for a further feature. Whether there is one for it
    /// then, [`Store::claim_next`] says. Any of the session's tokens will do.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`] as there.
    pub fn may_claim_next(&self, token: &Token) -> Result<bool, StoreError> {
        self.read(|tx| {
            let (_, batch, taken) = session_of(tx, token)?;
            Ok(batch.has_room(&taken) && !taken.iter().any(Taken::is_open))
        })
    }

    /// Keeps all claims of a session for another lease from now, and returns its live attempts, oldest first. Any of
    /// the session's tokens will do.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`] when the session is over, or one of its claims was taken from it, or its only one
    /// has ended: its work must stop.
    pub fn renew_session(&self, token: &Token, lease: SignedDuration) -> Result<Vec<Attempt>, StoreError> {
        self.write(|tx, now| {
            let (session, batch, taken) = session_of(tx, token)?;
            if batch.size == 1 {
                attempts::live(tx, token)?;
            }
            tx.prepare_cached(
                "UPDATE attempts SET lease_until = ?2
                  WHERE session_id = ?1 AND ended_at IS NULL AND submitted_at IS NULL",
            )?
            .execute((Id(session), Micros(after(now, lease))))?;
            let live = taken.into_iter().filter(|taken| taken.outcome.is_none());
            Ok(live.map(|taken| taken.attempt).collect())
        })
    }
}

/// Returns the session of a token and what it has taken so far, if both are alive. The fence in front of what a
/// session does, as [`attempts::live`] is for what is done at a feature.
fn session_of(tx: &Transaction<'_>, token: &Token) -> Result<(SessionId, SessionBatch, Vec<Taken>), Fail> {
    let Some(found) = attempts::find(tx, token)? else {
        return Err(attempts::stale(None).into());
    };
    let session = found.attempt.session;
    let taken = attempts::of_session(tx, session)?;
    if let Some(lost) = taken.iter().find(|taken| taken.is_lost()) {
        return Err(StoreError::StaleToken {
            feature: Some(lost.attempt.feature),
            attempt: Some(lost.attempt.id),
            ended: lost.outcome.as_ref().map(|outcome| outcome.word().to_owned()),
        }
        .into());
    }
    match batch(tx, session)? {
        Some(batch) if !batch.is_over => Ok((session, batch, taken)),
        Some(_) | None => Err(attempts::stale(Some(&found)).into()),
    }
}

fn batch(tx: &Transaction<'_>, session: SessionId) -> Result<Option<SessionBatch>, Fail> {
    Ok(tx
        .prepare_cached("SELECT ended_at IS NOT NULL, batch, closed, slots FROM sessions WHERE id = ?1")?
        .query_row([Id(session)], |row| {
            Ok(SessionBatch {
                is_over: row.get(0)?,
                size: row.get(1)?,
                is_closed: row.get(2)?,
                slots: row.get(3)?,
            })
        })
        .optional()?)
}

fn sessions_with_a_slot(tx: &Transaction<'_>) -> Result<u32, Fail> {
    Ok(tx
        .prepare_cached("SELECT count(*) FROM sessions WHERE ended_at IS NULL AND slots IS NOT NULL")?
        .query_row([], |row| row.get(0))?)
}

/// Reads the pending features of the categories that a session has worked in.
fn kin(tx: &Transaction<'_>, session: SessionId) -> Result<BTreeSet<FeatureId>, Fail> {
    let features = list(
        tx,
        "SELECT id FROM features WHERE status = 'pending' AND category IN (
             SELECT f.category FROM attempts a JOIN features f ON f.id = a.feature_id WHERE a.session_id = ?1)",
        [Id(session)],
        |row| Ok(row.get::<_, Id<_>>(0)?.0),
    )?;
    Ok(features.into_iter().collect())
}
