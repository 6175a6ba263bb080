//! What a run is for: which features, in which role, and how many sessions it may have.

use std::collections::BTreeSet;

use cogwork_schemas::{FeatureId, Role, RunOutcome, Status};
use cogwork_store::graph::NodeView;

use super::Engine;

/// What a run is for; everything that is to be built unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// [`Role::Testing`] looks once at each feature that passes when the run begins; any other builds what is ready.
    pub role: Role,
    /// Only these features; `None` for all.
    pub features: Option<BTreeSet<FeatureId>>,
    /// How many sessions it may start.
    pub sessions: Option<u32>,
}

impl Default for Scope {
    fn default() -> Self {
        Self { role: Role::Coding, features: None, sessions: None }
    }
}

/// How far a run has come with what it is for.
#[derive(Debug, Default)]
pub(super) struct Covered {
    /// How many sessions have begun.
    pub(super) sessions: u32,
    /// What they were for.
    features: BTreeSet<FeatureId>,
    /// What a testing run has still to look at.
    untested: BTreeSet<FeatureId>,
    /// What it has looked at and found to work.
    confirmed: BTreeSet<FeatureId>,
}

impl Engine {
    /// Limits the run to a scope.
    #[must_use]
    pub fn within(mut self, scope: Scope) -> Self {
        self.scope = scope;
        if self.scope.role == Role::Testing {
            let passing = self.in_scope().filter(|node| node.status == Status::Passing);
            self.covered.untested = passing.map(|node| node.id).collect();
            self.scope.features = Some(self.covered.untested.clone());
        }
        self
    }

    /// Returns the features that the run is for.
    pub fn in_scope(&self) -> impl Iterator<Item = NodeView<'_>> {
        self.graph.iter().filter(|node| self.is_in_scope(node.id))
    }

    /// Returns how many sessions could start now.
    pub(super) fn free_slots(&self) -> usize {
        let free = self.settings.slots.saturating_sub(self.used_slots());
        self.sessions_left().map_or(free, |left| free.min(left.saturating_sub(self.starting.len())))
    }

    /// Returns what a session could be for, the most urgent first.
    pub(super) fn due(&self) -> Box<dyn Iterator<Item = FeatureId> + '_> {
        if self.scope.role == Role::Testing {
            Box::new(self.covered.untested.iter().copied())
        } else {
            Box::new(self.graph.ready())
        }
    }

    /// Returns whether a session could be for a feature, as far as the features are concerned.
    pub(super) fn is_due(&self, id: FeatureId) -> bool {
        if self.scope.role == Role::Testing {
            let passes = |node: NodeView<'_>| node.status == Status::Passing;
            self.covered.untested.contains(&id) && self.graph.node(id).is_some_and(passes)
        } else {
            self.is_in_scope(id) && self.graph.is_ready(id)
        }
    }

    pub(super) fn cover(&mut self, id: FeatureId) {
        self.covered.sessions += 1;
        self.covered.features.insert(id);
        self.covered.untested.remove(&id);
    }

    /// A test is not begun a second time: somebody else tests the feature, it does not pass any more, or nothing starts
    /// here.
    pub(super) fn give_up_test(&mut self, id: FeatureId) {
        self.covered.untested.remove(&id);
    }

    pub(super) fn confirm(&mut self, id: FeatureId) {
        self.covered.confirmed.insert(id);
    }

    /// Returns whether the run is through with a feature, and to its content.
    pub(super) fn is_done(&self, node: &NodeView<'_>) -> bool {
        let is_looked_at = self.scope.role != Role::Testing || self.covered.confirmed.contains(&node.id);
        node.status == Status::Passing && is_looked_at
    }

    /// Returns whether the run has had its sessions, or has tested what there was.
    pub(super) fn is_spent(&self) -> bool {
        self.sessions_left() == Some(0) || self.scope.role == Role::Testing
    }

    /// Returns how a run ends that is through with its scope.
    pub(super) fn through(&self) -> RunOutcome {
        let is_done = |id: &&FeatureId| self.graph.node(**id).is_some_and(|node| self.is_done(&node));
        let covered = &self.covered.features;
        let failed = u32::try_from(covered.len() - covered.iter().filter(is_done).count());
        RunOutcome::Through { sessions: self.covered.sessions, failed: failed.unwrap_or(u32::MAX) }
    }

    fn is_in_scope(&self, id: FeatureId) -> bool {
        self.scope.features.as_ref().is_none_or(|features| features.contains(&id))
    }

    pub(super) fn sessions_left(&self) -> Option<usize> {
        self.scope.sessions.map(|most| most.saturating_sub(self.covered.sessions) as usize)
    }
}
