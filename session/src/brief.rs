//! What an agent is told: the prompt's kind and what it knows, read from the store and the place where it works.
//!
//! The one way to a prompt, for sessions and for whoever wants to see what a session would be told. It reads and
//! changes nothing; the words themselves are the crate `prompts`'.

use std::path::Path;

use cogwork_prompts::{Coding, Hints, PreviousAttempt, Prompt, RedCheck, Repair, Review, Testing};
use cogwork_schemas::{Feature, Isolation, Role, Status};
use cogwork_store::{AttemptRecord, Store, StoreError};

/// How many earlier attempts a prompt tells of: enough to see a pattern, few enough to be read.
const TOLD_ATTEMPTS: usize = 3;

/// Where an agent works.
#[derive(Debug, Clone)]
pub struct Place {
    /// The names of the files and directories in its root.
    pub names: Vec<String>,
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
    place: &Place,
    how: How,
) -> Result<Prompt, StoreError> {
    let Place { names, isolation, branch } = place.clone();
    let (hints, yolo) = (Hints::of(&names), how.yolo);
    if role == Role::Testing {
        let testing = Testing { feature: feature.into(), isolation, branch, hints, yolo };
        return Ok(Prompt::Testing(Box::new(testing)));
    }
    let past = store.past_of(feature.id)?;
    let previous = previous(&past.failures);
    let note = past.note.map(|note| note.text);
    if past.has_passed {
        let repair = Repair {
            feature: feature.into(),
            isolation,
            branch,
            hints,
            yolo,
            reported: store.last_report(feature.id)?,
            red: past.red.iter().filter_map(RedCheck::of).collect(),
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
pub fn names(dir: &Path) -> Vec<String> {
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

/// Returns the last of the attempts that failed; the very last one shows what it left red.
fn previous(failures: &[AttemptRecord]) -> Vec<PreviousAttempt> {
    let told = &failures[failures.len().saturating_sub(TOLD_ATTEMPTS)..];
    let tell = |(index, record): (usize, &AttemptRecord)| {
        let red = if index + 1 == told.len() { record.left_red() } else { Vec::new() };
        PreviousAttempt {
            number: record.number,
            outcome: record.outcome.as_ref().map(ToString::to_string).unwrap_or_default(),
            red: red.iter().filter_map(RedCheck::of).collect(),
        }
    };
    told.iter().enumerate().map(tell).collect()
}
