//! The directory that a session works in: what there is to hand in, and how it is brought to the main branch.
//!
//! It is looked at in snapshots, which the session's runner has made ready. A client of its own, without a runner, hands in
//! what is committed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use cogwork_process::git::snapshot::{KeepAs, NotKept, Snapshots};
use cogwork_process::git::{Git, GitError, Work};
use cogwork_schemas::SessionId;
use cogwork_store::{Submitted, Taken, kept_prefix, left_ref, snapshot_dir};

use crate::error::{Code, ToolError};
use crate::judge;
use crate::options::Options;

/// How many files a sentence names.
const NAMED: usize = 5;

/// What to do about work that cannot be handed in.
const MEND: &str = "Mend that, and call feature_mark_passing again.";

/// The files that checks were seen to write. An agent that was told that a file changes under its checks hands in a
/// second time without touching it; what changes then is theirs.
#[derive(Debug, Default)]
pub(crate) struct WrittenByChecks(Mutex<BTreeSet<PathBuf>>);

impl WrittenByChecks {
    /// Returns which of these are new, and remembers them.
    fn learn(&self, files: Vec<PathBuf>) -> Vec<PathBuf> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.into_iter().filter(|file| known.insert(file.clone())).collect()
    }
}

/// Looks at what a session could hand in now.
///
/// # Errors
/// When it cannot be handed in, with what to do.
pub(crate) async fn look_at_work(
    options: &Options,
    session: SessionId,
    submitted: Option<&Submitted>,
) -> Result<Work, ToolError> {
    let before = submitted.map(|submitted| submitted.commit.as_deref());
    let Some(snapshots) = snapshots(options, session).await.map_err(|error| not_handed_in(&error))? else {
        let commit = judge::commit(&options.workspace).await?;
        // Where git has nothing to say, what was green once is not looked at again.
        let is_known = before.is_some_and(|before| before == commit.as_deref() || commit.is_none());
        return Ok(if is_known { Work::AsBefore } else { Work::Committed(commit) });
    };
    let work = Work::look(Some(&snapshots), None, before).await.map_err(|error| not_handed_in(&error))?;
    match work.objections() {
        Some(objections) => Err(not_handed_in(&objections)),
        None => Ok(work),
    }
}

/// Makes sure that what was judged is what is handed in.
///
/// # Errors
/// When a file changed while its checks ran, and no check is known to write it.
pub(crate) async fn judged_as_it_was(work: &Work, written: &WrittenByChecks) -> Result<(), ToolError> {
    let Work::Snapshot(snapshots, judged) = work else { return Ok(()) };
    let now = snapshots.take_snapshot().await.map_err(|error| not_handed_in(&error))?;
    if now.tree == judged.tree {
        return Ok(());
    }
    let altered = snapshots.altered_between(&judged.tree, &now.tree).await;
    let altered = written.learn(altered.map_err(|error| not_handed_in(&error))?);
    if altered.is_empty() {
        return Ok(());
    }
    let more = if altered.len() > NAMED { " and more" } else { "" };
    let named: Vec<_> = altered.iter().take(NAMED).map(|file| file.display().to_string()).collect();
    Err(ToolError::new(
        Code::Conflict,
        format!("your work changed while it was judged: {}{more}", named.join(", ")),
        "Hand in again, once nothing of yours writes to it any more: call feature_mark_passing.",
    ))
}

/// Brings a session's workspace to a branch of the project as it is now. What the attempt before left is kept.
///
/// # Errors
/// Git's; [`NotKept`] when something of it can be in no commit, and the workspace stays as it is.
pub(crate) async fn begin_on(options: &Options, branch: &str, before: &Taken) -> Result<(), NotKept> {
    let attempt = &before.attempt;
    let mut snapshots = snapshots(options, attempt.session).await?;
    if let Some(snapshots) = &snapshots {
        let main = Git::at(&options.project).resolve(&format!("refs/heads/{branch}")).await?;
        let session = attempt.session.to_string();
        let to = KeepAs {
            prefix: &kept_prefix(attempt.id),
            left: &left_ref(attempt.id),
            handed_in: attempt.submitted.as_ref().and_then(|submitted| submitted.commit.as_deref()),
            main: main.as_deref(),
            message: &format!("What {session} left beside its work"),
            trailers: &[("Cogwork-Session", &session)],
        };
        snapshots.keep_all(&to).await?;
    }
    let git = Git::workspace(&options.workspace);
    let base = git.follow(&options.project, branch).await?;
    git.reset_hard_clean(&base).await?;
    if let Some(snapshots) = &mut snapshots {
        snapshots.move_base(&base).await?;
    }
    Ok(())
}

/// Returns the snapshots that a session's runner has made ready; `None` where there is no runner.
async fn snapshots(options: &Options, session: SessionId) -> Result<Option<Snapshots>, GitError> {
    let own = snapshot_dir(&options.project, session);
    if !own.is_dir() {
        return Ok(None);
    }
    // What the workspace was made from is noted there.
    Snapshots::open(&own, &options.workspace, &options.project, "HEAD").await.map(Some)
}

/// Returns whether this session works somewhere else than in the project's own directory.
pub(crate) fn is_apart(options: &Options) -> bool {
    let (a, b) = (&options.workspace, &options.project);
    !(a == b || a.canonicalize().is_ok_and(|a| b.canonicalize().is_ok_and(|b| a == b)))
}

fn not_handed_in(why: &dyn std::fmt::Display) -> ToolError {
    ToolError::new(Code::Conflict, format!("your work cannot be handed in: {why}"), MEND)
}
