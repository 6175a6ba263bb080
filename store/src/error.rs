//! What can go wrong in the store, each with a sentence for the person who meets it.
//!
//! The sentences name the value that was wrong and what to do next; the fields are for programs. No SQL and no
//! type of the database library shows here.

mod class;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use cogwork_schemas::{AttemptId, FeatureId, Hold, ProcessIdentity, RunId, SessionId, Status};
use jiff::Timestamp;
use rusqlite::ErrorCode;
use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;

use crate::graph::Cycle;
use crate::types::ListProblem;
use crate::{absence, backups};
pub use class::ErrorClass;

/// Why the store refused or could not do what was asked. What follows from it, [`StoreError::class`] says. Nothing was
/// changed when one of these is returned, but for [`StoreError::Unanswered`].
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no database in this directory.
    #[error("there is no Cogwork project in {}: run `cogwork import FILE.json --project-dir {}` first", path.display(), path.display())]
    NoProject { path: PathBuf },

    /// A project cannot be made in a directory that does not exist.
    #[error("the directory {} does not exist: create it first", path.display())]
    NoDirectory { path: PathBuf },

    /// The original's files cannot be taken over, and nothing was changed.
    #[error("{} cannot be taken over: {fault}", path.display())]
    NotAdopted { path: PathBuf, fault: AdoptionFault },

    /// A feature list has mistakes; all of them are here.
    #[error("the feature list cannot be imported, nothing was changed:{}", bullets(problems))]
    BadList { problems: Vec<ListProblem> },

    /// No feature has this id; `highest` is the largest id there is.
    #[error("there is no feature {id}: {}", id_hint(*highest))]
    UnknownFeature { id: FeatureId, highest: Option<FeatureId> },

    /// No run has this id.
    #[error("there is no run {id}: a run begins with `cogwork run`")]
    UnknownRun { id: RunId },

    /// No session has this id.
    #[error("there is no session {id}: sessions begin by claiming a feature")]
    UnknownSession { id: SessionId },

    /// A process reports itself for a session that was ended meanwhile; it has nothing to do any more.
    #[error("session {id} is over: start nothing for it and end this process")]
    SessionOver { id: SessionId },

    /// The feature cannot be claimed in its present state.
    #[error("feature {id} cannot be claimed: it {}. {}", hold.in_words().0, hold.in_words().1)]
    NotClaimable { id: FeatureId, hold: Hold },

    /// Somebody else works on the feature.
    #[error("feature {id} is already claimed by session {owner} since {since}: choose another feature")]
    AlreadyClaimed { id: FeatureId, owner: SessionId, since: Timestamp },

    /// The token shown does not, or no longer, give the right to change the feature.
    #[error("{}", stale_text(*feature, *attempt, ended.as_deref()))]
    StaleToken {
        feature: Option<FeatureId>,
        attempt: Option<AttemptId>,
        /// The word of the outcome its attempt ended with.
        ended: Option<String>,
    },

    /// A session that was to be taken over has another owner than the one that was seen to be dead.
    #[error("attempt {attempt} of session {session} belongs to {}: leave it alone", owner.as_ref().map_or_else(|| "a process that has not named itself".to_owned(), |owner| format!("process {}", owner.pid)))]
    OwnerChanged { attempt: AttemptId, session: SessionId, owner: Option<ProcessIdentity> },

    /// The checks shown are not all green, or do not cover all checks of the feature.
    #[error("feature {feature} is not green: {}", not_green_text(red, missing))]
    NotGreen {
        feature: FeatureId,
        /// Commands that are red.
        red: Vec<String>,
        /// Commands that were not run.
        missing: Vec<String>,
    },

    /// Its checks were red on the commit that is handed in, so what makes them green is not in it.
    #[error(
        "feature {feature} is green without any commit: what its checks see is ignored by git, in a submodule or \
         outside the project; put it into files of the project that git does not ignore"
    )]
    NothingCommitted { feature: FeatureId },

    /// Work can only land after it was submitted.
    #[error(
        "feature {feature} cannot land: its attempt {attempt} was not submitted; submit its green checks first"
    )]
    NotSubmitted { feature: FeatureId, attempt: AttemptId },

    /// A dependency was added or went red while the work was under way.
    #[error("feature {feature} cannot land yet: {} does not pass; land it after that", id_list(waiting_for))]
    DependencyNotPassing { feature: FeatureId, waiting_for: Vec<FeatureId> },

    /// More dependencies than a feature may have.
    #[error(
        "feature {feature} would have {found} dependencies, more than {limit}: split it, or raise the limit"
    )]
    TooManyDependencies { feature: FeatureId, found: usize, limit: usize },

    /// A feature cannot depend on itself.
    #[error("feature {feature} cannot depend on itself: name another feature")]
    DependsOnItself { feature: FeatureId },

    /// The operation does not fit where the feature stands.
    #[error("feature {id} cannot be {action}: it is {}", status_word(*status))]
    WrongStatus { id: FeatureId, action: &'static str, status: Status },

    /// What decides about a feature is fixed once somebody has worked on it.
    #[error("the checks of feature {id} cannot be changed: work on it has begun")]
    Begun { id: FeatureId },

    /// A question to a person is not one that can be answered.
    #[error("the question cannot be asked, nothing was changed: {}", problems.iter().map(|(path, what)| format!("{path} {what}")).collect::<Vec<_>>().join("; "))]
    BadQuestion {
        /// Each the path of a field and what is wrong with it.
        problems: Vec<(String, String)>,
    },

    /// An answer does not fit the question.
    #[error("the answer to feature {id} does not fit the question, nothing was changed: {}", misfits.join("; "))]
    BadAnswer { id: FeatureId, misfits: Vec<String> },

    /// Only a parked feature can be retried.
    #[error("feature {id} is {}, not parked: there is nothing to retry", status_word(*status))]
    NotParked { id: FeatureId, status: Status },

    /// An operation was called in a way that its documentation excludes.
    #[error("{what}; this is a mistake in Cogwork, please report it")]
    Misuse { what: &'static str },

    /// Features depend on each other in a circle.
    #[error(transparent)]
    Cycle(#[from] Cycle),

    /// Another process held the database for too long.
    #[error("{} has been busy for {waited_s} s{}: wait for it to finish or stop it, then try again", path.display(), holder_text(*holder))]
    Busy {
        path: PathBuf,
        /// The process that holds the write lock, where that is known.
        holder: Option<i32>,
        waited_s: u64,
    },

    /// The file was written by a newer version.
    #[error("{} was written by a newer Cogwork (schema {found}, this one knows {known}): upgrade cogwork", path.display())]
    Newer { path: PathBuf, found: i64, known: i64 },

    /// The SQLite in this program has a known bug that damages databases.
    #[error(
        "this Cogwork was built with SQLite {found}, which can damage databases: build it with SQLite 3.51.3 or newer"
    )]
    OldSqlite { found: String },

    /// The file is a database of another program.
    #[error("{} holds tables that Cogwork did not make: move it away and run again", path.display())]
    NotOurs { path: PathBuf },

    /// The file that was opened is no longer the one at its path.
    #[error("{} was deleted or replaced while in use, nothing was written: stop all of cogwork, put the right file in place and start again", path.display())]
    Replaced { path: PathBuf },

    /// There is no file, though the project was in use.
    #[error("{} is missing, but {} says that there was one, and nothing was made in its place: {}", path.display(), trace.display(), remedy(path, backup.as_deref()))]
    DatabaseMissing {
        path: PathBuf,
        /// What only a used project has, or a copy outside it.
        trace: PathBuf,
        /// The newest copy there is.
        backup: Option<PathBuf>,
    },

    /// The file is damaged, or no database at all.
    #[error("{} is damaged ({detail}); it was left as it is: {}", path.display(), remedy(path, backup.as_deref()))]
    Corrupt {
        path: PathBuf,
        detail: String,
        /// The newest copy there is.
        backup: Option<PathBuf>,
    },

    /// The system gives no random numbers, and no secret can be made.
    #[error("the system gives no random numbers: nothing can be claimed on it")]
    NoRandomness {
        #[source]
        source: io::Error,
    },

    /// The disk has no room.
    #[error("the disk of {} is full, nothing was written: free some space and try again", path.display())]
    DiskFull { path: PathBuf },

    /// The file or its directory could not be written when it was opened, so it was opened for reading.
    #[error("{} cannot be written: make it and its directory writable for this user", path.display())]
    ReadOnly { path: PathBuf },

    /// The file was opened for writing and cannot be written at this moment.
    #[error("{} cannot be written at this moment, nothing was changed: make it, its directory and its disk writable again", path.display())]
    NotWritable { path: PathBuf },

    /// The disk failed before anything was kept.
    #[error("the disk of {} failed, nothing was changed: look at the disk, then try again", path.display())]
    DiskFailed {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The disk failed while the change was being kept: it may have been kept.
    #[error("the disk of {} failed at the end of a change, which may have been made: look at the disk, then look whether it was", path.display())]
    Unanswered {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The disk refuses the journal mode that keeps commits safe there.
    #[error("{} cannot be used: its disk refuses the journal mode `{wanted}` (it stays `{got}`); move the project to another disk", path.display())]
    JournalMode { path: PathBuf, wanted: &'static str, got: String },

    /// A file operation failed.
    #[error("cannot {action} {}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    /// The database failed in a way that has no sentence of its own.
    #[error("the database {} failed: run `cogwork doctor`", path.display())]
    Database {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What is wrong with a file of the original, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum AdoptionFault {
    #[error(
        "it is a symbolic link; put the file itself in its place, or move the link away to start without it"
    )]
    Link,
    #[error("it is no file; move it away")]
    NoFile,
    #[error("it is empty; restore it from a copy, or start without it: `cogwork import FILE.json`")]
    Empty,
    #[error("{source}; make it readable for this user, or move it away to start without it")]
    Unreadable {
        #[source]
        source: io::Error,
    },
    #[error("it is damaged ({detail}); restore it from a copy, or move it away to start without it")]
    Damaged { detail: String },
    #[error(
        "it holds no features of AutoForge or autocoder ({what}); start without it: `cogwork import FILE.json`"
    )]
    Foreign { what: &'static str },
    #[error("{} uses it; end that, then try again", user_text(*holder))]
    InUse {
        /// The process that holds it, where that is known.
        holder: Option<i32>,
    },
}

impl StoreError {
    /// Returns the error for a damaged file, which names its newest copy.
    pub(crate) fn corrupt(path: &Path, detail: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), detail: detail.into(), backup: backups::newest(path) }
    }
}

