//! Runs that are for some features only, or may have so many sessions.

use cogwork_schemas::{Feature, RunOutcome, Status};

use super::world::World;
use crate::engine::Scope;

impl World {
    /// Decides what the next run is for: mostly everything.
    pub(super) fn begin_scope(&mut self) {
        self.begun = 0;
        self.scope = Scope::default();
        if self.dice(6) {
            self.scope.sessions = Some(self.rng.u32(1..=4));
        }
        if self.dice(8) {
            let all = self.store.features().unwrap();
            self.scope.features =
                Some(all.iter().map(|feature| feature.id).filter(|_| self.rng.bool()).collect());
        }
    }

    /// Whether a run that is over for good leaves nothing to another one.
    pub(super) fn is_for_all(&self) -> bool {
        self.scope == Scope::default()
    }

    /// A runner is up.
    pub(super) fn check_begun(&mut self) {
        self.begun += 1;
        assert!(
            self.scope.sessions.is_none_or(|most| self.begun <= most),
            "{} sessions, {:?}",
            self.begun,
            self.scope
        );
    }

    /// Returns the features that the run is for.
    pub(super) fn features_in_scope(&self) -> Vec<Feature> {
        let all = self.store.features().unwrap().into_iter();
        let features = self.scope.features.as_ref();
        all.filter(|feature| features.is_none_or(|features| features.contains(&feature.id))).collect()
    }

    /// A run that has had its sessions has had them, and says how many of their features do not pass.
    pub(super) fn check_spent(&self, outcome: &RunOutcome) {
        let RunOutcome::Through { sessions, failed } = outcome else { return };
        assert_eq!(*sessions, self.begun);
        let is_limited = self.scope.sessions == Some(*sessions) || self.scope.features.is_some();
        assert!(is_limited, "{outcome:?} of {:?}", self.scope);
        let open = self.features_in_scope().iter().filter(|it| it.status != Status::Passing).count();
        assert!(*failed as usize <= open, "{failed} failed, and {open} do not pass");
    }
}
