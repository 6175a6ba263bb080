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

use cogwork_process::git::{Git, GitError, Merged};
use cogwork_process::{check, contain};
use cogwork_schemas::{AttemptId, AttemptOutcome, CheckReport, Feature, SessionId};
use cogwork_store::{Merge, state_dir};

use crate::cli::sentence;
use crate::driver::clock::Stopwatch;
use crate::terminal::cut;

pub(crate) use intent::heal;

/// How often a landing is merged again because a person moved the main branch meanwhile.
const RACES: u32 = 3;

/// Where a run integrates.
#[derive(Debug, Clone)]
pub(crate) struct Integrator {
    project: PathBuf,
    /// The branch that was checked out when the run started: the main branch of this run.
    branch: String,
    /// Whether the integration clone was seen to be whole, by this run.
    is_ready: Arc<AtomicBool>,
}

/// What has to be integrated.
#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) feature: Feature,
    pub(crate) attempt: AttemptId,
    pub(crate) session: SessionId,
}

/// What came of it.
#[derive(Debug)]
pub(crate) enum Integration {
    /// The work is on the main branch.
    OnMain(Merge),
    /// The work does not fit.
    Refused { outcome: AttemptOutcome, reports: Vec<CheckReport>, commit: Option<String> },
    /// It could not be tried now.
    Postponed { reason: String },
}

/// Why one try at landing did not land.
enum Race {
    /// The main branch moved: merge again.
    Moved,
    /// Somebody is using the main branch.
    InUse { reason: String },
}

impl Integrator {
    pub(crate) fn new(project: PathBuf, branch: String) -> Self {
        Self { project, branch, is_ready: Arc::default() }
    }

    /// Returns the branch a session works on.
    pub(crate) fn session_branch(session: SessionId) -> String {
        format!("cogwork/{session}")
    }

    /// Returns where a session works.
    pub(crate) fn workspace(project: &Path, session: SessionId) -> PathBuf {
        state_dir(project).join("workspaces").join(session.to_string())
    }

    /// Returns the ref that keeps the work of an attempt that did not land.
    fn kept_ref(attempt: AttemptId) -> String {
        format!("refs/cogwork/attempts/{}", attempt.0)
    }

    /// Merges, checks and lands. What git cannot do is a reason to try again later, never a reason to give up work.
    pub(crate) async fn integrate(&self, job: &Job) -> Integration {
        match self.try_integrate(job).await {
            Ok(integration) => integration,
            Err(error) => {
                // Somebody may have meddled with the clone: the next try looks at it, and makes it anew if it must.
                self.is_ready.store(false, Ordering::Relaxed);
                Integration::Postponed { reason: sentence(&error) }
            }
        }
    }

    async fn try_integrate(&self, job: &Job) -> Result<Integration, GitError> {
        let Some(tip) = self.collect(job).await? else {
            let reason = "its workspace is gone".to_owned();
            return Ok(Integration::Refused {
                outcome: AttemptOutcome::Crashed { reason },
                reports: Vec::new(),
                commit: None,
            });
        };
        for _ in 0..RACES {
            match self.merge_and_land(job, &tip).await? {
                Ok(integration) => return Ok(integration),
                Err(Race::Moved) => {}
                Err(Race::InUse { reason }) => return Ok(Integration::Postponed { reason }),
            }
        }
        Ok(Integration::Postponed { reason: format!("the branch `{}` keeps moving", self.branch) })
    }

    /// Brings the attempt's commits into the integration clone; `None` when they are nowhere.
    async fn collect(&self, job: &Job) -> Result<Option<String>, GitError> {
        let clone = self.clone_of_project().await?;
        let workspace = Self::workspace(&self.project, job.session);
        let branch = format!("refs/heads/{}", Self::session_branch(job.session));
        let incoming = format!("refs/cogwork/incoming/{}", job.attempt.0);
        let kept = Self::kept_ref(job.attempt);
        if Git::untrusted(&workspace).is_repository().await? {
            clone.fetch(&workspace, &format!("+{branch}:{incoming}")).await?;
        } else if self.git().resolve(&kept).await?.is_some() {
            clone.fetch(&self.project, &format!("+{kept}:{incoming}")).await?;
        } else {
            return Ok(None);
        }
        clone.resolve(&incoming).await
    }

