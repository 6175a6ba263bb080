//! Before the agent: its tree, the checks on the base commit, its prompt, its MCP configuration, its environment.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use cogwork_process::git::snapshot::Snapshots;
use cogwork_process::git::{Git, GitError};
use cogwork_schemas::{CheckPhase, Isolation, Role, RunnerEvent};
use cogwork_store::{Store, session_branch, snapshot_dir, state_dir, workspace_dir};
use serde_json::json;

use super::judge::run_checks;
use super::tools::chain;
use super::{Claimed, Job, Setback, Task, World};
use crate::Confinement;
use crate::agent::{McpServer, SERVER};
use crate::brief::{self, How, Place};
use crate::clock::millis;
use crate::environment;
use crate::journal::session_dir;

/// Everything an agent needs.
pub(super) struct Prepared {
    pub(super) tree: Tree,
    pub(super) prompt: String,
    /// The session's own directory.
    pub(super) dir: PathBuf,
    pub(super) mcp: McpServer,
    pub(super) mcp_config: PathBuf,
    /// Complete.
    pub(super) env: Vec<(OsString, OsString)>,
}

/// What a backend wants of the environment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wants {
    /// These variables, if they are set.
    pub(super) env: &'static [&'static str],
    /// The attempt's token.
    pub(super) token: bool,
}

/// Where the agent works.
pub(super) struct Tree {
    pub(super) dir: PathBuf,
    /// `None` in a project without git.
    pub(super) git: Option<Git>,
    pub(super) branch: Option<String>,
    /// The commit that the work starts from.
    pub(super) base: Option<String>,
    /// How it is looked at; `None` without git.
    pub(super) snapshots: Option<Snapshots>,
}

/// Makes everything the agent needs, and records what the checks say before it.
pub(super) async fn prepare(world: World<'_>, wants: Wants) -> Result<Box<Prepared>, Setback> {
    let job = world.job;
    let began = world.clock.steady();
    let tree = match job.isolation {
        Isolation::Workspace => workspace(job).await?,
        Isolation::Shared => project_itself(world).await?,
    };
    let duration_ms = millis(began, world.clock.steady());
    let workspace = tree.dir.display().to_string();
    world.report.tell(world.clock.now(), RunnerEvent::Prepared { workspace, duration_ms });
    if let Some(claimed) = job.claimed().filter(|_| job.role != Role::Testing) {
        check_before(world, claimed, &tree).await?;
    }
    let dir = session_dir(&job.project, job.session);
    let prompt = prompt(world, &tree).await?;
    let private = |name: &str, content: &str| {
        let path = dir.join(name);
        write_private(&path, content.as_bytes())
            .map_err(|error| cannot("write", &path, &error))
            .map(|()| path)
    };
    private("prompt.md", &prompt)?;
    let mut env = job.own.allowed(&job.pass_env);
    env.extend(session_env(job, &tree.dir));
    env.extend(world.confinement.into_iter().flat_map(Confinement::env));
    let mcp = mcp_server(job, &env)?;
    let config = private("mcp.json", &mcp_config(&mcp))?;
    env.push((environment::MCP_CONFIG.into(), config.clone().into()));
    // Not for the MCP server, whose checks run what an agent wrote.
    env.extend(job.own.named(wants.env));
    if !wants.token {
        env.retain(|(name, _)| name != environment::TOKEN);
    }
    Ok(Box::new(Prepared { tree, prompt, dir, mcp, mcp_config: config, env }))
}

async fn workspace(job: &Job<'_>) -> Result<Tree, Setback> {
    let dir = workspace_dir(&job.project, job.session);
    if let Some(workspaces) = dir.parent() {
        fs::create_dir_all(workspaces).map_err(|error| cannot("make", workspaces, &error))?;
    }
    if dir.exists() {
        let reason = format!("its workspace {} is there already: remove it and try again", dir.display());
        return Err(Setback::NotPossible(reason));
    }
    let branch = session_branch(job.session);
    let no_workspace = |error: GitError| Setback::NotPossible(format!("no workspace: {}", chain(&error)));
    let made = Git::clone_shared_at(&job.project, &dir, &branch, job.base.as_deref()).await;
    let git = made.map_err(no_workspace)?;
    let head = git.head().await.map_err(no_workspace)?;
    let snapshots = match &head {
        Some(base) => {
            let own = snapshot_dir(&job.project, job.session);
            Some(Snapshots::make(&own, &dir, &job.project, base).await.map_err(no_workspace)?)
        }
        None => None,
    };
    Ok(Tree { dir, git: Some(git), branch: Some(branch), base: head, snapshots })
}

