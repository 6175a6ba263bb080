//! Why a landing has to wait, in sentences for the person whose work it waits for.

use std::path::Path;

use super::trees::Paths;
use super::worktree::Worktree;
use super::{Landable, Landing};
use crate::git::{Git, GitError, error};

/// Files that a sentence names.
const NAMED: usize = 5;

impl Landable<'_> {
    /// Returns why a tree does not let the branch move, whatever the files.
    pub(super) fn in_use(&self, tree: &Worktree) -> Option<Landing> {
        let name = self.name();
        let what = if tree.is_rebasing(&self.branch) {
            format!(
                "the branch `{name}` is being rebased: finish or abort it (git rebase --continue, --abort)"
            )
        } else if !self.holds(tree) {
            return None;
        } else if tree.is_main && !tree.is_there() {
            format!(
                "the branch `{name}` is checked out in the main working tree, and git does not know where that is: \
                     switch to another branch there"
            )
        } else if tree.is_locked && !tree.is_there() {
            format!(
                "the branch `{name}` is checked out there, and the tree is locked and not to be found: \
                     bring it back, or give it up (git worktree unlock, git worktree prune)"
            )
        } else {
            format!("{} there on the branch `{name}`: finish or abort it", tree.open_operation()?)
        };
        Some(self.in_use_because(&tree.path, &what))
    }

    /// Returns what a person's work in a tree keeps the landing from, if any does.
    pub(super) async fn blocked(&self, git: &Git, found: Paths) -> Result<Option<Landing>, GitError> {
        let files = git.obstacles(&self.intent.from, &self.changes, found, &self.config).await?;
        Ok((!files.is_empty()).then(|| self.in_use_of(git.dir(), files)))
    }

    pub(super) fn in_use_of(&self, path: &Path, files: Vec<String>) -> Landing {
        let more = if files.len() > NAMED { " and more" } else { "" };
        let named = files.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let sentence =
            format!("landing would overwrite local changes in {named}{more}: commit or remove them");
        Landing::InUse { worktree: path.to_owned(), files, sentence: self.with_place(path, sentence) }
    }

    pub(super) fn in_use_because(&self, path: &Path, what: &str) -> Landing {
        let sentence = self.with_place(path, what.to_owned());
        Landing::InUse { worktree: path.to_owned(), files: Vec::new(), sentence }
    }

    /// Adds where it is, unless it is the project itself.
    fn with_place(&self, path: &Path, sentence: String) -> String {
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if real(path) == real(self.git.dir()) {
            sentence
        } else {
            format!("{sentence} (in {})", path.display())
        }
    }

    /// Says what git would not move, if that is what kept it.
    pub(super) async fn refused_by_git(
        &self,
        git: &Git,
        failed: GitError,
        stderr: &str,
    ) -> Result<Landing, GitError> {
        let unmerged = git.unmerged().await?;
        if !unmerged.is_empty() {
            let what = format!("{} has conflicts: resolve them", unmerged.join(", "));
            return Ok(self.in_use_because(git.dir(), &what));
        }
        match error::unmoved_file(stderr) {
            Some(file) => Ok(self.in_use_of(git.dir(), vec![file])),
            None => Err(failed),
        }
    }
}
