//! Keeping what is in a workspace before it is removed: its files and its history, under refs of the project.
//!
//! `refs/cogwork/kept/N/…` of the attempt N: what is on the main branch already gets none. What is ignored is not kept.

use cogwork_process::git::snapshot::{Refusal, Snapshot, Snapshots};
use cogwork_process::git::{Git, GitError};
use cogwork_schemas::AttemptOutcome;
use cogwork_store::{Taken, handed_in_ref, kept_prefix, left_ref};

/// Why a workspace stays.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    #[error(transparent)]
    Git(#[from] GitError),
    /// Something in it can be in no commit.
    #[error("not all of it can be kept: {refusal}")]
    Refused { refusal: Refusal },
}

/// Keeps all that is in the workspace and on none of the commits `main` and those that were handed in.
///
/// # Errors
///
/// [`NotKept`] when something is not kept. What could be kept, is.
pub(super) async fn keep_all(
    project: &Git,
    snapshots: &Snapshots,
    last: &Taken,
    main: Option<&str>,
) -> Result<(), NotKept> {
    let snapshot = snapshots.take_snapshot().await?;
    let attempt = last.attempt.id;
    let handed_in = project.resolve(&handed_in_ref(attempt)).await?;
    let left = keep_files(snapshots, &snapshot, last, handed_in.as_deref()).await;
    let has_left = left.as_ref().ok().and_then(Option::as_deref);
    let known = [main, Some(snapshot.base.as_str()), handed_in.as_deref(), has_left];
    let known: Vec<&str> = known.into_iter().flatten().collect();
    let history = snapshots.keep_history(&kept_prefix(attempt), &snapshot.nested, &known).await;
    left?;
    history?;
    match snapshot.refused.into_iter().find(|refusal| !refusal.why.is_kept() && refusal.why.has_content()) {
        Some(refusal) => Err(NotKept::Refused { refusal }),
        None => Ok(()),
    }
}

/// Keeps the files, unless they are what was handed in or the base. Returns the commit that they are in then.
async fn keep_files(
    snapshots: &Snapshots,
    snapshot: &Snapshot,
    last: &Taken,
    handed_in: Option<&str>,
) -> Result<Option<String>, GitError> {
    let before = match handed_in {
        Some(commit) => snapshots.tree_of(commit).await?,
        None => snapshots.tree_of(&snapshot.base).await?,
    };
    if before == snapshot.tree {
        return Ok(None);
    }
    let what = if last.outcome == Some(AttemptOutcome::Landed) {
        "after its work was handed in"
    } else {
        "when it ended"
    };
    let session = last.attempt.session;
    let message = format!("What the workspace of {session} held {what}");
    let (name, session) = (left_ref(last.attempt.id), session.to_string());
    snapshots.keep_work(snapshot, &name, &message, &[("Cogwork-Session", &session)]).await.map(Some)
}
