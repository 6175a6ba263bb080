//! The life of one session, decided and not done: a pure machine.
//!
//! It owns the phases from the workspace to the last word, every time limit, and what a stop, a dead parent or a
//! lost lease means in each phase. It talks to the driver only: [`Event`]s in, [`Effect`]s out. It never reads a
//! clock, starts a process, touches the database or waits.

mod event;
mod limits;

use cogwork_schemas::{Control, SessionOutcome};
use jiff::{SignedDuration, Timestamp};

pub(crate) use event::{Depth, Effect, Ending, Event, Exit};
pub(crate) use limits::Limits;

/// How long an agent may take to end once nobody is left who could wait for it. Short, because the next run on the
/// same project may start at once.
const ORPHAN_GRACE: SignedDuration = SignedDuration::from_secs(2);

/// One session of one agent.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    limits: Limits,
    phase: Phase,
    /// When the lease has to be renewed next; `None` once the claim is not ours any more.
    renew_at: Option<Timestamp>,
    /// Who asked for the end so far, and how urgently.
    wishes: Wishes,
}

#[derive(Debug, Clone, Copy, Default)]
struct Wishes {
    /// The parent was alive to ask for it.
    parent_asked: bool,
    signals: u32,
}

#[derive(Debug, Clone)]
enum Phase {
    /// The workspace is being made and the checks run on the base commit.
    Preparing,
    /// The agent was asked for and is not yet there.
    Starting,
    /// The agent works.
    Running {
        started: Timestamp,
        /// When it began with the feature that it is at.
        began: Timestamp,
        last_output: Timestamp,
    },
    /// The agent was told to end, or is to be told as soon as it is there.
    Stopping {
        started: Option<Timestamp>,
        cause: Cause,
        /// When patience ends; `None` once it was killed.
        kill_at: Option<Timestamp>,
    },
    /// The agent is gone; its leftovers are committed and its work is checked.
    Judging { outcome: SessionOutcome, agent_ms: u64 },
    /// The last word was said.
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    WallClock,
    Silence,
    Asked,
    /// The claim belongs to somebody else: nothing may be changed any more.
    LeaseLost,
}

impl Session {
    /// Returns a session whose preparation begins at `now`, with a lease that was taken at that moment.
    pub(crate) fn new(now: Timestamp, limits: Limits) -> Self {
        let renew_at = Some(now + limits.renew_every());
        Self { limits, phase: Phase::Preparing, renew_at, wishes: Wishes::default() }
    }

    /// Takes note of what happened and returns what is to be done, in order.
    #[must_use]
    pub(crate) fn step(&mut self, now: Timestamp, event: Event) -> Vec<Effect> {
        match event {
            Event::Prepared => self.on_prepared(),
            Event::NotPrepared { reason } | Event::AgentNotStarted { reason } => self.on_not_started(reason),
            Event::AgentStarted => self.on_agent_started(now),
            Event::AgentOutput => self.on_agent_output(now),
            Event::NextFeature => self.on_next_feature(now),
            Event::AgentExited(exit) => self.on_agent_exited(now, exit),
            Event::Judged => self.on_judged(),
            // Whoever drains gives no further feature to anybody; what the session has, it finishes.
            Event::Control(Control::Drain) => vec![],
            Event::Control(Control::Stop) => self.on_control_stop(now),
            Event::Signal => self.on_signal(now),
            Event::ParentGone => self.on_parent_gone(now),
            Event::LeaseLost => self.on_lease_lost(now),
            Event::Deadline => self.on_deadline(now),
        }
    }

