//! The table at the end of a run.

use cogwork_schemas::Standing;
use cogwork_store::{Store, StoreError};
use cogwork_views::FeatureLine;

use super::{cut, duration, short, standing_word, table};

/// Returns every feature with outcome, attempts, evidence and time.
///
/// # Errors
///
/// The store's.
pub(crate) fn summary(store: &Store) -> Result<String, StoreError> {
    let row = |line: FeatureLine| {
        [
            line.feature.id.to_string(),
            cut(&line.feature.name, 44),
            outcome(&line),
            line.attempts.to_string(),
            evidence(&line),
            duration(line.worked_ms),
        ]
    };
    let rows: Vec<_> = FeatureLine::of_project(store)?.into_iter().map(row).collect();
    Ok(table(["id", "feature", "outcome", "attempts", "evidence", "time"], &rows))
}

/// Where it stands, and what its last attempt came to where that says more.
fn outcome(line: &FeatureLine) -> String {
    let word = standing_word(line.standing);
    match (line.standing, &line.last) {
        (Standing::GivenUp | Standing::Ready | Standing::Blocked, Some(outcome)) => {
            format!("{word}: {}", cut(&outcome.to_string(), 58 - line.standing.word().len()))
        }
        _ => word,
    }
}

fn evidence(line: &FeatureLine) -> String {
    let Some(proof) = line.proof_in_words() else { return "–".to_owned() };
    match &line.commit {
        Some(commit) => format!("{proof} at {}", short(commit)),
        None => proof,
    }
}
