//! The real main branch: git in a clone of its own, real checks, and the project's own branch.
//!
//! One task is one future on the thread of the run; a task that is abandoned is dropped, which ends what it has
//! started. What git cannot do is a reason to try again with a new clone, never a reason to give up work.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cogwork_process::git::snapshot::{NotKept, Snapshots};
use cogwork_process::git::{self, BranchMove, Git, GitError, Healed, Landing};

use cogwork_schemas::{AttemptId, SessionId};
use cogwork_session::chain;
use cogwork_session::text::cut;
use cogwork_store::{STATE_DIR, Taken, handed_in_ref, snapshot_dir, state_dir, workspace_dir};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;

use super::keep;
use super::{Checks, Collected, Merged, Moved, Task, TaskAnswer, TaskId};
use crate::ports::{Input, MainBranch};

/// A git process that still writes is done within this time; an older lock belongs to a dead one.
pub const STALE_LOCK: Duration = Duration::from_secs(3);

/// How many workspaces are kept and removed at a time.
const KEPT_AT_A_TIME: usize = 2;

/// The main branch of a project, as a port.
pub struct GitMain {
    /// None in a run that merges nothing.
    steps: Option<GitSteps>,
    checks: Checks,
    inputs: Sender<Input>,
    under_way: BTreeMap<TaskId, AbortHandle>,
}

impl GitMain {
    /// Answers to `inputs`.
    pub fn new(steps: Option<GitSteps>, checks: Checks, inputs: Sender<Input>) -> Self {
        Self { steps, checks, inputs, under_way: BTreeMap::new() }
    }
}

impl MainBranch for GitMain {
    fn begin(&mut self, id: TaskId, task: &Task) {
        self.under_way.retain(|_, task| !task.is_finished());
        let (steps, checks) = (self.steps.clone(), self.checks.clone());
        let (inputs, task) = (self.inputs.clone(), task.clone());
        let task = tokio::spawn(async move {
            let answer = match (steps, &task) {
                (_, Task::CheckInProject { checks: commands }) => {
                    TaskAnswer::Checked(checks.run_in_project(commands).await)
                }
                (Some(steps), task) => steps.answer(task).await,
                (None, Task::Keep { .. }) => TaskAnswer::Kept { stays: None },
                (None, _) => TaskAnswer::Failed { reason: "this run merges nothing".to_owned() },
            };
            // Only a run that is over closes the channel.
            drop(inputs.send(Input::Main { id, answer }).await);
        });
        self.under_way.insert(id, task.abort_handle());
    }

    fn abandon(&mut self, id: TaskId) {
        if let Some(task) = self.under_way.remove(&id) {
            task.abort();
        }
    }
}

impl Drop for GitMain {
    fn drop(&mut self) {
        self.under_way.values().for_each(AbortHandle::abort);
    }
}

/// Where a run lands, and how each step is done.
#[derive(Debug, Clone)]
pub struct GitSteps {
    project: PathBuf,
    /// The branch that was checked out when the run started: the main branch of this run.
    branch: String,
    checks: Checks,
    /// Whether the integration clone was seen to be whole, by this run.
    is_ready: Arc<AtomicBool>,
    /// Held while a workspace is kept: sessions and landings come first.
    keeping: Arc<Semaphore>,
}

impl GitSteps {
    /// Lands on `branch` of the project.
    pub fn new(project: PathBuf, branch: String, checks: Checks) -> Self {
        Self {
            project,
            branch,
            checks,
            is_ready: Arc::default(),
            keeping: Arc::new(Semaphore::new(KEPT_AT_A_TIME)),
        }
    }

    /// Returns the branch that work lands on.
    pub fn branch(&self) -> &str {
        &self.branch
    }

    /// Returns where a session's clone finds what its work starts from: the main branch of this run, whatever is
    /// checked out at that moment.
    pub fn base(&self) -> String {
        format!("refs/remotes/origin/{}", self.branch)
    }

