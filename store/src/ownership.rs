//! Whether a session still has an owner: the one rule that every program follows, and taking back what has none.
//!
//! The rule is pure. What a look for a process shows is given to it, because only the caller's own node can be looked
//! at. A session of this node is judged by its process, never by its lease: a process that is stopped, or whose machine
//! sleeps, lives. A session of another node, or one that has not said who runs it, is judged by its lease.

use std::collections::BTreeSet;

use cogwork_schemas::{FeatureId, NodeIdentity, Presence, ProcessIdentity, SessionOutcome};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Transaction;

use crate::claims::after;
use crate::columns::{Id, Micros};
use crate::error::Fail;
use crate::types::{Attempt, AttemptLimits, LiveSession};
use crate::{Store, StoreError, endings, sessions};

/// What the sessions of MCP servers that claim for themselves are called, before a colon and their client's name. They
/// alone claim without holding the project for a run.
pub const SERVER_AGENT: &str = "mcp";

/// Leases are renewed this many times within one: often enough to miss it twice.
pub const RENEWALS_PER_LEASE: i32 = 3;

/// Whether a session still has an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ownership {
    /// Its process is there, at work or stopped. Nothing is taken from it, whatever its leases say.
    Lives,
    /// Its process is on another node, and its lease holds until then.
    Elsewhere { until: Timestamp },
    /// It has not said which process runs it, and may do so until then.
    NotYetUp { until: Timestamp },
    /// It has no owner any more: its claims may be taken.
    Dead,
}

/// Who asks, and what he knows beside the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OwnerQuestion {
    pub now: Timestamp,
    /// How long a lease is.
    pub lease: SignedDuration,
    /// Since when the database takes writes again, where the asker saw that it took none for a time.
    pub writable_since: Option<Timestamp>,
    /// Whether the asker has just taken hold of the project for a run and has begun no session yet. Then nobody does who
    /// would have to hold it for that.
    pub begins_run: bool,
}

impl OwnerQuestion {
    /// Returns until when a lease holds, if it still does. While nobody could write, nobody could renew: whoever lives
    /// has one renewal period to do so.
    fn holds(&self, lease_until: Timestamp) -> Option<Timestamp> {
        let renewed_by = self.writable_since.map(|since| after(since, self.lease / RENEWALS_PER_LEASE));
        let until = renewed_by.map_or(lease_until, |by| by.max(lease_until));
        Some(until).filter(|until| self.now < *until)
    }
}

/// Returns whether a session has an owner. `presence` looks for a process that was recorded on a node; `None` for a
/// node that was not recorded.
pub fn ownership(
    session: &LiveSession,
    question: &OwnerQuestion,
    presence: impl Fn(&ProcessIdentity, Option<&NodeIdentity>) -> Presence,
) -> Ownership {
    // A session without a lease has handed everything in, or was never at a feature: there is nothing to keep for it.
    let lease = session.attempts.iter().filter_map(|attempt| attempt.lease_until).max();
    let holds = lease.and_then(|until| question.holds(until));
    let Some(process) = &session.process else {
        // Its starter held the project, and does so no more: nothing will come up any more.
        let is_abandoned = question.begins_run && !is_servers(session);
        return match holds {
            Some(until) if !is_abandoned => Ownership::NotYetUp { until },
            Some(_) | None => Ownership::Dead,
        };
    };
    match (presence(process, session.node.as_ref()), holds) {
        (Presence::Alive, _) => Ownership::Lives,
        (Presence::OutOfSight, Some(until)) => Ownership::Elsewhere { until },
        (Presence::Gone, _) | (Presence::OutOfSight, None) => Ownership::Dead,
    }
}

