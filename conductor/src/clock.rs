//! The clock: the one place of this program that reads the time.

use cogwork_store::TimeSource;
use jiff::Timestamp;

/// Returns the time of day.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns this clock for a store.
pub fn source() -> TimeSource {
    TimeSource::new(now)
}
