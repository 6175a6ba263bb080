//! What can be known about an agent before anything is claimed for it.

use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::{AgentSettings, AgentSpec};
use crate::Environment;
use crate::play::{Script, ScriptError};

/// Words that `sh` understands by itself: there is no program to look for.
const SHELL_WORDS: &[&str] = &[
    ".", ":", "[", "alias", "break", "case", "cd", "command", "echo", "eval", "exec", "exit", "export",
    "false", "for", "if", "printf", "pwd", "read", "return", "set", "shift", "sleep", "test", "time", "trap",
    "true", "type", "ulimit", "umask", "unset", "until", "wait", "while",
];

/// Why an agent cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// `auto`, and none of the agents that it looks for is there.
    #[error(
        "no coding agent is installed: none of {} was found on PATH; install one, or use --agent exec:CMD or acp:CMD \
         for any other",
        KNOWN.map(|(program, _)| format!("`{program}`")).join(", ")
    )]
    NoneInstalled,
    /// `auto`, and a program that could be any agent's.
    #[error("--program names the program of one agent: say which with --agent, `auto` cannot know")]
    ProgramOfWhom,
    /// `auto` where the agent should be known already.
    #[error("the agent `auto` stands for one that is installed, which `cogwork run` finds out: name one")]
    NotResolved,
    /// A model for an agent that is only known by its command.
    #[error("the agent `acp:` takes no --model: name the model in its command or its own settings")]
    NoModel,
    /// `scripted` without a script.
    #[error("the agent `scripted` plays a script: name one with --script FILE")]
    NoScript,
    /// The script is missing or wrong.
    #[error(transparent)]
    BadScript(#[from] ScriptError),
    /// The program of a known agent is not there.
    #[error(
        "the agent `{agent}` is not installed: its program `{program}` was not found; install it, or name it with \
         --program"
    )]
    NotInstalled { agent: &'static str, program: String },
    /// The program of an `exec:` or `acp:` command is not there.
    #[error("the program `{program}` of the agent `{agent}` was not found: install it or give its full path")]
    NoProgram { program: String, agent: String },
}

/// The agents that `auto` looks for, in this order, by the names of their programs.
const KNOWN: [(&str, AgentSpec); 4] = [
    ("claude", AgentSpec::Claude),
    ("codex", AgentSpec::Codex),
    ("gemini", AgentSpec::Gemini),
    ("opencode", AgentSpec::Opencode),
];

/// Finds out whether an agent can be started here, before anything is claimed for it. Returns which it is: the same,
/// or the one that [`AgentSpec::Auto`] stands for.
///
/// # Errors
/// When its script is missing or wrong, or when its program is known not to be there. Where the program cannot be
/// known, as behind shell syntax, it is not an error.
pub fn preflight(
    spec: &AgentSpec,
    script: Option<&Path>,
    settings: &AgentSettings,
    environment: &Environment,
) -> Result<AgentSpec, AgentError> {
    match spec {
        AgentSpec::Scripted => {
            Script::read(script.ok_or(AgentError::NoScript)?)?;
        }
        AgentSpec::Acp { .. } if settings.model.is_some() => return Err(AgentError::NoModel),
        AgentSpec::Exec { command } | AgentSpec::Acp { command } => match plain_program(command) {
            Some(program) if !is_there(program, environment) => {
                return Err(AgentError::NoProgram { program: program.to_owned(), agent: spec.to_string() });
            }
            Some(_) | None => {}
        },
        AgentSpec::Claude => is_installed("claude", settings, environment)?,
        AgentSpec::Codex => is_installed("codex", settings, environment)?,
        AgentSpec::Gemini => is_installed("gemini", settings, environment)?,
        AgentSpec::Opencode => is_installed("opencode", settings, environment)?,
        AgentSpec::Auto if settings.program.is_some() => return Err(AgentError::ProgramOfWhom),
        AgentSpec::Auto => return installed(environment).ok_or(AgentError::NoneInstalled),
    }
    Ok(spec.clone())
}

/// Returns the first known agent that is installed.
fn installed(environment: &Environment) -> Option<AgentSpec> {
    // Without PATH nothing is known, and nothing can be chosen.
    environment.get("PATH")?;
    KNOWN.into_iter().find(|(program, _)| is_there(program, environment)).map(|(_, spec)| spec)
}

fn is_installed(
    usual: &'static str,
    settings: &AgentSettings,
    environment: &Environment,
) -> Result<(), AgentError> {
    let named = settings.program.as_deref();
    let program = named.and_then(OsStr::to_str).unwrap_or(usual);
    if is_there(program, environment) {
        return Ok(());
    }
    Err(AgentError::NotInstalled { agent: usual, program: program.to_owned() })
}

/// Returns the first word of a shell command, when it surely is a program: no syntax, assignment or shell word, and
/// no path relative to a workspace that is not there yet.
fn plain_program(command: &str) -> Option<&str> {
    let word = command.split_whitespace().next()?;
    let plain = word.chars().all(|c| c.is_alphanumeric() || "/._+-".contains(c));
    let relative = word.contains('/') && !word.starts_with('/');
    (plain && !relative && !SHELL_WORDS.contains(&word)).then_some(word)
}

fn is_there(program: &str, environment: &Environment) -> bool {
    if program.starts_with('/') {
        return is_executable(Path::new(program));
    }
    // Without PATH a shell looks in places of its own; then nothing is known.
    let Some(path) = environment.get("PATH") else {
        return true;
    };
    std::env::split_paths(path).any(|dir: PathBuf| is_executable(&dir.join(program)))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}
