//! What sessions do while they live: waiting, going on, what they take and what they are at. Nothing here decides
//! anything; the session's own files have all of it, and this is what readers elsewhere are told.

use cogwork_schemas::{Activity, Fact, SessionId, SessionOutcome, Usage};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, Transaction};

use crate::columns::{Id, Json, Micros};
use crate::error::Fail;
use crate::journal::{self, About};
use crate::{Store, StoreError};

/// What a session does is told at most so often. Ten sessions that work through a night write some twenty thousand
/// entries then, about as many as the checks of a project of that size, and a reader is never further behind than
/// somebody who looks over their shoulder.
pub const ACTIVITY_EVERY: SignedDuration = SignedDuration::from_secs(15);

/// Characters of a tool call or of a path: one line of a terminal, which is where it is shown.
pub const ACTIVITY_CHARS: usize = 120;

/// Why a session does nothing for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub until: Timestamp,
    pub because: SessionOutcome,
}

impl Store {
    /// Records that a session waits, until when and for what. Told again only when either changed; nothing is when
    /// the session is over.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSession`].
    pub fn session_waits(
        &self,
        session: SessionId,
        until: Timestamp,
        because: &SessionOutcome,
    ) -> Result<(), StoreError> {
        self.write(|tx, now| {
            let waiting = Waiting { until, because: because.clone() };
            let Some(told) = told(tx, session)? else { return Ok(()) };
            if told.waiting.as_ref() == Some(&waiting) {
                return Ok(());
            }
            tx.prepare_cached("UPDATE sessions SET waits_until = ?2, waits_for = ?3 WHERE id = ?1")?
                .execute((Id(session), Micros(until), Json(because)))?;
            journal::record(
                tx,
                now,
                About::from(session),
                &Fact::SessionWaits { until, because: because.clone() },
            )?;
            Ok(())
        })
    }

    /// Records that a session goes on. Changes nothing when it does not wait.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSession`].
    pub fn session_goes_on(&self, session: SessionId) -> Result<(), StoreError> {
        self.write(|tx, now| {
            if told(tx, session)?.is_none_or(|told| told.waiting.is_none()) {
                return Ok(());
            }
            stop_waiting(tx, session)?;
            journal::record(tx, now, About::from(session), &Fact::SessionGoesOn)?;
            Ok(())
        })
    }

    /// Records what a session has taken so far, in place of what was said before. The journal tells it once, at the
    /// session's end; what comes after that is lost.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSession`].
    pub fn record_usage(&self, session: SessionId, usage: &Usage) -> Result<(), StoreError> {
        self.write(|tx, _| {
            if told(tx, session)?.is_none() {
                return Ok(());
            }
            // The cost has a column of its own, to be added up.
            let tokens = Usage { cost_usd: None, ..*usage };
            let cost = usage.cost_usd.filter(|cost| *cost >= 0.0);
            tx.prepare_cached("UPDATE sessions SET usage = ?2, cost_usd = ?3 WHERE id = ?1")?.execute((
                Id(session),
                Json(tokens),
                cost,
            ))?;
            Ok(())
        })
    }

    /// Records what a session is doing, each text cut to [`ACTIVITY_CHARS`], and returns whether it did. It does not
    /// when nothing changed, when the last one is younger than [`ACTIVITY_EVERY`], or when the session is over: the
    /// caller may offer what it has then again later.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownSession`].
    pub fn record_activity(&self, session: SessionId, activity: &Activity) -> Result<bool, StoreError> {
        let short = |text: &Option<String>| text.as_ref().map(|text| bounded(text, ACTIVITY_CHARS));
        let activity = Activity {
            tool: short(&activity.tool),
            change: short(&activity.change),
            checks: activity.checks,
        };
        self.write(|tx, now| {
            let Some(told) = told(tx, session)? else { return Ok(false) };
            let early = told.activity_at.is_some_and(|at| now < at + ACTIVITY_EVERY);
            if early || told.activity.as_ref() == Some(&activity) {
                return Ok(false);
            }
            tx.prepare_cached("UPDATE sessions SET activity = ?2, activity_at = ?3 WHERE id = ?1")?
                .execute((Id(session), Json(&activity), Micros(now)))?;
            journal::record(tx, now, About::from(session), &Fact::SessionActive { activity })?;
            Ok(true)
        })
    }
}

/// What was told of a session that lives.
struct Told {
    waiting: Option<Waiting>,
    activity: Option<Activity>,
    activity_at: Option<Timestamp>,
}

/// Reads what was told of a session; `None` when it is over.
fn told(tx: &Transaction<'_>, id: SessionId) -> Result<Option<Told>, Fail> {
    let found = tx
        .prepare_cached(
            "SELECT ended_at IS NOT NULL, waits_until, waits_for, activity, activity_at FROM sessions WHERE id = ?1",
        )?
        .query_row([Id(id)], |row| {
            let told = Told {
                waiting: waiting(row.get(1)?, row.get(2)?),
                activity: row.get::<_, Option<Json<_>>>(3)?.map(|activity| activity.0),
                activity_at: row.get::<_, Option<Micros>>(4)?.map(|at| at.0),
            };
            Ok((row.get::<_, bool>(0)?, told))
        })
        .optional()?;
    match found {
        Some((is_over, told)) => Ok((!is_over).then_some(told)),
        None => Err(StoreError::UnknownSession { id }.into()),
    }
}

/// Builds what two columns say of a session's wait.
pub(crate) fn waiting(until: Option<Micros>, because: Option<Json<SessionOutcome>>) -> Option<Waiting> {
    until.zip(because).map(|(until, because)| Waiting { until: until.0, because: because.0 })
}

/// Builds what two columns say of a session's usage.
pub(crate) fn usage(tokens: Option<Json<Usage>>, cost_usd: Option<f64>) -> Option<Usage> {
    tokens.map(|tokens| Usage { cost_usd, ..tokens.0 })
}

/// Ends a session's wait without a word.
pub(crate) fn stop_waiting(tx: &Transaction<'_>, session: SessionId) -> Result<(), Fail> {
    tx.prepare_cached("UPDATE sessions SET waits_until = NULL, waits_for = NULL WHERE id = ?1")?
        .execute([Id(session)])?;
    Ok(())
}

/// Returns a text of at most so many characters, on one line, with a mark where it was cut.
pub(crate) fn bounded(text: &str, chars: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= chars {
        return line;
    }
    line.chars().take(chars.saturating_sub(1)).chain(['…']).collect()
}
