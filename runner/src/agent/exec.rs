//! `exec:CMD`: any command as an agent. The prompt comes on its stdin, everything else in its environment, and each
//! line it prints is prose.

use cogwork_schemas::AgentEvent;

use super::{AgentProgram, Backend};

pub(super) struct Exec {
    command: String,
}

impl Exec {
    pub(super) fn new(command: String) -> Self {
        Self { command }
    }
}

impl Backend for Exec {
    fn program(&self) -> AgentProgram {
        AgentProgram {
            program: "sh".into(),
            args: vec!["-c".into(), self.command.clone().into()],
            prompt_on_stdin: true,
        }
    }

    fn read(&mut self, line: String) -> AgentEvent {
        AgentEvent::Text { text: line }
    }
}
