//! What a person may say about an agent, whichever it is; a backend that knows no such thing ignores it.

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use clap::Args;
use cogwork_process::contain::SandboxChoice;

use crate::PolicyChoice;

/// How an agent is to work.
#[derive(Debug, Clone, Default, PartialEq, Args)]
pub struct AgentSettings {
    /// The model the agent is to use [default: the agent's own]
    #[arg(long, value_name = "MODEL")]
    pub model: Option<String>,
    /// The model the agent is to use while the first is overloaded
    #[arg(long, value_name = "MODEL")]
    pub fallback_model: Option<String>,
    /// Stop the agent after so many turns
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_turns: Option<u32>,
    /// Stop the agent once its session has cost so many US dollars
    #[arg(long = "session-budget-usd", value_name = "USD")]
    pub budget_usd: Option<f64>,
    /// The agent's program, where it is not the usual one on PATH
    #[arg(long, value_name = "PROGRAM")]
    pub program: Option<OsString>,
    /// The command policy: default, off, or a file in place of the project's own; for agents that ask, see docs/policy.md
    #[arg(long, value_name = "WHICH", default_value = "default")]
    pub policy: PolicyChoice,
    /// Let agents and checks write nowhere but in their workspace: auto, bubblewrap, landlock or off; see docs/policy.md
    /// [default: off]
    #[arg(long, value_name = "WHICH")]
    pub sandbox: Option<SandboxChoice>,
    /// In a sandbox, let them write here, too, for example ~/.cargo; may be given several times
    #[arg(long, value_name = "DIR")]
    pub sandbox_write: Vec<PathBuf>,
}

impl AgentSettings {
    /// Returns the same settings for a process that works in another directory.
    ///
    /// # Errors
    ///
    /// When there is no current directory.
    pub fn absolute(mut self) -> io::Result<Self> {
        if let PolicyChoice::File(file) = &mut self.policy {
            *file = std::path::absolute(&file)?;
        }
        Ok(self)
    }

    /// Returns the flags that say the same to another process.
    pub(crate) fn flags(&self) -> Vec<(&'static str, OsString)> {
        let number = |number: &dyn ToString| OsString::from(number.to_string());
        [
            self.model.as_ref().map(|model| ("--model", model.into())),
            self.fallback_model.as_ref().map(|model| ("--fallback-model", model.into())),
            self.max_turns.map(|turns| ("--max-turns", number(&turns))),
            self.budget_usd.map(|budget| ("--session-budget-usd", number(&budget))),
            self.program.as_ref().map(|program| ("--program", program.clone())),
            match &self.policy {
                PolicyChoice::Default => None,
                PolicyChoice::Off => Some(("--policy", "off".into())),
                PolicyChoice::File(file) => Some(("--policy", file.clone().into_os_string())),
            },
            self.sandbox.map(|sandbox| ("--sandbox", sandbox.word().into())),
        ]
        .into_iter()
        .flatten()
        .chain(self.sandbox_write.iter().map(|dir| ("--sandbox-write", dir.clone().into_os_string())))
        .collect()
    }
}
