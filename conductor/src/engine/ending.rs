//! When a run is over, and what it is called then.

use cogwork_schemas::{RunOutcome, Status};
use cogwork_store::graph::NodeView;
use jiff::Timestamp;

use super::{Effect, Engine, Mode};

impl Engine {
    pub(super) fn on_drain(&mut self, now: Timestamp) -> Vec<Effect> {
        if !matches!(self.mode, Mode::Opening | Mode::Running) {
            return Vec::new();
        }
        self.mode = Mode::Draining;
        self.is_paused = false;
        // A run that is about to be over has no session any more, and hears of what is new until it is: a last word that
        // is not true any more is taken back.
        if self.finishing.is_some() {
            return Vec::new();
        }
        let mut effects = self.close_batches();
        effects.extend(self.stop_waiting(now));
        effects
    }

    pub(super) fn on_close(&mut self) -> Vec<Effect> {
        self.mode = Mode::Over;
        Vec::new()
    }

    pub(super) fn close_batches(&self) -> Vec<Effect> {
        if self.settings.batch > 1 { vec![Effect::CloseBatches] } else { Vec::new() }
    }

    pub(super) fn on_stop(&mut self, now: Timestamp, outcome: RunOutcome) -> Vec<Effect> {
        if self.finishing.is_some() {
            // Nothing runs that could be stopped; what cannot be recorded any more stays as it is.
            return if outcome == RunOutcome::Stopped { self.on_drain(now) } else { self.on_close() };
        }
        match self.mode {
            Mode::Opening | Mode::Running | Mode::Draining => {
                self.mode = Mode::Stopping { outcome };
                let mut effects = self.close_batches();
                effects.extend(self.sessions.keys().map(|session| Effect::StopSession { session: *session }));
                effects
            }
            Mode::Stopping { .. } | Mode::Over => Vec::new(),
        }
    }

    /// Says that the run is about to be over, and takes it back where something new came in time: nobody has to start
    /// it again for that.
    pub(super) fn finish_when_over(&mut self) -> Option<Effect> {
        let verdict = self.verdict();
        if verdict == self.finishing || self.mode == Mode::Over {
            return None;
        }
        self.finishing.clone_from(&verdict);
        Some(verdict.map_or(Effect::GoOn, Effect::Finish))
    }

    /// Returns how the run ends as things stand; nothing while it goes on.
    fn verdict(&self) -> Option<RunOutcome> {
        if !self.sessions.is_empty() || !self.starting.is_empty() || self.landing.is_some() {
            return None;
        }
        match &self.mode {
            Mode::Stopping { outcome } => Some(outcome.clone()),
            Mode::Draining if self.can_land() || !self.unsettled.is_empty() => None,
            Mode::Draining => Some(self.run_outcome(RunOutcome::Stopped)),
            Mode::Running if self.can_go_on() => None,
            // What a person has stopped could go on, and is not to.
            Mode::Running if self.held_back.iter().any(|feature| self.is_due(*feature)) => {
                Some(self.run_outcome(RunOutcome::Stopped))
            }
            Mode::Running if self.is_spent() => Some(self.run_outcome(self.through())),
            Mode::Running => Some(self.run_outcome(self.blocked())),
            Mode::Opening | Mode::Over => None,
        }
    }

    /// Returns whether anything can still happen without a person: work to land, to start now or after a wait, or
    /// held by another process whose lease will run out.
    pub(super) fn can_go_on(&self) -> bool {
        self.can_land() || !self.unsettled.is_empty() || self.can_start()
    }

    /// Returns whether a session can start, now or after a wait.
    fn can_start(&self) -> bool {
        let is_foreign = |node: NodeView<'_>| self.is_foreign(&node) && node.lease_until.is_some();
        let can_start = |node: NodeView<'_>| self.is_startable(node.id) || is_foreign(node);
        self.sessions_left() != Some(0) && self.in_scope().any(can_start)
    }

    /// Returns whether work waits to land and is still worth waiting for.
    pub(super) fn can_land(&self) -> bool {
        self.postponed < self.settings.postponements
            && self.queue.iter().any(|running| self.dependencies_pass(running.feature))
    }

    pub(super) fn blocked(&self) -> RunOutcome {
        let count = |status| count(self.in_scope().filter(|node| node.status == status));
        RunOutcome::Blocked {
            waiting: count(Status::Pending) + count(Status::Claimed),
            parked: count(Status::Parked),
            needs_human: count(Status::NeedsHuman),
        }
    }

    /// Returns how a run ends in which nothing runs any more; `unfinished` when something is left undone.
    pub(super) fn run_outcome(&self, unfinished: RunOutcome) -> RunOutcome {
        let parked = count(self.in_scope().filter(|node| node.status == Status::Parked));
        let open = self.in_scope().any(|node| node.status != Status::Parked && !self.is_done(&node));
        match (open, parked) {
            (true, _) => match &self.obstacle {
                Some(reason) if self.postponed >= self.settings.postponements => {
                    RunOutcome::Broken { reason: reason.clone() }
                }
                Some(_) | None => unfinished,
            },
            (false, 0) if self.graph.iter().all(|node| node.status == Status::Passing) => {
                RunOutcome::Complete
            }
            (false, 0) => self.through(),
            (false, parked) => RunOutcome::CompleteWithFailures { parked },
        }
    }
}

fn count<'a>(nodes: impl Iterator<Item = NodeView<'a>>) -> u32 {
    u32::try_from(nodes.count()).unwrap_or(u32::MAX)
}