    async fn answer(&self, task: &Task) -> TaskAnswer {
        let answered = match task {
            Task::Collect { session, attempt, commit, foreign } => {
                self.collect(*session, *attempt, commit.as_deref(), foreign).await.map(TaskAnswer::Collected)
            }
            Task::Merge { tip, base, message } => {
                self.merge(tip, base.as_deref(), message).await.map(TaskAnswer::Merged)
            }
            Task::Check { checks } => {
                Ok(TaskAnswer::Checked(self.checks.run(checks, &self.clone_dir()).await))
            }
            Task::CheckInProject { checks } => {
                Ok(TaskAnswer::Checked(self.checks.run_in_project(checks).await))
            }
            Task::Move { from, to, message } => {
                self.move_branch(from, to, message).await.map(TaskAnswer::Moved)
            }
            Task::Keep { session, taken } => {
                // Nobody closes it.
                let _turn = self.keeping.acquire().await;
                let kept = self.keep_work(*session, taken).await;
                Ok(TaskAnswer::Kept { stays: kept.err().map(|error| chain(&error)) })
            }
            Task::Confirm { commits } => {
                let missing = self.git().not_on_branch(&self.branch, commits).await;
                missing.map(|missing| TaskAnswer::Confirmed { missing })
            }
        };
        match answered {
            Ok(answer) => answer,
            Err(error) => {
                self.discard_clone().await;
                // A git that was killed leaves its locks, in the project's own repository too.
                drop(self.git().clear_stale_locks(STALE_LOCK).await);
                TaskAnswer::Failed { reason: chain(&error) }
            }
        }
    }

    async fn collect(
        &self,
        session: SessionId,
        attempt: AttemptId,
        commit: Option<&str>,
        foreign: &[String],
    ) -> Result<Collected, GitError> {
        let Some(commit) = commit else { return Ok(Collected::Nowhere) };
        let clone = self.clone_of_project().await?;
        // The clone shares the project's objects, and what is handed in is there.
        if clone.resolve(commit).await?.is_none() && !self.bring_over(session, attempt, commit).await? {
            return Ok(Collected::Nowhere);
        }
        if self.holds_foreign(&clone, foreign, commit).await? {
            return Ok(Collected::Foreign);
        }
        Ok(Collected::Here { tip: commit.to_owned() })
    }

