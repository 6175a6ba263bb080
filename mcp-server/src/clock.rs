//! The one place of this program that reads the clock.

use jiff::Timestamp;

/// Returns the time of the call that is being answered.
#[expect(clippy::disallowed_methods, reason = "this is the clock; everything else is given the time")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}
