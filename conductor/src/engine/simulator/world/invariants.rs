//! What must hold: at every moment, at the end of a run, and against the dead.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use cogwork_schemas::{AttemptOutcome, FeatureId, RunOutcome, SessionOutcome, Status};
use cogwork_store::graph::Graph;
use cogwork_store::{Merge, StoreError};

use super::{Agent, Happening, LEASE, LIMITS, World};
use crate::engine::{Event, Mode, SessionEnd};

impl World {
    /// What holds at every moment.
    pub(super) fn check(&mut self) {
        if let Some(engine) = &self.engine {
            // No slot stays empty while something could start.
            let idle = engine.mode == Mode::Running && engine.used_slots() < self.settings.slots;
            let could = |id: &FeatureId| engine.is_startable(*id) && !engine.start_after.contains_key(id);
            let left: Vec<_> = engine.graph.ready_in_order().into_iter().filter(could).collect();
            assert!(!idle || left.is_empty(), "{left:?} could start and a slot is free");
        }
        let watched: Vec<_> = self.agents.values().filter(|agent| agent.watched).collect();
        assert!(
            watched.len() <= self.settings.slots,
            "{} sessions in {} slots",
            watched.len(),
            self.settings.slots
        );
        let at_work: Vec<_> = watched.iter().filter(|agent| !agent.is_between).collect();
        let features: BTreeSet<_> = at_work.iter().map(|agent| agent.feature).collect();
        assert_eq!(features.len(), at_work.len(), "two sessions on one feature");
        for agent in watched.iter().filter(|_| self.settings.batch > 1) {
            let taken = self.store.attempts_of_session(agent.session).unwrap();
            let open = taken.iter().filter(|taken| taken.is_open()).count();
            assert!(taken.len() <= self.settings.batch as usize, "{} has {}", agent.session, taken.len());
            assert!(open <= 1, "{} has {open} features at once", agent.session);
        }
        for attempt in &self.main {
            let foreign = &self.contents[attempt] - &self.main;
            assert!(foreign.is_empty(), "{attempt} brought {foreign:?} to the main branch");
        }
        for feature in self.store.features().unwrap() {
            assert!(feature.failed_attempts <= LIMITS.attempts, "{} was tried too often", feature.id);
            if feature.status == Status::Passing {
                let landed = self.main.iter().filter(|attempt| self.tokens[attempt].0 == feature.id).count();
                assert_eq!(landed, 1, "{} passes and is {landed} times on the main branch", feature.id);
                assert!(feature.proof.is_some());
            }
        }
    }

    pub(super) fn finish(&mut self, outcome: RunOutcome) {
        let features = self.store.features().unwrap();
        let all = |status| features.iter().all(|feature| feature.status == status);
        match &outcome {
            RunOutcome::Complete => assert!(all(Status::Passing), "complete, but something is not passing"),
            RunOutcome::CompleteWithFailures { parked } => {
                assert!(*parked > 0);
                assert!(features.iter().all(|f| matches!(f.status, Status::Passing | Status::Parked)));
            }
            RunOutcome::Blocked { .. } => {
                let ready = Graph::new(self.store.nodes().unwrap()).unwrap().ready_in_order();
                let unnoticed = self.to_come.iter().any(|Reverse((_, _, h))| *h == Happening::Notice);
                assert!(unnoticed || ready.is_empty(), "blocked, but {ready:?} are ready");
            }
            RunOutcome::LimitReached { .. } | RunOutcome::Stopped | RunOutcome::Broken { .. } => {}
        }
        assert!(!self.agents.values().any(|agent| agent.watched), "the run ended and a session lives");
        self.ended = Some(outcome);
    }

    /// A session whose claim is gone tries everything it can. Nothing may come of it.
    pub(super) fn zombie_writes(&mut self, agent: &Agent) {
        let before = self.store.features().unwrap();
        let more = self.store.claim_next(&agent.token, LEASE).map(drop);
        assert!(matches!(more, Err(StoreError::StaleToken { .. })), "a zombie may take more: {more:?}");
        if agent.is_between {
            return; // what it had is handed in, and lands or does not
        }
        let green = self.reports(agent.feature, true);
        let merge = Merge { commit: None, reports: green.clone(), merge_ms: 0, check_ms: 0 };
        let stale = |result: Result<(), StoreError>, what: &str| {
            assert!(matches!(result, Err(StoreError::StaleToken { .. })), "a zombie may {what}: {result:?}");
        };
        stale(self.store.renew(&agent.token, LEASE), "renew");
        stale(self.store.submit(&agent.token, None, &green).map(drop), "submit");
        stale(self.store.land(&agent.token, &merge).map(drop), "land");
        let failed = AttemptOutcome::NotFinished { reason: "from the dead".into() };
        stale(self.store.end_attempt(&agent.token, &failed, &LIMITS).map(drop), "end an attempt");
        assert_eq!(before, self.store.features().unwrap(), "a zombie changed something");
        self.fenced_writes += 1;
        // Its runner's last message, late: nobody may act on it.
        if let Some(engine) = self.engine.as_mut().filter(|_| self.ended.is_none()) {
            let used = engine.used_slots();
            let end = SessionEnd::Reported { outcome: SessionOutcome::Completed, red: None };
            let submitted = self.tokens.keys().copied().collect();
            let event = Event::SessionEnded { session: agent.session, submitted, end };
            let effects = engine.step(self.now, event);
            assert!(effects.is_empty(), "a dead session's message has effects: {effects:?}");
            assert_eq!(used, engine.used_slots(), "a dead session's message frees a slot");
        }
    }
}
