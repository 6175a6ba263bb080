//! From a backend's answer to a program that can be started: its files, its environment, its input.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use cogwork_process::contain::{Asking, Spawn, Stdin};

use cogwork_store::snapshot_dir;

use super::Job;
use super::prepare::{Prepared, write_private};
use crate::Confinement;
use crate::agent::{AgentProgram, Backend, Content, Input, Start};
use crate::hook;

/// What an agent is told when it goes on with a conversation that was cut off.
const GO_ON: &str = "Your session was interrupted; everything is as you left it. Go on where you stopped.";

/// Returns the agent's next life, and what it takes for a request to end.
///
/// # Errors
/// A sentence, when a file that it needs cannot be written.
pub(super) fn launch(
    job: &Job<'_>,
    confinement: Option<&Confinement>,
    prepared: &Prepared,
    backend: &mut dyn Backend,
    resumes: bool,
) -> Result<(Asking, Spawn), String> {
    let prompt = if resumes { GO_ON } else { &prepared.prompt };
    let hook = hook::line(job.programs, &job.project, &prepared.tree.dir, &job.settings.policy);
    let AgentProgram { program, args, env, input, files, asking } = backend.program(&Start {
        role: job.role,
        settings: &job.settings,
        prompt,
        mcp: &prepared.mcp,
        mcp_config: &prepared.mcp_config,
        dir: &prepared.dir,
        workspace: &prepared.tree.dir,
        env: &prepared.env,
        hook: hook.as_deref(),
        resumes,
    });
    for (path, content) in &files {
        provide(path, content).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
    }
    // What it was given lies in a directory of its own, in that of the session, whose other files are not for it.
    let own =
        |path: &Path| Some(prepared.dir.join(path.strip_prefix(&prepared.dir).ok()?.components().next()?));
    let mut given: BTreeSet<PathBuf> = files.iter().filter_map(|(path, _)| own(path)).collect();
    // The MCP server that it starts takes them.
    given.extend(prepared.tree.snapshots.iter().map(|_| snapshot_dir(&job.project, job.session)));
    let around = |walls: &Confinement| {
        walls.around_agent(&job.project, &prepared.tree.dir, &job.agent, job.own, given)
    };
    let sandbox = confinement.map(around).transpose()?;
    let mut spawn = Spawn::new(&program, &prepared.tree.dir);
    spawn.args = args;
    spawn.sandbox = sandbox;
    spawn.env.clone_from(&prepared.env);
    spawn.env.extend(env);
    spawn.stdin = match input {
        Input::Nothing => Stdin::Null,
        Input::Prompt => Stdin::Bytes(prompt.as_bytes().to_vec()),
        Input::Conversation(lines) => {
            let lines: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
            Stdin::Open(lines.into_bytes())
        }
    };
    Ok((asking, spawn))
}

/// Makes a file or a link; one of the life before is replaced.
fn provide(path: &Path, content: &Content) -> io::Result<()> {
    if let Some(dir) = path.parent() {
        fs::create_dir_all(dir)?;
    }
    match content {
        Content::Text(text) => write_private(path, text.as_bytes()),
        Content::Link(target) => {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                Ok(()) | Err(_) => {}
            }
            symlink(target, path)
        }
    }
}
