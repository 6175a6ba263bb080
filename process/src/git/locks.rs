//! The lock files of git: those that a killed git left are removed, those of a living one are waited for.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Git, GitError};
use crate::clock;
use crate::contain::is_held;

/// How old a lock must be before it is taken for left over: git writes a lock and takes it back within milliseconds.
pub(super) const STALE_LOCK_AGE: Duration = Duration::from_secs(5);

/// How often a lock that may still go is looked at.
const LOCK_LOOK_EVERY: Duration = Duration::from_millis(200);

impl Git {
    /// Removes the lock files of this repository's index and refs that a killed git left, and returns them.
    ///
    /// Left over means: at least `age` old, no living process has it open, and no git works in this tree (git closes
    /// its lock while the user writes a commit message). Where that cannot be told (anywhere but on Linux), nothing
    /// is removed. With all processes of a workspace gone, `age` may be zero.
    pub async fn clear_stale_locks(&self, age: Duration) -> Result<Vec<PathBuf>, GitError> {
        let mut removed = Vec::new();
        for lock in locks_in(&self.git_dir().await?) {
            let Ok(written) = fs::metadata(&lock).and_then(|lock| lock.modified()) else {
                continue;
            };
            let top = self.dir.canonicalize().unwrap_or_else(|_| self.dir.clone());
            if clock::age(written) >= age && is_held(&lock, &top) == Some(false) {
                remove(&lock)?;
                tracing::warn!(lock = %lock.display(), "removed a lock that a killed git left");
                removed.push(lock);
            }
        }
        Ok(removed)
    }

    /// Waits until a git that still runs is done, and removes the locks of one that does not; gives up in time for
    /// the calls that follow to say what is wrong.
    pub(super) async fn outwait_locks(&self) -> Result<(), GitError> {
        let git_dir = self.git_dir().await?;
        let end = clock::now() + STALE_LOCK_AGE + LOCK_LOOK_EVERY;
        loop {
            self.clear_stale_locks(STALE_LOCK_AGE).await?;
            if locks_in(&git_dir).is_empty() || clock::now() > end {
                return Ok(());
            }
            tokio::time::sleep(LOCK_LOOK_EVERY).await;
        }
    }

    pub(super) async fn git_dir(&self) -> Result<PathBuf, GitError> {
        let args = ["rev-parse", "--absolute-git-dir"];
        let mut said = self.call("find the .git directory", args).run().await?.stdout;
        said.truncate(said.trim_ascii_end().len());
        let dir = PathBuf::from(OsString::from_vec(said));
        // As the kernel names the files that a process has open.
        Ok(dir.canonicalize().unwrap_or(dir))
    }
}

/// Returns the lock files of index, HEAD, packed refs and single refs.
fn locks_in(git_dir: &Path) -> Vec<PathBuf> {
    let is_lock = |path: &PathBuf| path.extension() == Some(OsStr::new("lock"));
    let mut locks: Vec<PathBuf> = entries_of(git_dir).into_iter().filter(is_lock).collect();
    let mut open = vec![git_dir.join("refs")];
    while let Some(dir) = open.pop() {
        for path in entries_of(&dir) {
            if fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir()) {
                open.push(path);
            } else if is_lock(&path) {
                locks.push(path);
            }
        }
    }
    locks
}

fn entries_of(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn remove(path: &Path) -> Result<(), GitError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(GitError::Io { path: path.to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
