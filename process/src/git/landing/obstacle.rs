//! What a person has in a working tree that a landing would overwrite.
//!
//! git refuses to overwrite edits and untracked files by itself, and names one. It overwrites ignored files, which are
//! looked for here beforehand: what is ignored can be a database or a key.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::trees::{Changes, Paths, parent_in_the_way};
use crate::git::{Git, GitError, lossy};

/// Files that are looked at in a directory that would have to go. What is beyond them is for git to find.
const LOOKED_AT: usize = 10_000;

/// Returns the paths below `top` where something may stand that `changes` would overwrite, tracked or not, ignored or
/// not; and where a file is missing that it would bring back. [`Git::obstacles`] knows what of it counts.
pub(super) fn in_the_way(top: &Path, changes: &Changes) -> Paths {
    let mut found = Paths::new();
    for (path, change) in changes {
        if change.new.is_none() {
            continue;
        }
        if let Some(parent) = parent_in_the_way(top, path) {
            if changes.get(&parent).is_none_or(|parent| parent.old.is_none()) {
                found.insert(parent);
            }
            continue;
        }
        let at = top.join(std::ffi::OsStr::from_bytes(path));
        let Ok(there) = fs::symlink_metadata(&at) else {
            if change.old.is_some() {
                found.insert(path.clone());
            }
            continue;
        };
        if there.is_dir() {
            let is_submodule =
                [&change.old, &change.new].into_iter().flatten().any(super::trees::Entry::is_gitlink);
            if !is_submodule {
                found.extend(first_foreign(top, &at, changes));
            }
        } else if change.old.is_none() && !is_renamed_case(top, path, there.ino(), changes) {
            found.insert(path.clone());
        }
    }
    found
}

/// Returns a file below `dir` that no commit took there, if there is one.
fn first_foreign(top: &Path, dir: &Path, changes: &Changes) -> Option<Vec<u8>> {
    let mut open = vec![dir.to_owned()];
    let mut looked_at = 0;
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            looked_at += 1;
            if looked_at > LOOKED_AT {
                return None;
            }
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(top).unwrap_or(&path).as_os_str().as_bytes();
            if changes.get(name).is_none_or(|change| change.old.is_none()) {
                return Some(name.to_vec());
            }
        }
    }
    None
}

/// Returns whether the file at `path` is one that goes, under a name that differs in its case alone, where the file
/// system takes both for one.
fn is_renamed_case(top: &Path, path: &[u8], inode: u64, changes: &Changes) -> bool {
    let is_the_file = |old: &Vec<u8>| {
        let old = fs::symlink_metadata(top.join(std::ffi::OsStr::from_bytes(old)));
        old.is_ok_and(|old| old.ino() == inode)
    };
    let removed = changes.iter().filter(|(_, change)| change.new.is_none()).map(|(path, _)| path);
    removed.filter(|old| old.eq_ignore_ascii_case(path)).any(is_the_file)
}

impl Git {
    /// Returns what keeps this tree from going from `from` through `changes`: what is in the way, and what is edited
    /// or staged otherwise. To be asked where git has refused; `found` is what [`in_the_way`] says.
    pub(super) async fn obstacles(
        &self,
        from: &str,
        changes: &Changes,
        mut found: Paths,
        config: &[String],
    ) -> Result<Vec<String>, GitError> {
        let staged = self.index_changes(from).await?;
        let left_out = self.left_out().await?;
        let mut as_before = Vec::new();
        for (path, change) in changes {
            match staged.get(path) {
                // Staged as it will be: git lets it be, whatever its file is.
                Some(staged) if staged.new == change.new => drop(found.remove(path)),
                Some(_) => drop(found.insert(path.clone())),
                None if left_out.contains(path) => drop(found.remove(path)),
                // Both have removed it.
                None if change.new.is_none() && !self.is_file(path) => {}
                None => as_before.push((path, change.old.as_ref())),
            }
        }
        found.extend(self.files_unlike(as_before, config).await?);
        Ok(found.iter().map(|path| lossy(path)).collect())
    }
}
