//! NDJSON: one journal entry per line, as its schema says.

use std::io::Write;

use cogwork_schemas::{AgentEvent, Entry, SessionId};
use jiff::Timestamp;

use super::{Progress, Reporter};

pub(super) struct Json;

impl Reporter for Json {
    fn entry(&mut self, entry: &Entry) {
        if let Ok(mut line) = serde_json::to_vec(entry) {
            line.push(b'\n');
            // A reader that went away does not stop the run; the journal has it all.
            drop(std::io::stdout().lock().write_all(&line));
        }
    }

    fn agent(&mut self, _: SessionId, _: &AgentEvent) {}

    fn note(&mut self, text: &str) {
        tracing::info!("{text}");
    }

    fn tick(&mut self, _: Timestamp, _: &Progress) {}

    fn close(&mut self) {}
}