async fn project_itself(world: World<'_>) -> Result<Tree, Setback> {
    let job = world.job;
    let git = Git::at(&job.project);
    let no_git = |error: GitError| Setback::NotPossible(chain(&error));
    // Without git installed, or without a repository, a shared tree works as well.
    if !git.is_repository().await.unwrap_or(false) {
        return Ok(Tree { dir: job.project.clone(), git: None, branch: None, base: None, snapshots: None });
    }
    let branch = git.current_branch().await.map_err(no_git)?;
    let base = git.head().await.map_err(no_git)?;
    let snapshots = match base.as_ref().filter(|_| job.claimed().is_some()) {
        Some(base) => begin_in_project(world, base).await?,
        None => None,
    };
    // What is changed there is no part of the commit: nothing that is seen of it is seen of the commit.
    let is_changed = git.has_changed_files().await.map_err(no_git)?;
    let base = base.filter(|_| !is_changed);
    Ok(Tree { dir: job.project.clone(), git: Some(git), branch, base, snapshots })
}

/// Notes what lies about in the project before the work, which is a person's, but for what earlier sessions have left.
async fn begin_in_project(world: World<'_>, base: &str) -> Result<Option<Snapshots>, Setback> {
    let job = world.job;
    let own = snapshot_dir(&job.project, job.session);
    let no_git = |error: GitError| Setback::NotPossible(chain(&error));
    let snapshots = Snapshots::make(&own, &job.project, &job.project, base).await.map_err(no_git)?;
    let live = world.store.call(Store::live_attempts).await?;
    let live: HashSet<PathBuf> =
        live.iter().map(|attempt| snapshot_dir(&job.project, attempt.session)).collect();
    let beside = own.parent().and_then(|dir| fs::read_dir(dir).ok()).into_iter().flatten().flatten();
    // Those of a workspace have that to be kept.
    let is_another = |dir: &PathBuf| *dir != own && Snapshots::began_in_project(dir);
    let others = beside.map(|entry| entry.path()).filter(is_another);
    let (live, mut earlier): (Vec<_>, Vec<_>) = others.partition(|dir| live.contains(dir));
    earlier.sort();
    match snapshots.begin_in_project(&earlier, &live).await {
        Ok(()) => {
            earlier.iter().for_each(|dir| drop(fs::remove_dir_all(dir)));
            Ok(Some(snapshots))
        }
        // Some trees are too large for that. What is committed in them is handed in.
        Err(error) => {
            tracing::warn!("what is not committed in the project is no part of the work: {}", chain(&error));
            drop(fs::remove_dir_all(own));
            Ok(None)
        }
    }
}

/// What a testing session finds red, red it was only then: its checks are run before the work when it says so.
async fn check_before(world: World<'_>, claimed: &Claimed, tree: &Tree) -> Result<(), Setback> {
    let reports = run_checks(world, claimed, &tree.dir, CheckPhase::Before).await;
    let (token, base) = (&claimed.token, tree.base.as_deref());
    world.store.call(|store| store.record_before(token, base, &reports)).await?;
    clean_up_after_checks(world.job, tree)
        .await
        .map_err(|error| Setback::NotPossible(format!("no clean workspace: {}", chain(&error))))
}

/// What a check leaves lying about is not the agent's work, and would be committed as if it were.
async fn clean_up_after_checks(job: &Job<'_>, tree: &Tree) -> Result<(), GitError> {
    if let (Isolation::Workspace, Some(git), Some(base)) = (job.isolation, &tree.git, &tree.base)
        && !git.dirty_paths(1).await?.is_empty()
    {
        git.reset_hard_clean(base).await?;
    }
    Ok(())
}

