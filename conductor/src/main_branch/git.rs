//! The real main branch: git in a clone of its own, real checks, and the project's own branch.
//!
//! One task is one future on the thread of the run; a task that is abandoned is dropped, which ends what it has
//! started. What git cannot do is a reason to try again with a new clone, never a reason to give up work.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cogwork_process::git::{self, BranchMove, Git, GitError, Healed, Landing};
use cogwork_process::{check, contain};
use cogwork_schemas::{AttemptId, AttemptOutcome, Check, CheckReport, SessionId};
use cogwork_session::text::cut;
use cogwork_session::{Confinement, chain};
use cogwork_store::{STATE_DIR, Taken, kept_ref, state_dir, workspace_dir};
use tokio::sync::mpsc::Sender;
use tokio::task::AbortHandle;

use super::{Collected, Merged, Moved, Task, TaskAnswer, TaskId};
use crate::ports::{Input, MainBranch};

/// A git process that still writes is done within this time; an older lock belongs to a dead one.
pub const STALE_LOCK: Duration = Duration::from_secs(3);

/// The main branch of a project, as a port.
pub struct GitMain {
    /// None in a run that merges nothing.
    steps: Option<GitSteps>,
    inputs: Sender<Input>,
    under_way: BTreeMap<TaskId, AbortHandle>,
}

impl GitMain {
    /// Answers to `inputs`.
    pub fn new(steps: Option<GitSteps>, inputs: Sender<Input>) -> Self {
        Self { steps, inputs, under_way: BTreeMap::new() }
    }
}

