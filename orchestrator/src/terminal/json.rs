//! NDJSON: one journal entry per line, as its schema says.

use std::io::{self, Write};

use cogwork_schemas::{AgentEvent, Entry, Fact, SessionId};
use jiff::Timestamp;

use super::{Progress, Reporter};

#[derive(Default)]
pub(super) struct Json {
    /// The last entry that was written.
    last: i64,
}

impl Json {
    fn line(entry: &Entry) -> io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        let mut stdout = io::stdout().lock();
        stdout.write_all(&line)?;
        stdout.flush()
    }
}

impl Reporter for Json {
    fn entry(&mut self, entry: &Entry) -> io::Result<()> {
        self.last = entry.seq;
        Self::line(entry)
    }

    fn agent(&mut self, _: SessionId, _: &AgentEvent) -> io::Result<()> {
        Ok(())
    }

    fn note(&mut self, _: Timestamp, text: &str) -> io::Result<()> {
        tracing::info!("{text}");
        Ok(())
    }

    fn lost(&mut self, at: Timestamp, entries: u64) -> io::Result<()> {
        let fact = Fact::NotShown { entries };
        Self::line(&Entry {
            seq: self.last,
            version: fact.version(),
            at,
            run: None,
            feature: None,
            session: None,
            attempt: None,
            fact,
        })
    }

    fn last_words(&mut self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn tick(&mut self, _: Timestamp, _: &Progress) {}

    fn close(&mut self) {}
}
