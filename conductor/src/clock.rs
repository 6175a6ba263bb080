//! The clock: the one place of this program that reads the time.

use std::future::pending;
use std::time::Duration;

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

/// Waits until the deadline; for ever when there is none.
///
/// A deadline is a date, and a laptop may sleep through it or have its clock set. So the wait is cut into pieces of
/// at most a second, after each of which the clock is read again.
pub async fn sleep_until(deadline: Option<Timestamp>) {
    let Some(deadline) = deadline else { return pending().await };
    loop {
        let left = Duration::try_from(deadline.duration_since(now())).unwrap_or_default();
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(Duration::from_secs(1))).await;
    }
}

/// Measures a duration; not moved by changes of the time of day, nor by a machine that sleeps.
#[derive(Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// Milliseconds since the start.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
