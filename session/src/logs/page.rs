//! A journal as people read it: one line for each thing that happened, and what it came to at the end.

use cogwork_process::contain;
use cogwork_schemas::{
    AgentEvent, CheckPhase, ProcessIdentity, Resources, RunnerEvent, RunnerMessage, SessionId, SessionOutcome,
};
use cogwork_store::{Evidence, Taken};
use jiff::Timestamp;

use crate::clock::millis;
use crate::report::sentence;
use crate::text::{printable, shortened};

/// The longest line of what an agent wrote, in bytes.
const MAX_PROSE: usize = 2000;

/// The width of the column of times.
const WIDTH: usize = 8;

/// An attempt of a session, with what shows how it went.
pub(super) struct Tried {
    pub(super) taken: Taken,
    pub(super) evidence: Vec<Evidence>,
}

/// When checks are run, in the order of an attempt's life.
const PHASES: [(CheckPhase, &str); 4] = [
    (CheckPhase::Before, "before the work"),
    (CheckPhase::After, "after the work"),
    (CheckPhase::Merged, "when it landed"),
    (CheckPhase::Verify, "by hand"),
];

/// What was read so far.
pub(super) struct Page {
    session: SessionId,
    start: Option<Timestamp>,
    last: Option<Timestamp>,
    process: Option<ProcessIdentity>,
    ended: Option<(SessionOutcome, u64, Option<String>)>,
    lives: u32,
    tool_calls: u64,
    /// Of the lives that are over, and of this one.
    spent: [Spent; 2],
    resources: Option<(Resources, u64)>,
    /// Whole lines that are no messages of ours.
    pub(super) not_understood: u64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Spent {
    read: u64,
    written: u64,
    usd: Option<f64>,
}

impl Spent {
    fn and(self, other: Self) -> Self {
        let usd = match (self.usd, other.usd) {
            (Some(one), Some(two)) => Some(one + two),
            (one, two) => one.or(two),
        };
        Self { read: self.read + other.read, written: self.written + other.written, usd }
    }
}

impl Page {
    pub(super) fn new(session: SessionId) -> Self {
        Self {
            session,
            start: None,
            last: None,
            process: None,
            ended: None,
            lives: 0,
            tool_calls: 0,
            spent: [Spent::default(); 2],
            resources: None,
            not_understood: 0,
        }
    }

    /// Returns whether the session has said its last word.
    pub(super) fn is_over(&self) -> bool {
        self.ended.is_some()
    }

    /// Returns whether nobody is left to say anything. `nobody_came`: whoever has not said yet who it is never will.
    pub(super) fn is_gone(&self, nobody_came: bool) -> bool {
        self.process.as_ref().map_or(nobody_came, |process| !contain::is_alive(process))
    }

    /// Returns a message that says that something is missing after the last one.
    pub(super) fn gap(&self, bytes: u64) -> RunnerMessage {
        let at = self.last.unwrap_or(Timestamp::UNIX_EPOCH);
        RunnerMessage { at, session: self.session, event: RunnerEvent::LeftOut { bytes } }
    }

    /// Takes note of a message; returns its lines, if it is worth any.
    pub(super) fn take(&mut self, message: &RunnerMessage) -> Option<String> {
        let start = *self.start.get_or_insert(message.at);
        self.last = Some(message.at);
        self.note(&message.event);
        let mut text = String::new();
        for line in lines(&message.event) {
            // The time stands before the first of several.
            let time = if text.is_empty() { seconds(millis(start, message.at)) } else { String::new() };
            text.push_str(&format!("{time:>WIDTH$}  {line}\n"));
        }
        (!text.is_empty()).then_some(text)
    }

    fn note(&mut self, event: &RunnerEvent) {
        match event {
            RunnerEvent::Up { process } => self.process = Some(process.clone()),
            RunnerEvent::AgentStarted { .. } => {
                self.lives += 1;
                self.spent = [self.spent[0].and(self.spent[1]), Spent::default()];
            }
            RunnerEvent::Agent { event: AgentEvent::Usage { input_tokens, output_tokens, cost_usd } } => {
                // It counts from the beginning of this life.
                self.spent[1] = Spent { read: *input_tokens, written: *output_tokens, usd: *cost_usd };
            }
            RunnerEvent::Agent { event: AgentEvent::ToolCall { .. } } => self.tool_calls += 1,
            RunnerEvent::Resources { tree, peak_bytes, .. } => self.resources = Some((*tree, *peak_bytes)),
            RunnerEvent::Ended { outcome, agent_ms, reason, .. } => {
                self.ended = Some((outcome.clone(), *agent_ms, reason.clone()));
            }
            RunnerEvent::Alive
            | RunnerEvent::Prepared { .. }
            | RunnerEvent::Checked { .. }
            | RunnerEvent::Waiting { .. }
            | RunnerEvent::Agent { .. }
            | RunnerEvent::LeftOut { .. } => {}
        }
    }

