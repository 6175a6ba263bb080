//! Integration: how green work reaches the main branch, one attempt at a time.
//!
//! Merges the attempt's branch with the main branch in a clone of its own, runs the feature's checks on the
//! result, and only then moves the main branch forward. Talks to git and runs checks; never touches the store: the
//! driver records what came of it. Every step can be repeated: a run that was killed between git and the database
//! finds its work on the main branch and only records it.

mod intent;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cogwork_process::git::{Git, GitError, Merged};
use cogwork_process::{check, contain};
use cogwork_schemas::{AttemptId, AttemptOutcome, CheckReport, Feature, Proof, SessionId};
use cogwork_session::{Confinement, chain};
use cogwork_store::{Merge, Taken, kept_ref, state_dir, workspace_dir};

use crate::clock::Stopwatch;
use cogwork_session::text::cut;

pub use intent::heal;

/// A git process that still writes is done within this time; an older lock belongs to a dead one.
pub const STALE_LOCK: Duration = Duration::from_secs(3);
/// How often a landing is merged again because a person moved the main branch meanwhile.
const RACES: u32 = 3;

/// Where a run integrates.
#[derive(Debug, Clone)]
pub struct Integrator {
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

/// What has to be integrated.
#[derive(Debug, Clone)]
pub struct Job {
    pub feature: Feature,
    pub attempt: AttemptId,
    pub session: SessionId,
    /// The commit whose checks were green, and how well they prove it.
    pub commit: Option<String>,
    pub proof: Proof,
    /// Commits of the same session that did not land: they must be no part of this.
    pub foreign: Vec<String>,
    /// The commit that the session started from, where the checks before the work have recorded it.
    pub base: Option<String>,
}

/// What came of it.
#[derive(Debug)]
pub enum Integration {
    /// The work is on the main branch.
    OnMain(Merge),
    /// The work does not fit.
    Refused { outcome: AttemptOutcome, reports: Vec<CheckReport>, commit: Option<String> },
    /// The main branch is being used by somebody else.
    InUse { reason: String },
    /// Git failed. The next try begins with a new clone.
    Failed { reason: String },
}

/// Why one try at landing did not land.
enum Race {
    /// The main branch moved: merge again.
    Moved,
    /// Somebody is using the main branch.
    InUse { reason: String },
}

fn refused(outcome: AttemptOutcome) -> Integration {
    Integration::Refused { outcome, reports: Vec::new(), commit: None }
}

impl Integrator {
    /// Integrates into `branch` of the project; `variables` is what checks may see.
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

    /// Runs a feature's checks on the merge.
    async fn checked(&self, feature: &Feature, dir: &Path) -> Vec<CheckReport> {
        let walls = self.confinement.as_deref();
        let sandbox = walls.map(|walls| walls.around_check(&self.project, dir));
        let mut env = self.check_env.clone();
        env.extend(walls.into_iter().flat_map(Confinement::env));
        check::run_all(&feature.checks, dir, &env, sandbox.as_ref()).await
    }

    /// Returns where a session's clone finds what its work starts from: the main branch of this run, whatever is
    /// checked out at that moment.
    pub fn base(&self) -> String {
        format!("refs/remotes/origin/{}", self.branch)
    }

    /// Merges, checks and lands. What git cannot do is a reason to try again, never a reason to give up work.
    pub async fn integrate(&self, job: &Job) -> Integration {
        match self.try_integrate(job).await {
            Ok(integration) => integration,
            Err(error) => {
                if let GitError::NotAClone { .. } = error {
                    let reason = format!("the agent has broken its workspace: {}", chain(&error));
                    return refused(AttemptOutcome::NotFinished { reason });
                }
                self.discard_clone().await;
                // A git that was killed leaves its locks, in the project's own repository too.
                drop(self.git().clear_stale_locks(STALE_LOCK).await);
                Integration::Failed { reason: chain(&error) }
            }
        }
    }

