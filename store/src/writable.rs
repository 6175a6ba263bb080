//! Since when the database takes writes, as one connection has seen it.
//!
//! While it takes none, no owner can renew a lease. Whoever takes claims back after that has to allow for it. A turn that
//! was waited for and came is none of it: leases outlast such waits.

use std::cell::Cell;

use jiff::Timestamp;

/// What a connection has seen of it.
#[derive(Debug, Default)]
pub(crate) struct Writable {
    /// Whether the last write found no turn or no room.
    is_refused: Cell<bool>,
    since: Cell<Option<Timestamp>>,
}

impl Writable {
    /// A write has got its turn.
    pub(crate) fn got_turn(&self, now: Timestamp) {
        if self.is_refused.get() {
            self.since.set(Some(now));
        }
    }

    /// A write is over, done or not; `is_refused` when it is to be tried again later.
    pub(crate) fn wrote(&self, is_refused: bool) {
        self.is_refused.set(is_refused);
    }

    /// Returns since when writes are taken again; `None` when they always were.
    pub(crate) fn since(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_refused.get() { Some(now) } else { self.since.get() }
    }
}
