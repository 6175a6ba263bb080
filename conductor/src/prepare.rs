//! What happens before the first feature of a run: whatever an earlier run left is swept, healed and judged.

use std::collections::BTreeSet;
use std::path::Path;

use cogwork_process::contain::{self, Sweep};
use cogwork_process::git::snapshot::Snapshots;
use cogwork_process::git::{Git, GitError, Healed};
use cogwork_schemas::{Isolation, LandingOutcome, ProcessIdentity, SessionId};
use cogwork_session::chain;
use cogwork_store::{
    KEPT, NewLanding, OpenLanding, Secret, Store, StoreError, kept_attempt, snapshot_dir, state_dir,
    workspace_dir,
};

use crate::broken_head::broken_head;
use crate::main_branch::{self, Checks, GitSteps, STALE_LOCK};
use crate::ports::Readers;
use crate::resume::{Resumed, resume};
use crate::run::Plan;
use cogwork_session::clock;

/// How many paths an error names.
const NAMED: usize = 5;

/// A project in which a run can begin.
pub(crate) struct Prepared {
    pub(crate) resumed: Resumed,
    /// `None` when sessions share the project directory and nothing is merged.
    pub(crate) steps: Option<GitSteps>,
    /// Sessions that are over, and whose workspaces are still there.
    pub(crate) leftovers: Vec<SessionId>,
}

/// Why a run cannot begin: one sentence, and what a person can do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct NotReady {
    pub message: String,
    pub hints: Vec<String>,
}

impl NotReady {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new() }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl From<StoreError> for NotReady {
    fn from(error: StoreError) -> Self {
        Self::new(chain(&error))
    }
}

impl From<std::io::Error> for NotReady {
    fn from(error: std::io::Error) -> Self {
        Self::new(chain(&error))
    }
}

/// Makes a project ready for a run.
///
/// # Errors
///
/// When the project is empty or its main branch is not clean.
pub(crate) async fn prepare(
    project: &Path,
    store: &Store,
    plan: &Plan,
    readers: &mut dyn Readers,
) -> Result<Prepared, NotReady> {
    if store.nodes()?.is_empty() {
        return Err(nothing_to_do(project));
    }
    if let Err(error) = contain::become_subreaper() {
        readers.note(
            clock::now(),
            &format!("processes that agents leave behind cannot be adopted here: {error}"),
        );
    }
    let recorded: Vec<_> = store.live_sessions()?.into_iter().filter_map(|session| session.process).collect();
    sweep(project, &ours(&recorded, project)).await;
    let mut steps = match plan.isolation {
        Isolation::Workspace => Some(clean_main_branch(project, store, plan, readers).await?),
        Isolation::Shared => {
            if let Some(why) = committed_nowhere(project).await {
                readers.note(clock::now(), &format!("{why}: what passes is committed nowhere"));
            }
            None
        }
    };
    let resumed = resume(
        store,
        plan.engine_settings(),
        &plan.limits,
        plan.lease(),
        &Secret::random()?,
        contain::presence,
    )?;
    if steps.is_none() && resumed.has_work_to_merge {
        // An earlier run left work that has to be merged, however this one works.
        steps = Some(clean_main_branch(project, store, plan, readers).await?);
    }
    set_strangers_aside(project, store).await?;
    if steps.is_some() {
        end_forgotten_landings(project, store).await?;
    }
    clear_debris(project, store)?;
    let leftovers = if steps.is_some() { leftovers(project, store)? } else { Vec::new() };
    Ok(Prepared { resumed, steps, leftovers })
}

/// Returns why what passes in the project's own directory is not committed; nothing where it is.
async fn committed_nowhere(project: &Path) -> Option<&'static str> {
    let git = Git::at(project);
    if !git.is_repository().await.unwrap_or(false) {
        return Some("there is no git repository here");
    }
    // A broken one is for others to tell.
    matches!(git.head().await, Ok(None)).then_some("the git repository has no commit yet")
}

/// Makes sure that what is built could land, before anything is spent on it.
///
/// # Errors
///
/// As for a run that begins, but for the empty project.
pub async fn can_land(
    project: &Path,
    store: &Store,
    plan: &Plan,
    readers: &mut dyn Readers,
) -> Result<(), NotReady> {
    match plan.isolation {
        Isolation::Workspace => clean_main_branch(project, store, plan, readers).await.map(drop),
        Isolation::Shared => Ok(()),
    }
}

