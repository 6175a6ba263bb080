//! The seam to coding agents: which program to start for a session, and what its output means.
//!
//! One file per agent. A backend knows how to start its program and how to read one line of it; it starts nothing
//! itself, decides nothing about the feature, and its words never count as proof of anything.

mod exec;
mod preflight;
mod scripted;
mod spec;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use cogwork_schemas::AgentEvent;

pub use preflight::{AgentError, preflight};
pub use spec::{AgentSpec, UnknownAgent};

use crate::Programs;

/// How to start an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AgentProgram {
    pub(crate) program: OsString,
    pub(crate) args: Vec<OsString>,
    /// Whether the prompt is written to its stdin, which is closed after it; otherwise it reads nothing.
    pub(crate) prompt_on_stdin: bool,
}

/// One kind of agent.
pub(crate) trait Backend {
    /// Returns the program that is one life of this agent.
    fn program(&self) -> AgentProgram;

    /// Returns what one line of its stdout means. It never fails: what it does not understand is
    /// [`AgentEvent::Other`].
    fn read(&mut self, line: String) -> AgentEvent;
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
        AgentSpec::Claude
        | AgentSpec::Codex
        | AgentSpec::Gemini
        | AgentSpec::Opencode
        | AgentSpec::Acp { .. }
        | AgentSpec::Auto => Err(AgentError::NotYet { agent: spec.to_string() }),
    }
}

#[cfg(test)]
mod tests;
