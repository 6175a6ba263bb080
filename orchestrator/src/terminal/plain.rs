//! One plain line per event, for pipes and files; of a single agent also what it says and does.

use std::io::{self, Write};

use cogwork_schemas::{AgentEvent, Entry, SessionId};
use cogwork_session::report::agent_line;
use jiff::Timestamp;

use super::line::describe;
use super::{Names, Progress, Reporter, since};

/// What an agent says stands below the text of what happens.
const INDENT: usize = 11;

pub(super) struct Plain {
    names: Names,
    start: Timestamp,
    /// Of several agents, nobody could follow.
    shows_agents: bool,
}

impl Plain {
    pub(super) fn new(names: Names, start: Timestamp, shows_agents: bool) -> Self {
        Self { names, start, shows_agents }
    }

    fn line(&self, at: Timestamp, label: &str, text: &str) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{}  {label}  {text}", since(self.start, at))
    }
}

impl Reporter for Plain {
    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.names.notice(entry);
        match describe(entry) {
            Some(text) => self.line(entry.at, &self.names.label(entry.feature), &text),
            None => Ok(()),
        }
    }

    fn agent(&mut self, _: SessionId, event: &AgentEvent) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{:INDENT$}{}", "", agent_line(event))
    }

    fn wants_agents(&self) -> bool {
        self.shows_agents
    }

    fn note(&mut self, at: Timestamp, text: &str) -> io::Result<()> {
        self.line(at, &self.names.label(None), text)
    }

    fn lost(&mut self, at: Timestamp, entries: u64) -> io::Result<()> {
        self.line(at, &self.names.label(None), &not_shown(entries))
    }

    fn last_words(&mut self, text: &str) -> io::Result<()> {
        io::stdout().lock().write_all(text.as_bytes())
    }

    fn tick(&mut self, _: Timestamp, _: &Progress) {}

    fn close(&mut self) {}
}

/// Returns what to say of events that a reader did not take in time.
pub(super) fn not_shown(entries: u64) -> String {
    let events = if entries == 1 { "1 event is".to_owned() } else { format!("{entries} events are") };
    format!("{events} not shown: nobody read them in time, and the journal has them (`cogwork show ID`)")
}