    /// Brings over what was handed in behind a wall, where nobody can write to the project; returns whether it is there.
    async fn bring_over(
        &self,
        session: SessionId,
        attempt: AttemptId,
        commit: &str,
    ) -> Result<bool, GitError> {
        if !snapshot_dir(&self.project, session).is_dir() {
            return Ok(false);
        }
        let snapshots = self.snapshots(session).await?;
        match snapshots.record(&handed_in_ref(attempt), commit).await {
            Ok(()) => Ok(true),
            Err(error @ GitError::Failed { .. }) => {
                tracing::warn!(%error, %session, "what was handed in is not there");
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn snapshots(&self, session: SessionId) -> Result<Snapshots, GitError> {
        let (own, workspace) = (snapshot_dir(&self.project, session), workspace_dir(&self.project, session));
        // What the workspace was made from is noted there. Without that, whatever the main branch does not have is kept.
        let base = format!("refs/heads/{}", self.branch);
        Snapshots::open(&own, &workspace, &self.project, &base).await
    }

    /// Returns whether the work holds other work that the main branch does not have. Each feature of a session begins
    /// on the main branch; an agent may bring along what was taken away from it.
    async fn holds_foreign(&self, clone: &Git, foreign: &[String], tip: &str) -> Result<bool, GitError> {
        let main = self.tip().await?;
        for commit in foreign {
            if clone.resolve(commit).await?.is_none() || !clone.is_ancestor(commit, tip).await? {
                continue;
            }
            match &main {
                Some(main) if clone.is_ancestor(commit, main).await? => {}
                Some(_) | None => return Ok(true),
            }
        }
        Ok(false)
    }

    async fn merge(&self, tip: &str, base: Option<&str>, message: &str) -> Result<Merged, GitError> {
        let clone = self.clone_of_project().await?;
        let Some(onto) = self.tip().await? else {
            return Ok(Merged::NoBranch { reason: self.gone() });
        };
        // The clone shares the project's objects: every commit of it is here already.
        clone.reset_hard_clean(&onto).await?;
        Ok(match clone.merge_no_ff(tip, base, message).await? {
            git::Merged::Clean { commit } if touches_state(&clone, &onto, &commit).await? => {
                let reason = format!("it changes `{STATE_DIR}`, where Cogwork keeps its own state");
                Merged::Refused { reason }
            }
            git::Merged::Clean { commit } => Merged::Clean { onto, commit },
            git::Merged::AlreadyThere => Merged::AlreadyThere { onto },
            git::Merged::Conflict { files } => Merged::Conflict { files },
        })
    }

    /// Moves the main branch, with the files wherever it is checked out.
    async fn move_branch(&self, from: &str, to: &str, message: &str) -> Result<Moved, GitError> {
        let git = self.git();
        git.bring_from_clone(&Git::at(self.clone_dir()), to, from).await?;
        let wish = BranchMove {
            branch: &self.branch,
            from,
            to,
            message,
            intent: &landing_file(&self.project),
            on_step: &|step| tracing::debug!(?step, to, "landing"),
        };
        Ok(match git.land(&wish).await? {
            Landing::Landed => Moved::There,
            Landing::Moved => Moved::Elsewhere,
            Landing::InUse { sentence, .. } => Moved::InUse { reason: cut(&sentence, 400) },
            Landing::Gone => Moved::InUse { reason: self.gone() },
        })
    }

    fn gone(&self) -> String {
        format!("the branch `{}` is gone", self.branch)
    }

    /// Keeps what is in a session's workspace and not on the main branch under refs of the project (`keep.rs`), then
    /// removes the workspace.
    ///
    /// Work that was paid for is never thrown away: the next attempt, or a person, can look at it.
    ///
    /// # Errors
    ///
    /// A sentence that says what cannot be kept; then the workspace stays.
    pub async fn keep_work(&self, session: SessionId, taken: &[Taken]) -> Result<(), NotKept> {
        let (workspace, own) = (workspace_dir(&self.project, session), snapshot_dir(&self.project, session));
        if let Some(last) = taken.last()
            && workspace.exists()
        {
            let main = self.tip().await?;
            keep::keep_all(&self.git(), &self.snapshots(session).await?, last, main.as_deref()).await?;
        }
        for dir in [workspace, own] {
            remove(dir).await?;
        }
        Ok(())
    }

    fn git(&self) -> Git {
        Git::at(&self.project)
    }

    /// Returns where the main branch is.
    async fn tip(&self) -> Result<Option<String>, GitError> {
        self.git().resolve(&format!("refs/heads/{}", self.branch)).await
    }

    fn clone_dir(&self) -> PathBuf {
        state_dir(&self.project).join("integrate")
    }

    async fn clone_of_project(&self) -> Result<Git, GitError> {
        let dir = self.clone_dir();
        let git = Git::at(&dir);
        if self.is_ready.load(Ordering::Relaxed) {
            return Ok(git);
        }
        if dir.exists() && git.is_repository().await? {
            self.is_ready.store(true, Ordering::Relaxed);
            return Ok(git);
        }
        if dir.exists() {
            // What a killed clone left is no repository.
            std::fs::remove_dir_all(&dir).map_err(|source| GitError::Io { path: dir.clone(), source })?;
        }
        // At the branch itself: what a person has checked out may be damaged. Where it is gone, others say so.
        let start = self.tip().await?;
        let clone = Git::clone_shared_at(&self.project, &dir, "cogwork/integrate", start.as_deref()).await?;
        self.is_ready.store(true, Ordering::Relaxed);
        Ok(clone)
    }

    /// Forgets a clone that somebody or something meddled with.
    async fn discard_clone(&self) {
        self.is_ready.store(false, Ordering::Relaxed);
        let (dir, broken) = (self.clone_dir(), self.clone_dir().with_extension("broken"));
        drop(std::fs::remove_dir_all(&broken));
        // Out of the way at once: the next step may begin its clone while this one is still being removed. What cannot be
        // removed is seen by the next try, which says so.
        drop(std::fs::rename(dir, &broken));
        drop(tokio::task::spawn_blocking(move || std::fs::remove_dir_all(broken)).await);
    }
}

/// Returns whether a merge changes Cogwork's own directory, by whatever name the file system takes for it. Landed, it
/// would decide what the next agent may.
async fn touches_state(clone: &Git, onto: &str, merge: &str) -> Result<bool, GitError> {
    let is_ours = |name: &str| name.eq_ignore_ascii_case(STATE_DIR);
    let changed = clone.changed_paths(onto, merge).await?;
    Ok(changed.iter().any(|path| path.split('/').next().is_some_and(is_ours)))
}

/// Removes a directory that may hold a hundred thousand files.
async fn remove(dir: PathBuf) -> Result<(), GitError> {
    let gone = dir.clone();
    match tokio::task::spawn_blocking(move || std::fs::remove_dir_all(gone)).await {
        Ok(Err(source)) if source.kind() != io::ErrorKind::NotFound => {
            Err(GitError::Io { path: dir, source })
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The file that a landing is written down in while it lasts.
fn landing_file(project: &Path) -> PathBuf {
    state_dir(project).join("landing.json")
}

/// Finishes or undoes a landing that the end of an earlier run interrupted.
///
/// # Errors
///
/// When git fails, or a person's git keeps an index locked.
pub async fn heal(project: &Path) -> Result<Healed, GitError> {
    Git::at(project).heal_landing(&landing_file(project)).await
}