/// Finishes or undoes a landing that the end of an earlier run interrupted, in a project that has a repository.
///
/// # Errors
///
/// When git fails, or a person's git keeps an index locked.
pub async fn heal_landing(project: &Path) -> Result<Healed, NotReady> {
    let failed = |error: GitError| NotReady::new(chain(&error));
    if !Git::at(project).is_repository().await.map_err(failed)? {
        return Ok(Healed::NothingToDo);
    }
    main_branch::heal(project).await.map_err(failed)
}

fn nothing_to_do(dir: &Path) -> NotReady {
    NotReady::new(format!("the project {} has no features, and no specification (app_spec.md) either", dir.display()))
        .hint("write down what it should do, in any words, and let an agent plan it: cogwork plan --spec FILE")
        .hint("or add features: cogwork import FILE.json --project-dir DIR; `cogwork import --help` shows such a file")
}

/// Of the recorded processes, those that carry this project's mark: a person's own session does not, and stays.
fn ours(recorded: &[ProcessIdentity], dir: &Path) -> Vec<ProcessIdentity> {
    let marked = contain::marked(&state_dir(dir).display().to_string());
    recorded.iter().filter(|process| marked.contains(&process.pid)).cloned().collect()
}

/// Ends every process of this project's sessions: what is below this process, what carries the project's mark,
/// what works inside a workspace, and these.
pub(crate) async fn sweep(dir: &Path, processes: &[ProcessIdentity]) {
    let state = state_dir(dir);
    let sweep = Sweep {
        descendants: true,
        keep: Vec::new(),
        markers: vec![state.display().to_string()],
        dirs: vec![state.join("workspaces"), state.join("integrate")],
        processes: processes.to_vec(),
    };
    for left in contain::sweep(&sweep).await {
        tracing::warn!("process {} of an earlier session cannot be ended", left.pid);
    }
}

/// Gives the refs that keep the work of another database, which is gone, other names: this one counts its attempts anew,
/// and would take them for its own.
///
/// # Errors
///
/// As every call of git.
pub async fn set_strangers_aside(project: &Path, store: &Store) -> Result<(), NotReady> {
    if !Git::at(project).is_repository().await.unwrap_or(false) {
        return Ok(());
    }
    let newest = store.newest_attempt()?;
    let [own, _, earlier] = KEPT;
    let git = Git::at(project);
    let refs = git.refs_below(&[own], None).await.map_err(|error| NotReady::new(chain(&error)))?;
    let strangers: Vec<_> = refs.into_iter().filter(|(name, _)| kept_attempt(name) > newest).collect();
    // Another name for each database that was lost.
    let Some(mark) = strangers.first().and_then(|(_, commit)| commit.get(..12)) else { return Ok(()) };
    let other_name = |name: &str| format!("{earlier}{mark}/{}", name.trim_start_matches(own));
    let renamed: Vec<_> = strangers.iter().map(|(name, _)| (name.clone(), other_name(name))).collect();
    git.rename_refs(&renamed).await.map_err(|error| NotReady::new(chain(&error)))
}

/// Ends the landings of attempts that are over: git failed in the middle, or the run was killed, and nothing lands them
/// again. What is on its branch all the same, the journal tells. An attempt that lives ends its own.
async fn end_forgotten_landings(project: &Path, store: &Store) -> Result<(), NotReady> {
    let live: BTreeSet<_> = store.live_attempts()?.into_iter().map(|attempt| attempt.id).collect();
    let open = store.open_landings()?.into_iter().filter(|open| !live.contains(&open.attempt));
    for OpenLanding { attempt, intent: NewLanding { branch, to, .. }, .. } in open {
        let missing = Git::at(project).not_on_branch(&branch, &[to]).await;
        let outcome = match missing.map_err(|error| NotReady::new(chain(&error)))?.as_slice() {
            [] => LandingOutcome::Landed,
            [_, ..] => LandingOutcome::Undone { reason: format!("it is not on the branch `{branch}`") },
        };
        store.end_landing(attempt, &outcome)?;
    }
    Ok(())
}