    async fn try_integrate(&self, job: &Job) -> Result<Integration, GitError> {
        if let Some(reason) = self.in_use().await? {
            return Ok(Integration::InUse { reason });
        }
        let Some(tip) = self.collect(job).await? else {
            let reason = "its workspace is gone, and with it the commit that was green".to_owned();
            return Ok(refused(AttemptOutcome::Crashed { reason }));
        };
        if self.holds_foreign(job, &tip).await? {
            let reason = "it holds work of its session at another feature that did not land".to_owned();
            return Ok(refused(AttemptOutcome::Crashed { reason }));
        }
        for _ in 0..RACES {
            match self.merge_and_land(job, &tip).await? {
                Ok(integration) => return Ok(integration),
                Err(Race::Moved) => {}
                Err(Race::InUse { reason }) => return Ok(Integration::InUse { reason }),
            }
        }
        Ok(Integration::InUse { reason: format!("the branch `{}` keeps moving", self.branch) })
    }

    /// Returns why the main branch cannot be landed on, if it cannot: a person looks at another one.
    async fn in_use(&self) -> Result<Option<String>, GitError> {
        let now = match self.git().current_branch().await? {
            Some(branch) if branch == self.branch => return Ok(None),
            Some(other) => format!("`{other}`"),
            None => "no branch".to_owned(),
        };
        Ok(Some(format!("the project is on {now} instead of `{}`: check it out again", self.branch)))
    }

    /// Brings the submitted commit into the integration clone; `None` when it is nowhere.
    async fn collect(&self, job: &Job) -> Result<Option<String>, GitError> {
        let Some(commit) = &job.commit else { return Ok(None) };
        let clone = self.clone_of_project().await?;
        // The clone shares the project's objects: what landed once, or was kept under a ref, is here already.
        if clone.resolve(commit).await?.is_some() {
            return Ok(Some(commit.clone()));
        }
        let workspace = workspace_dir(&self.project, job.session);
        if !workspace.is_dir() {
            return Ok(None);
        }
        if !Git::workspace(&workspace).is_repository().await? {
            return Err(GitError::NotAClone { path: workspace });
        }
        clone.fetch(&workspace, &format!("+{commit}:refs/cogwork/incoming")).await?;
        Ok(Some(commit.clone()))
    }

