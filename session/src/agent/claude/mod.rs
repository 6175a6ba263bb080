//! `claude`: Claude Code, without a terminal, its output as one JSON object per line.
//!
//! It owns how the program is started, and reads what it says; what that means stands in [`evidence`]. Its flags,
//! variables and quirks were measured with 2.1.197 and 2.1.329.

mod evidence;
mod read;
#[cfg(test)]
mod tests;

use std::ffi::OsString;

use cogwork_schemas::{Role, SessionOutcome};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::{AgentProgram, Backend, Heard, SERVER, Start};
use crate::machine::Exit;
use evidence::Evidence;

/// What it needs of the environment: its login, where its service is, and how to reach it through others.
pub(super) const WANTED: &[&str] = &[
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_MODEL",
    "ANTHROPIC_SMALL_FAST_MODEL",
    "ANTHROPIC_VERTEX_PROJECT_ID",
    "AWS_ACCESS_KEY_ID",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_PROFILE",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "CLAUDE_CODE_OAUTH_TOKEN",
    "CLAUDE_CODE_USE_BEDROCK",
    "CLAUDE_CODE_USE_VERTEX",
    "CLAUDE_CONFIG_DIR",
    "CLOUD_ML_REGION",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "HTTPS_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "NO_PROXY",
];

/// What is set for it. It is to answer for itself within seconds, and to leave long waits to us; it is to start no
/// task that outlives its work, look for no newer version and report to nobody.
const SET: &[(&str, &str)] = &[
    ("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS", "1"),
    ("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1"),
    ("CLAUDE_CODE_MAX_RETRIES", "4"),
    ("DISABLE_AUTOUPDATER", "1"),
    ("DISABLE_TELEMETRY", "1"),
];

/// Earlier versions print limits in words only, and load no MCP server before the first question.
const OLDEST: (u32, u32, u32) = (2, 1, 45);

/// How long it waits for its hook. The hook itself gives up, and refuses, long before.
const HOOK_TIMEOUT_S: u32 = 120;

pub(super) struct Claude {
    evidence: Evidence,
    /// What the present life can be resumed by.
    id: Option<String>,
}

impl Claude {
    pub(super) fn new() -> Self {
        Self { evidence: Evidence::default(), id: None }
    }
}

impl Backend for Claude {
    fn program(&mut self, start: &Start<'_>) -> AgentProgram {
        let mut args: Vec<OsString> = Vec::new();
        let mut push = |words: &[&str]| args.extend(words.iter().map(OsString::from));
        push(&["--print", "--output-format", "stream-json", "--verbose"]);
        // Nothing that an agent wrote into the project's settings runs in the next session.
        push(&["--strict-mcp-config", "--setting-sources", ""]);
        push(&["--permission-mode", "dontAsk", "--allowedTools", allowed_tools(start.role)]);
        if let Some(model) = start.settings.model.as_deref() {
            push(&["--model", model]);
        }
        if let Some(model) = start.settings.fallback_model.as_deref() {
            push(&["--fallback-model", model]);
        }
        if let Some(turns) = start.settings.max_turns {
            push(&["--max-turns", &turns.to_string()]);
        }
        if let Some(budget) = start.settings.budget_usd {
            push(&["--max-budget-usd", &budget.to_string()]);
        }
        if let Some(id) = self.id.as_deref().filter(|_| start.resumes) {
            push(&["--resume", id]);
        }
        if let Some(hook) = start.hook {
            push(&["--settings", &settings(hook)]);
        }
        args.extend(["--mcp-config".into(), start.mcp_config.into()]);
        self.evidence = Evidence::default();
        AgentProgram {
            env: SET.iter().map(|(name, value)| (name.into(), value.into())).collect(),
            ..AgentProgram::new(start.program_or("claude"), args)
        }
    }

    fn wanted_env(&self) -> &'static [&'static str] {
        WANTED
    }

    fn read(&mut self, line: String) -> Heard {
        let Ok(parsed) = serde_json::from_str::<Value>(&line) else {
            return Heard::other(line);
        };
        self.evidence.take(&parsed);
        if parsed["type"] == "system" && parsed["subtype"] == "init" {
            self.id = parsed["session_id"].as_str().map(str::to_owned).or_else(|| self.id.take());
        }
        Heard::events(read::events(&parsed)).hopeless(hopeless(&parsed))
    }

    fn outcome(&self, exit: &Exit, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        self.evidence.outcome(exit, now, local)
    }

    fn can_resume(&self) -> bool {
        self.id.is_some()
    }
}

/// Returns the settings by which it asks `hook` before each tool. A hook that cannot be started, that dies or takes too
/// long would be passed over: the line itself ends in a refusal, and newer versions are told to refuse as well.
fn settings(hook: &str) -> String {
    let hook = json!({ "type": "command", "command": hook, "timeout": HOOK_TIMEOUT_S, "onFailure": "block" });
    json!({ "hooks": { "PreToolUse": [{ "matcher": "*", "hooks": [hook] }] } }).to_string()
}

/// What each role may use without being asked; everything else is refused. Its list of tools does not end here:
/// what is not named is visible, and denied.
fn allowed_tools(role: Role) -> &'static str {
    match role {
        Role::Initializer | Role::Chat => "mcp__features,Read,Glob,Grep,TodoWrite,WebFetch,WebSearch",
        Role::Coding | Role::Testing | Role::Orchestrator | Role::All => {
            "mcp__features,Bash,Edit,Glob,Grep,MultiEdit,NotebookEdit,Read,Task,TodoWrite,WebFetch,WebSearch,Write"
        }
    }
}

/// Returns how a session ends that cannot come to anything, as soon as that is known: it would go on for minutes, and
/// at someone's cost.
fn hopeless(line: &Value) -> Option<SessionOutcome> {
    match (line["type"].as_str()?, line["subtype"].as_str()?) {
        ("system", "init") => too_old(line).or_else(|| not_connected(line)),
        ("system", "api_retry") if line["error"] == "authentication_failed" => {
            let status =
                line["error_status"].as_u64().map_or_else(String::new, |status| format!(" ({status})"));
            Some(SessionOutcome::Auth { reason: format!("the service refused it{status}") })
        }
        _ => None,
    }
}

fn too_old(init: &Value) -> Option<SessionOutcome> {
    let version = init["claude_code_version"].as_str()?;
    let mut parts = version.split('.').map(|part| part.parse::<u32>().ok());
    let found = (parts.next()??, parts.next()??, parts.next()??);
    let (major, minor, patch) = OLDEST;
    (found < OLDEST).then(|| SessionOutcome::Config {
        reason: format!("Claude Code {version} is too old: install {major}.{minor}.{patch} or newer"),
    })
}

fn not_connected(init: &Value) -> Option<SessionOutcome> {
    let servers = init["mcp_servers"].as_array()?;
    let ours = servers.iter().find(|server| server["name"] == SERVER)?;
    let status = ours["status"].as_str().unwrap_or("unknown");
    (status != "connected").then(|| SessionOutcome::Config {
        reason: format!(
            "Cogwork's MCP server did not connect, its state is `{status}`: run `cogwork doctor`"
        ),
    })
}
