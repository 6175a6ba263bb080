//! Where a session stands, and the clocks of a running agent.

use cogwork_schemas::SessionOutcome;
use jiff::Timestamp;

use super::Limits;

#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// The workspace is being made and the checks run on the base commit.
    Preparing,
    /// The agent was asked for and is not yet there.
    Starting,
    /// The agent works.
    Running { clocks: Clocks },
    /// The agent was told to end, or is to be told as soon as it is there.
    Stopping {
        /// `None` until it is there.
        clocks: Option<Clocks>,
        cause: Cause,
        /// When patience ends; `None` once it was killed.
        kill_at: Option<Timestamp>,
    },
    /// The agent ended for a reason that passes. `outcome` is what it comes to if the wait is cut short.
    Waiting { resumes: bool, outcome: SessionOutcome },
    /// The agent is gone; its leftovers are committed and its work is checked.
    Judging { outcome: SessionOutcome },
    /// The last word was said.
    Over,
}

/// Why an agent was told to end.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Cause {
    WallClock,
    Silence,
    Idleness,
    /// It had so many bytes of memory.
    Memory {
        bytes: u64,
    },
    /// It said that it is through and did not end; it comes to what it said.
    Lingering,
    /// It could not come to anything but this.
    Hopeless {
        outcome: SessionOutcome,
    },
    Asked,
    /// The claim belongs to somebody else: nothing may be changed any more.
    LeaseLost,
}

/// What is known of the time of one life of the agent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub(super) started: Timestamp,
    /// When it began with the feature that it is at.
    pub(super) began: Timestamp,
    pub(super) last_output: Timestamp,
    /// Its last deed; its start, until it has done something.
    pub(super) last_progress: Timestamp,
    pub(super) progressed: bool,
    /// When it said that it is through. A deed after that takes it back.
    pub(super) result_at: Option<Timestamp>,
    /// How often in a row too much memory was found in use. Once may be the peak of a compiler.
    pub(super) too_large: u32,
}

impl Clocks {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            started: now,
            began: now,
            last_output: now,
            last_progress: now,
            progressed: false,
            result_at: None,
            too_large: 0,
        }
    }

    pub(super) fn progress(&mut self, now: Timestamp) {
        (self.last_output, self.last_progress, self.progressed, self.result_at) = (now, now, true, None);
    }

    /// Returns each limit that is under way, with when it is met.
    fn ends(&self, limits: &Limits) -> impl Iterator<Item = (Timestamp, Cause)> {
        [
            Some((self.began + limits.max_session, Cause::WallClock)),
            Some((self.last_output + limits.max_silence, Cause::Silence)),
            Some((self.last_progress + limits.max_idle, Cause::Idleness)),
            self.result_at.map(|at| (at + limits.after_result, Cause::Lingering)),
        ]
        .into_iter()
        .flatten()
    }

    /// Returns when the first limit is met if nothing happens.
    pub(super) fn deadline(&self, limits: &Limits) -> Option<Timestamp> {
        self.ends(limits).map(|(at, _)| at).min()
    }

    /// Returns the limit that is met now, the most telling first.
    pub(super) fn met(&self, now: Timestamp, limits: &Limits) -> Option<Cause> {
        self.ends(limits).find(|(at, _)| *at <= now).map(|(_, cause)| cause)
    }
}
