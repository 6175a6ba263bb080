//! Finishing what a git of an earlier life left half done, without ever touching what the user did.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::call::records;
use super::{Git, GitError, lossy, name};
use crate::clock;
use crate::contain::is_held;

/// What was done about a fast-forward that may have been interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Healed {
    /// It was finished: HEAD, index and working tree are at the target.
    Finished,
    /// It had been finished; nothing was changed.
    NothingToDo,
    /// HEAD is neither where it began nor where it was to end; nothing was changed.
    Elsewhere { head: Option<String> },
    /// These paths hold somebody's own work; nothing was changed.
    UsersFiles { files: Vec<String> },
}

/// How old a lock must be before it is taken for left over: git writes a lock and takes it back within milliseconds.
const STALE_LOCK_AGE: Duration = Duration::from_secs(5);

/// How often a lock that may still go is looked at.
const LOCK_LOOK_EVERY: Duration = Duration::from_millis(200);

type Paths = BTreeSet<Vec<u8>>;

impl Git {
    /// Finishes a fast-forward of the current branch from the commit `from` to `to` that may have been interrupted
    /// at any moment: before it began, with files half written out, with HEAD moved or not. Whether
    /// that branch is the right one is the caller's to know.
    ///
    /// It does so only if that can lose nothing: each dirty path, tracked or not, is one that differs between the
    /// two commits, and both the file and its entry in the index are as in one of the two. So a file that was cut
    /// short by a power loss counts as the user's. A git of an earlier life that still runs is waited for, and locks
    /// that are left over are removed ([`Git::clear_stale_locks`]), for 5 s at most.
    pub async fn heal_interrupted_ff(&self, from: &str, to: &str) -> Result<Healed, GitError> {
        let (from, to) = (self.commit(from).await?, self.commit(to).await?);
        self.outwait_locks().await?;
        let head = self.head().await?;
        let is_at = |commit: &str| head.as_deref() == Some(commit);
        if !is_at(&from) && !is_at(&to) {
            return Ok(Healed::Elsewhere { head });
        }
        let changed: Paths = self.changed(&from, &to).await?.into_iter().collect();
        let files_behind = self.files_unlike(&to, &changed).await?;
        let index_behind: Paths = self.index_unlike(&to).await?.intersection(&changed).cloned().collect();
        if is_at(&to) && files_behind.is_empty() && index_behind.is_empty() {
            return Ok(Healed::NothingToDo);
        }
        let dirty: Paths = self.status("all").await?.into_iter().collect();
        let mut theirs: Paths = dirty.difference(&changed).cloned().collect();
        theirs.extend(self.files_unlike(&from, &files_behind).await?);
        theirs.extend(self.index_unlike(&from).await?.intersection(&index_behind).cloned());
        if !theirs.is_empty() {
            return Ok(Healed::UsersFiles { files: theirs.iter().map(|path| lossy(path)).collect() });
        }
        self.reset_hard(&to).await?;
        Ok(Healed::Finished)
    }

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
    async fn outwait_locks(&self) -> Result<(), GitError> {
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

    async fn commit(&self, revision: &str) -> Result<String, GitError> {
        let commit = self.resolve(revision).await?;
        commit.ok_or_else(|| GitError::BadName {
            name: revision.to_owned(),
            what: "a commit: there is none of that name",
        })
    }

    async fn git_dir(&self) -> Result<PathBuf, GitError> {
        let args = ["rev-parse", "--absolute-git-dir"];
        let mut said = self.call("find the .git directory", args).run().await?.stdout;
        said.truncate(said.trim_ascii_end().len());
        let dir = PathBuf::from(OsString::from_vec(said));
        // As the kernel names the files that a process has open.
        Ok(dir.canonicalize().unwrap_or(dir))
    }

    /// Returns the paths whose entry in the index is not as in `commit`.
    async fn index_unlike(&self, commit: &str) -> Result<Paths, GitError> {
        name::check_revision(commit)?;
        let args =
            ["diff-index", "--cached", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv"];
        let said = self.call("compare the index", args).args([commit, "--"]).run().await?;
        Ok(records(&said.stdout).map(<[u8]>::to_vec).collect())
    }

    /// Returns those of `paths` whose file is not as in `commit`, absence included. git compares, by an index of its
    /// own, so that modes, links, line ends and filters count as they do everywhere.
    async fn files_unlike(&self, commit: &str, paths: &Paths) -> Result<Paths, GitError> {
        let listed =
            self.call("list a commit's files", ["ls-tree", "-r", "-z", "--full-tree", commit]).run().await?;
        let mut entries = Vec::new();
        let mut absent = paths.clone();
        for entry in records(&listed.stdout) {
            // `mode type object<TAB>path`, which is also what `update-index` reads
            let path = entry.iter().position(|byte| *byte == b'\t').map_or(&b""[..], |tab| &entry[tab + 1..]);
            if absent.remove(path) {
                entries.extend_from_slice(entry);
                entries.push(0);
            }
        }
        let is_there = |path: &Vec<u8>| fs::symlink_metadata(self.dir.join(OsStr::from_bytes(path))).is_ok();
        let mut unlike: Paths = absent.into_iter().filter(is_there).collect();
        if !entries.is_empty() {
            let index = OwnIndex::new(&self.git_dir().await?);
            let update = self.call("make an index", ["update-index", "-z", "--index-info"]);
            update.env("GIT_INDEX_FILE", &index.0).stdin(entries).run().await?;
            let args = ["diff", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", "--"];
            let diff = self.call("compare the files", args).config(&self.disarmed().await?);
            let said = diff.env("GIT_INDEX_FILE", &index.0).run().await?;
            unlike.extend(records(&said.stdout).map(<[u8]>::to_vec));
        }
        Ok(unlike)
    }
}

/// An index file beside the real one, gone when dropped.
struct OwnIndex(PathBuf);

impl OwnIndex {
    fn new(git_dir: &Path) -> Self {
        let own = Self(git_dir.join(format!("cogwork-heal-{}", std::process::id())));
        own.remove();
        own
    }

    fn remove(&self) {
        // Usually there is none.
        fs::remove_file(&self.0).ok();
    }
}

impl Drop for OwnIndex {
    fn drop(&mut self) {
        self.remove();
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
