//! What a session says, and to whom: every message goes to its journal, and as JSON or as a readable line to stdout.
//!
//! Secrets are taken out of what programs say where it comes in (`Report::secrets`), and once more out of everything on its
//! way out, whoever said it.

use std::cell::RefCell;

use cogwork_process::redact::Redactor;
use cogwork_schemas::{AgentEvent, CheckPhase, CheckReport, RunnerEvent, RunnerMessage, SessionId};
use jiff::Timestamp;

use crate::journal::Journal;
use crate::machine::Record;
use crate::outbox::Outbox;
use crate::text::{printable, shortened};

/// How much of one thing that an agent said is passed on, in bytes.
const MAX_TEXT: usize = 16 << 10;
/// How much of it a person gets to see, in bytes.
const MAX_SHOWN: usize = 400;

/// The language of stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One [`RunnerMessage`] per line, for whoever started this process.
    Messages,
    /// Sentences, for a person.
    Sentences,
}

/// The voice of one session.
pub struct Report<'a> {
    session: SessionId,
    form: Form,
    outbox: &'a Outbox,
    journal: RefCell<Journal>,
    secrets: Redactor,
}

impl<'a> Report<'a> {
    /// Returns the voice of `session`, which never says what `secrets` knows.
    pub fn new(
        session: SessionId,
        form: Form,
        outbox: &'a Outbox,
        journal: Journal,
        secrets: Redactor,
    ) -> Self {
        Self { session, form, outbox, journal: RefCell::new(journal), secrets }
    }

    /// Says that something happened.
    pub(crate) fn tell(&self, at: Timestamp, event: RunnerEvent) {
        let is_prose = matches!(event, RunnerEvent::Agent { .. });
        let message = RunnerMessage { at, session: self.session, event };
        let line = self.redacted(crate::json::line(&message));
        self.journal.borrow_mut().write(at, &line);
        let shown = match self.form {
            Form::Messages => Some(line),
            Form::Sentences => sentence(&message.event).map(|text| self.redacted(text)),
        };
        let Some(shown) = shown else { return };
        if !is_prose {
            self.outbox.say(shown);
        } else if let Some(dropped) = self.outbox.offer(shown)
            && dropped > 0
        {
            let line = format!(
                "{dropped} lines of the agent before this one were dropped: nobody read them in time"
            );
            self.tell(at, RunnerEvent::Agent { event: AgentEvent::Other { line } });
        }
    }

    /// Gives a sign of life to whoever started this process. It says nothing that a person or a journal wants to know.
    pub fn alive(&self, at: Timestamp) {
        if self.form == Form::Messages {
            let message = RunnerMessage { at, session: self.session, event: RunnerEvent::Alive };
            self.outbox.say(crate::json::line(&message));
        }
    }

    /// Writes down what the session's machine was told.
    pub(crate) fn step(&self, record: &Record) {
        let line = self.redacted(crate::json::line(record));
        self.journal.borrow_mut().write_step(&line, &crate::json::line(&Record::Full));
    }

    /// Returns a text that somebody said without the secrets of the session.
    fn redacted(&self, text: String) -> String {
        self.secrets.redact(text)
    }

    /// Returns what must not be said, for whoever lets text in.
    pub(crate) fn secrets(&self) -> &Redactor {
        &self.secrets
    }
}

/// Returns what an agent said, short enough to be passed on.
pub(crate) fn bounded(event: AgentEvent) -> AgentEvent {
    let short = |text| shortened(text, MAX_TEXT);
    match event {
        AgentEvent::Text { text } => AgentEvent::Text { text: short(text) },
        AgentEvent::ToolCall { tool, input } => {
            AgentEvent::ToolCall { tool: short(tool), input: short(input) }
        }
        AgentEvent::ToolResult { tool, is_error, output } => {
            AgentEvent::ToolResult { tool: short(tool), is_error, output: short(output) }
        }
        AgentEvent::Retrying { cause, delay_ms } => AgentEvent::Retrying { cause: short(cause), delay_ms },
        AgentEvent::Result { ok, text } => AgentEvent::Result { ok, text: short(text) },
        AgentEvent::Other { line } => AgentEvent::Other { line: short(line) },
        event @ (AgentEvent::Started { .. } | AgentEvent::Allowance { .. } | AgentEvent::Usage { .. }) => {
            event
        }
    }
}

/// Returns how a check went, as people read it.
pub(crate) fn check_line(report: &CheckReport) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a duration to be read, not to be counted with")]
    let seconds = report.duration_ms as f64 / 1000.0;
    format!("`{}` is {}, {seconds:.1} s", report.command, report.verdict)
}

