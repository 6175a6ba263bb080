//! What an agent's program says, without the secrets of the session: line by line before it is understood, and once
//! more where it is a text that comes in pieces.

use cogwork_process::lines::Line;
use cogwork_process::redact::{LineRedactor, PieceRedactor, Redactor};
use cogwork_schemas::{AgentEvent, SessionOutcome};

/// What has to be remembered from line to line.
#[derive(Debug, Default)]
pub(super) struct Clean {
    stdout: LineRedactor,
    stderr: LineRedactor,
    text: PieceRedactor,
}

impl Clean {
    pub(super) fn stdout(&mut self, secrets: &Redactor, line: Line) -> String {
        self.stdout.redact(secrets, whole(secrets, line))
    }

    pub(super) fn stderr(&mut self, secrets: &Redactor, line: Line) -> String {
        self.stderr.redact(secrets, whole(secrets, line))
    }

    /// Returns what can be told when an agent has said something that writes its texts in pieces: a secret may be in
    /// several of them.
    pub(super) fn told(&mut self, secrets: &Redactor, event: AgentEvent) -> Vec<AgentEvent> {
        match event {
            AgentEvent::Text { text } => said(self.text.push(secrets, &text)).into_iter().collect(),
            AgentEvent::Started { .. }
            | AgentEvent::ToolCall { .. }
            | AgentEvent::ToolResult { .. }
            | AgentEvent::Retrying { .. }
            | AgentEvent::Allowance { .. }
            | AgentEvent::Usage { .. }
            | AgentEvent::Result { .. }
            | AgentEvent::Other { .. } => self.rest(secrets).into_iter().chain([event]).collect(),
        }
    }

    /// Returns what was held back of a text that has ended.
    pub(super) fn rest(&mut self, secrets: &Redactor) -> Option<AgentEvent> {
        said(self.text.finish(secrets))
    }
}

fn said(text: String) -> Option<AgentEvent> {
    (!text.is_empty()).then_some(AgentEvent::Text { text })
}

fn whole(secrets: &Redactor, line: Line) -> String {
    let Line { text, cut } = line;
    let text = if cut > 0 { secrets.redact_head(text) } else { text };
    Line { text, cut }.to_string()
}

/// Returns an outcome whose words are without secrets, whatever they were put together from.
pub(super) fn outcome(secrets: &Redactor, outcome: SessionOutcome) -> SessionOutcome {
    use SessionOutcome as Is;
    let clean = |text: String| secrets.redact(text);
    match outcome {
        Is::Failed { exit_code, stderr_tail } => Is::Failed { exit_code, stderr_tail: clean(stderr_tail) },
        Is::ReportedError { reason } => Is::ReportedError { reason: clean(reason) },
        Is::Killed { signal, stderr_tail } => Is::Killed { signal, stderr_tail: clean(stderr_tail) },
        Is::UsageLimit { resets_at, window } => Is::UsageLimit { resets_at, window: window.map(clean) },
        Is::Throttled { reason } => Is::Throttled { reason: clean(reason) },
        Is::Transient { reason } => Is::Transient { reason: clean(reason) },
        Is::Auth { reason } => Is::Auth { reason: clean(reason) },
        Is::Billing { reason } => Is::Billing { reason: clean(reason) },
        Is::Config { reason } => Is::Config { reason: clean(reason) },
        Is::NotStarted { reason } => Is::NotStarted { reason: clean(reason) },
        plain @ (Is::Completed
        | Is::TimedOut { .. }
        | Is::Silent { .. }
        | Is::NoProgress { .. }
        | Is::MemoryLimit { .. }
        | Is::ContextFull
        | Is::TurnLimit
        | Is::BudgetSpent
        | Is::Stopped) => plain,
    }
}
