//! The table at the end of a run.

use cogwork_schemas::{CheckPhase, Feature, Status};
use cogwork_store::{AttemptRecord, Store, StoreError};

use super::{cut, duration, table};
use super::{proof_word, short};

/// Returns every feature with outcome, attempts, evidence and time.
///
/// # Errors
///
/// The store's.
pub(crate) fn summary(store: &Store) -> Result<String, StoreError> {
    let mut rows = Vec::new();
    for feature in store.features()? {
        let attempts = store.attempts_of(feature.id)?;
        rows.push([
            feature.id.to_string(),
            cut(&feature.name, 44),
            outcome(&feature, &attempts),
            attempts.len().to_string(),
            evidence(&feature, &attempts),
            duration(worked_ms(&attempts)),
        ]);
    }
    Ok(table(["id", "feature", "outcome", "attempts", "evidence", "time"], &rows))
}

fn outcome(feature: &Feature, attempts: &[AttemptRecord]) -> String {
    let last = || attempts.last().and_then(|attempt| attempt.outcome.as_ref());
    match feature.status {
        Status::Passing => "passing".to_owned(),
        Status::Parked => {
            cut(&format!("given up: {}", last().map_or_else(String::new, ToString::to_string)), 60)
        }
        Status::NeedsHuman => "needs a person".to_owned(),
        Status::Claimed if attempts.last().is_some_and(|attempt| attempt.submitted.is_some()) => {
            "green, waits to land".to_owned()
        }
        Status::Claimed => "under way".to_owned(),
        Status::Pending => match last() {
            Some(outcome) => cut(&outcome.to_string(), 60),
            None => "not started".to_owned(),
        },
    }
}

fn evidence(feature: &Feature, attempts: &[AttemptRecord]) -> String {
    let Some(proof) = feature.proof else { return "–".to_owned() };
    let checks = match feature.checks.len() {
        0 => String::new(),
        1 => ", 1 check".to_owned(),
        n => format!(", {n} checks"),
    };
    let commit = attempts
        .last()
        .and_then(|attempt| {
            let merged = attempt.evidence.iter().rev().find(|evidence| evidence.phase == CheckPhase::Merged);
            merged.and_then(|evidence| evidence.commit.as_deref())
        })
        .map_or_else(String::new, |commit| format!(" at {}", short(commit)));
    format!("{}{checks}{commit}", proof_word(proof))
}

/// The time between claims and their ends, over all attempts.
fn worked_ms(attempts: &[AttemptRecord]) -> u64 {
    attempts
        .iter()
        .filter_map(|attempt| attempt.ended_at.map(|end| end.duration_since(attempt.started_at).as_millis()))
        .filter_map(|ms| u64::try_from(ms).ok())
        .sum()
}
