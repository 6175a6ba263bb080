//! A terminal that moves: one line per running session and one bar for the whole, below the lines of what
//! happened.

use std::collections::BTreeMap;
use std::io::{self, Write};

use cogwork_schemas::{AgentEvent, Entry, Fact, SessionId};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::line::describe;
use super::plain::not_shown;
use super::{Names, Progress, Reporter, cut, duration, since};

/// Redraws per second: smooth for the eye, nothing for the processor.
const HERTZ: u8 = 8;

pub(super) struct Live {
    names: Names,
    start: Timestamp,
    screen: MultiProgress,
    whole: ProgressBar,
    sessions: BTreeMap<SessionId, Line>,
}

struct Line {
    bar: ProgressBar,
    label: String,
    doing: String,
}

/// Returns whether stderr is a terminal that can be drawn on; a dumb one, or none, gets plain lines.
pub(super) fn is_possible() -> bool {
    !ProgressDrawTarget::stderr().is_hidden()
}

impl Live {
    pub(super) fn new(names: Names, start: Timestamp) -> Self {
        let screen = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(HERTZ));
        let whole = screen.add(ProgressBar::new(1));
        whole.set_style(style("{bar:30} {pos}/{len} done {msg}"));
        Self { names, start, screen, whole, sessions: BTreeMap::new() }
    }

    fn say(&self, at: Timestamp, label: &str, text: &str) -> io::Result<()> {
        self.screen.println(format!("{}  {label}  {text}", since(self.start, at)))
    }
}

impl Reporter for Live {
    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.names.notice(entry);
        // Claims and red checks are the moving lines' matter; what stays is how things ended.
        let stays = match entry.fact {
            Fact::Claimed { .. } | Fact::ChecksRed { .. } | Fact::ChecksGreen { .. } => false,
            Fact::RunStarted { .. }
            | Fact::RunEnded { .. }
            | Fact::Commanded { .. }
            | Fact::NotShown { .. }
            | Fact::Created { .. }
            | Fact::SessionStarted { .. }
            | Fact::SessionUp { .. }
            | Fact::SessionWaits { .. }
            | Fact::SessionGoesOn
            | Fact::SessionActive { .. }
            | Fact::SessionEnded { .. }
            | Fact::SlotIdle { .. }
            | Fact::StartAvoided { .. }
            | Fact::LandingWaits { .. }
            | Fact::LandingBegun { .. }
            | Fact::LandingEnded { .. }
            | Fact::Checked { .. }
            | Fact::ChecksAlreadyGreen { .. }
            | Fact::SaidDone { .. }
            | Fact::Integrated { .. }
            | Fact::AttemptEnded { .. }
            | Fact::Parked { .. }
            | Fact::Retried
            | Fact::Inspected { .. }
            | Fact::ReportedFailing { .. }
            | Fact::NoteLeft { .. }
            | Fact::Skipped { .. }
            | Fact::DependenciesChanged { .. }
            | Fact::ChecksChanged { .. }
            | Fact::Deleted { .. }
            | Fact::HumanAsked { .. }
            | Fact::HumanAnswered { .. }
            | Fact::Adopted { .. } => true,
        };
        match describe(entry).filter(|_| stays) {
            Some(text) => self.say(entry.at, &self.names.label(entry.feature), &text),
            None => Ok(()),
        }
    }

    fn agent(&mut self, session: SessionId, event: &AgentEvent) -> io::Result<()> {
        if let Some(line) = self.sessions.get_mut(&session) {
            line.doing = match event {
                AgentEvent::Text { text } => cut(text.trim(), 60),
                AgentEvent::ToolCall { tool, input } => cut(&format!("{tool} {input}"), 60),
                AgentEvent::Retrying { cause, .. } => cut(&format!("no answer ({cause}), trying again"), 60),
                AgentEvent::Started { .. }
                | AgentEvent::ToolResult { .. }
                | AgentEvent::Allowance { .. }
                | AgentEvent::Usage { .. }
                | AgentEvent::Result { .. }
                | AgentEvent::Other { .. } => return Ok(()),
            };
        }
        Ok(())
    }

    fn note(&mut self, at: Timestamp, text: &str) -> io::Result<()> {
        self.say(at, &self.names.label(None), text)
    }

    fn lost(&mut self, at: Timestamp, entries: u64) -> io::Result<()> {
        self.say(at, &self.names.label(None), &not_shown(entries))
    }

    fn last_words(&mut self, text: &str) -> io::Result<()> {
        io::stdout().lock().write_all(text.as_bytes())
    }

    fn wants_agents(&self) -> bool {
        true
    }

    fn wants_progress(&self) -> bool {
        true
    }

    fn tick(&mut self, now: Timestamp, progress: &Progress) {
        self.sessions.retain(|id, line| {
            let lives = progress.running.iter().any(|running| running.session == *id);
            if !lives {
                line.bar.finish_and_clear();
                self.screen.remove(&line.bar);
            }
            lives
        });
        for running in &progress.running {
            let names = &self.names;
            let screen = &self.screen;
            let whole = &self.whole;
            let line = self.sessions.entry(running.session).or_insert_with(|| {
                let bar = screen.insert_before(whole, ProgressBar::new_spinner());
                bar.set_style(style("{spinner} {msg}"));
                Line { bar, label: names.label(Some(running.feature)), doing: String::new() }
            });
            line.label = names.label(Some(running.feature));
            let ms = u64::try_from(now.duration_since(running.since).as_millis()).unwrap_or(0);
            line.bar.set_message(format!("{}  {:>7}  {}", line.label, duration(ms), line.doing));
            line.bar.tick();
        }
        self.whole.set_length(progress.total as u64);
        self.whole.set_position(progress.passing as u64);
        let left = progress.left_ms.map_or_else(String::new, |ms| format!(", about {} left", duration(ms)));
        self.whole.set_message(format!("· {} running{left}", progress.running.len()));
    }

    fn close(&mut self) {
        for line in self.sessions.values() {
            line.bar.finish_and_clear();
        }
        self.whole.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
