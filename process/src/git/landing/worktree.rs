//! Which working trees a repository has, what is checked out in each, and what a person is in the middle of there.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::git::call::records;
use crate::git::{Git, GitError};

/// One working tree of a repository, the main one or a linked one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Worktree {
    pub(super) path: PathBuf,
    /// The full name of the branch that is checked out; `None` when HEAD is detached, as in the middle of a rebase.
    pub(super) branch: Option<String>,
    pub(super) is_locked: bool,
    /// The main one has the repository's git directory for its own. A repository that is bare names itself here.
    pub(super) is_main: bool,
    /// Its own git directory; `None` when its files are not there: it was deleted by hand, lies on a disk that is not
    /// plugged in, or there is another repository now.
    git_dir: Option<PathBuf>,
}

/// What stands in a git directory while a person is in the middle of something, and what to say about it.
const OPEN: [(&str, &str); 6] = [
    ("MERGE_HEAD", "a merge is open"),
    ("CHERRY_PICK_HEAD", "a cherry-pick is open"),
    ("REVERT_HEAD", "a revert is open"),
    ("sequencer", "a cherry-pick or revert is open"),
    ("rebase-apply", "a rebase or `git am` is open"),
    ("rebase-merge", "a rebase is open"),
];

impl Git {
    /// Returns the working trees of this repository.
    pub(super) async fn worktrees(&self) -> Result<Vec<Worktree>, GitError> {
        let args = ["worktree", "list", "--porcelain", "-z"];
        let mut trees = parse_list(&self.call("list the working trees", args).run().await?.stdout);
        let Some(own) = git_dir_of(self.dir()) else { return Ok(trees) };
        let common = common_of(&own);
        if let Some(main) = trees.iter_mut().find(|tree| tree.is_main) {
            // git takes the directory that the git directory lies in for the main tree, or the git directory itself.
            let place =
                if own == common { Some(real(self.dir())) } else { self.configured_tree(&common).await? };
            if let Some(place) = place {
                main.path = place;
            }
        }
        for tree in &mut trees {
            tree.git_dir = git_dir_of(&tree.path).filter(|git_dir| common_of(git_dir) == common);
        }
        Ok(trees)
    }

    /// Returns where the repository at `common` has its main tree, if that is written down in it, as a submodule's is.
    async fn configured_tree(&self, common: &Path) -> Result<Option<PathBuf>, GitError> {
        let get = self.call("look for the main working tree", ["config", "-z", "--get", "core.worktree"]);
        let said = get.env("GIT_DIR", common).or_code(1).run().await?;
        let path = records(&said.stdout).next().map(|path| common.join(OsStr::from_bytes(path)));
        Ok(path.map(|path| real(&path)))
    }
}

impl Worktree {
    /// Returns whether its files are there.
    pub(super) fn is_there(&self) -> bool {
        self.git_dir.is_some()
    }

    /// Returns what a person is in the middle of in this tree, if anything.
    pub(super) fn open_operation(&self) -> Option<&'static str> {
        let git_dir = self.git_dir.as_ref()?;
        OPEN.iter().find(|(name, _)| git_dir.join(name).exists()).map(|(_, what)| *what)
    }

    /// Returns whether a rebase here will write to `branch` (a full name) when it ends. HEAD is detached meanwhile.
    pub(super) fn is_rebasing(&self, branch: &str) -> bool {
        let Some(git_dir) = &self.git_dir else { return false };
        let heads = ["rebase-merge/head-name", "rebase-apply/head-name", "rebase-merge/update-refs"];
        heads.iter().any(|name| {
            let text = fs::read_to_string(git_dir.join(name)).unwrap_or_default();
            text.lines().any(|line| line == branch)
        })
    }
}

/// Returns the git directory that a working tree has or names, as the kernel names it.
fn git_dir_of(tree: &Path) -> Option<PathBuf> {
    let link = tree.join(".git");
    if link.is_dir() {
        return link.canonicalize().ok();
    }
    let text = fs::read(&link).ok()?;
    let dir = Path::new(OsStr::from_bytes(text.trim_ascii().strip_prefix(b"gitdir: ")?));
    tree.join(dir).canonicalize().ok()
}

/// Returns the repository's git directory, which that of a linked tree names in a file.
fn common_of(git_dir: &Path) -> PathBuf {
    match fs::read(git_dir.join("commondir")) {
        Ok(text) => real(&git_dir.join(OsStr::from_bytes(text.trim_ascii()))),
        Err(_) => git_dir.to_owned(),
    }
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// Reads `git worktree list --porcelain -z`: a paragraph for each, its lines ended by NUL, itself by one more. The main
/// one comes first.
fn parse_list(stdout: &[u8]) -> Vec<Worktree> {
    let mut trees = Vec::new();
    for line in stdout.split(|byte| *byte == 0) {
        if let Some(path) = line.strip_prefix(b"worktree ") {
            let path = PathBuf::from(OsStr::from_bytes(path));
            let is_main = trees.is_empty();
            trees.push(Worktree { path, branch: None, is_locked: false, is_main, git_dir: None });
        } else if let Some(tree) = trees.last_mut() {
            if let Some(branch) = line.strip_prefix(b"branch ") {
                tree.branch = Some(String::from_utf8_lossy(branch).into_owned());
            }
            tree.is_locked |= line.starts_with(b"locked");
        }
    }
    trees
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_working_trees_is_read() {
        let text = "worktree /p/a b\0HEAD 1\0branch refs/heads/main\0\0worktree /q\0HEAD 2\0detached\0locked why\0\0\
                    worktree /bare\0bare\0\0";
        let tree = |path: &str, branch: Option<&str>, is_locked| Worktree {
            path: path.into(),
            branch: branch.map(str::to_owned),
            is_locked,
            is_main: path == "/p/a b",
            git_dir: None,
        };
        let trees = [
            tree("/p/a b", Some("refs/heads/main"), false),
            tree("/q", None, true),
            tree("/bare", None, false),
        ];
        assert_eq!(parse_list(text.as_bytes()), trees);
    }
}
