//! What a session takes of the machine: read now and then, told less often, with the most that was ever found.

use std::time::Duration;

use cogwork_process::contain::{self, Reading};
use cogwork_schemas::RunnerEvent;
use jiff::Timestamp;

/// How often it is told.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// How often it is read where memory is limited: a program that goes wild fills a machine in seconds. A reading takes
/// about a millisecond.
const WATCH_EVERY: Duration = Duration::from_secs(2);

/// How long before the first reading, so that a short session has one, too.
const FIRST: Duration = Duration::from_millis(500);

/// The readings of one session.
#[derive(Debug)]
pub(super) struct Meter {
    every: Duration,
    /// When it is read next; `None` where it cannot be.
    next: Option<Timestamp>,
    tell_at: Timestamp,
    /// Processor time of what ran here before: a lone runner has many sessions.
    before_ms: u64,
    peak_bytes: u64,
}

/// What a reading shows.
#[derive(Debug)]
pub(super) struct Shown {
    /// The memory of all that the session has started.
    pub(super) bytes: u64,
    /// When it is time to tell of it.
    pub(super) event: Option<RunnerEvent>,
}

impl Meter {
    /// Returns the meter of a session that begins. `is_limited`: somebody waits for each reading.
    pub(super) fn new(now: Timestamp, is_limited: bool) -> Self {
        let first = contain::reading();
        Self {
            every: if is_limited { WATCH_EVERY } else { TELL_EVERY },
            next: first.map(|_| now + FIRST),
            tell_at: now + TELL_EVERY,
            before_ms: first.map_or(0, |reading| reading.below.cpu_ms),
            peak_bytes: 0,
        }
    }

    /// Reads a little later at the latest: an agent has come, and may be gone soon.
    pub(super) fn soon(&mut self, now: Timestamp) {
        self.next = self.next.map(|next| next.min(now + FIRST));
    }

    /// Returns when to read; `None` for never.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// Reads.
    pub(super) fn read(&mut self, now: Timestamp) -> Option<Shown> {
        self.next = Some(now + self.every);
        let reading = self.look()?;
        let event = (self.tell_at <= now).then(|| {
            self.tell_at = now + TELL_EVERY;
            self.told(&reading)
        });
        Some(Shown { bytes: reading.below.memory_bytes, event })
    }

    /// Returns what is told at the end.
    pub(super) fn last(&mut self) -> Option<RunnerEvent> {
        let reading = self.look()?;
        Some(self.told(&reading))
    }

    fn look(&mut self) -> Option<Reading> {
        let mut reading = contain::reading()?;
        reading.below.cpu_ms = reading.below.cpu_ms.saturating_sub(self.before_ms);
        self.peak_bytes = self.peak_bytes.max(reading.below.memory_bytes);
        Some(reading)
    }

    fn told(&self, reading: &Reading) -> RunnerEvent {
        let Reading { own, below } = *reading;
        RunnerEvent::Resources { tree: below, runner: own, peak_bytes: self.peak_bytes }
    }
}
