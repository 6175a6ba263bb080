//! The seam to coding agents: which program to start for a session, and what its output means.
//!
//! One folder or file per agent. A backend knows how to start its program and how to read one line of it; it starts nothing
//! itself, decides nothing about the feature, and its words never count as proof of anything.

mod acp;
mod claude;
mod codex;
mod exec;
mod gemini;
mod opencode;
mod preflight;
mod refusal;
mod scripted;
mod settings;
mod spec;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use cogwork_process::contain::Asking;
use cogwork_schemas::{AgentEvent, Role, SessionOutcome};
use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use preflight::{AgentError, preflight};
pub use settings::AgentSettings;
pub use spec::{AgentSpec, UnknownAgent};

use crate::Programs;
use crate::machine::Exit;

/// The name under which our MCP server is configured, and so the prefix of its tools.
pub const SERVER: &str = "features";

/// How our MCP server is started: by the agent, as its child.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct McpServer {
    pub command: String,
    pub args: Vec<String>,
    /// Its complete environment: the agent's own has the same, and the token only where its backend needs it.
    pub env: Vec<(String, String)>,
}

/// What a life of an agent begins with.
pub struct Start<'a> {
    pub role: Role,
    pub settings: &'a AgentSettings,
    pub prompt: &'a str,
    pub mcp: &'a McpServer,
    /// The same as a file, in the form that Claude Code reads.
    pub mcp_config: &'a Path,
    /// The session's own directory, in which no agent works.
    pub dir: &'a Path,
    /// Where the agent works.
    pub workspace: &'a Path,
    /// What it will see of the environment, but for what its backend adds.
    pub env: &'a [(OsString, OsString)],
    /// The line of shell that judges its tools, for programs that ask before each; `None` without a policy.
    pub hook: Option<&'a str>,
    /// It goes on with the conversation of its last life.
    pub resumes: bool,
}

impl Start<'_> {
    /// Returns the value of a variable that the agent will see.
    fn variable(&self, name: &str) -> Option<&OsStr> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
    }

    /// Returns the program that a person named, or the usual one.
    fn program_or(&self, usual: &str) -> OsString {
        self.settings.program.clone().unwrap_or_else(|| usual.into())
    }
}

/// How to start an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentProgram {
    pub program: OsString,
    pub args: Vec<OsString>,
    /// Variables that it is given beyond those of every agent.
    pub env: Vec<(OsString, OsString)>,
    pub input: Input,
    /// What has to be there before it is started, in the session's own directory.
    pub files: Vec<(PathBuf, Content)>,
    /// What it takes for a request to end.
    pub asking: Asking,
}

impl AgentProgram {
    /// Returns a program that reads its prompt from stdin and ends at SIGTERM.
    fn new(program: OsString, args: Vec<OsString>) -> Self {
        Self {
            program,
            args,
            env: Vec::new(),
            input: Input::Prompt,
            files: Vec::new(),
            asking: Asking::Terminate,
        }
    }
}

/// What an agent reads on its stdin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Nothing.
    Nothing,
    /// Its prompt, then the end.
    Prompt,
    /// These lines, and what [`Heard::say`] adds to them.
    Conversation(Vec<String>),
}

/// A file that an agent is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A text that only this user may read.
    Text(String),
    /// A link to what is somewhere else, such as a login that has to be renewed in place.
    Link(PathBuf),
}

/// What one line of an agent's output says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Heard {
    pub events: Vec<AgentEvent>,
    /// Set when this life cannot come to anything any more, with the outcome that it will have.
    pub hopeless: Option<SessionOutcome>,
    /// Lines that it is to be answered with, without their ends.
    pub say: Vec<String>,
    /// The conversation is over; it is to end now.
    pub is_over: bool,
}

impl Heard {
    /// One event, and nothing to fear.
    fn event(event: AgentEvent) -> Self {
        Self::events(vec![event])
    }

    /// Some events, and nothing to fear.
    fn events(events: Vec<AgentEvent>) -> Self {
        Self { events, ..Self::default() }
    }

    /// A line that says nothing that is known.
    fn other(line: String) -> Self {
        Self::event(AgentEvent::Other { line })
    }

    /// The same of a life that cannot come to anything any more.
    fn hopeless(self, outcome: Option<SessionOutcome>) -> Self {
        Self { hopeless: outcome, ..self }
    }
}

/// One kind of agent.
pub trait Backend {
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

    /// Returns what one line of its stderr means.
    fn read_stderr(&mut self, line: String) -> Heard {
        Heard::other(line)
    }

    /// Returns whether a text comes in several events, as its model writes it; those of others are whole.
    fn writes_in_pieces(&self) -> bool {
        false
    }

    /// Returns the line that asks it to end, for an agent that is talked to; the others are sent a signal.
    fn farewell(&mut self) -> Option<String> {
        None
    }

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
pub fn backend(
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
        AgentSpec::Codex => Ok(Box::new(codex::Codex::new())),
        AgentSpec::Gemini => Ok(Box::new(gemini::Gemini::new())),
        AgentSpec::Opencode => Ok(Box::new(opencode::Opencode::new())),
        AgentSpec::Acp { command } => Ok(Box::new(acp::Acp::new(command.clone()))),
        AgentSpec::Auto => Err(AgentError::NotResolved),
    }
}

#[cfg(test)]
mod tests;
