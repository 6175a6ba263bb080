//! `scripted`: the built-in agent, a process of its own (see [`crate::play`]) that prints one [`AgentEvent`] per
//! line.

use std::ffi::OsString;
use std::path::PathBuf;

use cogwork_schemas::AgentEvent;

use super::{AgentProgram, Backend, Heard, Input, Start};
use crate::Programs;

pub(super) struct Scripted {
    runner: Vec<OsString>,
    script: PathBuf,
}

impl Scripted {
    pub(super) fn new(programs: &Programs, script: PathBuf) -> Self {
        Self { runner: programs.agent.clone(), script }
    }
}

impl Backend for Scripted {
    fn program(&mut self, _: &Start<'_>) -> AgentProgram {
        let mut words = self.runner.iter().cloned();
        let program = words.next().unwrap_or_default();
        let play = ["play".into(), "--script".into(), self.script.clone().into_os_string()];
        AgentProgram { input: Input::Nothing, ..AgentProgram::new(program, words.chain(play).collect()) }
    }

    fn needs_token(&self) -> bool {
        true
    }

    fn read(&mut self, line: String) -> Heard {
        Heard::event(serde_json::from_str(&line).unwrap_or(AgentEvent::Other { line }))
    }
}