/// What stops a transaction: a refusal of ours, or the database's. Becomes a [`StoreError`] where the path is known.
#[derive(Debug)]
pub(crate) enum Fail {
    Refused(StoreError),
    /// What was found cannot be.
    Damaged(String),
    Sql(rusqlite::Error),
    /// The COMMIT failed.
    Commit(rusqlite::Error),
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Cycle> for Fail {
    fn from(cycle: Cycle) -> Self {
        Self::Refused(cycle.into())
    }
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl Fail {
    /// Gives the failure of the database at `path` its sentence.
    pub(crate) fn at(self, path: &Path) -> StoreError {
        let (error, at_commit) = match self {
            Self::Refused(error) => return error,
            Self::Damaged(detail) => return StoreError::corrupt(path, detail),
            Self::Sql(error) => (error, false),
            Self::Commit(error) => (error, true),
        };
        let path = path.to_owned();
        // The log's index cannot grow: an I/O error to SQLite, but it has one cause.
        if error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_SHMSIZE) {
            return StoreError::DiskFull { path };
        }
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StoreError::corrupt(&path, error.to_string())
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StoreError::Busy { path, holder: None, waited_s: crate::lock::LOCK_WAIT.as_secs() }
            }
            // Also at COMMIT: the record that makes a change count is the last one written, and it had no room.
            Some(ErrorCode::DiskFull) => StoreError::DiskFull { path },
            Some(ErrorCode::ReadOnly) => StoreError::NotWritable { path },
            // That record may be on the disk all the same, and a later reader of the log believes it.
            Some(ErrorCode::SystemIoFailure) if at_commit => {
                StoreError::Unanswered { path, source: error.into() }
            }
            Some(ErrorCode::SystemIoFailure) => StoreError::DiskFailed { path, source: error.into() },
            _ => StoreError::Database { path, source: error.into() },
        }
    }
}

