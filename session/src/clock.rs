//! The clock: the one place of a run and its sessions that reads the time.

use std::future;
use std::time::{Duration, Instant};

use cogwork_store::TimeSource;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Two clocks: the wall's, for what is written down, and a steady one, for how long things may take. The steady one
/// looks like the wall's at its start and then never jumps; it stands still while the machine sleeps.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    wall_at_start: Timestamp,
    start: Instant,
}

/// Returns the time of day.
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// Returns the wall's clock for a store.
pub fn source() -> TimeSource {
    TimeSource::new(now)
}

impl Clock {
    /// Starts the steady clock.
    pub fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "this is the driver's clock")]
        let (wall_at_start, start) = (Timestamp::now(), Instant::now());
        Self { wall_at_start, start }
    }

    /// Returns the time of day.
    pub fn now(&self) -> Timestamp {
        now()
    }

    /// Returns the steady time.
    pub fn steady(&self) -> Timestamp {
        let passed = SignedDuration::try_from(self.start.elapsed()).unwrap_or(SignedDuration::MAX);
        self.wall_at_start.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    /// Returns the zone of this machine.
    pub fn zone() -> TimeZone {
        TimeZone::system()
    }

    /// Waits until a time of day; for ever when there is none.
    pub async fn until_wall(&self, deadline: Option<Timestamp>) {
        let Some(deadline) = deadline else {
            return future::pending().await;
        };
        while let Ok(wait) = Duration::try_from(deadline.duration_since(self.now()))
            && !wait.is_zero()
        {
            tokio::time::sleep(wait.min(LOOK)).await;
        }
    }

    /// Waits until a steady time; for ever when there is none.
    pub async fn until(&self, deadline: Option<Timestamp>) {
        let Some(deadline) = deadline else {
            return future::pending().await;
        };
        let wait = deadline.duration_since(self.steady());
        // One millisecond more, so that a rounded-down timer does not wake just before its time, again and again.
        if let Ok(wait) = Duration::try_from(wait) {
            tokio::time::sleep(wait + Duration::from_millis(1)).await;
        }
    }
}

/// How often a wait for a time of day looks at the clock, which may be set, or stand still while the machine sleeps.
const LOOK: Duration = Duration::from_secs(5);

/// Returns how long something took, in milliseconds.
pub fn millis(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}
