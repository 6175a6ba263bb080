//! The crate's only look at a clock, and only for durations: how long a check took, when a wait is over.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;

/// Returns the monotonic time of the runtime.
#[expect(clippy::disallowed_methods, reason = "this is the one clock of the crate; callers get durations")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Returns how long ago a file was written; nothing when its time lies in the future, so that a clock that was set
/// back makes files look young, never old.
pub(crate) fn age(written: SystemTime) -> Duration {
    written.elapsed().unwrap_or_default()
}

/// Returns whole milliseconds since `start`.
pub(crate) fn millis_since(start: Instant) -> u64 {
    u64::try_from((now() - start).as_millis()).unwrap_or(u64::MAX)
}
