//! What a person is told when a command cannot do its work: one sentence, then what to do next.

use std::fmt;

use cogwork_conductor::{AskError, NotReady, RunLockError};
use cogwork_session::chain;
use cogwork_store::StoreError;

use super::exit::Exit;
use crate::terminal::clean;

/// A command's failure as the person at the terminal sees it.
#[derive(Debug)]
pub(crate) struct CliError {
    pub(crate) exit: Exit,
    message: String,
    hints: Vec<String>,
}

impl CliError {
    /// A failure of the project, its state or this machine.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { exit: Exit::Error, message: message.into(), hints: Vec::new() }
    }

    /// Adds a thing the person can do about it.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Values come from files and models; a line end is the only thing a terminal may obey.
        let lines: Vec<_> = self.message.lines().map(clean).collect();
        write!(f, "error: {}", lines.join("\n"))?;
        for hint in &self.hints {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::new(chain(&error))
    }
}

impl From<NotReady> for CliError {
    fn from(NotReady { message, hints }: NotReady) -> Self {
        Self { exit: Exit::Error, message, hints }
    }
}

impl From<RunLockError> for CliError {
    fn from(error: RunLockError) -> Self {
        let text = chain(&error);
        match error {
            RunLockError::Held { .. } => {
                Self::new(text).hint("look on with `cogwork status`").exit(Exit::Busy)
            }
            RunLockError::Io { .. } => Self::new(text),
        }
    }
}

impl From<AskError> for CliError {
    fn from(error: AskError) -> Self {
        Self::new(chain(&error))
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::new(chain(&error))
    }
}