async fn prompt(world: World<'_>, tree: &Tree) -> Result<String, Setback> {
    let job = world.job;
    let place =
        Place { names: brief::names(&tree.dir), isolation: job.isolation, branch: tree.branch.clone() };
    let how = How { batch: job.batch, yolo: job.yolo };
    let made;
    let prompt = match &job.task {
        Task::Feature(claimed) => {
            let brief = |store: &Store| brief::for_feature(store, &claimed.feature, job.role, &place, how);
            made = world.store.call(brief).await?;
            &made
        }
        Task::Prompt(prompt) => prompt,
    };
    cogwork_prompts::render(&job.project, prompt).map_err(|error| Setback::NotPossible(chain(&error)))
}

/// Returns the variable that keeps git, when an agent or a check has broken a workspace's own repository, from taking
/// the project around it for the one that is meant.
pub(super) fn ceiling(project: &Path) -> (OsString, OsString) {
    ("GIT_CEILING_DIRECTORIES".into(), state_dir(project).join("workspaces").into())
}

/// Returns the variables by which the processes of a session know where they belong, but for the MCP configuration.
fn session_env(job: &Job<'_>, workspace: &Path) -> Vec<(OsString, OsString)> {
    let project = job.project.clone().into_os_string();
    let mut env = vec![
        (environment::PROJECT.into(), project.clone()),
        (environment::PROJECT_DIR.into(), project),
        (environment::SESSION.into(), job.session.0.to_string().into()),
        (environment::MARKER.into(), environment::marker(&job.project, job.session).into()),
        (environment::WORKSPACE.into(), workspace.into()),
        ceiling(&job.project),
    ];
    if let Some(Claimed { feature, token, .. }) = job.claimed() {
        env.push((environment::FEATURES.into(), feature.id.0.to_string().into()));
        env.push((environment::TOKEN.into(), token.reveal().into()));
    }
    if job.batch > 1 {
        env.push((environment::BATCH.into(), job.batch.to_string().into()));
        if let (Isolation::Workspace, Some(branch)) = (job.isolation, job.branch()) {
            env.push((environment::BRANCH.into(), branch.into()));
        }
    }
    env
}

/// Returns how an agent starts our MCP server.
fn mcp_server(job: &Job<'_>, env: &[(OsString, OsString)]) -> Result<McpServer, Setback> {
    let text = |word: &OsString| {
        word.to_str().map(str::to_owned).ok_or_else(|| {
            let word = word.display();
            Setback::NotPossible(format!(
                "`{word}` is no valid UTF-8, which the MCP configuration cannot hold"
            ))
        })
    };
    let mut words = job.programs.mcp.iter();
    let command = words.next().map(text).transpose()?.unwrap_or_default();
    let mut args = words.map(text).collect::<Result<Vec<_>, _>>()?;
    let flags = [
        ("--project-dir", text(&job.project.clone().into_os_string())?),
        ("--role", job.role.word().to_owned()),
        ("--max-attempts", job.attempts.to_string()),
    ];
    let features = job.claimed().map(|claimed| ("--features", claimed.feature.id.0.to_string()));
    args.extend(flags.into_iter().chain(features).flat_map(|(flag, value)| [flag.to_owned(), value]));
    // The server's checks and ours see the same variables.
    if !job.pass_env.is_empty() {
        args.extend(["--pass-env".to_owned(), job.pass_env.join(",")]);
    }
    let env = env
        .iter()
        .map(|(name, value)| Ok((text(name)?, text(value)?)))
        .collect::<Result<Vec<_>, Setback>>()?;
    Ok(McpServer { command, args, env })
}

/// Returns the configuration that agents take for `--mcp-config` and the like.
fn mcp_config(mcp: &McpServer) -> String {
    let McpServer { command, args, env } = mcp;
    let env: serde_json::Map<_, _> =
        env.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    // `alwaysLoad`: a client that loads tools late or on demand does not find ours in time.
    let server = json!({ "type": "stdio", "command": command, "args": args, "env": env, "alwaysLoad": true });
    format!("{:#}\n", json!({ "mcpServers": { SERVER: server } }))
}

/// Writes a file that only this user may read: it names a token, or holds what only the agent is told.
pub(super) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)
}

fn cannot(action: &str, path: &Path, error: &io::Error) -> Setback {
    Setback::NotPossible(format!("cannot {action} {}: {error}", path.display()))
}
