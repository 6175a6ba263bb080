//! What differs between two commits, and between a commit, an index and files, path by path.
//!
//! Answers questions and changes nothing but an index file of its own, which it removes.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::git::call::records;
use crate::git::{Git, GitError, name};

/// The mode of a submodule, of which an index holds the commit and a working tree a whole repository.
const GITLINK: &str = "160000";

/// What a path is in a commit or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) mode: String,
    pub(super) object: String,
}

impl Entry {
    /// Returns what a line of git's raw format says; `None` when the path is not there.
    fn parse(mode: &str, object: &str) -> Option<Self> {
        (mode != "000000").then(|| Self { mode: mode.to_owned(), object: object.to_owned() })
    }

    pub(super) fn is_gitlink(&self) -> bool {
        self.mode == GITLINK
    }
}

/// What became of one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) old: Option<Entry>,
    pub(super) new: Option<Entry>,
}

/// Paths relative to the top of a working tree, in git's bytes.
pub(super) type Paths = BTreeSet<Vec<u8>>;
pub(super) type Changes = BTreeMap<Vec<u8>, Change>;

impl Git {
    /// Returns what differs between two commits.
    pub(super) async fn changes(&self, from: &str, to: &str) -> Result<Changes, GitError> {
        name::check_revision(from)?;
        name::check_revision(to)?;
        let args = [
            "diff-tree",
            "-r",
            "--raw",
            "-z",
            "--no-renames",
            "--full-index",
            "--no-ext-diff",
            "--no-textconv",
        ];
        let diff = self.call("compare two commits", args).args([from, to, "--"]);
        Ok(parse_raw(&diff.run().await?.stdout))
    }

    /// Returns where the index of this working tree is not as `commit`.
    pub(super) async fn index_changes(&self, commit: &str) -> Result<Changes, GitError> {
        name::check_revision(commit)?;
        let args = [
            "diff-index",
            "--cached",
            "--raw",
            "-z",
            "--no-renames",
            "--full-index",
            "--no-ext-diff",
            "--no-textconv",
        ];
        let diff = self.call("compare the index", args).args([commit, "--"]);
        Ok(parse_raw(&diff.run().await?.stdout))
    }

