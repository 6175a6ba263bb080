//! Sessions that go on: what they take, and what they bring along.

use cogwork_schemas::{AttemptId, SessionId, SessionOutcome};
use cogwork_store::Next;

use super::{Agent, Happening, LEASE, World};
use crate::engine::{Event, Mode, SessionEnd};

/// How often a session asks again before it loses patience.
const PATIENCE: u32 = 20;

impl World {
    /// A session has handed in its feature and asks for another one.
    pub(super) fn go_on(&mut self, agent: Agent) {
        let (session, feature) = (agent.session, agent.feature);
        let attempt = self.store.attempt(&agent.token).unwrap().id;
        self.agents.insert(session, Agent { is_between: true, ..agent });
        // The driver reads it in the journal.
        let seen = self.features(&[feature]);
        self.feed(seen);
        self.feed(Event::Submitted { session, attempt });
        self.ask_for_more(session, PATIENCE);
    }

    pub(super) fn ask_for_more(&mut self, session: SessionId, times: u32) {
        let Some(agent) = self.agents.get(&session).filter(|agent| agent.is_between).cloned() else { return };
        if !agent.watched {
            drop(self.agents.remove(&session));
            return self.zombie_writes(&agent);
        }
        let (ready, free) = (self.ready(), self.free_slots());
        match self.store.claim_next(&agent.token, LEASE).unwrap() {
            Next::Claimed { feature, claim } => {
                assert!(
                    ready > free,
                    "{feature} is given to {session}, and {free} slots could start {ready}"
                );
                self.further += 1;
                let attempt = claim.attempt;
                self.begin_work(feature, claim);
                // Some agents merge what was taken away from them.
                if self.rng.u32(0..8) == 0 {
                    let before = self.before(session, attempt);
                    self.contents.entry(attempt).or_default().extend(before);
                }
                let seen = self.features(&[feature]);
                self.feed(seen);
                self.feed(Event::Took { session, feature, attempt });
            }
            Next::Wait if times > 0 => {
                let ms = self.rng.i64(10..3_000);
                self.later(ms, Happening::AsksAgain(session, times - 1));
            }
            Next::Wait | Next::Nothing => {
                drop(self.agents.remove(&session));
                self.end_session(session);
            }
        }
    }

    /// A session ends that has handed in all it had.
    pub(super) fn end_session(&mut self, session: SessionId) {
        self.store.end_session(session, &SessionOutcome::Completed, 1).unwrap();
        let end = SessionEnd::Reported { outcome: SessionOutcome::Completed, red: None };
        self.feed(Event::SessionEnded { session, submitted: Vec::new(), end });
    }

    /// Returns whether the work of an attempt holds other work that has not landed.
    pub(super) fn holds_foreign(&self, attempt: AttemptId) -> bool {
        !self.contents[&attempt].is_subset(&self.main)
    }

    fn before(&self, session: SessionId, attempt: AttemptId) -> Vec<AttemptId> {
        let taken = self.store.attempts_of_session(session).unwrap();
        taken.into_iter().map(|taken| taken.attempt.id).filter(|id| *id != attempt).collect()
    }

    fn ready(&self) -> usize {
        cogwork_store::graph::Graph::new(self.store.nodes().unwrap()).unwrap().ready().count()
    }

    fn free_slots(&self) -> usize {
        self.engine.as_ref().map_or(0, |engine| match engine.mode {
            Mode::Running => self.settings.slots - engine.used_slots(),
            Mode::Opening | Mode::Draining | Mode::Stopping { .. } | Mode::Finished => 0,
        })
    }
}
