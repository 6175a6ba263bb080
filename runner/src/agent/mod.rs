//! The seam to coding agents: which program to start for a session, and what its output means.
//!
//! One file per agent. A backend knows how to start its program and how to read one line of it; it starts nothing
//! itself, decides nothing about the feature, and its words never count as proof of anything.

mod claude;
mod exec;
mod preflight;
mod scripted;
mod settings;
mod spec;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cogwork_schemas::{AgentEvent, Role, SessionOutcome};
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use preflight::{AgentError, preflight};
pub use settings::AgentSettings;
pub use spec::{AgentSpec, UnknownAgent};

use crate::Programs;
use crate::session::Exit;

/// What a life of an agent begins with.
pub(crate) struct Start<'a> {
    pub(crate) role: Role,
    pub(crate) settings: &'a AgentSettings,
    /// The MCP configuration, in the form that Claude Code reads.
    pub(crate) mcp_config: &'a Path,
    /// It goes on with the conversation of its last life.
    pub(crate) resumes: bool,
}

/// How to start an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentProgram {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    /// Variables that it is given beyond those of every agent.
    pub(crate) env: Vec<(OsString, OsString)>,
    /// Whether the prompt is written to its stdin, which is closed after it; otherwise it reads nothing.
    pub(crate) prompt_on_stdin: bool,
}

/// What one line of an agent's output says.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Heard {
    pub(crate) events: Vec<AgentEvent>,
    /// Set when this life cannot come to anything any more, with the outcome that it will have.
    pub(crate) hopeless: Option<SessionOutcome>,
}

impl Heard {
    /// One event, and nothing to fear.
    fn event(event: AgentEvent) -> Self {
        Self { events: vec![event], hopeless: None }
    }

    /// A line that says nothing that is known.
    fn other(line: String) -> Self {
        Self::event(AgentEvent::Other { line })
    }
}

/// One kind of agent.
pub(crate) trait Backend {
    /// Begins a life of this agent and returns the program that it is.
    fn program(&mut self, start: &Start<'_>) -> AgentProgram;

    /// Returns the names of the variables that it needs of this process's environment, if they are set there.
    fn wanted_env(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns whether its program itself needs the token, to start the MCP server by hand. Others find the server in
    /// the MCP configuration, and no program that they start ever sees the token.
    fn needs_token(&self) -> bool {
        false
    }

    /// Returns what one line of its stdout means. It never fails: what it does not understand is
    /// [`AgentEvent::Other`].
    fn read(&mut self, line: String) -> Heard;

    /// Returns what the end of a life means that nobody asked for. `local` is the zone of times without one.
    fn outcome(&self, exit: &Exit, _now: Timestamp, _local: &TimeZone) -> SessionOutcome {
        exit.outcome()
    }

    /// Returns whether the next life can go on with this one's conversation.
    fn can_resume(&self) -> bool {
        false
    }
}

/// Returns the backend of `spec`.
///
/// # Errors
/// As [`preflight()`], for what does not depend on the machine: an agent that cannot be driven, a missing script.
pub(crate) fn backend(
    spec: &AgentSpec,
    script: Option<&Path>,
    programs: &Programs,
) -> Result<Box<dyn Backend>, AgentError> {
    match spec {
        AgentSpec::Scripted => {
            let script = script.ok_or(AgentError::NoScript)?;
            Ok(Box::new(scripted::Scripted::new(programs, PathBuf::from(script))))
        }
        AgentSpec::Exec { command } => Ok(Box::new(exec::Exec::new(command.clone()))),
        AgentSpec::Claude => Ok(Box::new(claude::Claude::new())),
        AgentSpec::Codex
        | AgentSpec::Gemini
        | AgentSpec::Opencode
        | AgentSpec::Acp { .. }
        | AgentSpec::Auto => Err(AgentError::NotYet { agent: spec.to_string() }),
    }
}

#[cfg(test)]
mod tests;
