//! What an agent is told: the prompt's kind and what it knows, read from the store and the place where it works.
//!
//! The one way to a prompt, for sessions and for whoever wants to see what a session would be told. It reads and
//! changes nothing; the words themselves are the crate `prompts`'.

use std::path::Path;

use cogwork_prompts::{Coding, Hints, PreviousAttempt, Prompt, RedCheck, Repair, Review, Testing};
use cogwork_schemas::{AttemptOutcome, CheckPhase, Feature, Isolation, Role, Status};
use cogwork_store::{AttemptRecord, Store, StoreError};

/// How many earlier attempts a prompt tells of: enough to see a pattern, few enough to be read.
const TOLD_ATTEMPTS: usize = 3;

/// Where an agent works.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The directory with the project's files: a workspace, or the project itself.
    pub dir: &'a Path,
    pub isolation: Isolation,
    /// The branch that is checked out there; none without git.
    pub branch: Option<String>,
}

/// How an agent is to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// How many features its session may have, one after the other.
    pub batch: u32,
    /// It tries nothing out by itself.
    pub yolo: bool,
}

/// Returns the prompt of a session of this role for this feature. One that has passed before and does not any more is
/// to be repaired, not built.
///
/// # Errors
/// The store's.
pub fn for_feature(
    store: &Store,
    feature: &Feature,
    role: Role,
    place: &Place<'_>,
    how: How,
) -> Result<Prompt, StoreError> {
    let Place { isolation, branch, .. } = place.clone();
    let (hints, yolo) = (hints(place.dir), how.yolo);
    if role == Role::Testing {
        let testing = Testing { feature: feature.into(), isolation, branch, hints, yolo };
        return Ok(Prompt::Testing(Box::new(testing)));
    }
    let records = store.attempts_of(feature.id)?;
    let landed = records.iter().rposition(|record| record.outcome == Some(AttemptOutcome::Landed));
    // What was tried before it passed taught its lesson.
    let since = &records[landed.map_or(0, |landed| landed + 1)..];
    let previous = previous(since);
    let note = None;
    if landed.is_some() {
        let repair = Repair {
            feature: feature.into(),
            isolation,
            branch,
            hints,
            yolo,
            reported: store.last_report(feature.id)?,
            red: red_now(since),
            previous,
            note,
        };
        return Ok(Prompt::Repair(Box::new(repair)));
    }
    let name_of = |id| store.feature(id).map(|feature| feature.name);
    let builds_on = feature.dependencies.iter().copied().map(name_of).collect::<Result<_, _>>()?;
    let coding = Coding {
        feature: feature.into(),
        isolation,
        branch,
        hints,
        builds_on,
        batch: how.batch,
        yolo,
        previous,
        note,
    };
    Ok(Prompt::Coding(Box::new(coding)))
}

/// Returns the prompt with which somebody reviews the work on a feature.
///
/// # Errors
/// The store's.
pub fn for_review(store: &Store, feature: &Feature, dir: &Path) -> Result<Prompt, StoreError> {
    let records = store.attempts_of(feature.id)?;
    let commit = records.into_iter().rev().find_map(|record| record.submitted?.commit);
    let passes = feature.status == Status::Passing;
    Ok(Prompt::Review(Box::new(Review { feature: feature.into(), hints: hints(dir), commit, passes })))
}

/// Returns what the names in a directory give away; nothing when it cannot be read, which is for others to say.
pub(crate) fn hints(dir: &Path) -> Hints {
    Hints::of(&names(dir))
}

/// Returns the names of a directory's entries, sorted, directories with a slash at the end.
pub(crate) fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| {
            let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let name = entry.file_name().into_string().ok()?;
            Some(if is_dir { format!("{name}/") } else { name })
        })
        .collect();
    names.sort_unstable();
    names
}

/// Returns what earlier attempts came to that failed by their own fault; what befell them teaches nothing. The last of
/// them shows what it left red.
fn previous(records: &[AttemptRecord]) -> Vec<PreviousAttempt> {
    let failed = |record: &&AttemptRecord| record.outcome.as_ref().is_some_and(AttemptOutcome::costs_attempt);
    let failed: Vec<&AttemptRecord> = records.iter().filter(failed).collect();
    let told = &failed[failed.len().saturating_sub(TOLD_ATTEMPTS)..];
    let last = told.last().map(|record| record.id);
    let tell = |record: &&AttemptRecord| {
        let red = if Some(record.id) == last { left_red(record) } else { Vec::new() };
        let outcome = record.outcome.as_ref().map(ToString::to_string).unwrap_or_default();
        PreviousAttempt { number: record.number, outcome, red }
    };
    told.iter().map(tell).collect()
}

/// Returns the checks that an attempt left red, by their last runs after the work.
fn left_red(record: &AttemptRecord) -> Vec<RedCheck> {
    last_runs(record, |phase| matches!(phase, CheckPhase::After | CheckPhase::Merged))
}

/// Returns the checks that are red by the newest look at them, whoever looked and when.
fn red_now(records: &[AttemptRecord]) -> Vec<RedCheck> {
    let newest = records.iter().rev().find(|record| !record.evidence.is_empty());
    newest.map(|record| last_runs(record, |_| true)).unwrap_or_default()
}

fn last_runs(record: &AttemptRecord, counts: impl Fn(CheckPhase) -> bool) -> Vec<RedCheck> {
    let mut reports: Vec<&cogwork_schemas::CheckReport> = Vec::new();
    for evidence in record.evidence.iter().filter(|evidence| counts(evidence.phase)) {
        reports.retain(|report| report.command != evidence.report.command);
        reports.push(&evidence.report);
    }
    reports.into_iter().filter_map(RedCheck::of).collect()
}
