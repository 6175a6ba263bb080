//! Everything that ends a session before its agent does: a wish, a limit, a lost claim, a dead parent.

use cogwork_schemas::SessionOutcome;
use jiff::{SignedDuration, Timestamp};

use super::phase::{Cause, Phase};
use super::{Depth, Effect, Session};

/// How long an agent may take to end once nobody is left who could wait for it. Short, because the next run on the
/// same project may start at once.
const ORPHAN_GRACE: SignedDuration = SignedDuration::from_secs(2);

/// How often in a row too much memory has to be found in use before the agent is ended for it.
const TOO_LARGE: u32 = 2;

/// As the command line and outcomes count memory.
pub const MEGABYTE: u64 = 1_000_000;

impl Session {
    pub(super) fn on_control_stop(&mut self, now: Timestamp) -> Vec<Effect> {
        self.wishes.parent_asked = true;
        self.on_stop(now, Cause::Asked, self.limits.grace)
    }

    /// Whoever drains gives no further feature to anybody. What the session works on, it finishes; what it only
    /// waits for, it gives back.
    pub(super) fn on_drain(&mut self) -> Vec<Effect> {
        match &self.phase {
            Phase::Waiting { outcome, .. } => {
                let outcome = outcome.clone();
                self.judge(outcome, Depth::Commit)
            }
            Phase::Preparing
            | Phase::Starting
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Judging { .. }
            | Phase::Over => vec![],
        }
    }

    pub(super) fn on_signal(&mut self, now: Timestamp) -> Vec<Effect> {
        self.wishes.signals += 1;
        if self.wishes.signals > 1
            && let Phase::Stopping { kill_at, .. } = &mut self.phase
            && kill_at.take().is_some()
        {
            // The second one: patience is over.
            return vec![Effect::Kill];
        }
        self.on_stop(now, Cause::Asked, self.limits.grace)
    }

    pub(super) fn on_parent_gone(&mut self, now: Timestamp) -> Vec<Effect> {
        if self.wishes.parent_asked {
            // It said stop and hung up: it is alive and waits.
            return vec![];
        }
        let grace = self.limits.grace.min(ORPHAN_GRACE);
        let effects = self.on_stop(now, Cause::Asked, grace);
        if let Phase::Stopping { kill_at: Some(kill_at), .. } = &mut self.phase {
            *kill_at = (*kill_at).min(now + grace);
        }
        effects
    }

    pub(super) fn on_lease_lost(&mut self, now: Timestamp) -> Vec<Effect> {
        self.renew_at = None;
        if let Phase::Stopping { cause, .. } = &mut self.phase {
            *cause = Cause::LeaseLost;
        }
        self.on_stop(now, Cause::LeaseLost, self.limits.grace.min(ORPHAN_GRACE))
    }

    pub(super) fn on_hopeless(&mut self, now: Timestamp, outcome: SessionOutcome) -> Vec<Effect> {
        match self.phase {
            Phase::Running { .. } => self.on_stop(now, Cause::Hopeless { outcome }, self.limits.grace),
            // It ends anyway, for a reason that came first.
            Phase::Preparing
            | Phase::Starting
            | Phase::Stopping { .. }
            | Phase::Waiting { .. }
            | Phase::Judging { .. }
            | Phase::Over => vec![],
        }
    }

    pub(super) fn on_memory(&mut self, now: Timestamp, bytes: u64) -> Vec<Effect> {
        let is_too_much = self.limits.max_memory.is_some_and(|limit| bytes > limit);
        match &mut self.phase {
            Phase::Running { clocks } => {
                clocks.too_large = if is_too_much { clocks.too_large + 1 } else { 0 };
                if clocks.too_large < TOO_LARGE {
                    return vec![];
                }
                self.on_stop(now, Cause::Memory { bytes }, self.limits.grace)
            }
            // Not the agent's: what the checks and the clone need is not limited.
            Phase::Preparing
            | Phase::Starting
            | Phase::Stopping { .. }
            | Phase::Waiting { .. }
            | Phase::Judging { .. }
            | Phase::Over => vec![],
        }
    }

    pub(super) fn on_stop(&mut self, now: Timestamp, cause: Cause, grace: SignedDuration) -> Vec<Effect> {
        match &self.phase {
            Phase::Preparing | Phase::Judging { .. } => self.abandon(&cause),
            Phase::Waiting { .. } => {
                let outcome = self.stopped_by(&cause);
                match cause {
                    Cause::LeaseLost => self.finish(outcome),
                    Cause::WallClock
                    | Cause::Silence
                    | Cause::Idleness
                    | Cause::Memory { .. }
                    | Cause::Lingering
                    | Cause::Hopeless { .. }
                    | Cause::Asked => self.judge(outcome, Depth::Commit),
                }
            }
            Phase::Starting => {
                self.phase = Phase::Stopping { clocks: None, cause, kill_at: Some(now + grace) };
                vec![]
            }
            Phase::Running { clocks } => {
                let clocks = Some(*clocks);
                self.phase = Phase::Stopping { clocks, cause, kill_at: Some(now + grace) };
                vec![Effect::Terminate]
            }
            // It is stopping or has stopped already.
            Phase::Stopping { .. } | Phase::Over => vec![],
        }
    }

    /// Ends a phase without an agent at once. Unfinished judging counts as stopped, whatever the agent's own end
    /// was: without a verdict nobody may be charged.
    fn abandon(&mut self, cause: &Cause) -> Vec<Effect> {
        let outcome = self.stopped_by(cause);
        let mut effects = vec![Effect::Abandon];
        effects.extend(self.finish(outcome));
        effects
    }

    pub(super) fn stopped_by(&self, cause: &Cause) -> SessionOutcome {
        let seconds = |limit: SignedDuration| u64::try_from(limit.as_secs()).unwrap_or(0);
        match cause {
            Cause::WallClock => SessionOutcome::TimedOut { after_s: seconds(self.limits.max_session) },
            Cause::Silence => SessionOutcome::Silent { after_s: seconds(self.limits.max_silence) },
            Cause::Idleness => SessionOutcome::NoProgress { after_s: seconds(self.limits.max_idle) },
            Cause::Memory { bytes } => SessionOutcome::MemoryLimit {
                limit_mb: self.limits.max_memory.unwrap_or(0) / MEGABYTE,
                used_mb: bytes / MEGABYTE,
            },
            Cause::Hopeless { outcome } => outcome.clone(),
            Cause::Lingering => SessionOutcome::Completed,
            Cause::Asked | Cause::LeaseLost => SessionOutcome::Stopped,
        }
    }
}
