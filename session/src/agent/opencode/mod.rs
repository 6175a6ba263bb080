//! `opencode`: OpenCode, without a terminal, its output as one JSON object per line.
//!
//! `opencode run` prints nothing while it asks its service again; its log says it, so the log comes to stderr and is
//! read, and a session that is refused again and again is ended. With that it says all that its server would, in one
//! process. It owns how the program is started; what it says stands in [`read`], what that means in [`evidence`].
//! Measured with 1.18.33.

mod evidence;
mod read;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;

use cogwork_schemas::{Role, SessionOutcome};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::refusal::{no_server, reason};
use super::{AgentProgram, Backend, Content, Heard, SERVER, Start};
use crate::machine::Exit;
use evidence::Evidence;
use read::{Log, Reader};

/// What it needs of the environment: the user's configuration, and the keys of the services that people use with it.
pub(super) const WANTED: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZURE_API_KEY",
    "AZURE_RESOURCE_NAME",
    "CEREBRAS_API_KEY",
    "DEEPSEEK_API_KEY",
    "GEMINI_API_KEY",
    "GITHUB_TOKEN",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_GENERATIVE_AI_API_KEY",
    "GROQ_API_KEY",
    "MISTRAL_API_KEY",
    "OPENAI_API_KEY",
    "OPENCODE_API_KEY",
    "OPENCODE_AUTH_CONTENT",
    "OPENCODE_CONFIG",
    "OPENCODE_CONFIG_DIR",
    "OPENROUTER_API_KEY",
    "TOGETHER_API_KEY",
    "VERTEX_LOCATION",
    "XAI_API_KEY",
];

/// What is set for it. Nothing that an agent wrote into the project's settings runs in the next session; it changes
/// nothing about itself, and loads no language servers.
const SET: &[(&str, &str)] = &[
    ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
    ("OPENCODE_DISABLE_LSP_DOWNLOAD", "1"),
    ("OPENCODE_DISABLE_PROJECT_CONFIG", "1"),
];

pub(super) struct Opencode {
    reader: Reader,
    evidence: Evidence,
    /// What the present life can be resumed by.
    id: Option<String>,
    /// The present life goes on with an earlier one.
    resumed: bool,
}

impl Opencode {
    pub(super) fn new() -> Self {
        Self { reader: Reader::default(), evidence: Evidence::default(), id: None, resumed: false }
    }
}

impl Backend for Opencode {
    fn program(&mut self, start: &Start<'_>) -> AgentProgram {
        (self.reader, self.evidence) = (Reader::default(), Evidence::default());
        let id = self.id.clone().filter(|_| start.resumes);
        self.resumed = id.is_some();
        let mut args: Vec<OsString> = Vec::new();
        args.extend(["run", "--format", "json", "--print-logs", "--log-level", "WARN"].map(OsString::from));
        if let Some(model) = &start.settings.model {
            args.extend(["--model".into(), model.into()]);
        }
        if let Some(id) = id {
            args.extend(["--session".into(), id.into()]);
        }
        let mut env: Vec<(OsString, OsString)> =
            SET.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let mut files = Vec::new();
        env.push(("OPENCODE_CONFIG_CONTENT".into(), config(start, &mut files).to_string().into()));
        AgentProgram { env, files, ..AgentProgram::new(start.program_or("opencode"), args) }
    }

    fn wanted_env(&self) -> &'static [&'static str] {
        WANTED
    }

    fn read(&mut self, line: String) -> Heard {
        let Ok(parsed) = serde_json::from_str::<Value>(&line) else {
            return Heard::other(line);
        };
        if let Some(id) = parsed["sessionID"].as_str() {
            self.id = Some(id.to_owned());
        }
        let hopeless = self.evidence.take(&parsed);
        Heard::events(self.reader.events(&parsed)).hopeless(hopeless)
    }

    fn read_stderr(&mut self, line: String) -> Heard {
        match read::log(&line) {
            Some(Log::Refused { message }) => {
                let hopeless = self.evidence.refused(&message);
                Heard::event(read::retrying(message)).hopeless(hopeless)
            }
            Some(Log::ServerDown { server }) if server == SERVER => {
                Heard::other(line).hopeless(Some(no_server()))
            }
            Some(Log::ServerDown { .. }) | None => Heard::other(line),
        }
    }

    fn outcome(&self, exit: &Exit, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        if self.resumed && !self.evidence.is_up() && exit.stderr_tail.contains("Session not found") {
            return SessionOutcome::Transient { reason: reason("its conversation is gone") };
        }
        self.evidence.outcome(exit, now, local)
    }

    fn can_resume(&self) -> bool {
        self.id.is_some() && self.evidence.is_up()
    }
}

/// Returns what is laid over the user's own configuration. The programs that it starts see it, so what they are not to
/// know stands in files.
fn config(start: &Start<'_>, files: &mut Vec<(PathBuf, Content)>) -> Value {
    let mcp = start.mcp;
    let command: Vec<&String> = [&mcp.command].into_iter().chain(&mcp.args).collect();
    let mut env = Map::new();
    for (name, value) in &mcp.env {
        let given = match start.variable(name) {
            Some(_) => value.clone(),
            None => {
                let path = start.dir.join("opencode").join(name);
                files.push((path.clone(), Content::Text(value.clone())));
                format!("{{file:{}}}", path.display())
            }
        };
        env.insert(name.clone(), given.into());
    }
    json!({
        "mcp": { SERVER: {
            "type": "local", "command": command, "environment": env, "enabled": true, "timeout": 60_000,
        } },
        "permission": permission(start.role),
        "autoupdate": false,
        "share": "disabled",
        // It keeps copies of every state of a workspace, for an undo that nobody is there to ask for.
        "snapshot": false,
    })
}

/// Nobody is there to be asked: what is not allowed is denied.
fn permission(role: Role) -> Value {
    match role {
        Role::Initializer | Role::Chat => json!({ "*": "allow", "bash": "deny", "edit": "deny" }),
        Role::Coding | Role::Testing | Role::Orchestrator | Role::All => json!({ "*": "allow" }),
    }
}
