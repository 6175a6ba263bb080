//! The table at the end of a run.

use cogwork_schemas::{CheckPhase, Feature, Proof, Standing};
use cogwork_store::{AttemptRecord, Store, StoreError};

use super::short;
use super::{cut, duration, standing_word, table};
use crate::cli::standing;

/// Returns every feature with outcome, attempts, evidence and time.
///
/// # Errors
///
/// The store's.
pub(crate) fn summary(store: &Store) -> Result<String, StoreError> {
    let (graph, mut rows) = (store.graph()?, Vec::new());
    for feature in store.features()? {
        let attempts = store.attempts_of(feature.id)?;
        rows.push([
            feature.id.to_string(),
            cut(&feature.name, 44),
            standing_in_words(standing(&feature, &graph), &attempts),
            attempts.len().to_string(),
            evidence(&feature, &attempts),
            duration(worked_ms(&attempts)),
        ]);
    }
    Ok(table(["id", "feature", "outcome", "attempts", "evidence", "time"], &rows))
}

/// Where it stands, and what its last attempt came to where that says more.
fn standing_in_words(standing: Standing, attempts: &[AttemptRecord]) -> String {
    let last = attempts.last().and_then(|attempt| attempt.outcome.as_ref());
    match (standing, last) {
        (Standing::GivenUp | Standing::Ready | Standing::Blocked, Some(outcome)) => {
            let told = cut(&outcome.to_string(), 58 - standing.word().len());
            format!("{}: {told}", standing_word(standing))
        }
        (standing, _) => standing_word(standing),
    }
}

fn evidence(feature: &Feature, attempts: &[AttemptRecord]) -> String {
    let Some(proof) = feature.proof else { return "–".to_owned() };
    let checks = match feature.checks.len() {
        0 => String::new(),
        1 => "1 check, ".to_owned(),
        n => format!("{n} checks, "),
    };
    let seen = match proof {
        Proof::RedGreen => "red → green",
        Proof::AlreadyGreen => "green before the work",
        Proof::Unverified => "the agent's word",
    };
    let commit = attempts
        .last()
        .and_then(|attempt| {
            let merged = attempt.evidence.iter().rev().find(|evidence| evidence.phase == CheckPhase::Merged);
            merged.and_then(|evidence| evidence.commit.as_deref())
        })
        .map_or_else(String::new, |commit| format!(" at {}", short(commit)));
    format!("{checks}{seen}{commit}")
}

/// The time between claims and their ends, over all attempts.
fn worked_ms(attempts: &[AttemptRecord]) -> u64 {
    attempts
        .iter()
        .filter_map(|attempt| attempt.ended_at.map(|end| end.duration_since(attempt.started_at).as_millis()))
        .filter_map(|ms| u64::try_from(ms).ok())
        .sum()
}
