//! The queue to one reader: bounded in number and in bytes, and it counts what did not fit, where it did not.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cogwork_conductor::Progress;
use cogwork_schemas::{AgentEvent, Entry, SessionId};
use jiff::Timestamp;
use serde::Serialize;

use super::Shown;

/// Items that may wait. A reader that pauses for a minute misses nothing, and a run of a night stays small.
pub(super) const ITEMS: usize = 8_192;
/// Bytes that may wait: an entry with a check's output has some sixteen thousand.
pub(super) const BYTES: usize = 16 << 20;
/// What agents say may fill this part of it; the rest is left for what must not be lost when they chatter.
const CHATTER: usize = 2;

/// Nothing here blocks but [`Queue::next`]: the lock is held for a push or a pop, and never while something is written.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    items: VecDeque<(Shown, usize)>,
    bytes: usize,
    /// How many items the writer has taken and written: a reader that takes nothing does not move it.
    taken: u64,
    progress: Option<Progress>,
    is_closed: bool,
}

/// What the writer has to do.
pub(super) enum Next {
    Item(Shown),
    Nothing,
    Closed,
}

impl Queue {
    /// Appends an entry; returns whether there was room. One that is lost is counted in its place.
    pub(super) fn push_entry(&self, entry: &Entry) -> bool {
        let weight = weight(entry);
        let mut state = self.lock();
        if state.has_room(weight, 1) {
            state.push(Shown::Entry(Box::new(entry.clone())), weight);
            self.changed.notify_one();
            return true;
        }
        match state.items.back_mut() {
            Some((Shown::Lost(entries), _)) => *entries += 1,
            // One more than the bound, and only this.
            Some(_) | None => state.push(Shown::Lost(1), 0),
        }
        false
    }

    /// Appends what an agent said, while there is ample room.
    pub(super) fn push_said(&self, session: SessionId, event: &AgentEvent) {
        self.push_if_room(CHATTER, weight(event), || Shown::Said(session, Box::new(event.clone())));
    }

    /// Appends a note, while there is room.
    pub(super) fn push_note(&self, at: Timestamp, text: &str) {
        self.push_if_room(1, text.len(), || Shown::Note(at, text.to_owned()));
    }

    fn push_if_room(&self, part: usize, weight: usize, item: impl FnOnce() -> Shown) {
        let mut state = self.lock();
        if state.has_room(weight, part) {
            state.push(item(), weight);
            self.changed.notify_one();
        }
    }

    /// Lets the writer end once it has written what waits, and this last item, for which there is always room.
    pub(super) fn close(&self, last: Option<Shown>) {
        let mut state = self.lock();
        if !state.is_closed {
            state.is_closed = true;
            if let Some(last) = last {
                state.push(last, 0);
            }
            self.changed.notify_one();
        }
    }

    /// Drops everything: nobody reads.
    pub(super) fn clear(&self) {
        let mut state = self.lock();
        state.items.clear();
        state.bytes = 0;
    }

    /// Waits for the next item, for so long at most.
    pub(super) fn next(&self, wait: Duration) -> Next {
        let is_empty = |state: &mut State| state.items.is_empty() && !state.is_closed;
        let waited = self.changed.wait_timeout_while(self.lock(), wait, is_empty);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match state.items.pop_front() {
            Some((item, weight)) => {
                state.bytes -= weight;
                state.taken += 1;
                Next::Item(item)
            }
            None if state.is_closed => Next::Closed,
            None => Next::Nothing,
        }
    }

    /// Returns how many items the writer has taken.
    pub(super) fn taken(&self) -> u64 {
        self.lock().taken
    }

    pub(super) fn set_progress(&self, progress: Progress) {
        self.lock().progress = Some(progress);
    }

    /// Returns the newest progress.
    pub(super) fn progress(&self) -> Option<Progress> {
        self.lock().progress.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, weight: usize, part: usize) -> bool {
        // Whatever its size, an empty queue takes one.
        self.items.is_empty() || (self.items.len() < ITEMS / part && self.bytes + weight <= BYTES / part)
    }

    fn push(&mut self, item: Shown, weight: usize) {
        self.bytes += weight;
        self.items.push_back((item, weight));
    }
}

/// Returns about how many bytes something has in memory: as many as it has as a line.
fn weight(item: &impl Serialize) -> usize {
    let mut counted = Counted(0);
    // Counting does not fail, and what cannot be written as a line has no weight.
    serde_json::to_writer(&mut counted, item).ok();
    counted.0
}

struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
