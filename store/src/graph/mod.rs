//! What is ready, blocked, cyclic and critical among features that depend on each other.
//!
//! Owns the one answer to "may this start, and if not, why". Pure: knows no SQL, clock or environment; the store
//! fills it, the engine asks it after every event. Everything is iterative, so a chain may be as long as memory.

mod cycle;
mod order;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use cogwork_schemas::{FeatureId, Hold, SessionId, Status};
use jiff::Timestamp;

pub use cycle::{find_cycle, find_path};
use order::Order;

/// One feature, as far as scheduling is concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub id: FeatureId,
    pub status: Status,
    /// The features that have to pass first. An id that does not exist is never satisfied.
    pub dependencies: Vec<FeatureId>,
    /// Lower is earlier among features that are equal in the graph.
    pub priority: i64,
    /// The expected work in seconds.
    pub estimate_s: Option<f64>,
    /// Attempts that count against the limit.
    pub failed_attempts: u32,
    /// Crashes in a row.
    pub crashes: u32,
    /// The session that owns it while claimed.
    pub session: Option<SessionId>,
    /// Its attempt is green and waits for integration.
    pub submitted: bool,
    /// When its claim may be taken back; `None` when nobody claims it or it is submitted.
    pub lease_until: Option<Timestamp>,
    /// What the last attempt said, while parked; what is asked, while a person has to answer.
    pub reason: Option<String>,
}

impl Node {
    /// Returns a pending feature without dependencies, estimate or history.
    pub fn new(id: FeatureId) -> Self {
        Self {
            id,
            status: Status::Pending,
            dependencies: Vec::new(),
            priority: 0,
            estimate_s: None,
            failed_attempts: 0,
            crashes: 0,
            session: None,
            submitted: false,
            lease_until: None,
            reason: None,
        }
    }
}

/// Features that depend on each other in a circle, as a path whose first is its last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the features {} depend on each other in a circle: remove one of these dependencies", path.iter().map(FeatureId::to_string).collect::<Vec<_>>().join(" → "))]
pub struct Cycle {
    pub path: Vec<FeatureId>,
}

/// All features and what follows from their dependencies.
///
/// Kept current by [`Graph::upsert`], so that asking what is ready costs nothing but the answer.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    nodes: BTreeMap<FeatureId, Node>,
    /// Distinct, whether they exist or not.
    dependencies: BTreeMap<FeatureId, BTreeSet<FeatureId>>,
    /// The same edges the other way round; its keys need not exist either.
    dependents: BTreeMap<FeatureId, BTreeSet<FeatureId>>,
    /// How many dependencies do not pass; no entry means none.
    unmet: BTreeMap<FeatureId, usize>,
    order: OnceLock<Order>,
}

impl Graph {
    /// Builds the graph; of two nodes with one id the later counts. O((V + E) · log V).
    ///
    /// # Errors
    ///
    /// The cycle, when there is one.
    pub fn new(nodes: impl IntoIterator<Item = Node>) -> Result<Self, Cycle> {
        let mut graph = Self::default();
        for node in nodes {
            graph.upsert(node);
        }
        match find_cycle(&graph.dependencies) {
            Some(path) => Err(Cycle { path }),
            None => Ok(graph),
        }
    }

    /// Takes the new state of one feature, or a new feature.
    ///
    /// A change of status, as in normal work, costs O(direct dependents · log V). A new feature, a changed
    /// dependency or estimate, and a feature that stops passing or passes before its dependencies do, make the
    /// next question about the order compute it anew. Whoever lets dependencies change keeps them free of cycles;
    /// should one come in here, its features are never ready and nothing else is harmed.
    pub fn upsert(&mut self, node: Node) {
        let id = node.id;
        let wanted: BTreeSet<FeatureId> = node.dependencies.iter().copied().collect();
        let passed = self.passes(id);
        let passes = node.status == Status::Passing;
        let old = self.nodes.insert(id, node);
        let old_estimate = old.as_ref().map(|old| old.estimate_s);
        let rewired = old.is_none() || *self.dependencies_of(id) != wanted;
        // In this order: `rewire` counts anew for the feature itself, should it depend on itself.
        if passes != passed {
            self.count_again(id, passes);
        }
        if rewired {
            self.rewire(id, wanted);
        }
        let early = || self.unmet.contains_key(&id);
        let estimate_changed = old_estimate != self.nodes.get(&id).map(|node| node.estimate_s);
        if rewired || estimate_changed || (passed && !passes) || (passes && !passed && early()) {
            self.order.take();
            return;
        }
        let Some(mut order) = self.order.take() else {
            return;
        };
        order.place(self, id);
        if passes != passed {
            for dependent in self.dependents_of(id) {
                order.place(self, *dependent);
            }
        }
        self.order = OnceLock::from(order);
    }

    /// Forgets a feature. What still depends on it waits for ever.
    pub fn remove(&mut self, id: FeatureId) {
        if self.passes(id) {
            self.count_again(id, false);
        }
        if self.nodes.remove(&id).is_some() {
            self.rewire(id, BTreeSet::new());
            self.dependencies.remove(&id);
            self.order.take();
        }
    }

