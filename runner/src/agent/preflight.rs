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
    /// Known, and not yet built.
    #[error("the agent `{agent}` is not supported by this version yet: use claude, exec:CMD or scripted")]
    NotYet { agent: String },
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
    /// The program of an `exec:` command is not there.
    #[error(
        "the program `{program}` of the agent `exec:{command}` was not found: install it or give its full path"
    )]
    NoProgram { program: String, command: String },
}

/// Finds out whether an agent can be started here, before anything is claimed for it.
///
/// # Errors
/// When this version cannot drive it, when its script is missing or wrong, or when its program is known not to be
/// there. Where the program cannot be known, as behind shell syntax, it is not an error.
pub fn preflight(
    spec: &AgentSpec,
    script: Option<&Path>,
    settings: &AgentSettings,
    environment: &Environment,
) -> Result<(), AgentError> {
    match spec {
        AgentSpec::Scripted => {
            Script::read(script.ok_or(AgentError::NoScript)?)?;
            Ok(())
        }
        AgentSpec::Exec { command } => match plain_program(command) {
            Some(program) if !is_there(program, environment) => {
                Err(AgentError::NoProgram { program: program.to_owned(), command: command.clone() })
            }
            Some(_) | None => Ok(()),
        },
        AgentSpec::Claude => is_installed("claude", settings, environment),
        AgentSpec::Codex
        | AgentSpec::Gemini
        | AgentSpec::Opencode
        | AgentSpec::Acp { .. }
        | AgentSpec::Auto => Err(AgentError::NotYet { agent: spec.to_string() }),
    }
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
