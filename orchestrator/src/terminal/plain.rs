//! One plain line per event, for pipes and files.

use std::io::Write;

use cogwork_schemas::{AgentEvent, Entry, SessionId};
use jiff::Timestamp;

use super::line::describe;
use super::{Names, Progress, Reporter, since};

pub(super) struct Plain {
    names: Names,
    start: Timestamp,
    now: Timestamp,
}

impl Plain {
    pub(super) fn new(names: Names, start: Timestamp) -> Self {
        Self { names, start, now: start }
    }

    fn line(&self, at: Timestamp, label: &str, text: &str) {
        // A reader that went away does not stop the run.
        drop(writeln!(std::io::stdout().lock(), "{}  {label}  {text}", since(self.start, at)));
    }
}

impl Reporter for Plain {
    fn entry(&mut self, entry: &Entry) {
        self.names.notice(entry);
        if let Some(text) = describe(entry) {
            self.line(entry.at, &self.names.label(entry.feature), &text);
        }
    }

    fn agent(&mut self, _: SessionId, _: &AgentEvent) {}

    fn note(&mut self, text: &str) {
        self.line(self.now, &self.names.label(None), text);
    }

    fn tick(&mut self, now: Timestamp, _: &Progress) {
        self.now = now;
    }

    fn close(&mut self) {}
}