    /// Returns those paths whose file is not as its entry, where `None` is absence. git compares, by an index of its
    /// own, so that modes, links, line ends and filters count as they do everywhere. A submodule is never unlike:
    /// what is checked out in it is its own affair. Neither is a directory that stands where nothing should.
    pub(super) async fn files_unlike<'a>(
        &self,
        entries: impl IntoIterator<Item = (&'a Vec<u8>, Option<&'a Entry>)>,
        config: &[String],
    ) -> Result<Paths, GitError> {
        let mut unlike = Paths::new();
        let mut expected = Vec::new();
        for (path, entry) in entries {
            match entry {
                None if self.is_file(path) => drop(unlike.insert(path.clone())),
                None => {}
                Some(entry) if entry.is_gitlink() => {}
                Some(entry) => expected.extend(index_line(path, entry)),
            }
        }
        if !expected.is_empty() {
            let index = OwnIndex::new(&self.git_dir().await?);
            let update = self.call("make an index", ["update-index", "-z", "--index-info"]);
            update.env("GIT_INDEX_FILE", &index.0).stdin(expected).run().await?;
            let args = ["diff", "-z", "--name-only", "--no-renames", "--no-ext-diff", "--no-textconv", "--"];
            let diff = self.call("compare the files", args).config(config);
            let said = diff.env("GIT_INDEX_FILE", &index.0).run().await?;
            unlike.extend(records(&said.stdout).map(<[u8]>::to_vec));
        }
        Ok(unlike)
    }

    /// Returns whether the file is the beginning of what `entry` would put there: a git was killed, or the power
    /// failed, while it was written. Nothing is lost with such a file, nor with none at all.
    pub(super) async fn is_cut_short(
        &self,
        path: &[u8],
        entry: &Entry,
        config: &[String],
    ) -> Result<bool, GitError> {
        let at = self.path_of(path);
        match fs::symlink_metadata(&at) {
            // git removes a file before it writes the next one.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(true),
            Ok(found) if found.is_file() && entry.mode.starts_with("100") => {}
            Ok(_) | Err(_) => return Ok(false),
        }
        let args = ["cat-file", "--filters"];
        let mut by_path = std::ffi::OsString::from("--path=");
        by_path.push(OsStr::from_bytes(path));
        let whole = self.call("read a file of a commit", args).arg(by_path).arg(&entry.object).config(config);
        let whole = match whole.run().await {
            Ok(said) => said.stdout,
            // Too large to be held: then it counts as a person's.
            Err(GitError::TooMuchOutput { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let part = fs::read(&at).map_err(|source| GitError::Unreadable { path: at, source })?;
        Ok(part.len() < whole.len() && whole.starts_with(&part))
    }

    /// Returns whether this working tree leaves out some of its files.
    pub(super) async fn is_sparse(&self) -> Result<bool, GitError> {
        let args = ["config", "--type=bool", "--get", "core.sparseCheckout"];
        let sparse = self.call("read the configuration", args).or_code(1).run().await?;
        Ok(sparse.line() == "true")
    }

    /// Returns the paths that a sparse checkout leaves out of the working tree.
    pub(super) async fn left_out(&self) -> Result<Paths, GitError> {
        if !self.is_sparse().await? {
            return Ok(Paths::new());
        }
        let list = self.call("list the index", ["ls-files", "-t", "-z"]).run().await?;
        Ok(records(&list.stdout).filter_map(|entry| Some(entry.strip_prefix(b"S ")?.to_vec())).collect())
    }

    pub(super) fn path_of(&self, path: &[u8]) -> PathBuf {
        self.dir().join(OsStr::from_bytes(path))
    }

    /// Returns whether something other than a directory is there.
    pub(super) fn is_file(&self, path: &[u8]) -> bool {
        fs::symlink_metadata(self.path_of(path)).is_ok_and(|found| !found.is_dir())
    }
}

/// Returns the line with which `git update-index --index-info` puts an entry at a path.
pub(super) fn index_line(path: &[u8], entry: &Entry) -> Vec<u8> {
    [format!("{} {}\t", entry.mode, entry.object).as_bytes(), path, b"\0"].concat()
}

/// Returns the line that takes the path away, where an entry was.
pub(super) fn removal_line(path: &[u8], was: &Entry) -> Vec<u8> {
    // The mode says it; the object only has to be of the right length.
    [format!("0 {}\t", was.object).as_bytes(), path, b"\0"].concat()
}

/// Reads `:mode mode object object status NUL path NUL`, again and again.
fn parse_raw(stdout: &[u8]) -> Changes {
    let mut fields = records(stdout);
    let mut changes = Changes::new();
    while let (Some(what), Some(path)) = (fields.next(), fields.next()) {
        let what = String::from_utf8_lossy(what);
        let parts: Vec<&str> = what.trim_start_matches(':').split(' ').collect();
        let [old_mode, new_mode, old, new, status] = parts[..] else { continue };
        let change = match status {
            // An unmerged path is like nothing.
            "U" => Change { old: None, new: Entry::parse("unmerged", new) },
            _ => Change { old: Entry::parse(old_mode, old), new: Entry::parse(new_mode, new) },
        };
        changes.insert(path.to_vec(), change);
    }
    changes
}

/// The name of an index file beside the real one, for comparisons.
const OWN_INDEX: &str = "cogwork-compare";

/// An index file beside the real one, gone when dropped.
struct OwnIndex(PathBuf);

impl OwnIndex {
    fn new(git_dir: &Path) -> Self {
        remove_own_index(git_dir);
        Self(git_dir.join(OWN_INDEX))
    }
}

impl Drop for OwnIndex {
    fn drop(&mut self) {
        if let Some(git_dir) = self.0.parent() {
            remove_own_index(git_dir);
        }
    }
}

/// Removes the index for comparisons, with the lock that a killed git leaves on it.
pub(super) fn remove_own_index(git_dir: &Path) {
    for name in [OWN_INDEX.to_owned(), format!("{OWN_INDEX}.lock")] {
        // Usually there is none.
        fs::remove_file(git_dir.join(name)).ok();
    }
}

/// Returns the part of a path in a working tree that is no directory but would have to be one, if there is one.
pub(super) fn parent_in_the_way(top: &Path, path: &[u8]) -> Option<Vec<u8>> {
    let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
    for end in ends {
        let parent = &path[..end];
        match fs::symlink_metadata(top.join(OsStr::from_bytes(parent))) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Some(parent.to_vec()),
            Err(_) => return None,
        }
    }
    None
}

/// Removes a file that may be gone already.
pub(super) fn remove_file(path: &Path) -> Result<(), GitError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(GitError::Io { path: path.to_owned(), source })
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
