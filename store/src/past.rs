//! What earlier work on a feature teaches the next attempt: how it failed, what it left red, and the note it left.

use cogwork_schemas::{AttemptId, AttemptOutcome, CheckPhase, CheckReport, Fact, FeatureId, Token};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Transaction};

use crate::columns::{Id, Micros};
use crate::error::Fail;
use crate::features::status;
use crate::types::{Attempt, AttemptRecord, Note, Past};
use crate::{Store, StoreError, attempts, journal};

/// Characters of a note: what somebody reads before they begin, not a report.
pub const NOTE_CHARS: usize = 4_000;

impl Store {
    /// Leaves a note for the next attempt at a feature, in place of an earlier one. What is longer than
    /// [`NOTE_CHARS`] loses its middle; what is blank changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`].
    pub fn leave_note(&self, token: &Token, text: &str) -> Result<(), StoreError> {
        self.write_once("leave_note", |tx, now| leave(tx, now, &attempts::live(tx, token)?.attempt, text))
    }

    /// Leaves the last words of an attempt that ends unfinished, as [`Store::leave_note`] does, unless it has left a
    /// note itself: what was written for the next one is worth more than what was said to nobody.
    ///
    /// # Errors
    ///
    /// [`StoreError::StaleToken`].
    pub fn leave_last_words(&self, token: &Token, text: &str) -> Result<(), StoreError> {
        self.write_once("leave_last_words", |tx, now| {
            let attempt = attempts::live(tx, token)?.attempt;
            match read(tx, attempt.feature)?.is_some_and(|note| note.attempt == attempt.id) {
                true => Ok(()),
                false => leave(tx, now, &attempt, text),
            }
        })
    }

    /// Returns the note that was left last for whoever works on a feature next.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn note(&self, feature: FeatureId) -> Result<Option<Note>, StoreError> {
        self.read(|tx| read(tx, feature))
    }

    /// Returns what earlier work on a feature teaches. What was tried before it last passed has taught its lesson.
    ///
    /// # Errors
    ///
    /// [`StoreError::UnknownFeature`].
    pub fn past_of(&self, feature: FeatureId) -> Result<Past, StoreError> {
        self.read(|tx| {
            status(tx, feature)?;
            let mut records = attempts::records(tx, feature)?;
            let landed = records.iter().rposition(|record| record.outcome == Some(AttemptOutcome::Landed));
            let since = records.split_off(landed.map_or(0, |landed| landed + 1));
            let seen = since.iter().rev().find(|record| !record.evidence.is_empty());
            let red = seen.map(|record| red(record, |_| true)).unwrap_or_default();
            let failed =
                |record: &AttemptRecord| record.outcome.as_ref().is_some_and(AttemptOutcome::costs_attempt);
            Ok(Past {
                has_passed: landed.is_some() || was_reopened(tx, feature)?,
                red,
                failures: since.into_iter().filter(failed).collect(),
                note: read(tx, feature)?,
            })
        })
    }
}

impl AttemptRecord {
    /// Returns the checks that the attempt left red, by their last runs after the work.
    pub fn left_red(&self) -> Vec<CheckReport> {
        red(self, |phase| matches!(phase, CheckPhase::After | CheckPhase::Merged))
    }
}

fn leave(tx: &Transaction<'_>, now: Timestamp, attempt: &Attempt, text: &str) -> Result<(), Fail> {
    let Some(text) = bounded(text) else { return Ok(()) };
    tx.prepare_cached(
        "INSERT INTO notes (feature_id, attempt_id, at, text) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (feature_id) DO UPDATE SET attempt_id = ?2, at = ?3, text = ?4",
    )?
    .execute((Id(attempt.feature), Id(attempt.id), Micros(now), &text))?;
    journal::record(tx, now, attempt, &Fact::NoteLeft { text })?;
    Ok(())
}

/// Returns whether a feature passed and was found not to work: also one that was passing when it was taken over.
fn was_reopened(tx: &Transaction<'_>, feature: FeatureId) -> Result<bool, Fail> {
    Ok(tx
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM journal WHERE feature_id = ?1
                 AND fact ->> 'kind' = 'reported_failing'
                 AND CAST(fact ->> 'reopened' AS TEXT) IN ('1', 'true'))",
        )?
        .query_row([Id(feature)], |row| row.get(0))?)
}

/// Forgets the note about a feature that passes.
pub(crate) fn forget_note(tx: &Transaction<'_>, feature: FeatureId) -> Result<(), Fail> {
    tx.prepare_cached("DELETE FROM notes WHERE feature_id = ?1")?.execute([Id(feature)])?;
    Ok(())
}

fn read(tx: &Transaction<'_>, feature: FeatureId) -> Result<Option<Note>, Fail> {
    Ok(tx
        .prepare_cached("SELECT attempt_id, at, text FROM notes WHERE feature_id = ?1")?
        .query_row([Id(feature)], |row| {
            let (attempt, at): (Id<AttemptId>, Micros) = (row.get(0)?, row.get(1)?);
            Ok(Note { attempt: attempt.0, at: at.0, text: row.get(2)? })
        })
        .optional()?)
}

/// Returns the checks whose last run, of those that count, was red.
fn red(record: &AttemptRecord, counts: impl Fn(CheckPhase) -> bool) -> Vec<CheckReport> {
    let mut last: Vec<&CheckReport> = Vec::new();
    for evidence in record.evidence.iter().filter(|evidence| counts(evidence.phase)) {
        last.retain(|report| report.command != evidence.report.command);
        last.push(&evidence.report);
    }
    last.into_iter().filter(|report| !report.verdict.is_green()).cloned().collect()
}

/// Returns a note as it is kept; `None` when it says nothing.
fn bounded(text: &str) -> Option<String> {
    const CUT: &str = "\n[…]\n";
    let text = text.trim();
    let chars = text.chars().count();
    if chars <= NOTE_CHARS {
        return (!text.is_empty()).then(|| text.to_owned());
    }
    // The beginning says what it is about, the end how it went.
    let (head, tail) = (NOTE_CHARS / 4, NOTE_CHARS - NOTE_CHARS / 4 - CUT.chars().count());
    let end: String = text.chars().skip(chars - tail).collect();
    Some(text.chars().take(head).collect::<String>() + CUT + &end)
}
