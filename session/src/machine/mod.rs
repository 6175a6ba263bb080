//! The life of one session, decided and not done: a pure machine.
//!
//! It owns the phases from the workspace to the last word, every time limit, and what a stop, a dead parent or a
//! lost lease means in each phase. It talks to the driver only: [`Event`]s in, [`Effect`]s out. It never reads a
//! clock, starts a process, touches the database or waits.

mod event;
mod life;
mod limits;
mod patience;
mod phase;
mod record;
mod stop;

use cogwork_schemas::{Control, SessionOutcome};
use jiff::{SignedDuration, Timestamp};

pub use event::{Death, Depth, Effect, Ending, Event, Exit};
pub use limits::Limits;
pub use patience::{Patience, Policy};
use phase::Phase;
pub use record::{Record, Recorder, ReplayError, Replayed, replay};
pub use stop::MEGABYTE;

/// One session of one agent.
#[derive(Debug, Clone)]
pub struct Session {
    limits: Limits,
    patience: Patience,
    phase: Phase,
    /// How long the agent has run, in all lives that are over.
    agent_ms: u64,
    /// When the lease has to be renewed next; `None` once the claim is not ours any more.
    renew_at: Option<Timestamp>,
    /// Who asked for the end so far, and how urgently.
    wishes: Wishes,
    /// What was wrong with the first event that could not have happened.
    fault: Option<&'static str>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Wishes {
    /// The parent was alive to ask for it.
    parent_asked: bool,
    signals: u32,
}

impl Session {
    /// Returns a session whose preparation begins at `now`, with a lease that was taken at that moment.
    pub fn new(now: Timestamp, limits: Limits, patience: Patience) -> Self {
        let renew_at = Some(now + limits.renew_every());
        Self {
            limits,
            patience,
            phase: Phase::Preparing,
            agent_ms: 0,
            renew_at,
            wishes: Wishes::default(),
            fault: None,
        }
    }

    /// Takes note of what happened and returns what is to be done, in order.
    #[must_use]
    pub fn step(&mut self, now: Timestamp, event: Event) -> Vec<Effect> {
        match event {
            Event::Prepared => self.on_prepared(),
            Event::NotPrepared { reason } | Event::AgentNotStarted { reason } => self.on_not_started(reason),
            Event::AgentStarted => self.on_agent_started(now),
            Event::AgentOutput => self.on_clocks(|clocks| clocks.last_output = now),
            Event::AgentProgress => self.on_clocks(|clocks| clocks.progress(now)),
            Event::AgentResult => self.on_clocks(|clocks| clocks.result_at = Some(now)),
            // The time limit is that of one feature.
            Event::NextFeature => self.on_clocks(|clocks| clocks.began = now),
            Event::Memory { bytes } => self.on_memory(now, bytes),
            Event::AgentHopeless { outcome } => self.on_hopeless(now, outcome),
            Event::AgentExited(death) => self.on_agent_exited(now, death),
            Event::WaitOver => self.on_wait_over(),
            Event::Judged => self.on_judged(),
            Event::Control(Control::Drain) => self.on_drain(),
            Event::Control(Control::Stop) => self.on_control_stop(now),
            Event::Signal => self.on_signal(now),
            Event::ParentGone => self.on_parent_gone(now),
            Event::LeaseLost => self.on_lease_lost(now),
            Event::Deadline => self.on_deadline(now),
        }
    }

    /// Returns when [`Event::Deadline`] is due if nothing happens before; `None` when the session is over.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let limit = match &self.phase {
            Phase::Running { clocks } => clocks.deadline(&self.limits),
            Phase::Stopping { kill_at, .. } => *kill_at,
            Phase::Preparing | Phase::Starting | Phase::Waiting { .. } | Phase::Judging { .. } => None,
            Phase::Over => return None,
        };
        [limit, self.renew_at].into_iter().flatten().min()
    }

    fn on_deadline(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.renew_at.is_some_and(|at| at <= now) {
            self.renew_at = Some(now + self.limits.renew_every());
            effects.push(Effect::Renew);
        }
        match &mut self.phase {
            Phase::Running { clocks } => {
                if let Some(cause) = clocks.met(now, &self.limits) {
                    effects.extend(self.on_stop(now, cause, self.limits.grace));
                }
            }
            Phase::Stopping { kill_at, .. } if kill_at.is_some_and(|at| at <= now) => {
                *kill_at = None;
                effects.push(Effect::Kill);
            }
            Phase::Preparing
            | Phase::Starting
            | Phase::Stopping { .. }
            | Phase::Waiting { .. }
            | Phase::Judging { .. }
            | Phase::Over => {}
        }
        effects
    }

    fn finish(&mut self, outcome: SessionOutcome) -> Vec<Effect> {
        self.phase = Phase::Over;
        vec![Effect::Finish { outcome, agent_ms: self.agent_ms }]
    }

    /// Returns what was wrong with an event that cannot have happened when it was said to. A driver that keeps its
    /// word sees none; the event was ignored, because a live agent must still be supervised.
    pub fn fault(&self) -> Option<&'static str> {
        self.fault
    }

    fn impossible(&mut self, what: &'static str) -> Vec<Effect> {
        self.fault.get_or_insert(what);
        vec![]
    }
}

fn millis(duration: SignedDuration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(0)
}

#[cfg(test)]
mod tests;
