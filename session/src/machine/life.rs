//! The lives of the agent: how each begins, how it ends, and whether there is another one.

use cogwork_schemas::SessionOutcome;
use jiff::Timestamp;

use super::phase::{Cause, Clocks, Phase};
use super::{Death, Depth, Effect, Session, millis};

impl Session {
    pub(super) fn on_prepared(&mut self) -> Vec<Effect> {
        match self.phase {
            Phase::Preparing => {
                self.phase = Phase::Starting;
                vec![Effect::Start { resumes: false }]
            }
            // Abandoned meanwhile.
            Phase::Over => vec![],
            Phase::Starting
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Waiting { .. }
            | Phase::Judging { .. } => self.impossible("prepared twice"),
        }
    }

    pub(super) fn on_not_started(&mut self, reason: String) -> Vec<Effect> {
        match &self.phase {
            Phase::Preparing | Phase::Starting => {
                let outcome = SessionOutcome::NotStarted { reason };
                self.end(outcome, Depth::Checks)
            }
            Phase::Stopping { cause, .. } => {
                let outcome = self.stopped_by(cause);
                self.end(outcome, Depth::Commit)
            }
            Phase::Over => vec![],
            Phase::Running { .. } | Phase::Waiting { .. } | Phase::Judging { .. } => {
                self.impossible("not started while there")
            }
        }
    }

    pub(super) fn on_agent_started(&mut self, now: Timestamp) -> Vec<Effect> {
        match &mut self.phase {
            Phase::Starting => {
                self.phase = Phase::Running { clocks: Clocks::new(now) };
                vec![]
            }
            // The stop came first, so this agent never heard of it.
            Phase::Stopping { clocks, .. } => {
                *clocks = Some(Clocks::new(now));
                vec![Effect::Terminate]
            }
            Phase::Preparing
            | Phase::Running { .. }
            | Phase::Waiting { .. }
            | Phase::Judging { .. }
            | Phase::Over => self.impossible("an agent that nobody asked for"),
        }
    }

    /// Takes note of what a working agent shows.
    pub(super) fn on_clocks(&mut self, note: impl FnOnce(&mut Clocks)) -> Vec<Effect> {
        match &mut self.phase {
            Phase::Running { clocks } => note(clocks),
            // Last words: of no consequence, the limits have been met or the exit is known.
            Phase::Preparing
            | Phase::Starting
            | Phase::Stopping { .. }
            | Phase::Waiting { .. }
            | Phase::Judging { .. }
            | Phase::Over => {}
        }
        vec![]
    }

    pub(super) fn on_agent_exited(&mut self, now: Timestamp, death: Death) -> Vec<Effect> {
        let (clocks, cause) = match &self.phase {
            Phase::Running { clocks } => (Some(*clocks), None),
            Phase::Stopping { clocks, cause, .. } => (*clocks, Some(cause.clone())),
            Phase::Preparing
            | Phase::Starting
            | Phase::Waiting { .. }
            | Phase::Judging { .. }
            | Phase::Over => return self.impossible("an exit without an agent"),
        };
        self.agent_ms += clocks.map_or(0, |clocks| millis(now.duration_since(clocks.started)));
        let progressed = clocks.is_some_and(|clocks| clocks.progressed);
        match cause {
            None | Some(Cause::Lingering) => self.on_own_end(death, progressed),
            Some(Cause::Hopeless { outcome }) => self.on_own_end(Death { outcome, ..death }, progressed),
            Some(cause @ Cause::LeaseLost) => {
                let outcome = self.stopped_by(&cause);
                self.finish(outcome)
            }
            // Whoever asked wants it to end now; its commits stay in the workspace.
            Some(cause @ Cause::Asked) => {
                let outcome = self.stopped_by(&cause);
                self.judge(outcome, Depth::Commit)
            }
            // The checks decide, not the way it ended.
            Some(cause @ (Cause::WallClock | Cause::Silence | Cause::Idleness | Cause::Memory { .. })) => {
                let outcome = self.stopped_by(&cause);
                self.judge(outcome, Depth::Checks)
            }
        }
    }

    /// The agent ended for a reason of its own: it gets another life when that reason passes.
    fn on_own_end(&mut self, death: Death, progressed: bool) -> Vec<Effect> {
        let Death { outcome, can_resume, wall } = death;
        let Some(pause) = self.patience.after(&outcome, wall, progressed) else {
            return self.judge(outcome, Depth::Checks);
        };
        let resumes = pause.resumes && can_resume;
        self.phase = Phase::Waiting { resumes, outcome: outcome.clone() };
        vec![Effect::Wait { until: pause.until, because: outcome }]
    }

    pub(super) fn on_wait_over(&mut self) -> Vec<Effect> {
        match self.phase {
            Phase::Waiting { resumes, .. } => {
                self.phase = Phase::Starting;
                vec![Effect::Start { resumes }]
            }
            // The wait was cut short.
            Phase::Judging { .. } | Phase::Over => vec![],
            Phase::Preparing | Phase::Starting | Phase::Running { .. } | Phase::Stopping { .. } => {
                self.impossible("a wait without an end of life")
            }
        }
    }

    pub(super) fn on_judged(&mut self) -> Vec<Effect> {
        match std::mem::replace(&mut self.phase, Phase::Over) {
            Phase::Judging { outcome } => self.finish(outcome),
            Phase::Over => vec![],
            phase @ (Phase::Preparing
            | Phase::Starting
            | Phase::Running { .. }
            | Phase::Stopping { .. }
            | Phase::Waiting { .. }) => {
                self.phase = phase;
                self.impossible("judged before the agent ended")
            }
        }
    }

    /// Ends a session without an agent: what earlier lives did is judged first.
    fn end(&mut self, outcome: SessionOutcome, depth: Depth) -> Vec<Effect> {
        if self.agent_ms == 0 { self.finish(outcome) } else { self.judge(outcome, depth) }
    }

    pub(super) fn judge(&mut self, outcome: SessionOutcome, depth: Depth) -> Vec<Effect> {
        self.phase = Phase::Judging { outcome };
        vec![Effect::Judge(depth)]
    }
}
