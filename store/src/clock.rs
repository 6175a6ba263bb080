//! The time of a store: from a source that it is opened with, read in its turn, and never before what was written.
//!
//! No operation takes a time from its caller: the callers are several processes, later several machines, and no rule
//! compares their clocks. A reading is at least the time of the newest journal entry, so that times never go back
//! along the journal, whoever wrote it and however a clock was set.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};

use crate::columns::Micros;
use crate::error::Fail;
use crate::{Store, StoreError};

/// Where a store reads the time of day: the system's clock in a program, the test's own in a test.
#[derive(Clone)]
pub struct TimeSource(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl TimeSource {
    /// Takes what tells the time.
    pub fn new(tell: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Returns what it says, as of this moment.
    pub(crate) fn read(&self) -> Timestamp {
        (self.0)()
    }

    /// Returns the time in a transaction.
    pub(crate) fn time(&self, connection: &Connection) -> Result<Timestamp, Fail> {
        let last: Option<Micros> = connection
            .prepare_cached("SELECT at FROM journal ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| row.get(0))
            .optional()?;
        let clock = self.read();
        Ok(last.map_or(clock, |last| last.0.max(clock)))
    }
}

impl fmt::Debug for TimeSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimeSource").finish_non_exhaustive()
    }
}

impl Store {
    /// Returns the time as the operations of this store read it: what leases and waits are compared with.
    ///
    /// # Errors
    ///
    /// The database's.
    pub fn now(&self) -> Result<Timestamp, StoreError> {
        self.read(|tx| self.clock.time(tx))
    }
}
