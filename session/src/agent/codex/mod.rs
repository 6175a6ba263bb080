//! `codex`: OpenAI Codex, without a terminal, its output as one JSON object per line.
//!
//! It owns how the program is started; what it says stands in [`read`], what that means in [`evidence`], and what it
//! only writes down in [`rollout`]. The user's own `CODEX_HOME` is used, so that their login, their providers and
//! their model work; all that is ours is said on the command line, but for the token, which only travels in the
//! environment. Flags, quirks and errors were measured with 0.169.0.

mod evidence;
mod read;
mod rollout;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

use cogwork_process::contain::Asking;
use cogwork_schemas::{AgentEvent, Role, SessionOutcome};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{AgentProgram, Backend, Heard, SERVER, Start};
use crate::environment;
use crate::machine::Exit;
use evidence::Evidence;

/// What it needs of the environment: where its login is, its key, where its service is.
pub(super) const WANTED: &[&str] = &[
    "AZURE_OPENAI_API_KEY",
    "CODEX_ACCESS_TOKEN",
    "CODEX_API_KEY",
    "CODEX_CA_CERTIFICATE",
    "CODEX_HOME",
    "OPENAI_API_KEY",
    "OPENAI_BASE_URL",
    "OPENAI_ORGANIZATION",
    "OPENAI_PROJECT",
];

/// SIGTERM kills it at once, and orphans what it started.
const ASKING: Asking = Asking::Interrupt;

pub(super) struct Codex {
    evidence: Evidence,
    /// Where it keeps its sessions.
    home: Option<PathBuf>,
    /// What the present life can be resumed by.
    thread: Option<String>,
    /// The present life goes on with an earlier one.
    resumed: bool,
}

impl Codex {
    pub(super) fn new() -> Self {
        Self { evidence: Evidence::default(), home: None, thread: None, resumed: false }
    }
}

impl Backend for Codex {
    fn program(&mut self, start: &Start<'_>) -> AgentProgram {
        self.home = start.variable("CODEX_HOME").map(PathBuf::from).or_else(|| {
            let home = start.variable("HOME")?;
            Some(PathBuf::from(home).join(".codex"))
        });
        self.evidence = Evidence::default();
        let thread = self.thread.clone().filter(|_| start.resumes);
        self.resumed = thread.is_some();
        let mut args: Vec<OsString> = vec!["exec".into()];
        args.extend(thread.iter().map(|_| "resume".into()));
        args.extend(["--json", "--skip-git-repo-check"].map(OsString::from));
        for setting in settings(start) {
            args.extend(["-c".into(), setting.into()]);
        }
        if let Some(model) = &start.settings.model {
            args.extend(["--model".into(), model.into()]);
        }
        args.extend(thread.map(OsString::from));
        // The prompt comes on stdin: an argument has room for 128 KiB.
        args.push("-".into());
        AgentProgram { asking: ASKING, ..AgentProgram::new(start.program_or("codex"), args) }
    }

    fn wanted_env(&self) -> &'static [&'static str] {
        WANTED
    }

    /// It gives an MCP server variables by their names only. The commands that it runs do not get this one.
    fn needs_token(&self) -> bool {
        true
    }

    fn read(&mut self, line: String) -> Heard {
        let Ok(parsed) = serde_json::from_str::<Value>(&line) else {
            return Heard::other(line);
        };
        if parsed["type"] == "thread.started" {
            self.thread = parsed["thread_id"].as_str().map(str::to_owned);
        }
        let events = read::events(&parsed);
        let hopeless = self.evidence.take(&parsed, events.iter().any(is_deed));
        Heard::events(events).hopeless(hopeless)
    }

    fn outcome(&self, exit: &Exit, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        if self.resumed && !self.evidence.is_up() {
            let reason = format!("its conversation cannot be gone on with: {}", exit.stderr_tail.trim());
            return SessionOutcome::Transient { reason: super::refusal::reason(&reason) };
        }
        let written = match (&self.home, &self.thread) {
            (Some(home), Some(thread)) if self.evidence.has_failed() => rollout::read(home, thread),
            _ => rollout::Written::default(),
        };
        self.evidence.outcome(&written, exit, now, local)
    }

    fn can_resume(&self) -> bool {
        self.thread.is_some() && self.evidence.is_up()
    }
}

fn is_deed(event: &AgentEvent) -> bool {
    matches!(event, AgentEvent::Text { .. } | AgentEvent::ToolCall { .. } | AgentEvent::ToolResult { .. })
}

/// Returns the settings of a session as `key=value`, the values in TOML.
fn settings(start: &Start<'_>) -> Vec<String> {
    let server = |key: &str, value: &Value| format!("mcp_servers.{SERVER}.{key}={}", toml(value));
    let names: Vec<&str> = start.mcp.env.iter().map(|(name, _)| name.as_str()).collect();
    // It knows a project by its real name.
    let workspace = start.workspace.canonicalize().unwrap_or_else(|_| start.workspace.to_owned());
    let workspace = workspace.to_string_lossy();
    vec![
        r#"approval_policy="never""#.to_owned(),
        format!("sandbox_mode={}", toml(&json!(sandbox(start.role)))),
        "check_for_update_on_startup=false".to_owned(),
        format!("shell_environment_policy.exclude={}", toml(&json!([environment::TOKEN]))),
        // Nothing that an agent wrote into the project's settings runs in the next session.
        format!("projects={{{}={{trust_level=\"untrusted\"}}}}", toml(&json!(workspace))),
        server("command", &json!(start.mcp.command)),
        server("args", &json!(start.mcp.args)),
        // Names only: their values are in the environment, where `ps` does not show them, and the token not to what
        // it runs.
        server("env_vars", &json!(names)),
        // It waits for the server, and ends when that does not come up.
        server("required", &json!(true)),
        server("enabled", &json!(true)),
        server("default_tools_approval_mode", &json!("approve")),
        // A machine may be busy, and a check takes its time.
        server("startup_timeout_sec", &json!(60)),
        server("tool_timeout_sec", &json!(3600)),
    ]
}

/// A session that writes has to commit, start servers and use the network, so it has no sandbox of Codex's own.
fn sandbox(role: Role) -> &'static str {
    match role {
        Role::Initializer | Role::Chat => "read-only",
        Role::Coding | Role::Testing | Role::Orchestrator | Role::All => "danger-full-access",
    }
}

/// Returns a value of strings, numbers and lists as TOML, which writes them as JSON does.
fn toml(value: &Value) -> String {
    value.to_string().replace('\u{7f}', "\\u007f")
}
