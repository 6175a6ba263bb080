//! Another person's session on the same project, which no run watches.

use cogwork_schemas::{AttemptId, AttemptOutcome, Isolation, ProcessIdentity, Role, Status};
use cogwork_store::NewSession;

use super::{Happening, LEASE, LIMITS, PERSON, World};

impl World {
    pub(super) fn person_claims(&mut self) {
        let ready: Vec<_> = self
            .store
            .features()
            .unwrap()
            .into_iter()
            .filter(|feature| feature.status == Status::Pending)
            .collect();
        let new = NewSession { role: Role::All, agent: "person".into(), isolation: Isolation::Shared };
        for feature in ready {
            if let Ok(claim) = self.store.claim(feature.id, &new, LEASE) {
                let process = ProcessIdentity { pid: PERSON, started: 1, boot_id: "boot".into() };
                self.store.session_up(claim.session, &process).unwrap();
                self.people.insert(claim.attempt, claim.token.clone());
                self.tokens.insert(claim.attempt, (feature.id, claim.token));
                // Some forget about it: then the lease runs out.
                if self.rng.bool() {
                    let ms = self.rng.i64(1..50_000);
                    self.later(ms, Happening::PersonEnds(claim.attempt));
                }
                break;
            }
        }
        self.later(100, Happening::Notice);
    }

    pub(super) fn person_ends(&mut self, attempt: AttemptId) {
        let Some(token) = self.people.remove(&attempt) else { return };
        self.store.end_attempt(&token, &AttemptOutcome::Stopped, &LIMITS).unwrap();
        self.later(100, Happening::Notice);
    }
}
