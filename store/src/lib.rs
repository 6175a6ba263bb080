//! The state of a project: features, claims, evidence and journal in one SQLite file.
//!
//! Owns `<project>/.cogwork/features.db`, everything that is written to it, and its copies. Talks to nobody: programs call
//! [`Store`], whose operations are named after what people and agents do, each one transaction that also appends
//! its journal entries. No SQL, row or connection shows outside, because another engine will stand behind the
//! same operations one day. Reads no clock but the one it is opened with, never starts a
//! process.
//!
//! [`graph`] is the pure part: what is ready, blocked, cyclic and critical.

mod absence;
mod activity;
mod attempts;
mod backups;
mod batches;
mod calls;
mod claims;
mod clock;
mod columns;
mod commands;
mod dependencies;
mod disk;
mod endings;
mod error;
mod evidence;
mod export;
mod features;
mod file;
mod further;
pub mod graph;
mod import;
mod integrity;
mod journal;
mod kept;
mod landing;
mod landings;
mod legacy;
mod lock;
mod migrate;
mod nodes;
mod open;
mod outputs;
mod ownership;
mod past;
mod people;
mod restore;
mod runs;
mod search;
mod secret;
mod sessions;
mod state_home;
mod succession;
mod testing;
mod types;
mod writable;

use std::path::{Path, PathBuf};

use cogwork_schemas::{AttemptId, SessionId};

pub use activity::{ACTIVITY_CHARS, ACTIVITY_EVERY, Waiting};
pub use clock::TimeSource;
pub use commands::Pause;
pub use error::{AdoptionFault, ErrorClass, StoreError, shell_word};
pub use file::DatabaseFile;
pub use journal::JournalPage;
pub use landings::{LandedCommit, NewLanding, OpenLanding};
pub use open::Store;
pub use ownership::{OwnerQuestion, Ownership, RENEWALS_PER_LEASE, SERVER_AGENT, ownership};
pub use past::NOTE_CHARS;
pub use restore::{RestoreError, Restored, UnusableCopy};
pub use runs::{NewRun, RunRecord};
pub use secret::Secret;
pub use state_home::{OutsideCopy, StateHome};
pub use types::{
    Adoption, Attempt, AttemptLimits, AttemptRecord, Batch, Claim, Evidence, ImportLimits, Imported,
    ListProblem, LiveSession, Merge, NewFeature, NewSession, Next, Note, Past, Submitted, Taken,
};

/// The directory inside a project that holds everything of Cogwork's.
pub const STATE_DIR: &str = ".cogwork";

/// Returns the state directory of a project.
pub fn state_dir(project: &Path) -> PathBuf {
    project.join(STATE_DIR)
}

/// Returns where a session with isolation `workspace` works.
pub fn workspace_dir(project: &Path, session: SessionId) -> PathBuf {
    state_dir(project).join("workspaces").join(session.to_string())
}

/// Returns where the snapshots of such a session's workspace have their git directory.
pub fn snapshot_dir(project: &Path, session: SessionId) -> PathBuf {
    state_dir(project).join("snapshots").join(session.to_string())
}

/// What the refs of the project begin with that keep what attempts made: of this database, of earlier versions of this
/// program, and of a database that is gone.
pub const KEPT: [&str; 3] = ["refs/cogwork/kept/", "refs/cogwork/attempts/", "refs/cogwork/earlier/"];

/// Returns the attempt that a ref below [`KEPT`] is of; `None` when it is of a database that is gone.
pub fn kept_attempt(name: &str) -> Option<AttemptId> {
    let [kept, attempts, _] = KEPT;
    let rest = name.strip_prefix(kept).or_else(|| name.strip_prefix(attempts))?;
    rest.split('/').next()?.parse().ok().map(AttemptId)
}

/// Returns what the refs of the project begin with that keep what an attempt made, without the last `/`.
pub fn kept_prefix(attempt: AttemptId) -> String {
    format!("refs/cogwork/kept/{}", attempt.0)
}

/// Returns the ref of what an attempt handed in.
pub fn handed_in_ref(attempt: AttemptId) -> String {
    format!("{}/handed-in", kept_prefix(attempt))
}

/// Returns the ref of the files that an attempt left and did not hand in.
pub fn left_ref(attempt: AttemptId) -> String {
    format!("{}/left", kept_prefix(attempt))
}

/// Returns the branch that such a session works on, in its own clone.
pub fn session_branch(session: SessionId) -> String {
    format!("cogwork/{session}")
}