    /// Returns what the session came to; `attempts` is what the database says of it, or why it says nothing.
    pub(super) fn summary(&self, attempts: &Result<Vec<Tried>, String>) -> String {
        let mut text = format!("\n{}\n", self.end());
        let mut field = |name: &str, value: String| {
            text.push_str(&format!("  {name:<9} {}\n", shortened(printable(&value), MAX_PROSE)));
        };
        for Tried { taken: Taken { attempt, outcome }, evidence } in attempts.iter().flatten() {
            let became = match outcome {
                Some(outcome) => outcome.to_string(),
                None if attempt.submitted.is_some() => "handed in, waits to land".to_owned(),
                None => "under way".to_owned(),
            };
            field("attempt", format!("{} of {}: {became}", attempt.number, attempt.feature));
            for (phase, when) in PHASES {
                let of_phase = || evidence.iter().filter(|evidence| evidence.phase == phase);
                let green = of_phase().filter(|evidence| evidence.report.verdict.is_green()).count();
                let all = of_phase().count();
                if all > 0 {
                    field("evidence", format!("{when}: {green} of {all} checks green"));
                }
            }
        }
        if let Err(why) = attempts {
            field("attempt", format!("not known: {why}"));
        }
        if self.lives > 0 {
            field("agent", self.agent());
        }
        if let Some((tree, peak)) = self.resources {
            field(
                "machine",
                format!("at most {} of memory, {} of processor time", megabytes(peak), seconds(tree.cpu_ms)),
            );
        }
        if self.not_understood > 0 {
            field("left out", format!("{} lines that this version does not understand", self.not_understood));
        }
        text
    }

    fn end(&self) -> String {
        let (session, took) = match (self.start, self.last) {
            (Some(start), Some(last)) => (self.session, millis(start, last)),
            (None, _) | (_, None) => return format!("session {} has said nothing", self.session),
        };
        let took = seconds(took);
        match &self.ended {
            Some((outcome, agent_ms, reason)) => {
                let why = reason.as_ref().map_or_else(String::new, |reason| format!("; {reason}"));
                let agent = seconds(*agent_ms);
                let text = format!(
                    "session {session} ended after {took}, {agent} of them the agent's: {outcome}{why}"
                );
                shortened(printable(&text), MAX_PROSE)
            }
            None if self.is_gone(true) => {
                format!("session {session} has no end: its runner was gone after {took}")
            }
            None => format!("session {session} is under way, so far for {took}"),
        }
    }

    fn agent(&self) -> String {
        let Spent { read, written, usd } = self.spent[0].and(self.spent[1]);
        let mut parts = Vec::new();
        if self.lives > 1 {
            parts.push(format!("{} lives", self.lives));
        }
        parts.push(format!("{} tool calls", self.tool_calls));
        if read + written > 0 {
            parts.push(format!("{read} tokens read, {written} written"));
        }
        parts.extend(usd.map(|usd| format!("{usd:.2} USD")));
        parts.join(", ")
    }
}

/// Returns the lines of an event.
fn lines(event: &RunnerEvent) -> Vec<String> {
    match event {
        RunnerEvent::Up { process } => vec![format!("the runner is there (process {})", process.pid)],
        RunnerEvent::Prepared { workspace, duration_ms } => {
            vec![format!("the workspace is there after {}: {}", seconds(*duration_ms), printable(workspace))]
        }
        RunnerEvent::Agent { event: AgentEvent::Text { text } } => {
            let shown = |line: &str| format!("| {}", shortened(printable(line), MAX_PROSE));
            text.lines().filter(|line| !line.trim().is_empty()).map(shown).collect()
        }
        RunnerEvent::Resources { tree, runner, .. } => vec![format!(
            "{} of memory in {} processes, {} of processor time; the runner {}",
            megabytes(tree.memory_bytes),
            tree.processes,
            seconds(tree.cpu_ms),
            megabytes(runner.memory_bytes)
        )],
        RunnerEvent::LeftOut { bytes } => {
            vec![format!("… here {} of the journal are left out: it became too long", megabytes(*bytes))]
        }
        RunnerEvent::Alive
        | RunnerEvent::Checked { .. }
        | RunnerEvent::AgentStarted { .. }
        | RunnerEvent::Waiting { .. }
        | RunnerEvent::Agent { .. }
        | RunnerEvent::Ended { .. } => {
            sentence(event).map(|line| line.trim_start().to_owned()).into_iter().collect()
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size to be read, not to be counted with")]
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

#[expect(clippy::cast_precision_loss, reason = "a duration to be read, not to be counted with")]
fn seconds(ms: u64) -> String {
    format!("{:.1} s", ms as f64 / 1000.0)
}

#[cfg(test)]
mod tests;