    /// Returns when [`Event::Deadline`] is due if nothing happens before; `None` when the session is over.
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let limit = match &self.phase {
            Phase::Running { began, last_output, .. } => {
                Some((*began + self.limits.max_session).min(*last_output + self.limits.max_silence))
            }
            Phase::Stopping { kill_at, .. } => *kill_at,
            Phase::Preparing | Phase::Starting | Phase::Judging { .. } => None,
            Phase::Over => return None,
        };
        [limit, self.renew_at].into_iter().flatten().min()
    }

    fn on_prepared(&mut self) -> Vec<Effect> {
        match self.phase {
            Phase::Preparing => {
                self.phase = Phase::Starting;
                vec![Effect::Start]
            }
            // Abandoned meanwhile.
            Phase::Over => vec![],
            Phase::Starting | Phase::Running { .. } | Phase::Stopping { .. } | Phase::Judging { .. } => {
                self.impossible("prepared twice")
            }
        }
    }

    fn on_not_started(&mut self, reason: String) -> Vec<Effect> {
        match self.phase {
            Phase::Preparing | Phase::Starting => self.finish(SessionOutcome::NotStarted { reason }, 0),
            Phase::Stopping { cause, .. } => {
                let outcome = self.stopped_by(cause);
                self.finish(outcome, 0)
            }
            Phase::Over => vec![],
            Phase::Running { .. } | Phase::Judging { .. } => self.impossible("not started while there"),
        }
    }

    fn on_agent_started(&mut self, now: Timestamp) -> Vec<Effect> {
        match &mut self.phase {
            Phase::Starting => {
                self.phase = Phase::Running { started: now, began: now, last_output: now };
                vec![]
            }
            // The stop came first, so this agent never heard of it.
            Phase::Stopping { started, .. } => {
                *started = Some(now);
                vec![Effect::Terminate]
            }
            Phase::Preparing | Phase::Running { .. } | Phase::Judging { .. } | Phase::Over => {
                self.impossible("an agent that nobody asked for")
            }
        }
    }

    fn on_agent_output(&mut self, now: Timestamp) -> Vec<Effect> {
        match &mut self.phase {
            Phase::Running { last_output, .. } => *last_output = now,
            // Last words: of no consequence, the limits have been met or the exit is known.
            Phase::Preparing
            | Phase::Starting
            | Phase::Stopping { .. }
            | Phase::Judging { .. }
            | Phase::Over => {}
        }
        vec![]
    }

    /// The time limit is that of one feature.
    fn on_next_feature(&mut self, now: Timestamp) -> Vec<Effect> {
        match &mut self.phase {
            Phase::Running { began, .. } => *began = now,
            // It is on its way out, whatever it has begun.
            Phase::Preparing
            | Phase::Starting
            | Phase::Stopping { .. }
            | Phase::Judging { .. }
            | Phase::Over => {}
        }
        vec![]
    }

    fn on_agent_exited(&mut self, now: Timestamp, exit: Exit) -> Vec<Effect> {
        let (outcome, started, cause) = match &self.phase {
            Phase::Running { started, .. } => (exit.outcome(), Some(*started), None),
            Phase::Stopping { started, cause, .. } => (self.stopped_by(*cause), *started, Some(*cause)),
            Phase::Preparing | Phase::Starting | Phase::Judging { .. } | Phase::Over => {
                return self.impossible("an exit without an agent");
            }
        };
        let agent_ms = started.map_or(0, |started| millis(now.duration_since(started)));
        let depth = match cause {
            Some(Cause::LeaseLost) => return self.finish(outcome, agent_ms),
            // Whoever asked wants it to end now; its commits stay in the workspace.
            Some(Cause::Asked) => Depth::Commit,
            // The checks decide, not the way it ended.
            None | Some(Cause::WallClock | Cause::Silence) => Depth::Checks,
        };
        self.phase = Phase::Judging { outcome, agent_ms };
        vec![Effect::Judge(depth)]
    }

    fn on_judged(&mut self) -> Vec<Effect> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Judging { outcome, agent_ms } => self.finish(outcome, agent_ms),
            Phase::Over => vec![],
            phase @ (Phase::Preparing | Phase::Starting | Phase::Running { .. } | Phase::Stopping { .. }) => {
                self.phase = phase;
                self.impossible("judged before the agent ended")
            }
        }
    }

    fn on_control_stop(&mut self, now: Timestamp) -> Vec<Effect> {
        self.wishes.parent_asked = true;
        self.on_stop(now, Cause::Asked, self.limits.grace)
    }

    fn on_signal(&mut self, now: Timestamp) -> Vec<Effect> {
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

    fn on_parent_gone(&mut self, now: Timestamp) -> Vec<Effect> {
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

    fn on_lease_lost(&mut self, now: Timestamp) -> Vec<Effect> {
        self.renew_at = None;
        if let Phase::Stopping { cause, .. } = &mut self.phase {
            *cause = Cause::LeaseLost;
        }
        self.on_stop(now, Cause::LeaseLost, self.limits.grace.min(ORPHAN_GRACE))
    }

    fn on_deadline(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.renew_at.is_some_and(|at| at <= now) {
            self.renew_at = Some(now + self.limits.renew_every());
            effects.push(Effect::Renew);
        }
        match &mut self.phase {
            Phase::Running { began, .. } if *began + self.limits.max_session <= now => {
                effects.extend(self.on_stop(now, Cause::WallClock, self.limits.grace));
            }
            Phase::Running { last_output, .. } if *last_output + self.limits.max_silence <= now => {
                effects.extend(self.on_stop(now, Cause::Silence, self.limits.grace));
            }
            Phase::Stopping { kill_at, .. } if kill_at.is_some_and(|at| at <= now) => {
                *kill_at = None;
                effects.push(Effect::Kill);
            }
            Phase::Preparing
            | Phase::Starting
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Judging { .. }
            | Phase::Over => {}
        }
        effects
    }

    fn on_stop(&mut self, now: Timestamp, cause: Cause, grace: SignedDuration) -> Vec<Effect> {
        match &self.phase {
            Phase::Preparing => self.abandon(cause, 0),
            Phase::Judging { agent_ms, .. } => self.abandon(cause, *agent_ms),
            Phase::Starting => {
                self.phase = Phase::Stopping { started: None, cause, kill_at: Some(now + grace) };
                vec![]
            }
            Phase::Running { started, .. } => {
                self.phase = Phase::Stopping { started: Some(*started), cause, kill_at: Some(now + grace) };
                vec![Effect::Terminate]
            }
            // It is stopping or has stopped already.
            Phase::Stopping { .. } | Phase::Over => vec![],
        }
    }

    /// Ends a phase without an agent at once. Unfinished judging counts as stopped, whatever the agent's own end
    /// was: without a verdict nobody may be charged.
    fn abandon(&mut self, cause: Cause, agent_ms: u64) -> Vec<Effect> {
        let outcome = self.stopped_by(cause);
        let mut effects = vec![Effect::Abandon];
        effects.extend(self.finish(outcome, agent_ms));
        effects
    }

    fn stopped_by(&self, cause: Cause) -> SessionOutcome {
        let seconds = |limit: SignedDuration| u64::try_from(limit.as_secs()).unwrap_or(0);
        match cause {
            Cause::WallClock => SessionOutcome::TimedOut { after_s: seconds(self.limits.max_session) },
            Cause::Silence => SessionOutcome::Silent { after_s: seconds(self.limits.max_silence) },
            Cause::Asked | Cause::LeaseLost => SessionOutcome::Stopped,
        }
    }

    fn finish(&mut self, outcome: SessionOutcome, agent_ms: u64) -> Vec<Effect> {
        self.phase = Phase::Over;
        vec![Effect::Finish { outcome, agent_ms }]
    }

    /// A driver that keeps its word never comes here; in a release build the event is ignored, because a live agent
    /// must still be supervised.
    fn impossible(&self, what: &str) -> Vec<Effect> {
        debug_assert!(false, "{what}: {:?}", self.phase);
        vec![]
    }
}

fn millis(duration: SignedDuration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