/// Names both ways on: back to a copy, or anew.
fn remedy(database: &Path, backup: Option<&Path>) -> String {
    let Some(project) = absence::project_of(database) else {
        return "restore it from a copy, or move it away".to_owned();
    };
    let project = shell_word(&project);
    let restore = format!("cogwork restore --project-dir {project}");
    let copy = match backup {
        Some(backup) => {
            format!("stop all of cogwork and restore its newest copy, {}: `{restore}`", backup.display())
        }
        None => format!(
            "restore it from a copy: `{restore}` looks for one outside the project, `cogwork restore FILE --project-dir \
             {project}` takes yours"
        ),
    };
    format!(
        "{copy}; or begin anew, which sets what is left aside: `cogwork restore --begin-anew --project-dir {project}`"
    )
}

/// Returns a path as a shell takes it for itself.
pub fn shell_word(path: &Path) -> String {
    let word = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn bullets(problems: &[ListProblem]) -> String {
    problems.iter().map(|problem| format!("\n  - {problem}")).collect()
}

fn id_hint(highest: Option<FeatureId>) -> String {
    match highest {
        Some(highest) => format!("the highest is {highest}; `cogwork list` shows them all"),
        None => "the project has no features yet; `cogwork import FILE.json` adds some".to_owned(),
    }
}

fn id_list(ids: &[FeatureId]) -> String {
    ids.iter().map(FeatureId::to_string).collect::<Vec<_>>().join(", ")
}

fn stale_text(feature: Option<FeatureId>, attempt: Option<AttemptId>, ended: Option<&str>) -> String {
    match (feature, attempt) {
        (Some(feature), Some(attempt)) => {
            let how = ended.map_or_else(String::new, |word| format!(" ({})", word.replace('_', " ")));
            format!(
                "this session no longer owns feature {feature}: its attempt {attempt} has ended{how}; nothing was changed, stop working on it"
            )
        }
        (_, _) => {
            "the claim token is missing or unknown, nothing was changed: claim the feature first".to_owned()
        }
    }
}

fn not_green_text(red: &[String], missing: &[String]) -> String {
    let quoted =
        |commands: &[String]| commands.iter().map(|c| format!("`{c}`")).collect::<Vec<_>>().join(", ");
    match (red.is_empty(), missing.is_empty()) {
        (false, true) => format!("{} is red; fix the work and run the checks again", quoted(red)),
        (true, false) => format!("{} was not run; run all its checks", quoted(missing)),
        (_, _) => format!(
            "{} is red and {} was not run; fix the work and run all its checks",
            quoted(red),
            quoted(missing)
        ),
    }
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Pending => "pending",
        Status::Claimed => "claimed",
        Status::Passing => "passing",
        Status::Parked => "parked",
        Status::NeedsHuman => "waiting for a person",
    }
}

fn user_text(holder: Option<i32>) -> String {
    match holder {
        Some(pid) if pid > 0 => format!("process {pid}"),
        Some(_) | None => "another program".to_owned(),
    }
}

fn holder_text(holder: Option<i32>) -> String {
    match holder {
        Some(pid) => format!(" (process {pid} is writing)"),
        None => " (another program uses it)".to_owned(),
    }
}
