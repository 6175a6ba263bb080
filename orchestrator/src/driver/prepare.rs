//! What happens before the first feature of a run: whatever an earlier run left is swept, healed and judged.

use cogwork_process::contain::{self, Sweep};
use cogwork_process::git::{Git, Healed};
use cogwork_schemas::{Isolation, ProcessIdentity, SessionId};
use cogwork_session::{Confinement, Environment};
use cogwork_store::{Attempt, state_dir};
use std::collections::BTreeSet;
use std::path::Path;

use cogwork_conductor::integrate::{self, Integrator, STALE_LOCK};
use cogwork_conductor::resume::{Resumed, resume};

use super::{Plan, settings};
use crate::cli::CliError;
use crate::project::Project;
use crate::terminal::Reporter;
use cogwork_session::chain;

/// How many paths an error names.
const NAMED: usize = 5;

/// A project in which a run can begin.
pub(super) struct Prepared {
    pub(super) resumed: Resumed,
    /// `None` when sessions share the project directory and nothing is merged.
    pub(super) integrator: Option<Integrator>,
}

/// Makes a project ready for a run.
///
/// # Errors
///
/// When the project is empty or its main branch is not clean.
pub(super) async fn prepare(
    project: &Project,
    plan: &Plan,
    reporter: &mut dyn Reporter,
) -> Result<Prepared, CliError> {
    if project.store.nodes()?.is_empty() {
        return Err(nothing_to_do(&project.dir));
    }
    if let Err(error) = contain::become_subreaper() {
        reporter.note(&format!("processes that agents leave behind cannot be adopted here: {error}"));
    }
    let recorded: Vec<_> =
        project.store.live_sessions()?.into_iter().filter_map(|session| session.process).collect();
    sweep(&project.dir, &ours(&recorded, &project.dir)).await;
    let mut integrator = match plan.isolation {
        Isolation::Workspace => Some(clean_main_branch(project, plan, reporter).await?),
        Isolation::Shared => None,
    };
    let resumed = resume(&project.store, settings(plan), &plan.limits, contain::is_alive)?;
    let is_in_workspace = |attempt: &Attempt| attempt.isolation == Isolation::Workspace;
    if integrator.is_none() && resumed.submitted.values().any(is_in_workspace) {
        // An earlier run left work that has to be merged, however this one works.
        integrator = Some(clean_main_branch(project, plan, reporter).await?);
    }
    if let Some(integrator) = &integrator {
        clear_leftovers(project, integrator, reporter).await?;
    }
    Ok(Prepared { resumed, integrator })
}

/// Makes sure that what is built could land, before anything is spent on it.
///
/// # Errors
///
/// As [`prepare`], but for the empty project.
pub(crate) async fn can_land(
    project: &Project,
    plan: &Plan,
    reporter: &mut dyn Reporter,
) -> Result<(), CliError> {
    match plan.isolation {
        Isolation::Workspace => clean_main_branch(project, plan, reporter).await.map(drop),
        Isolation::Shared => Ok(()),
    }
}

fn nothing_to_do(dir: &Path) -> CliError {
    CliError::new(format!("the project {} has no features, and no specification (app_spec.md) either", dir.display()))
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
pub(super) async fn sweep(dir: &Path, processes: &[ProcessIdentity]) {
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

/// Clears away the workspaces of sessions that are over, whatever kept an earlier run from it. What they hold and
/// the project does not have is kept under a ref.
async fn clear_leftovers(
    project: &Project,
    integrator: &Integrator,
    reporter: &mut dyn Reporter,
) -> Result<(), CliError> {
    let found = numbered(&state_dir(&project.dir).join("workspaces"), "s");
    let live: BTreeSet<_> =
        project.store.live_attempts()?.into_iter().map(|attempt| attempt.session.0).collect();
    let left: BTreeSet<_> = found.into_iter().filter(|session| !live.contains(session)).collect();
    for session in left.into_iter().map(SessionId) {
        let taken = project.store.attempts_of_session(session)?;
        // A directory that is no session's is not ours.
        if !taken.is_empty()
            && let Err(error) = integrator.clear_away(session, &taken).await
        {
            reporter.note(&format!("the workspace of {session} stays: {}", chain(&error)));
        }
    }
    for pid in numbered(&state_dir(&project.dir), "verify-") {
        if i32::try_from(pid).is_ok_and(|pid| contain::identity(pid).is_none()) {
            // A clone of what is committed: nothing is lost with it, and nothing breaks if it stays.
            drop(std::fs::remove_dir_all(state_dir(&project.dir).join(format!("verify-{pid}"))));
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
    project: &Project,
    plan: &Plan,
    reporter: &mut dyn Reporter,
) -> Result<Integrator, CliError> {
    let dir = project.dir.display();
    let failed = |error: &dyn std::error::Error| CliError::new(chain(error));
    let git = Git::at(&project.dir);
    if !git.is_repository().await.map_err(|error| failed(&error))? {
        return Err(CliError::new(format!("{dir} is not a git repository"))
            .hint("make it one: git init && git add -A && git commit -m 'first commit'")
            .hint("or let the sessions share the directory: --isolation shared"));
    }
    git.clear_stale_locks(STALE_LOCK).await.map_err(|error| failed(&error))?;
    match integrate::heal(&project.dir).await.map_err(|error| failed(&error))? {
        Some(Healed::Finished) => {
            reporter.note("finished a landing that the end of the last run interrupted");
        }
        Some(Healed::NothingToDo | Healed::Elsewhere { .. } | Healed::UsersFiles { .. }) | None => {}
    }
    if git.head().await.map_err(|error| failed(&error))?.is_none() {
        return Err(CliError::new(format!("the git repository {dir} has no commit yet"))
            .hint("make one: git add -A && git commit -m 'first commit'"));
    }
    let Some(branch) = git.current_branch().await.map_err(|error| failed(&error))? else {
        return Err(CliError::new(format!("{dir} has no branch checked out (detached HEAD)"))
            .hint("check out the branch that finished work should land on: git switch main"));
    };
    if let Some(filter) = git.own_filters().await.map_err(|error| failed(&error))?.first() {
        return Err(CliError::new(format!(
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
        return Err(CliError::new(format!(
            "the branch `{branch}` has changes that are not committed: {named}{more}"
        ))
        .hint("commit or stash them, so that finished work can land: git stash --include-untracked"));
    }
    let own = Environment::of_this_process();
    let confinement =
        Confinement::find(&plan.settings, &project.dir, &own).await.map_err(|error| failed(&error))?;
    Ok(Integrator::new(project.dir.clone(), branch, own.allowed(&plan.pass_env), confinement))
}
