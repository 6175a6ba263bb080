//! Objects on their way from a git directory of ours to a project's, without git.
//!
//! They are brought to the disk first: file by file, side by side, so that the file system can do it in one go. Only then
//! does the project see them, so that no power cut leaves half an object there. A fetch would fail for as long as any ref
//! of the project is broken.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::call::lines;
use super::{Git, GitError, name};

/// How many files are brought to the disk at a time: enough for the file system to take them together.
const AT_A_TIME: usize = 16;

impl Git {
    /// Brings a commit of a clone, which shares this repository's objects, here and to the disk, with what it has and
    /// `base` does not.
    ///
    /// # Errors
    ///
    /// As every call of git; also when an object is missing.
    pub async fn bring_from_clone(&self, clone: &Self, commit: &str, base: &str) -> Result<(), GitError> {
        name::check_revision(commit)?;
        name::check_revision(base)?;
        let list = ["rev-list", "--objects", "--no-object-names", commit, "--not", base, "--"];
        let listed = clone.call(&format!("look through {commit}"), list).run().await?.stdout;
        let (names, ours, theirs) =
            (files_of(&listed), clone.shared().await?.objects, self.shared().await?.objects);
        let place = theirs.clone();
        let done = tokio::task::spawn_blocking(move || hand_over(&names, &ours, &theirs)).await;
        done.map_err(|error| GitError::Unreadable { path: place, source: io::Error::other(error) })?
    }
}

/// Returns the files that loose objects lie in, below a directory of objects.
pub(super) fn files_of(listed: &[u8]) -> Vec<PathBuf> {
    lines(listed).filter_map(|object| Some(Path::new(object.get(..2)?).join(object.get(2..)?))).collect()
}

/// Puts objects, by their names below such a directory, from one of ours with those of a project, each as it is on the
/// disk. What ours does not have as a file is passed over: it is there, or in a repository that both share.
pub(super) fn hand_over(names: &[PathBuf], ours: &Path, theirs: &Path) -> Result<(), GitError> {
    let files: Vec<_> = names.iter().flat_map(|name| [ours.join(name), theirs.join(name)]).collect();
    bring_to_disk(&files)?;
    let mut dirs = BTreeSet::from([theirs.to_owned()]);
    // What refers to others comes before them in the list, and after them here.
    for name in names.iter().rev().filter(|name| ours.join(name).exists()) {
        let to = theirs.join(name);
        link(&ours.join(name), &to).map_err(|source| GitError::NotWritten { path: to.clone(), source })?;
        dirs.extend(to.parent().map(Path::to_owned));
    }
    // Most file systems have these on the disk when they have the ref there. Not all do.
    bring_to_disk(&dirs.into_iter().collect::<Vec<_>>())
}

/// Makes `to` the same file as `from`, which never changes; where that cannot be, a copy on the disk.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    let (Some(dir), Some(name)) = (to.parent(), to.file_name()) else { return Ok(()) };
    fs::create_dir_all(dir)?;
    match fs::hard_link(from, to) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // A name that git clears up.
            let draft = dir.join(format!("tmp_obj_{}", name.to_string_lossy()));
            fs::copy(from, &draft)?;
            File::open(&draft)?.sync_all()?;
            fs::rename(&draft, to)
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Waits until files or directories are on the disk. Those that are not there are passed over: an object may be in a
/// pack, or in another repository.
pub(super) fn bring_to_disk(paths: &[PathBuf]) -> Result<(), GitError> {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
            match File::open(path).and_then(|file| file.sync_all()) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(GitError::NotWritten { path: path.clone(), source });
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let others: Vec<_> = (1..AT_A_TIME.min(paths.len())).map(|_| scope.spawn(work)).collect();
        let mine = work();
        others.into_iter().filter_map(|other| other.join().ok()).fold(mine, Result::and)
    })
}
