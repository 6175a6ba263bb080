//! `gemini`: Gemini CLI, without a terminal, its output as one JSON object per line.
//!
//! It owns how the program is started; its settings stand in [`home`], what it says in [`read`], what that means in
//! [`evidence`]. Flags, files, exit codes and errors were measured with 0.61.0.

mod evidence;
mod home;
mod read;
#[cfg(test)]
mod tests;

use std::ffi::OsString;

use cogwork_schemas::{AgentEvent, SessionOutcome};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::refusal::{no_server, reason};
use super::{AgentProgram, Backend, Heard, SERVER, Start};
use crate::machine::Exit;
use evidence::Evidence;

/// What it needs of the environment: its key, where its service is, and how it is paid.
pub(super) const WANTED: &[&str] = &[
    "GEMINI_API_KEY",
    "GEMINI_API_KEY_AUTH_MECHANISM",
    "GEMINI_CLI_HOME",
    "GEMINI_FORCE_ENCRYPTED_FILE_STORAGE",
    "GEMINI_FORCE_FILE_STORAGE",
    "GEMINI_MODEL",
    "GOOGLE_API_KEY",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_ACCESS_TOKEN",
    "GOOGLE_CLOUD_LOCATION",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "GOOGLE_GEMINI_BASE_URL",
    "GOOGLE_GENAI_USE_GCA",
    "GOOGLE_GENAI_USE_VERTEXAI",
    "GOOGLE_VERTEX_BASE_URL",
];

pub(super) struct Gemini {
    evidence: Evidence,
    /// What the present life can be resumed by.
    id: Option<String>,
    /// Some life had an answer: what has none is not kept.
    has_answered: bool,
    /// The present life goes on with an earlier one.
    resumed: bool,
}

impl Gemini {
    pub(super) fn new() -> Self {
        Self { evidence: Evidence::default(), id: None, has_answered: false, resumed: false }
    }
}

impl Backend for Gemini {
    fn program(&mut self, start: &Start<'_>) -> AgentProgram {
        self.has_answered = start.resumes && (self.has_answered || self.evidence.has_answered());
        self.evidence = Evidence::default();
        let id = self.id.clone().filter(|_| start.resumes);
        self.resumed = id.is_some();
        let mut args: Vec<OsString> = Vec::new();
        // In a directory that is not trusted it starts no MCP server and asks before it does anything.
        let fixed = ["--output-format", "stream-json", "--skip-trust", "--approval-mode", "yolo"];
        args.extend(fixed.map(OsString::from));
        args.extend(["--allowed-mcp-server-names", SERVER].map(OsString::from));
        if let Some(model) = &start.settings.model {
            args.extend(["--model".into(), model.into()]);
        }
        if let Some(id) = id {
            args.extend(["--resume".into(), id.into()]);
        }
        let home = start.dir.join("gemini");
        AgentProgram {
            files: home::files(start, &home),
            env: vec![
                ("GEMINI_CLI_HOME".into(), home.into()),
                // Otherwise it starts itself a second time, with more memory.
                ("GEMINI_CLI_NO_RELAUNCH".into(), "true".into()),
            ],
            ..AgentProgram::new(start.program_or("gemini"), args)
        }
    }

    fn wanted_env(&self) -> &'static [&'static str] {
        WANTED
    }

    fn writes_in_pieces(&self) -> bool {
        true
    }

    fn read(&mut self, line: String) -> Heard {
        let Ok(parsed) = serde_json::from_str::<Value>(&line) else {
            return Heard::other(line);
        };
        if parsed["type"] == "init" {
            self.id = parsed["session_id"].as_str().map(str::to_owned).or_else(|| self.id.take());
        }
        self.evidence.take(&parsed);
        Heard::events(read::events(&parsed))
    }

    fn read_stderr(&mut self, line: String) -> Heard {
        // Its only word about them; no other server than ours is allowed.
        if line.starts_with("MCP issues detected.") {
            return Heard::other(line).hopeless(Some(no_server()));
        }
        match read::retry(&line) {
            Some(cause) => Heard::event(AgentEvent::Retrying { cause, delay_ms: None }),
            None => Heard::other(line),
        }
    }

    fn outcome(&self, exit: &Exit, now: Timestamp, local: &TimeZone) -> SessionOutcome {
        if self.resumed && !self.evidence.is_up() {
            let words = format!("its conversation cannot be gone on with: {}", exit.stderr_tail.trim());
            return SessionOutcome::Transient { reason: reason(&words) };
        }
        self.evidence.outcome(exit, now, local)
    }

    fn can_resume(&self) -> bool {
        let has_answered = self.has_answered || self.evidence.has_answered();
        self.id.is_some() && self.evidence.is_up() && has_answered
    }
}
