//! Keeping what is in a workspace before it is removed or brought to another commit: its files and its history, under
//! refs of the project. What is ignored is not kept.

use super::{Refusal, Snapshot, Snapshots};
use crate::git::GitError;

/// Where to keep it, and what is known already.
#[derive(Debug, Clone, Copy)]
pub struct KeepAs<'a> {
    /// What the refs of the history begin with, without the last `/`.
    pub prefix: &'a str,
    /// The ref of the files that were left.
    pub left: &'a str,
    /// The commit that was handed in, if any was.
    pub handed_in: Option<&'a str>,
    /// The commit of the main branch.
    pub main: Option<&'a str>,
    /// The message of a commit of what was left, and its trailers.
    pub message: &'a str,
    pub trailers: &'a [(&'a str, &'a str)],
}

/// Why something of a workspace is not kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    #[error(transparent)]
    Git(#[from] GitError),
    /// Something in it can be in no commit.
    #[error("not all of it can be kept: {refusal}")]
    Refused { refusal: Refusal },
}

impl Snapshots {
    /// Keeps all that is in the workspace and on none of the commits that are known.
    ///
    /// # Errors
    ///
    /// [`NotKept`] when something is not kept: then the workspace has to stay as it is. What could be kept, is.
    pub async fn keep_all(&self, to: &KeepAs<'_>) -> Result<(), NotKept> {
        let snapshot = self.take_snapshot().await?;
        let left = self.keep_files(&snapshot, to).await;
        let has_left = left.as_ref().ok().and_then(Option::as_deref);
        let known = [to.main, Some(snapshot.base.as_str()), to.handed_in, has_left];
        let known: Vec<&str> = known.into_iter().flatten().collect();
        let history = self.keep_history(to.prefix, &snapshot, &known).await;
        left?;
        history?;
        match snapshot.refused.into_iter().find(|refusal| !refusal.why.is_kept() && refusal.why.has_content())
        {
            Some(refusal) => Err(NotKept::Refused { refusal }),
            None => Ok(()),
        }
    }

    /// Keeps the files, unless they are what was handed in or the base. Returns the commit that they are in then.
    async fn keep_files(&self, snapshot: &Snapshot, to: &KeepAs<'_>) -> Result<Option<String>, GitError> {
        let before = self.tree_of(to.handed_in.unwrap_or(&snapshot.base)).await?;
        if before == snapshot.tree {
            return Ok(None);
        }
        self.keep_work(snapshot, to.left, to.message, to.trailers).await.map(Some)
    }
}