impl MainBranch for GitMain {
    fn begin(&mut self, id: TaskId, task: &Task) {
        self.under_way.retain(|_, task| !task.is_finished());
        let (steps, inputs, task) = (self.steps.clone(), self.inputs.clone(), task.clone());
        let task = tokio::spawn(async move {
            let answer = match (steps, &task) {
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
    /// What checks see; the same as in the sessions.
    check_env: Vec<(OsString, OsString)>,
    /// Whether the integration clone was seen to be whole, by this run.
    is_ready: Arc<AtomicBool>,
    /// Where checks may write; everywhere when there is none.
    confinement: Option<Arc<Confinement>>,
}

impl GitSteps {
    /// Lands on `branch` of the project; `variables` is what checks may see.
    pub fn new(
        project: PathBuf,
        branch: String,
        variables: Vec<(OsString, OsString)>,
        confinement: Option<Confinement>,
    ) -> Self {
        let mut check_env = variables;
        let marker = format!("{}#integrate", state_dir(&project).display());
        check_env.push((contain::MARKER.into(), marker.into()));
        Self { project, branch, check_env, is_ready: Arc::default(), confinement: confinement.map(Arc::new) }
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
            Task::Collect { session, commit, foreign } => {
                self.collect(*session, commit.as_deref(), foreign).await.map(TaskAnswer::Collected)
            }
            Task::Merge { tip, message } => self.merge(tip, message).await.map(TaskAnswer::Merged),
            Task::Check { checks } => Ok(TaskAnswer::Checked(self.check(checks).await)),
            Task::Move { from, to, message } => {
                self.move_branch(from, to, message).await.map(TaskAnswer::Moved)
            }
            Task::Keep { session, taken } => {
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
        commit: Option<&str>,
        foreign: &[String],
    ) -> Result<Collected, GitError> {
        let Some(commit) = commit else { return Ok(Collected::Nowhere) };
        let clone = self.clone_of_project().await?;
        // The clone shares the project's objects: what landed once, or was kept under a ref, is here already.
        if clone.resolve(commit).await?.is_none() {
            let workspace = workspace_dir(&self.project, session);
            if !workspace.is_dir() {
                return Ok(Collected::Nowhere);
            }
            if !Git::workspace(&workspace).is_repository().await? {
                let error = GitError::NotAClone { path: workspace };
                let reason = format!("the agent has broken its workspace: {}", chain(&error));
                return Ok(Collected::Broken { reason });
            }
            clone.fetch(&workspace, &format!("+{commit}:refs/cogwork/incoming")).await?;
        }
        if self.holds_foreign(&clone, foreign, commit).await? {
            return Ok(Collected::Foreign);
        }
        if self.touches_state(&clone, commit).await? {
            let reason = format!("it changes `{STATE_DIR}`, where Cogwork keeps its own state");
            return Ok(Collected::Broken { reason });
        }
        Ok(Collected::Here { tip: commit.to_owned() })
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

    /// Returns whether the work changes Cogwork's own directory, by whatever name the file system takes for it. Landed, it
    /// would decide what the next agent may.
    async fn touches_state(&self, clone: &Git, tip: &str) -> Result<bool, GitError> {
        let is_ours = |name: &str| name.eq_ignore_ascii_case(STATE_DIR);
        let Some(main) = self.tip().await? else { return Ok(false) };
        let changed = clone.changed_paths(&main, tip).await?;
        Ok(changed.iter().any(|path| path.split('/').next().is_some_and(is_ours)))
    }

    async fn merge(&self, tip: &str, message: &str) -> Result<Merged, GitError> {
        let clone = self.clone_of_project().await?;
        let Some(onto) = self.tip().await? else {
            return Ok(Merged::NoBranch { reason: self.gone() });
        };
        // The clone shares the project's objects: every commit of it is here already.
        clone.reset_hard_clean(&onto).await?;
        Ok(match clone.merge_no_ff(tip, message).await? {
            git::Merged::Clean { commit } => Merged::Clean { onto, commit },
            git::Merged::AlreadyThere => Merged::AlreadyThere { onto },
            git::Merged::Conflict { files } => {
                clone.abort_merge().await?;
                Merged::Conflict { files }
            }
        })
    }

    /// Runs checks in the integration clone.
    async fn check(&self, checks: &[Check]) -> Vec<CheckReport> {
        let dir = self.clone_dir();
        let walls = self.confinement.as_deref();
        let sandbox = walls.map(|walls| walls.around_check(&self.project, &dir));
        let mut env = self.check_env.clone();
        env.extend(walls.into_iter().flat_map(Confinement::env));
        check::run_all(checks, &dir, &env, sandbox.as_ref()).await
    }

    /// Moves the main branch, with the files wherever it is checked out.
    async fn move_branch(&self, from: &str, to: &str, message: &str) -> Result<Moved, GitError> {
        let git = self.git();
        git.fetch(&self.clone_dir(), &format!("+{to}:refs/cogwork/landing")).await?;
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

    /// Keeps what a session's attempts committed without landing under refs of the project, then removes its
    /// workspace.
    ///
    /// Work that was paid for is never thrown away: the next attempt, or a person, can look at it.
    ///
    /// # Errors
    ///
    /// Git's, and the file system's; then the workspace stays.
    pub async fn keep_work(&self, session: SessionId, taken: &[Taken]) -> Result<(), GitError> {
        let workspace = workspace_dir(&self.project, session);
        if !workspace.exists() {
            return Ok(());
        }
        let has_landed = |taken: &Taken| taken.outcome == Some(AttemptOutcome::Landed);
        if let Some((last, before)) = taken.split_last()
            && !(before.is_empty() && has_landed(last))
        {
            self.keep_refs(&workspace, before, (last.attempt.id, has_landed(last))).await?;
        }
        let gone = workspace.clone();
        // A workspace may hold a hundred thousand files.
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(gone)).await;
        match removed {
            Ok(Err(source)) => Err(GitError::Io { path: workspace, source }),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    /// Keeps what the main branch does not have: of earlier attempts what they had committed when the next one began,
    /// of the last one what is checked out.
    async fn keep_refs(
        &self,
        workspace: &Path,
        before: &[Taken],
        (last, has_landed): (AttemptId, bool),
    ) -> Result<(), GitError> {
        let git = self.git();
        let theirs = Git::workspace(workspace);
        if !theirs.is_repository().await? {
            // What may be in it cannot be kept, and is not for us to throw away.
            return Err(GitError::NotAClone { path: workspace.to_owned() });
        }
        if !has_landed {
            // A runner that ends in order has done this; one that was killed has not.
            theirs.commit_all("What an attempt left uncommitted", &[]).await?;
        }
        let main = self.tip().await?;
        let refs = before.iter().map(|taken| (taken.attempt.id, kept_ref(taken.attempt.id)));
        for (attempt, from) in refs.chain([(last, "HEAD".to_owned())]) {
            let (Some(tip), kept) = (theirs.resolve(&from).await?, kept_ref(attempt)) else { continue };
            // The workspace shares the project's objects, so it can compare the two without a copy.
            let is_known = match &main {
                _ if git.resolve(&kept).await?.is_some() => true,
                Some(main) => theirs.is_ancestor(&tip, main).await?,
                // Somebody has renamed the branch: then nothing is known to be on it.
                None => false,
            };
            if !is_known {
                git.fetch(workspace, &format!("{from}:{kept}")).await?;
            }
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
        let clone = Git::clone_shared(&self.project, &dir, "cogwork/integrate").await?;
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