/// Returns whether a session is that of an MCP server that claims for itself.
fn is_servers(session: &LiveSession) -> bool {
    session.agent.strip_prefix(SERVER_AGENT).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// A session with a claim whose lease ran out, as it was seen.
struct Seen {
    session: LiveSession,
    /// Of its process, where it has said which that is.
    presence: Option<Presence>,
}

impl Store {
    /// Asks now, with what this store has seen of a database that takes no writes.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn owner_question(&self, lease: SignedDuration) -> Result<OwnerQuestion, StoreError> {
        Ok(self.question_at(self.now()?, lease))
    }

    fn question_at(&self, now: Timestamp, lease: SignedDuration) -> OwnerQuestion {
        OwnerQuestion { now, lease, writable_since: self.writable.since(now), begins_run: false }
    }

    /// Takes back the claims whose lease ran out and whose session has no owner any more, and returns their features.
    /// Claims of owners that live get another lease: they could not renew it, asleep or stopped.
    ///
    /// A server's session that nobody runs ends with its claims. That of a runner stays: whoever ends it has to clear
    /// away what the runner left.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn reap_unowned(
        &self,
        lease: SignedDuration,
        limits: &AttemptLimits,
        presence: impl Fn(&ProcessIdentity, Option<&NodeIdentity>) -> Presence,
    ) -> Result<Vec<FeatureId>, StoreError> {
        let now = self.now()?;
        let is_due = |attempt: &Attempt| attempt.lease_until.is_some_and(|until| until <= now);
        let due: BTreeSet<_> =
            self.live_attempts()?.iter().filter(|live| is_due(live)).map(|live| live.session).collect();
        if due.is_empty() {
            return Ok(Vec::new());
        }
        // Looked for outside the write: nobody waits for a look at processes.
        let live = self.live_sessions()?.into_iter().filter(|session| due.contains(&session.id));
        let seen = live.map(|session| Seen {
            presence: session.process.as_ref().map(|process| presence(process, session.node.as_ref())),
            session,
        });
        let seen: Vec<Seen> = seen.collect();
        self.write(|tx, now| {
            // Judged in its turn: whoever had to wait for it knows only now that nobody could renew meanwhile.
            let question = self.question_at(now, lease);
            let mut taken = Vec::new();
            for seen in &seen {
                taken.extend(settle(tx, seen, &question, limits)?);
            }
            // A session that is over owns nothing; whoever ended it was killed before he ended its attempts.
            for session in &due {
                if sessions::owner(tx, *session)?.is_none() {
                    taken.extend(endings::take_back(tx, now, limits, |of| of == *session)?);
                }
            }
            Ok(taken)
        })
    }
}

/// Does what has to be done about a session, unless it has another owner now than was looked for.
fn settle(
    tx: &Transaction<'_>,
    seen: &Seen,
    question: &OwnerQuestion,
    limits: &AttemptLimits,
) -> Result<Vec<FeatureId>, Fail> {
    let session = seen.session.id;
    if sessions::owner(tx, session)?.is_none_or(|owner| owner != seen.session.process) {
        return Ok(Vec::new());
    }
    let now = question.now;
    let presence = |_: &ProcessIdentity, _: Option<&NodeIdentity>| seen.presence.unwrap_or(Presence::Gone);
    match ownership(&seen.session, question, presence) {
        Ownership::Lives => {
            tx.prepare_cached(
                "UPDATE attempts SET lease_until = ?2 WHERE session_id = ?1 AND ended_at IS NULL AND lease_until <= ?3",
            )?
            .execute((Id(session), Micros(after(now, question.lease)), Micros(now)))?;
            Ok(Vec::new())
        }
        Ownership::Elsewhere { .. } | Ownership::NotYetUp { .. } => Ok(Vec::new()),
        Ownership::Dead => {
            let taken = endings::take_back(tx, now, limits, |of| of == session)?;
            if is_servers(&seen.session) && seen.session.process.is_some() {
                let outcome = SessionOutcome::NotStarted { reason: "its server was gone".to_owned() };
                let ms = now.duration_since(seen.session.started_at).as_millis();
                sessions::end(tx, now, session, &outcome, u64::try_from(ms).unwrap_or(0))?;
            }
            Ok(taken)
        }
    }
}

#[cfg(test)]
mod tests;