/// Returns the sessions that are over and have left a workspace, whatever kept an earlier run from clearing it away.
fn leftovers(project: &Path, store: &Store) -> Result<Vec<SessionId>, NotReady> {
    let found = numbered(&state_dir(project).join("workspaces"), "s");
    let live: BTreeSet<_> = store.live_attempts()?.into_iter().map(|attempt| attempt.session.0).collect();
    Ok(found.into_iter().filter(|session| !live.contains(session)).map(SessionId).collect())
}

/// Removes what nothing is lost with: the snapshots of sessions that shared the directory and were killed, and clones that
/// `cogwork verify` has left.
fn clear_debris(project: &Path, store: &Store) -> Result<(), NotReady> {
    let live: BTreeSet<_> = store.live_attempts()?.into_iter().map(|attempt| attempt.session.0).collect();
    for session in numbered(&state_dir(project).join("snapshots"), "s").into_iter().map(SessionId) {
        let own = snapshot_dir(project, session);
        // The next session in the project itself takes over what one has left there.
        let is_debris = !workspace_dir(project, session).exists() && !Snapshots::began_in_project(&own);
        if !live.contains(&session.0) && is_debris {
            drop(std::fs::remove_dir_all(own));
        }
    }
    for pid in numbered(&state_dir(project), "verify-") {
        if i32::try_from(pid).is_ok_and(|pid| contain::identity(pid).is_none()) {
            // A clone of what is committed: nothing is lost with it, and nothing breaks if it stays.
            drop(std::fs::remove_dir_all(state_dir(project).join(format!("verify-{pid}"))));
        }
    }
    Ok(())
}

/// Returns the numbers of the entries of a directory that are called `prefix` and a number.
fn numbered(dir: &Path, prefix: &str) -> Vec<i64> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()).collect()
}

async fn clean_main_branch(
    project: &Path,
    store: &Store,
    plan: &Plan,
    readers: &mut dyn Readers,
) -> Result<GitSteps, NotReady> {
    let dir = project.display();
    let failed = |error: &dyn std::error::Error| NotReady::new(chain(error));
    let git = Git::at(project);
    // First of all: what follows would take a lost commit for none, and a landing to be healed for one that never began.
    if let Some(broken) = broken_head(project, store).await? {
        return Err(broken);
    }
    if !git.is_repository().await.map_err(|error| failed(&error))? {
        return Err(NotReady::new(format!("{dir} is not a git repository"))
            .hint("make it one: git init && git add -A && git commit -m 'first commit'")
            .hint("or let the sessions share the directory: --isolation shared"));
    }
    git.clear_stale_locks(STALE_LOCK).await.map_err(|error| failed(&error))?;
    match main_branch::heal(project).await.map_err(|error| failed(&error))? {
        Healed::Landed => {
            readers.note(clock::now(), "finished a landing that the end of the last run interrupted");
        }
        Healed::Undone => {
            readers.note(clock::now(), "took back a landing that the end of the last run interrupted");
        }
        Healed::NothingToDo => {}
    }
    if git.head().await.map_err(|error| failed(&error))?.is_none() {
        return Err(NotReady::new(format!("the git repository {dir} has no commit yet"))
            .hint("make one: git add -A && git commit -m 'first commit'"));
    }
    let Some(branch) = git.current_branch().await.map_err(|error| failed(&error))? else {
        return Err(NotReady::new(format!("{dir} has no branch checked out (detached HEAD)"))
            .hint("check out the branch that finished work should land on: git switch main"));
    };
    if let Some(filter) = git.own_filters().await.map_err(|error| failed(&error))?.first() {
        return Err(NotReady::new(format!(
            "the repository has a filter of its own, `{filter}`, which the sessions' clones would not have: \
             what it encrypts or converts would be committed as it is"
        ))
        .hint("define it for this user: git config --global … (for git-lfs: git lfs install)")
        .hint("or let the sessions share the directory: --isolation shared"));
    }
    let dirty = git.dirty_paths(NAMED + 1).await.map_err(|error| failed(&error))?;
    if !dirty.is_empty() {
        let more = if dirty.len() > NAMED { " and more" } else { "" };
        let named = dirty.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        return Err(NotReady::new(format!(
            "the branch `{branch}` has changes that are not committed: {named}{more}"
        ))
        .hint("commit or stash them, so that finished work can land: git stash --include-untracked"));
    }
    let checks = Checks::of_plan(project, plan).await.map_err(|error| failed(&error))?;
    Ok(GitSteps::new(project.to_owned(), branch, checks))
}
