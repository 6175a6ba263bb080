//! The index of one working tree, held by git's own lock, while files and branch change together.
//!
//! git takes `index.lock` for whatever changes an index. As long as it is ours no checkout, commit, stash or reset
//! comes between the files and the branch. The new index is drafted beside the old one and takes its place as a whole.

use std::ffi::OsString;
use std::fs::{self, File, FileTimes};
use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::trees::{self, remove_file};
use crate::git::locks::STALE_LOCK_AGE;
use crate::git::{Git, GitError};

/// Waits between tries while another git or an editor holds the lock: 5.3 s in all, after which one that nobody holds is
/// old enough to be left over ([`STALE_LOCK_AGE`]).
const WAITS_MS: [u64; 9] = [20, 40, 80, 160, 300, 800, 1200, 1300, 1400];

/// The index of a working tree, locked until this is dropped. A draft that was not kept goes with it.
#[derive(Debug)]
pub(super) struct LockedIndex {
    pub(super) git: Git,
    lock: PathBuf,
    index: PathBuf,
    draft: PathBuf,
    /// Open as long as the lock is ours, so that nobody takes it for left over.
    _open: File,
}

impl LockedIndex {
    /// Takes the lock, with `mark` in it; `None` when somebody else keeps it.
    pub(super) async fn take(git: Git, mark: &str) -> Result<Option<Self>, GitError> {
        let git_dir = git.git_dir().await?;
        let lock = git_dir.join("index.lock");
        let mut waits = WAITS_MS.into_iter();
        let open = loop {
            match File::options().write(true).create_new(true).open(&lock) {
                Ok(open) => break open,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => return Err(GitError::NotWritten { path: lock, source }),
            }
            match waits.next() {
                Some(wait) => tokio::time::sleep(Duration::from_millis(wait)).await,
                None if git.clear_stale_locks(STALE_LOCK_AGE).await?.contains(&lock) => {}
                None => return Ok(None),
            }
        };
        trees::remove_own_index(&git_dir);
        let (index, draft) = (git_dir.join("index"), git_dir.join("cogwork-index"));
        let mut locked = Self { git, lock, index, draft, _open: open };
        let written = locked._open.write_all(mark.as_bytes());
        written.map_err(|source| GitError::NotWritten { path: locked.lock.clone(), source })?;
        Ok(Some(locked))
    }

    /// Begins a draft that is as the index.
    pub(super) fn begin_draft(&self) -> Result<(), GitError> {
        remove_file(&self.draft)?;
        remove_file(&self.draft_lock())?;
        let copy = || {
            if !self.index.try_exists()? {
                return Ok(());
            }
            let written = fs::metadata(&self.index)?.modified()?;
            fs::copy(&self.index, &self.draft)?;
            // git looks twice at files that are as young as the index. A younger copy would hide an edit.
            File::options().write(true).open(&self.draft)?.set_times(FileTimes::new().set_modified(written))
        };
        copy().map_err(|source| GitError::NotWritten { path: self.draft.clone(), source })
    }

    /// Returns the file that git has to take for the index, to work on the draft.
    pub(super) fn draft(&self) -> &PathBuf {
        &self.draft
    }

    /// Puts the draft in the place of the index, which stays locked.
    pub(super) fn keep_draft(&self) -> Result<(), GitError> {
        fs::rename(&self.draft, &self.index)
            .map_err(|source| GitError::NotWritten { path: self.index.clone(), source })
    }

    /// git's own lock on the draft, which one that was killed leaves.
    fn draft_lock(&self) -> PathBuf {
        let mut lock: OsString = self.draft.clone().into();
        lock.push(".lock");
        lock.into()
    }
}

impl Drop for LockedIndex {
    fn drop(&mut self) {
        for file in [&self.draft, &self.draft_lock(), &self.lock] {
            // What stays is left over, and is taken for that.
            fs::remove_file(file).ok();
        }
    }
}

/// Gives back the lock that an earlier life took, if it is one: it says `mark`.
pub(super) async fn release_left_over(git: &Git, mark: &str) -> Result<(), GitError> {
    let lock = git.git_dir().await?.join("index.lock");
    match fs::read(&lock) {
        Ok(text) if text == mark.as_bytes() => remove_file(&lock),
        Ok(_) | Err(_) => Ok(()),
    }
}
