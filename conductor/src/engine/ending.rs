//! When a run is over, and what it is called then.

use cogwork_schemas::{RunOutcome, Status};
use cogwork_store::graph::NodeView;

use super::{Effect, Engine, Mode};

impl Engine {
    pub(super) fn on_drain(&mut self) -> Vec<Effect> {
        if matches!(self.mode, Mode::Opening | Mode::Running) {
            self.mode = Mode::Draining;
            return self.close_batches();
        }
        if self.mode == Mode::Finished {
            self.mode = Mode::Over;
        }
        Vec::new()
    }

    pub(super) fn on_close(&mut self) -> Vec<Effect> {
        if self.mode == Mode::Finished {
            self.mode = Mode::Over;
        }
        Vec::new()
    }

    /// Goes on where something new came while the run was about to end: nobody has to start it again for that.
    pub(super) fn go_on(&mut self) -> Option<Effect> {
        let is_back = self.mode == Mode::Finished && self.can_go_on();
        is_back.then(|| {
            self.mode = Mode::Running;
            Effect::GoOn
        })
    }

    pub(super) fn close_batches(&self) -> Vec<Effect> {
        if self.settings.batch > 1 { vec![Effect::CloseBatches] } else { Vec::new() }
    }

    pub(super) fn on_stop(&mut self, outcome: RunOutcome) -> Vec<Effect> {
        match self.mode {
            Mode::Finished => {
                self.mode = Mode::Over;
                Vec::new()
            }
            Mode::Opening | Mode::Running | Mode::Draining => {
                self.mode = Mode::Stopping { outcome };
                let mut effects = self.close_batches();
                effects.extend(self.sessions.keys().map(|session| Effect::StopSession { session: *session }));
                effects
            }
            Mode::Stopping { .. } | Mode::Over => Vec::new(),
        }
    }

    pub(super) fn finish_when_over(&mut self) -> Option<Effect> {
        if !self.sessions.is_empty() || !self.starting.is_empty() || self.landing.is_some() {
            return None;
        }
        let outcome = match &self.mode {
            Mode::Stopping { outcome } => outcome.clone(),
            Mode::Draining if self.can_land() || !self.unsettled.is_empty() => return None,
            Mode::Draining => self.outcome(RunOutcome::Stopped),
            Mode::Running if self.can_go_on() => return None,
            Mode::Running => {
                let blocked = self.blocked();
                self.outcome(blocked)
            }
            Mode::Opening | Mode::Finished | Mode::Over => return None,
        };
        self.mode = if self.mode == Mode::Running { Mode::Finished } else { Mode::Over };
        Some(Effect::Finish(outcome))
    }

    /// Returns whether anything can still happen without a person: work to land, to start now or after a wait, or
    /// held by another process whose lease will run out.
    pub(super) fn can_go_on(&self) -> bool {
        self.can_land()
            || !self.unsettled.is_empty()
            || self.graph.iter().any(|node| self.is_startable(node.id))
            || self.foreign_leases().next().is_some()
    }

    /// Returns whether work waits to land and is still worth waiting for.
    pub(super) fn can_land(&self) -> bool {
        self.postponed < self.settings.postponements
            && self.queue.iter().any(|running| self.dependencies_pass(running.feature))
    }

    pub(super) fn blocked(&self) -> RunOutcome {
        let count = |status| count(self.graph.iter().filter(|node| node.status == status));
        RunOutcome::Blocked {
            waiting: count(Status::Pending) + count(Status::Claimed),
            parked: count(Status::Parked),
            needs_human: count(Status::NeedsHuman),
        }
    }

    /// Returns how a run ends in which nothing runs any more; `unfinished` when something is left undone.
    pub(super) fn outcome(&self, unfinished: RunOutcome) -> RunOutcome {
        let parked = count(self.graph.iter().filter(|node| node.status == Status::Parked));
        let open = self.graph.iter().any(|node| match node.status {
            Status::Pending | Status::Claimed | Status::NeedsHuman => true,
            Status::Passing | Status::Parked => false,
        });
        match (open, parked) {
            (true, _) => match &self.obstacle {
                Some(reason) if self.postponed >= self.settings.postponements => {
                    RunOutcome::Broken { reason: reason.clone() }
                }
                Some(_) | None => unfinished,
            },
            (false, 0) => RunOutcome::Complete,
            (false, parked) => RunOutcome::CompleteWithFailures { parked },
        }
    }
}

fn count<'a>(nodes: impl Iterator<Item = NodeView<'a>>) -> u32 {
    u32::try_from(nodes.count()).unwrap_or(u32::MAX)
}
