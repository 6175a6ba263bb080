//! `exec:CMD`: any command as an agent. The prompt comes on its stdin, everything else in its environment, and each
//! line it prints is prose.

use cogwork_schemas::AgentEvent;

use super::{AgentProgram, Backend, Heard, Start};

pub(super) struct Exec {
    command: String,
}

impl Exec {
    pub(super) fn new(command: String) -> Self {
        Self { command }
    }
}

impl Backend for Exec {
    fn program(&mut self, _: &Start<'_>) -> AgentProgram {
        AgentProgram::new("sh".into(), vec!["-c".into(), self.command.clone().into()])
    }

    fn needs_token(&self) -> bool {
        true
    }

    fn read(&mut self, line: String) -> Heard {
        Heard::event(AgentEvent::Text { text: line })
    }
}