    /// Returns a feature.
    pub fn node(&self, id: FeatureId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// Returns all features, by id.
    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Returns whether the feature may start now: it is pending and all its dependencies pass.
    pub fn is_ready(&self, id: FeatureId) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.status == Status::Pending)
            && !self.unmet.contains_key(&id)
    }

    /// Returns what may start now, in the order of [`Graph::ready_in_order`], one by one: whoever has three free
    /// slots pays for three.
    pub fn ready(&self) -> impl Iterator<Item = FeatureId> + '_ {
        self.order().ready.iter().map(|rank| rank.id)
    }

    /// Returns what may start now, most urgent first.
    ///
    /// Most urgent is what begins the longest chain of features that do not pass, in estimated seconds (without
    /// an estimate: the median of all estimates, or 1); then what more distinct features wait for, counted up to
    /// 1,000; then the lower priority, then the lower id. O(ready) while the order is known, see
    /// [`Graph::upsert`]; otherwise it is computed first, in O((V + E) · log V).
    pub fn ready_in_order(&self) -> Vec<FeatureId> {
        self.ready().collect()
    }

    /// Returns why the feature does not run, or that it may; `None` when there is no such feature.
    pub fn hold(&self, id: FeatureId) -> Option<Hold> {
        let node = self.nodes.get(&id)?;
        Some(match node.status {
            Status::Pending if self.is_ready(id) => Hold::Ready,
            Status::Pending => {
                Hold::Blocked { waiting_for: self.unmet_of(id).collect(), roots: self.roots(id) }
            }
            // The store keeps no claim without a session; 0 is nobody's number.
            Status::Claimed if node.submitted => Hold::Landing,
            Status::Claimed => Hold::Running { session: node.session.unwrap_or(SessionId(0)) },
            Status::Passing => Hold::Passing,
            Status::Parked => Hold::Parked {
                failed_attempts: node.failed_attempts,
                reason: node.reason.clone().unwrap_or_default(),
            },
            Status::NeedsHuman => Hold::NeedsHuman { question: node.reason.clone().unwrap_or_default() },
        })
    }

    /// Returns the longest chain of features that do not pass, in estimated seconds: no number of slots finishes
    /// the rest sooner. O(V) while the order is known.
    pub fn critical_path_s(&self) -> f64 {
        let open = self.nodes.values().filter(|node| node.status != Status::Passing);
        open.map(|node| self.order().chain_s(node.id)).fold(0.0, f64::max)
    }

    /// Returns the longest chain of features that do not pass which begins with this one, in estimated seconds.
    pub fn chain_s(&self, id: FeatureId) -> f64 {
        self.order().chain_s(id)
    }

    /// Returns the expected work of each feature in seconds, as the order takes it.
    pub fn work_s(&self) -> BTreeMap<FeatureId, f64> {
        self.nodes.keys().copied().zip(order::estimates(self)).collect()
    }

    /// Returns the features that decide when this one is freed: everything it waits for, directly or not, that is
    /// not itself merely waiting. A dependency that does not exist is one of them.
    fn roots(&self, id: FeatureId) -> Vec<FeatureId> {
        let (mut roots, mut seen, mut open) = (BTreeSet::new(), BTreeSet::from([id]), vec![id]);
        while let Some(id) = open.pop() {
            for dependency in self.unmet_of(id) {
                if !seen.insert(dependency) {
                    continue;
                }
                let waits = self.nodes.get(&dependency).is_some_and(|node| node.status == Status::Pending)
                    && self.unmet.contains_key(&dependency);
                if waits {
                    open.push(dependency);
                } else {
                    roots.insert(dependency);
                }
            }
        }
        roots.into_iter().collect()
    }

    fn order(&self) -> &Order {
        self.order.get_or_init(|| Order::new(self))
    }

    fn passes(&self, id: FeatureId) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.status == Status::Passing)
    }

    fn dependencies_of(&self, id: FeatureId) -> &BTreeSet<FeatureId> {
        self.dependencies.get(&id).unwrap_or(&NONE)
    }

    fn dependents_of(&self, id: FeatureId) -> &BTreeSet<FeatureId> {
        self.dependents.get(&id).unwrap_or(&NONE)
    }

    fn unmet_of(&self, id: FeatureId) -> impl Iterator<Item = FeatureId> + '_ {
        self.dependencies_of(id).iter().copied().filter(|dependency| !self.passes(*dependency))
    }

    /// Gives a feature new dependencies and counts those that do not pass.
    fn rewire(&mut self, id: FeatureId, wanted: BTreeSet<FeatureId>) {
        for gone in self.dependencies.remove(&id).unwrap_or_default().difference(&wanted) {
            if let Some(dependents) = self.dependents.get_mut(gone) {
                dependents.remove(&id);
            }
        }
        for dependency in &wanted {
            self.dependents.entry(*dependency).or_default().insert(id);
        }
        self.dependencies.insert(id, wanted);
        let unmet = self.unmet_of(id).count();
        if unmet == 0 {
            self.unmet.remove(&id);
        } else {
            self.unmet.insert(id, unmet);
        }
    }

    /// Tells everything that waits for a feature that it passes now, or does so no more.
    fn count_again(&mut self, id: FeatureId, passes: bool) {
        for dependent in self.dependents.get(&id).unwrap_or(&NONE) {
            let unmet = self.unmet.entry(*dependent).or_default();
            *unmet = if passes { unmet.saturating_sub(1) } else { *unmet + 1 };
            if *unmet == 0 {
                self.unmet.remove(dependent);
            }
        }
    }
}

/// What a feature without edges has.
static NONE: BTreeSet<FeatureId> = BTreeSet::new();
