//! Why git did not do it, in sentences.

use std::io;
use std::path::PathBuf;

use crate::contain::{Exit, StartError};

/// Why git did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git in the `PATH`.
    #[error("git is not installed, or not in the PATH: install it (https://git-scm.com)")]
    NotInstalled,
    /// git is there but could not be started.
    #[error(transparent)]
    NotStarted(StartError),
    /// It said no.
    #[error("git could not {purpose} ({exit}): {}", sentence(stderr))]
    Failed {
        /// What it was to do, as in "could not …".
        purpose: String,
        exit: Exit,
        /// The end of what it said.
        stderr: String,
    },
    /// It did not say no, and did not do it either.
    #[error("git did not {purpose}: it may be part of a history that is cut off")]
    Passed { purpose: String },
    /// Its locks were taken for seconds on end.
    #[error(
        "git could not {purpose}, because another git is at work there or was killed: {}",
        sentence(stderr)
    )]
    Locked { purpose: String, stderr: String },
    /// It was stopped at its time limit.
    #[error("git could not {purpose} within {limit_s} s")]
    TimedOut { purpose: String, limit_s: u64 },
    /// It said more than is read.
    #[error("git said too much to {purpose}: more than {limit} bytes")]
    TooMuchOutput { purpose: String, limit: usize },
    /// Somebody else made that ref first.
    #[error("the ref {name} exists already")]
    RefExists { name: String },
    /// Something is where a clone is to be.
    #[error("{} already exists and is not an empty directory", path.display())]
    NotEmpty { path: PathBuf },
    /// The directory is no clone any more: its `.git` is gone, or leads to another repository.
    #[error("{} is no repository of its own any more", path.display())]
    NotAClone { path: PathBuf },
    /// A name that git could take for an option or refuse.
    #[error("`{name}` cannot be used as {what}")]
    BadName { name: String, what: &'static str },
    /// More files and directories than a snapshot looks at.
    #[error(
        "the workspace has more than {limit} files that are not ignored: add what is built or downloaded to .gitignore"
    )]
    TooManyFiles { limit: usize },
    /// More new content than a snapshot takes, in bytes.
    #[error(
        "the new files of the workspace have more than {limit} bytes: add what is built or downloaded to .gitignore"
    )]
    TooMuchContent { limit: u64 },
    /// What was looked at became something else meanwhile, twice.
    #[error("{} changed while a snapshot was taken: end what still writes to it, and try again", path.display())]
    Changing { path: PathBuf },
    /// A file of Cogwork's or below `.git` could not be written.
    #[error("{} cannot be written", path.display())]
    NotWritten {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file of a working tree could not be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// A file below `.git` could not be removed.
    #[error("{} cannot be removed", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Returns what git said as one line: its errors if it named them as such, without its advice.
fn sentence(stderr: &str) -> String {
    let error =
        |line: &'_ str| Some(line.strip_prefix("fatal: ").or(line.strip_prefix("error: "))?.to_owned());
    let mut said: Vec<String> = stderr.lines().filter_map(error).collect();
    if said.is_empty() {
        let lines =
            stderr.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("hint:"));
        said = lines.map(str::to_owned).collect();
    }
    if said.is_empty() {
        return "it said nothing".to_owned();
    }
    // The last lines decide; a long list of files before them does not help.
    said[said.len().saturating_sub(3)..].join("; ")
}

/// Returns the file for whose sake git would not move a working tree; it names the first that it meets.
pub(super) fn unmoved_file(stderr: &str) -> Option<String> {
    let is_refusal = |line: &&str| {
        line.contains("not uptodate") || line.contains("would be overwritten") || line.contains("would lose")
    };
    let line = stderr.lines().find(is_refusal)?;
    Some(line.split_once('\'')?.1.rsplit_once('\'')?.0.to_owned())
}

/// Returns whether git failed because somebody else holds a lock, which passes.
pub(super) fn is_locked(stderr: &str) -> bool {
    stderr.contains("lock") && stderr.contains("File exists")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_becomes_one_line() {
        assert_eq!(sentence("hint: try\nerror: bad thing\nfatal: no\n\n"), "bad thing; no");
        assert_eq!(sentence("\n"), "it said nothing");
        let failed = GitError::Failed {
            purpose: "commit".into(),
            exit: Exit::Code(128),
            stderr: "fatal: not a git repository".into(),
        };
        assert_eq!(failed.to_string(), "git could not commit (exit code 128): not a git repository");
    }

    #[test]
    fn the_file_that_stays_is_named() {
        let file = |said| unmoved_file(said);
        assert_eq!(file("error: Entry 'a b' not uptodate. Cannot merge.\n").as_deref(), Some("a b"));
        let said = "error: Untracked working tree file 'it's' would be overwritten by merge.";
        assert_eq!(file(said).as_deref(), Some("it's"));
        assert_eq!(file("error: unable to create file x: No space left on device"), None);
    }

    #[test]
    fn only_a_lock_of_somebody_else_passes() {
        assert!(is_locked("fatal: Unable to create '/p/.git/index.lock': File exists."));
        assert!(is_locked("error: could not lock config file .git/config: File exists"));
        assert!(is_locked("cannot lock ref 'refs/a': Unable to create '/p/.git/refs/a.lock': File exists."));
        assert!(!is_locked("fatal: cannot lock ref 'refs/a': reference already exists"));
        assert!(!is_locked("fatal: cannot lock ref 'refs/a/b': 'refs/a' exists; cannot create 'refs/a/b'"));
        assert!(!is_locked("fatal: Unable to create '/p/.git/index.lock': Permission denied"));
    }
}
