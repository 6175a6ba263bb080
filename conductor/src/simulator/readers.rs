//! The simulated readers: each takes what it is offered, has no room for it, or leaves for good.

use cogwork_schemas::{AgentEvent, Entry, SessionId};
use jiff::Timestamp;

use super::world::{Port, World};
use crate::ports::{Obstacles, Offered, Readers, Signpost};
use crate::progress::Progress;

impl World {
    fn offer(&mut self, entry: &Entry) -> Offered {
        assert!(entry.seq > self.offered, "entry {} is shown after {}", entry.seq, self.offered);
        self.offered = entry.seq;
        if let Some(staged) = &self.staged {
            return staged.reader;
        }
        self.has_reader_left |= self.rng.u32(0..100) == 0;
        match self.rng.u32(0..10) {
            _ if self.has_reader_left => Offered::Gone,
            0 => Offered::Full,
            _ => Offered::Taken,
        }
    }
}

impl Readers for Port {
    fn offer(&mut self, entry: &Entry) -> Offered {
        self.0.borrow_mut().offer(entry)
    }

    fn agent_event(&mut self, _: SessionId, _: &AgentEvent) {}

    fn note(&mut self, _: Timestamp, text: &str) {
        self.0.borrow_mut().say(|| format!("note: {text}"));
    }

    fn wants_progress(&self) -> bool {
        true
    }

    fn progress(&mut self, progress: Progress) {
        assert!(progress.passing <= progress.total);
    }
}

impl Signpost for Port {
    fn show(&mut self, obstacles: &Obstacles) {
        self.0.borrow_mut().say(|| format!("{obstacles:?}"));
    }
}