/// Returns what an event says to a person; nothing when it is too small for a line.
pub(crate) fn sentence(event: &RunnerEvent) -> Option<String> {
    let text = match event {
        RunnerEvent::Up { .. }
        | RunnerEvent::Alive
        | RunnerEvent::Prepared { .. }
        | RunnerEvent::Resources { .. }
        | RunnerEvent::LeftOut { .. } => return None,
        RunnerEvent::Checked { phase, report, .. } => {
            let when = match phase {
                CheckPhase::Before => "before",
                CheckPhase::After => "after",
                CheckPhase::Merged => "landing",
                CheckPhase::Verify => "verify",
            };
            format!("{when}: {}", check_line(report))
        }
        RunnerEvent::AgentStarted { process } => format!("the agent runs (process {})", process.pid),
        RunnerEvent::Agent { event } => return Some(format!("  {}", agent_line(event))),
        RunnerEvent::Waiting { until, because } => format!("{because}: waiting until {until}"),
        RunnerEvent::Ended { outcome, agent_ms, .. } => {
            #[expect(clippy::cast_precision_loss, reason = "a duration to be read, not to be counted with")]
            let seconds = *agent_ms as f64 / 1000.0;
            format!("{outcome} ({seconds:.1} s)")
        }
    };
    Some(format!("  {}", shortened(printable(&text), MAX_SHOWN)))
}

/// Returns what an agent says and does, as a line for people.
pub fn agent_line(event: &AgentEvent) -> String {
    shortened(printable(&said(event)), MAX_SHOWN)
}

fn said(event: &AgentEvent) -> String {
    match event {
        AgentEvent::Text { text } => format!("| {text}"),
        AgentEvent::ToolCall { tool, input } => format!("> {tool} {input}"),
        AgentEvent::ToolResult { tool, is_error: true, output } => format!("< {tool} failed: {output}"),
        AgentEvent::ToolResult { tool, is_error: false, output } => format!("< {tool}: {output}"),
        AgentEvent::Other { line } => format!("| {line}"),
        AgentEvent::Started { model, version, .. } => {
            let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
            format!("model {}, version {}", known(model), known(version))
        }
        AgentEvent::Retrying { cause, .. } => format!("no answer ({cause}), it tries again"),
        AgentEvent::Allowance { rejected: true, .. } => "the service refuses".to_owned(),
        AgentEvent::Allowance { used: Some(used), .. } => {
            format!("{:.0} % of the allowance used", used * 100.0)
        }
        AgentEvent::Allowance { used: None, .. } => "the allowance is not used up".to_owned(),
        AgentEvent::Usage { input_tokens, output_tokens, cost_usd } => {
            let cost = cost_usd.map_or_else(String::new, |cost| format!(", {cost:.2} USD"));
            format!("{input_tokens} tokens read, {output_tokens} written{cost}")
        }
        AgentEvent::Result { ok: true, .. } => "it says that it is done".to_owned(),
        AgentEvent::Result { ok: false, text } => format!("it failed: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::journal::Bounds;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Tells `events`; returns what stdout and what the journal got.
    async fn told(form: Form, events: Vec<RunnerEvent>) -> (String, String) {
        let dir = tempfile::tempdir().unwrap();
        let (sender, _events) = tokio::sync::mpsc::channel(1);
        let sink = Sink::default();
        let outbox = Outbox::new(sink.clone(), sender);
        let journal = Journal::open(dir.path(), SessionId(4), Bounds::default());
        let mut secrets = Redactor::default();
        secrets.learn("7-c0ffee");
        let report = Report::new(SessionId(4), form, &outbox, journal, secrets);
        for event in events {
            report.tell(Timestamp::UNIX_EPOCH, event);
        }
        drop(report);
        outbox.close().await;
        let stdout = String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
        (stdout, std::fs::read_to_string(dir.path().join("journal.ndjson")).unwrap())
    }

    fn text(text: &str) -> RunnerEvent {
        RunnerEvent::Agent { event: AgentEvent::Text { text: text.into() } }
    }

    #[tokio::test]
    async fn a_token_is_never_passed_on() {
        for form in [Form::Messages, Form::Sentences] {
            let (stdout, journal) = told(form, vec![text("env: COGWORK_TOKEN=7-c0ffee\"\n")]).await;
            assert!(!stdout.contains("c0ffee") && stdout.contains("COGWORK_TOKEN=[redacted]"), "{stdout}");
            assert!(!journal.contains("c0ffee"), "{journal}");
        }
    }

    #[tokio::test]
    async fn messages_are_what_the_schema_says() {
        let events = vec![text("hi"), RunnerEvent::Prepared { workspace: "/w".into(), duration_ms: 3 }];
        let (stdout, journal) = told(Form::Messages, events.clone()).await;
        let read = |text: &str| -> Vec<RunnerEvent> {
            let message = |line| serde_json::from_str::<RunnerMessage>(line).unwrap();
            text.lines().map(|line| message(line).event).collect()
        };
        assert_eq!(read(&stdout), events);
        assert_eq!(stdout, journal);
    }

    #[tokio::test]
    async fn a_person_reads_short_lines() {
        let (stdout, _) = told(Form::Sentences, vec![text(&format!("a\u{1b}[31m{}", "b".repeat(900)))]).await;
        assert!(stdout.starts_with("  | a[31mb") && stdout.len() < 500, "{stdout}");
        assert!(stdout.ends_with(" more bytes)\n"));
    }
}
