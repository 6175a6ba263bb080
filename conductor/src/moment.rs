//! Time on two clocks. Neither is read here: a moment is handed to whoever decides something.

use jiff::Timestamp;

/// One moment, on two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The time of day, which may jump: for leases, and for what people read.
    pub wall: Timestamp,
    /// Time that this machine was awake, which never jumps: for how long things may take.
    pub steady: Timestamp,
}

impl Moment {
    /// Returns what the clock on the wall shows at a steady time, unless it is set until then.
    pub fn wall_at(self, steady: Timestamp) -> Timestamp {
        self.wall.saturating_add(steady.duration_since(self.steady)).unwrap_or(Timestamp::MAX)
    }
}

/// When a deadline comes, if nothing else does before: on either clock, whichever is there first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Deadlines {
    pub wall: Option<Timestamp>,
    pub steady: Option<Timestamp>,
}

impl Deadlines {
    /// Returns whether one of them has come.
    pub fn are_due(self, now: Moment) -> bool {
        self.wall.is_some_and(|at| at <= now.wall) || self.steady.is_some_and(|at| at <= now.steady)
    }
}
