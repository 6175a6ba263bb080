//! The one place of this program that reads the clock.

use cogwork_store::TimeSource;
use jiff::Timestamp;

/// Returns the time of the call that is being answered.
#[expect(clippy::disallowed_methods, reason = "this is the clock; everything else is given the time")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns this clock for a store.
pub(crate) fn source() -> TimeSource {
    TimeSource::new(now)
}