    /// Returns whether the work holds other work that the main branch does not have. Each feature of a session begins
    /// on the main branch; an agent may bring along what was taken away from it.
    async fn holds_foreign(&self, job: &Job, tip: &str) -> Result<bool, GitError> {
        let clone = self.clone_of_project().await?;
        let main = self.git().resolve(&format!("refs/heads/{}", self.branch)).await?;
        for commit in &job.foreign {
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

    async fn merge_and_land(&self, job: &Job, tip: &str) -> Result<Result<Integration, Race>, GitError> {
        let merging = Stopwatch::start();
        let clone = self.clone_of_project().await?;
        let Some(main) = self.git().resolve(&format!("refs/heads/{}", self.branch)).await? else {
            return Ok(Err(Race::InUse { reason: format!("the branch `{}` is gone", self.branch) }));
        };
        // The clone shares the project's objects: every commit of it is here already.
        clone.reset_hard_clean(&main).await?;
        let commit = match clone.merge_no_ff(tip, &message(job)).await? {
            Merged::Clean { commit } => Some(commit),
            Merged::AlreadyThere if job.proof == Proof::RedGreen && job.base.as_deref() == Some(tip) => {
                let reason = "its checks are green without any commit: what they see is no part of the work"
                    .to_owned();
                return Ok(Ok(refused(AttemptOutcome::NotFinished { reason })));
            }
            // An earlier run landed it, or there was nothing to change.
            Merged::AlreadyThere => None,
            Merged::Conflict { files } => {
                clone.abort_merge().await?;
                let reason =
                    format!("it changes what others changed meanwhile: {}", cut(&files.join(", "), 300));
                return Ok(Ok(refused(AttemptOutcome::Conflict { reason })));
            }
        };
        let merge_ms = merging.elapsed_ms();
        let checking = Stopwatch::start();
        let reports = self.checked(&job.feature, clone.dir()).await;
        let check_ms = checking.elapsed_ms();
        let tested = commit.clone().unwrap_or_else(|| main.clone());
        if let Some(red) = reports.iter().find(|report| !report.verdict.is_green()) {
            let reason = format!("`{}` is {} once merged", cut(&red.command, 100), red.verdict);
            let outcome = AttemptOutcome::RedAfterMerge { reason };
            return Ok(Ok(Integration::Refused { outcome, reports, commit: Some(tested) }));
        }
        if let Some(commit) = &commit
            && let Err(race) = self.land(clone.dir(), &main, commit).await?
        {
            return Ok(Err(race));
        }
        Ok(Ok(Integration::OnMain(Merge { commit: Some(tested), reports, merge_ms, check_ms })))
    }

    /// Moves the main branch from `main` to `commit`, files and all.
    async fn land(&self, clone: &Path, main: &str, commit: &str) -> Result<Result<(), Race>, GitError> {
        let git = self.git();
        // Again, after checks that may have taken minutes.
        if let Some(reason) = self.in_use().await? {
            return Ok(Err(Race::InUse { reason }));
        }
        git.fetch(clone, "+HEAD:refs/cogwork/landing").await?;
        intent::write(&self.project, main, commit)?;
        let landed = git.ff_only(commit).await;
        intent::clear(&self.project)?;
        match landed {
            Ok(()) => Ok(Ok(())),
            Err(GitError::NotFastForward { .. }) => Ok(Err(Race::Moved)),
            Err(GitError::WouldOverwrite { files }) => Ok(Err(Race::InUse {
                reason: format!(
                    "landing would overwrite local changes in {}: commit or remove them",
                    cut(&files.join(", "), 200)
                ),
            })),
            Err(error) => Err(error),
        }
    }

    /// Keeps what a session's attempts committed without landing under refs of the project, then removes its
    /// workspace.
    ///
    /// Work that was paid for is never thrown away: the next attempt, or a person, can look at it.
    pub async fn clear_away(&self, session: SessionId, taken: &[Taken]) -> Result<(), GitError> {
        let workspace = workspace_dir(&self.project, session);
        if !workspace.exists() {
            return Ok(());
        }
        let has_landed = |taken: &Taken| taken.outcome == Some(AttemptOutcome::Landed);
        if let Some((last, before)) = taken.split_last()
            && !(before.is_empty() && has_landed(last))
        {
            self.keep(&workspace, before, (last.attempt.id, has_landed(last))).await?;
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
    async fn keep(
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
        let main = format!("refs/heads/{}", self.branch);
        let Some(main) = git.resolve(&main).await? else { return Ok(()) };
        let refs = before.iter().map(|taken| (taken.attempt.id, kept_ref(taken.attempt.id)));
        for (attempt, from) in refs.chain([(last, "HEAD".to_owned())]) {
            let (Some(tip), kept) = (theirs.resolve(&from).await?, kept_ref(attempt)) else { continue };
            // The workspace shares the project's objects, so it can compare the two without a copy.
            let is_known = git.resolve(&kept).await?.is_some() || theirs.is_ancestor(&tip, &main).await?;
            if !is_known {
                git.fetch(workspace, &format!("{from}:{kept}")).await?;
            }
        }
        Ok(())
    }

    fn git(&self) -> Git {
        Git::at(&self.project)
    }

    async fn clone_of_project(&self) -> Result<Git, GitError> {
        let dir = state_dir(&self.project).join("integrate");
        let git = Git::at(&dir);
        if self.is_ready.swap(true, Ordering::Relaxed) || (dir.exists() && git.is_repository().await?) {
            return Ok(git);
        }
        if dir.exists() {
            // What a killed clone left is no repository.
            std::fs::remove_dir_all(&dir).map_err(|source| GitError::Io { path: dir.clone(), source })?;
        }
        Git::clone_shared(&self.project, &dir, "cogwork/integrate").await
    }

    /// Forgets a clone that somebody or something meddled with.
    async fn discard_clone(&self) {
        self.is_ready.store(false, Ordering::Relaxed);
        let dir = state_dir(&self.project).join("integrate");
        // What cannot be removed is seen by the next try, which says so.
        drop(tokio::task::spawn_blocking(move || std::fs::remove_dir_all(dir)).await);
    }
}

fn message(job: &Job) -> String {
    format!(
        "Merge feature {}: {}\n\nCogwork-Feature: {}\nCogwork-Attempt: {}\nCogwork-Session: {}\n",
        job.feature.id,
        cut(&job.feature.name, 60),
        job.feature.id.0,
        job.attempt.0,
        job.session.0
    )
}