    async fn merge_and_land(&self, job: &Job, tip: &str) -> Result<Result<Integration, Race>, GitError> {
        let merging = Stopwatch::start();
        let clone = self.clone_of_project().await?;
        let Some(main) = self.git().head().await? else {
            return Ok(Err(Race::InUse { reason: format!("the branch `{}` has no commit", self.branch) }));
        };
        // The clone shares the project's objects: every commit of it is here already.
        clone.reset_hard_clean(&main).await?;
        let commit = match clone.merge_no_ff(tip, &message(job)).await? {
            Merged::Clean { commit } => Some(commit),
            // An earlier run landed it, or there was nothing to change.
            Merged::AlreadyThere => None,
            Merged::Conflict { files } => {
                clone.abort_merge().await?;
                let reason =
                    format!("it changes what others changed meanwhile: {}", cut(&files.join(", "), 300));
                let outcome = AttemptOutcome::Conflict { reason };
                return Ok(Ok(Integration::Refused { outcome, reports: Vec::new(), commit: None }));
            }
        };
        let merge_ms = merging.elapsed_ms();
        let checking = Stopwatch::start();
        let reports = check::run_all(&job.feature.checks, clone.dir(), &self.check_env()).await;
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
        match git.current_branch().await? {
            Some(branch) if branch == self.branch => {}
            other => {
                let now = other.map_or_else(|| "no branch".to_owned(), |branch| format!("`{branch}`"));
                let reason =
                    format!("the project is on {now} instead of `{}`: check it out again", self.branch);
                return Ok(Err(Race::InUse { reason }));
            }
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

    /// Keeps what an attempt committed without landing under a ref of the project, then removes its workspace.
    ///
    /// Work that was paid for is never thrown away: the next attempt, or a person, can look at it.
    pub(crate) async fn clear_away(
        &self,
        session: SessionId,
        attempt: AttemptId,
        landed: bool,
    ) -> Result<(), GitError> {
        let workspace = Self::workspace(&self.project, session);
        if !workspace.exists() {
            return Ok(());
        }
        if !landed {
            self.keep(&workspace, session, attempt).await?;
        }
        let gone = workspace.clone();
        // A workspace may hold a hundred thousand files.
        let removed = tokio::task::spawn_blocking(move || std::fs::remove_dir_all(gone)).await;
        match removed {
            Ok(Err(source)) => Err(GitError::Io { path: workspace, source }),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    async fn keep(&self, workspace: &Path, session: SessionId, attempt: AttemptId) -> Result<(), GitError> {
        let git = self.git();
        let theirs = Git::untrusted(workspace);
        if !theirs.is_repository().await? {
            return Ok(());
        }
        let branch = format!("refs/heads/{}", Self::session_branch(session));
        let (Some(tip), Some(main)) = (theirs.resolve(&branch).await?, git.head().await?) else {
            return Ok(());
        };
        let kept = Self::kept_ref(attempt);
        if git.resolve(&kept).await?.is_some() {
            return Ok(());
        }
        // The workspace shares the project's objects, so it can compare the two without a copy.
        if theirs.is_ancestor(&tip, &main).await? {
            return Ok(()); // nothing that the main branch does not have
        }
        git.fetch(workspace, &format!("{branch}:{kept}")).await
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

    fn check_env(&self) -> Vec<(OsString, OsString)> {
        let mut env = cogwork_process::base_env();
        env.push((
            contain::MARKER.into(),
            format!("{}#integrate", state_dir(&self.project).display()).into(),
        ));
        env
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
