//! Another person's session on the same project, which no run watches.

use cogwork_schemas::{AttemptId, AttemptOutcome, Isolation, ProcessIdentity, Role, Status};
use cogwork_store::{NewSession, Secret};

use super::world::{Happening, LEASE, LIMITS, World};

/// The pid of the other person's session in this world.
pub(super) const PERSON: i32 = 77;

impl World {
    pub(super) fn person_claims(&mut self) {
        let features = self.store.features().unwrap();
        let pending = features.into_iter().filter(|feature| feature.status == Status::Pending);
        let new = NewSession::new(Role::All, "person", Isolation::Shared);
        for feature in pending {
            let secret = Secret::known(format!("person at {}", self.now));
            let process = ProcessIdentity { pid: PERSON, started: 1, boot_id: "boot".into() };
            if let Ok(claim) = self.store.claim_by(feature.id, &new, &process, &secret, LEASE) {
                self.people.insert(claim.attempt, claim.token.clone());
                self.tokens.insert(claim.attempt, (feature.id, claim.token));
                // Some forget about it, and keep it for as long as they live.
                let most = if self.rng.bool() { 50_000 } else { 500_000 };
                let ms = self.rng.i64(1..most);
                self.later(ms, Happening::PersonEnds(claim.attempt));
                break;
            }
        }
        self.notice_soon();
    }

    pub(super) fn person_ends(&mut self, attempt: AttemptId) {
        let Some(token) = self.people.remove(&attempt) else { return };
        self.store.end_attempt(&token, &AttemptOutcome::Stopped, &LIMITS).unwrap();
        self.notice_soon();
    }
}
