//! What lands next, and what an attempt comes to that did not.

use cogwork_schemas::{AttemptId, FeatureId, SessionId, Status};
use jiff::{SignedDuration, Timestamp};

use super::event::Landing;
use super::{Effect, Engine, Mode, Running};

/// How long a postponed landing waits: a person who has unsaved work on the main branch needs seconds, not
/// milliseconds.
const POSTPONED: SignedDuration = SignedDuration::from_secs(2);
/// It doubles each time, up to this: a merge and its checks are not free.
const POSTPONED_MAX: SignedDuration = SignedDuration::from_secs(60);

impl Engine {
    pub(super) fn on_recovered(&mut self, feature: FeatureId, attempt: AttemptId) -> Vec<Effect> {
        self.queue.push_back(Running { feature, attempt });
        Vec::new()
    }

    pub(super) fn on_submitted(&mut self, session: SessionId, attempt: AttemptId) -> Vec<Effect> {
        // Once: a newer commit of the same attempt takes the place of the older one where it waits.
        let held = self.sessions.get_mut(&session);
        self.queue.extend(held.and_then(|held| held.running.take_if(|running| running.attempt == attempt)));
        Vec::new()
    }

    pub(super) fn on_integrated(
        &mut self,
        now: Timestamp,
        attempt: AttemptId,
        landing: Landing,
    ) -> Vec<Effect> {
        let Some(running) = self.landing.take_if(|running| running.attempt == attempt) else {
            return Vec::new(); // an answer to a question that nobody asked in this run
        };
        self.waiting_slots.landing_ended(now, attempt, landing == Landing::Landed);
        match landing {
            Landing::Void => Vec::new(),
            Landing::Landed => {
                // A test that repairs what it finds broken ends well, too.
                self.confirm(running.feature);
                self.on_way_clear();
                Vec::new()
            }
            Landing::Refused(outcome) => {
                self.on_way_clear();
                vec![self.end_attempt(running, outcome)]
            }
            Landing::Postponed { reason } => {
                // Behind the others: what cannot land must not keep them from it.
                self.queue.push_back(running);
                let doubled = POSTPONED * 2_i32.saturating_pow(self.postponed.min(10));
                self.land_after = Some(now + doubled.min(POSTPONED_MAX));
                self.postponed += 1;
                self.obstacle = Some(reason);
                Vec::new()
            }
        }
    }

    pub(super) fn on_way_clear(&mut self) {
        self.postponed = 0;
        self.obstacle = None;
    }

    /// Integration is one at a time: each landing is checked against all that landed before it.
    pub(super) fn land_next(&mut self, now: Timestamp) -> Option<Effect> {
        if self.landing.is_some() || !matches!(self.mode, Mode::Running | Mode::Draining) {
            return None;
        }
        if self.land_after.is_some_and(|at| at > now) {
            return None;
        }
        // A dependency that was added while the work was under way has to pass first.
        let next = self.queue.iter().position(|running| self.dependencies_pass(running.feature))?;
        let running = self.queue.remove(next)?;
        self.landing = Some(running);
        self.waiting_slots.landing_began(now, running.attempt);
        Some(Effect::Integrate { feature: running.feature, attempt: running.attempt })
    }

    pub(super) fn dependencies_pass(&self, feature: FeatureId) -> bool {
        let passes = |id: &FeatureId| self.graph.node(*id).is_some_and(|node| node.status == Status::Passing);
        self.graph.node(feature).is_some_and(|node| node.dependencies.iter().all(passes))
    }
}
