//! `cogwork hook`: asked by an agent's program before each tool it uses, answers whether the policy lets it.
//!
//! It owns the conversation with Claude Code's PreToolUse hook, and that it fails closed: whatever goes wrong in here,
//! the tool is refused. What is right is the matter of [`crate::policy`]; this module gives it the files, the
//! directories and the real paths it asks for.

mod call;
mod files;
mod real;

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use clap::Parser;
use cogwork_store::state_dir;
use serde_json::json;

use crate::policy::{Denied, Place};
use crate::{Environment, Programs};

pub use files::{PolicyChoice, PolicyFileError, policy_in_force};

/// How much a tool may be given, in bytes. Files are written whole.
const MAX_INPUT: u64 = 64 << 20;
/// How long a judgement may take. It takes milliseconds; a line made to take longer is refused.
const MAX_JUDGING: Duration = Duration::from_secs(10);
/// The stack of the thread that judges: the parser calls itself for each bracket.
const STACK: usize = 256 << 20;
/// What an agent's program takes for a refusal, whatever else is said.
const REFUSED: u8 = 2;

/// Judge a tool call of an agent by the command policy, as its PreToolUse hook
///
/// Reads the call as JSON on stdin, as Claude Code gives it to a hook, and answers on stdout: nothing when the policy
/// lets it pass, `permissionDecision: deny` with the reason when not. Exit code 2 means that it could not be judged,
/// and is a refusal, too. See docs/policy.md.
#[derive(Debug, Parser)]
#[command(name = "cogwork hook", version)]
pub struct HookFlags {
    /// The project's directory
    #[arg(long, value_name = "DIR", env = "COGWORK_PROJECT")]
    project_dir: PathBuf,
    /// Where the agent works
    #[arg(long, value_name = "DIR", env = "COGWORK_WORKSPACE")]
    workspace: PathBuf,
    /// The policy: default (the built-in rules, the organisation's and the project's files), a file in place of the
    /// project's, or off
    #[arg(long, value_name = "WHICH", default_value = "default")]
    policy: PolicyChoice,
}

/// Returns the line of shell that asks this hook, for the configuration of an agent's program; `None` where no policy is
/// wanted. It refuses as well when it cannot be started, or dies.
pub(crate) fn line(
    programs: &Programs,
    project: &Path,
    workspace: &Path,
    policy: &PolicyChoice,
) -> Option<String> {
    let which = match policy {
        PolicyChoice::Off => return None,
        PolicyChoice::Default => OsString::from("default"),
        PolicyChoice::File(file) => file.clone().into_os_string(),
    };
    let flags: [OsString; 7] = [
        "hook".into(),
        "--project-dir".into(),
        project.into(),
        "--workspace".into(),
        workspace.into(),
        "--policy".into(),
        which,
    ];
    let words = programs.agent.iter().cloned().chain(flags);
    let quoted: Vec<String> = words.map(|word| quoted(&word.to_string_lossy())).collect();
    Some(format!("{} || exit {REFUSED}", quoted.join(" ")))
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Reads a call, judges it and answers.
pub fn main(flags: HookFlags, own: &Environment) -> ExitCode {
    let own = own.clone();
    let verdict = within(MAX_JUDGING, move || judged(&flags, &own, &whole(io::stdin().lock())?));
    let answered = match verdict {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(denied)) => answer(&denied),
        Err(reason) => Err(reason),
    };
    match answered {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            // With this exit code, stderr is what the agent is told; without it, it is refused all the same.
            writeln!(io::stderr(), "refused by Cogwork, which could not judge it: {reason}").ok();
            ExitCode::from(REFUSED)
        }
    }
}

/// What the policy says, or why it could say nothing.
type Judgement = Result<Result<(), Denied>, String>;

/// Judges on a thread whose panic, and whose time, end no more than itself.
fn within(limit: Duration, judge: impl FnOnce() -> Judgement + Send + 'static) -> Judgement {
    let (sender, verdict) = mpsc::channel();
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || sender.send(judge()).ok());
    if let Err(error) = thread {
        return Err(format!("no thread: {error}"));
    }
    match verdict.recv_timeout(limit) {
        Ok(verdict) => verdict,
        Err(mpsc::RecvTimeoutError::Timeout) => {
            Err("it takes too long: write it in a simpler way".to_owned())
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => {
            Err("it is too odd to be read: write it in a simpler way".to_owned())
        }
    }
}

/// Reads a call to its end.
fn whole(from: impl Read) -> Result<Vec<u8>, String> {
    let mut input = Vec::new();
    from.take(MAX_INPUT + 1)
        .read_to_end(&mut input)
        .map_err(|error| format!("the call cannot be read: {error}"))?;
    if input.len() as u64 > MAX_INPUT { Err("the call is too large".to_owned()) } else { Ok(input) }
}

fn judged(flags: &HookFlags, own: &Environment, input: &[u8]) -> Judgement {
    let Some(policy) =
        policy_in_force(&flags.policy, &flags.project_dir, own).map_err(|error| error.to_string())?
    else {
        return Ok(Ok(()));
    };
    let call = call::Call::read(input)?;
    let absolute =
        |path: &Path| std::path::absolute(path).map_err(|error| format!("{}: {error}", path.display()));
    let set = |name: &str| own.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let temporary = [set("TMPDIR"), set("CLAUDE_CODE_TMPDIR"), Some("/tmp".into()), Some("/var/tmp".into())];
    let place = Place {
        workspace: real::path(&absolute(&flags.workspace)?),
        state: real::path(&state_dir(&absolute(&flags.project_dir)?)),
        home: set("HOME"),
        temporary: temporary.into_iter().flatten().collect(),
        resolve: &real::path,
    };
    Ok(call.judge(&policy, &place))
}

/// Says no in the words of Claude Code.
fn answer(denied: &Denied) -> Result<(), String> {
    let decision = json!({ "hookSpecificOutput": {
        "hookEventName": "PreToolUse",
        "permissionDecision": "deny",
        "permissionDecisionReason": format!("Cogwork's policy: {denied}."),
    }});
    let mut stdout = io::stdout().lock();
    let written = writeln!(stdout, "{decision}").and_then(|()| stdout.flush());
    written.map_err(|_| denied.to_string())
}

#[cfg(test)]
mod tests;
