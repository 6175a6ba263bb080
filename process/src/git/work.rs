//! What there is to be handed in, wherever an agent works: one look, and one way to make it last.

use std::path::PathBuf;

use super::snapshot::{Snapshot, Snapshots, Uncommitted};
use super::{Git, GitError};

/// What an agent has made so far.
#[derive(Debug, Clone)]
pub enum Work {
    /// What was handed in before, and nothing else.
    AsBefore,
    /// All that a workspace holds.
    Snapshot(Snapshots, Box<Snapshot>),
    /// Files of the project itself that changed since the work began and are not committed.
    InProject(Snapshots, Box<Uncommitted>),
    /// What is committed in the project itself; `None` without git, or without a commit.
    Committed(Option<String>),
}

impl Work {
    /// Looks at a workspace, or else at a directory with a repository, or without. `before` is what was handed in before,
    /// where anything was.
    ///
    /// # Errors
    ///
    /// As every call of git.
    pub async fn look(
        snapshots: Option<&Snapshots>,
        git: Option<&Git>,
        before: Option<Option<&str>>,
    ) -> Result<Self, GitError> {
        let git = match snapshots {
            Some(snapshots) if !snapshots.are_of_project() => {
                return Self::of_workspace(snapshots, before.flatten()).await;
            }
            Some(snapshots) => {
                // Whose it is that lies about is not known without it.
                if let Some(work) = snapshots.uncommitted().await?.filter(|work| !work.files.is_empty()) {
                    return Ok(Self::InProject(snapshots.clone(), Box::new(work)));
                }
                Some(snapshots.project())
            }
            None => git,
        };
        let head = match (git, snapshots) {
            (Some(git), Some(snapshots)) => match git.head().await? {
                Some(head) => Some(snapshots.last_change(head).await?),
                None => None,
            },
            (Some(git), None) => git.head().await?,
            (None, _) => None,
        };
        Ok(if before == Some(head.as_deref()) { Self::AsBefore } else { Self::Committed(head) })
    }

    async fn of_workspace(snapshots: &Snapshots, before: Option<&str>) -> Result<Self, GitError> {
        let snapshot = snapshots.take_snapshot().await?;
        if let Some(before) = before
            && snapshots.tree_of(before).await? == snapshot.tree
        {
            return Ok(Self::AsBefore);
        }
        Ok(Self::Snapshot(snapshots.clone(), Box::new(snapshot)))
    }

    /// Returns why it cannot be handed in, in a sentence; `None` when it can.
    pub fn objections(&self) -> Option<String> {
        match self {
            Self::Snapshot(_, snapshot) => snapshot.objections(),
            Self::InProject(_, work) => work.objections(),
            Self::AsBefore | Self::Committed(_) => None,
        }
    }

    /// Returns the directories of repositories that the agent made: their files are handed in as any others, their
    /// history is not.
    pub fn new_repositories(&self) -> Vec<PathBuf> {
        match self {
            Self::Snapshot(_, snapshot) => {
                snapshot.new_repositories().map(|nested| nested.path.clone()).collect()
            }
            Self::AsBefore | Self::InProject(..) | Self::Committed(_) => Vec::new(),
        }
    }

    /// Returns the commit that it is in already.
    pub fn commit(&self) -> Option<&str> {
        match self {
            Self::Committed(commit) => commit.as_deref(),
            Self::AsBefore | Self::Snapshot(..) | Self::InProject(..) => None,
        }
    }

    /// Makes it last, and returns its commit: under the ref `name` (see [`Snapshots::keep_work`]), or where it was made.
    ///
    /// # Errors
    ///
    /// As every call of git.
    pub async fn keep(
        &self,
        name: &str,
        message: &str,
        trailers: &[(&str, &str)],
    ) -> Result<Option<String>, GitError> {
        match self {
            Self::Snapshot(snapshots, snapshot) => {
                snapshots.keep_work(snapshot, name, message, trailers).await.map(Some)
            }
            // On the branch that is checked out, where it belongs.
            Self::InProject(snapshots, work) => {
                snapshots.commit_in_project(work, name, message, trailers).await
            }
            Self::AsBefore | Self::Committed(_) => Ok(self.commit().map(str::to_owned)),
        }
    }
}
