//! The main branch: how green work reaches it, one attempt at a time, in steps that can each fail.
//!
//! [`Landing`] decides which step is next and what an attempt comes to; it does nothing. The port
//! [`MainBranch`](crate::ports::MainBranch) does one step at a time: [`GitMain`] with git and real checks, the
//! simulator in its own way. Every step can be repeated: a run that was killed between git and the database finds its
//! work on the branch and only records it.

mod checks;
mod git;
mod keep;
mod landing;

use cogwork_schemas::{AttemptId, Check, CheckReport, SessionId};
use cogwork_store::Taken;

pub use checks::Checks;
pub use git::{GitMain, GitSteps, STALE_LOCK, heal};
pub use landing::{Landing, Next, Verdict};

/// Which task is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(pub u64);

/// One step on the way to the main branch, or beside it.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    /// Bring what was handed in to where it can be merged. Answered by [`TaskAnswer::Collected`].
    Collect { session: SessionId, attempt: AttemptId, commit: Option<String>, foreign: Vec<String> },
    /// Merge it with the main branch as it is now: what it changed since `base`, whatever its history claims. Answered by
    /// [`TaskAnswer::Merged`].
    Merge { tip: String, base: Option<String>, message: String },
    /// Run checks on the merge. Answered by [`TaskAnswer::Checked`].
    Check { checks: Vec<Check> },
    /// Run checks in the project's own directory, where there is nothing to merge. Answered by [`TaskAnswer::Checked`].
    CheckInProject { checks: Vec<Check> },
    /// Move the main branch. Answered by [`TaskAnswer::Moved`].
    Move { from: String, to: String, message: String },
    /// Keep what a session made and did not land under refs, then remove its workspace. Answered by
    /// [`TaskAnswer::Kept`].
    Keep { session: SessionId, taken: Vec<Taken> },
    /// Find out which of these commits are not on the main branch. Answered by [`TaskAnswer::Confirmed`].
    Confirm { commits: Vec<String> },
}

/// The answer to a task.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskAnswer {
    Collected(Collected),
    Merged(Merged),
    Checked(Vec<CheckReport>),
    Moved(Moved),
    /// `stays` says why the workspace stays, where it does.
    Kept {
        stays: Option<String>,
    },
    Confirmed {
        missing: Vec<String>,
    },
    /// The task could not be done, and may be tried again.
    Failed {
        reason: String,
    },
}

/// What was found of the work that was handed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Collected {
    Here {
        tip: String,
    },
    /// Its commit is nowhere.
    Nowhere,
    /// It holds other work of its session that did not land.
    Foreign,
}

/// What came of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Merged {
    /// `commit` is the merge of the work with `onto`, the tip of the main branch.
    Clean {
        onto: String,
        commit: String,
    },
    /// The work is on the main branch, whose tip is `onto`, already.
    AlreadyThere {
        onto: String,
    },
    Conflict {
        files: Vec<String>,
    },
    /// It would bring what must not land.
    Refused {
        reason: String,
    },
    /// The main branch is gone.
    NoBranch {
        reason: String,
    },
}

/// What came of moving the main branch. It is looked at afterwards: [`Moved::There`] is what it *is*.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// The commit is on the main branch.
    There,
    /// The main branch is not where it was any more.
    Elsewhere,
    /// Something of a person's is in the way.
    InUse { reason: String },
}
