//! The work of an attempt as a commit: the tree is what was looked at, the history the agent's own where it fits.

use super::history::Head;
use super::{Snapshot, Snapshots};
use crate::git::{Git, GitError};

impl Snapshots {
    /// Makes the work that a snapshot holds last, as a commit under the ref `name` of the project, which may hold earlier
    /// work. Returns the commit; the same as before when there is nothing new.
    ///
    /// Its tree is the snapshot's. It comes after the agent's last commit where that comes from the base and can be had,
    /// otherwise after the earlier work or the base; a commit that forked before the base is its second parent, so that
    /// what it brings along can be seen. The agent's own commit is taken as it is when it has that tree; the
    /// base, which needs no ref, when nothing was done.
    ///
    /// # Errors
    ///
    /// As every call of git; the history is no reason for any. What the kernel does not let this process write to the
    /// project stays in the git directory of the snapshots, from which [`Snapshots::record`] makes it last.
    pub async fn keep_work(
        &self,
        snapshot: &Snapshot,
        name: &str,
        message: &str,
        trailers: &[(&str, &str)],
    ) -> Result<String, GitError> {
        let earlier = self.own.project.resolve(name).await?;
        if let Some(earlier) = &earlier
            && self.tree_of(earlier).await? == snapshot.tree
        {
            return Ok(earlier.clone());
        }
        let commit = self.commit_work(snapshot, earlier.as_deref(), message, trailers).await?;
        if commit == snapshot.base {
            return Ok(commit);
        }
        let recorded = match &earlier {
            Some(earlier) => self.record_over(name, &commit, earlier).await,
            None => self.record(name, &commit).await,
        };
        match recorded {
            Err(GitError::NotWritten { path, source }) if is_walled_off(&source) => {
                tracing::debug!(path = %path.display(), "the project cannot be written from here: {source}");
            }
            recorded => recorded?,
        }
        Ok(commit)
    }

    async fn commit_work(
        &self,
        snapshot: &Snapshot,
        earlier: Option<&str>,
        message: &str,
        trailers: &[(&str, &str)],
    ) -> Result<String, GitError> {
        let head = self.bring_head(&snapshot.base).await;
        let parents = match &head {
            Some(Head { commit, is_after_base: true }) => vec![commit.as_str()],
            Some(Head { commit, is_after_base: false }) => vec![snapshot.base.as_str(), commit],
            None => vec![earlier.unwrap_or(&snapshot.base)],
        };
        if let [parent] = parents[..]
            && self.tree_of(parent).await? == snapshot.tree
        {
            return Ok(parent.to_owned());
        }
        self.commit(&snapshot.tree, &parents, message, trailers).await
    }

    /// Returns the project.
    pub(in crate::git) fn project(&self) -> &Git {
        &self.own.project
    }

    /// Returns the tree of a commit that the project has, or that was made here.
    ///
    /// # Errors
    ///
    /// As every call of git.
    pub async fn tree_of(&self, commit: &str) -> Result<String, GitError> {
        let _turn = self.own.turn().await?;
        let state = self.state().await?;
        self.own.tree_of(&state, commit).await
    }
}

/// Returns whether a wall around this process is the reason.
fn is_walled_off(error: &std::io::Error) -> bool {
    matches!(error.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
}
