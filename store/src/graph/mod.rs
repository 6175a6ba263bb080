//! What is ready, blocked, cyclic and critical among features that depend on each other.
//!
//! Owns the one answer to "may this start, and if not, why". Pure: knows no SQL, clock or environment; the store
//! fills it, the engine asks it after every event. Everything is iterative, so a chain may be as long as memory.

mod build;
mod counts;
mod cycle;
mod node;
mod order;
mod places;
mod roots;
mod spans;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use cogwork_schemas::{FeatureId, Hold, SessionId, Status};

pub(crate) use build::Draft;
pub use counts::Counts;
pub use cycle::find_cycle;
pub(crate) use node::Plain;
pub use node::{Node, NodeView};
use node::{Special, apart, view};
use order::Order;
use places::Places;
use roots::Roots;
use spans::Spans;

/// Features that depend on each other in a circle, as a path whose first is its last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the features {} depend on each other in a circle: remove one of these dependencies", path.iter().map(FeatureId::to_string).collect::<Vec<_>>().join(" → "))]
pub struct Cycle {
    pub path: Vec<FeatureId>,
}

/// All features and what follows from their dependencies.
///
/// Kept current by [`Graph::upsert`], so that asking what is ready costs nothing but the answer.
///
/// An id has a *place* from the first time it is named, also when only something that depends on it names it; the
/// vectors go by places, because a graph of 100,000 features is walked from end to end more than once.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    places: Places,
    /// The features; `None` where there is none.
    nodes: Vec<Option<Plain>>,
    special: BTreeMap<usize, Special>,
    /// What each feature depends on, distinct and ascending.
    below: Spans<FeatureId>,
    /// The places that depend on this one, in no order. Each has a feature.
    above: Spans<u32>,
    links: Vec<Links>,
    /// Everything that is depended on has a place before what depends on it, so there is no cycle.
    leads_down: bool,
    counts: Counts,
    order: OnceLock<Order>,
}

/// What is known of a place besides its feature.
#[derive(Debug, Clone, Copy, Default)]
struct Links {
    /// How many dependencies do not pass.
    unmet: u32,
    passes: bool,
}

impl Graph {
    /// Builds the graph; of two nodes with one id the later counts. O(V + E), and O((V + E) · log V) unless every
    /// id is above those that it depends on.
    ///
    /// # Errors
    ///
    /// The cycle, when there is one.
    pub fn new(nodes: impl IntoIterator<Item = Node>) -> Result<Self, Cycle> {
        nodes.into_iter().collect::<Draft>().build()
    }

    /// Takes the new state of one feature, or a new feature.
    ///
    /// A change of status, as in normal work, costs O(direct dependents · log V). A new feature, a changed
    /// dependency or estimate, and a feature that stops passing or passes before its dependencies do, make the
    /// next question about the order compute it anew. Whoever lets dependencies change keeps them free of cycles;
    /// should one come in here, its features are never ready and nothing else is harmed.
    pub fn upsert(&mut self, node: Node) {
        let place = self.place_or_new(node.id);
        self.discount(place);
        let (node, special, dependencies) = apart(node);
        let (passed, passes) = (self.links[place].passes, node.status == Status::Passing);
        let old = self.nodes[place].replace(node);
        match special {
            Some(special) => drop(self.special.insert(place, special)),
            None => drop(self.special.remove(&place)),
        }
        let rewired = old.is_none() || *self.below.of(place) != *dependencies;
        let estimate_changed = old.map(|old| old.estimate_s) != Some(node.estimate_s);
        // In this order: `rewire` counts anew for the feature itself, should it depend on itself.
        if passes != passed {
            self.count_again(place, passes);
        }
        if rewired {
            self.rewire(place, dependencies);
        }
        self.count(place);
        let early = || self.links[place].unmet > 0;
        if rewired || estimate_changed || (passed && !passes) || (passes && !passed && early()) {
            self.order.take();
            return;
        }
        let Some(mut order) = self.order.take() else {
            return;
        };
        order.settle(self, place);
        if passes != passed {
            for dependent in self.above.of(place) {
                order.settle(self, *dependent as usize);
            }
        }
        self.order = OnceLock::from(order);
    }

    /// Forgets a feature. What still depends on it waits for ever.
    pub fn remove(&mut self, id: FeatureId) {
        let Some(place) = self.places.find(id) else {
            return;
        };
        self.discount(place);
        if self.links[place].passes {
            self.count_again(place, false);
        }
        if self.nodes[place].take().is_some() {
            self.special.remove(&place);
            self.rewire(place, Vec::new());
            self.order.take();
        }
    }

    /// Returns a feature.
    pub fn node(&self, id: FeatureId) -> Option<NodeView<'_>> {
        self.node_at(self.places.find(id)?)
    }

    /// Returns all features, by id.
    pub fn iter(&self) -> impl Iterator<Item = NodeView<'_>> {
        self.places.ascending().filter_map(|place| self.node_at(place))
    }

    /// Returns the features that depend on this one, by id; none when there is no such feature.
    pub fn dependents(&self, id: FeatureId) -> Vec<FeatureId> {
        let dependents = self.places.find(id).map_or(&[][..], |place| self.above.of(place));
        let mut ids: Vec<FeatureId> =
            dependents.iter().filter_map(|place| Some(self.nodes[*place as usize].as_ref()?.id)).collect();
        ids.sort_unstable();
        ids
    }

    /// Returns whether the feature may start now: it is pending and all its dependencies pass.
    pub fn is_ready(&self, id: FeatureId) -> bool {
        self.places.find(id).is_some_and(|place| self.is_ready_at(place))
    }

    /// Returns what may start now, in the order of [`Graph::ready_in_order`], one by one: whoever has three free
    /// slots pays for three, and for those that are as urgent as they are.
    pub fn ready(&self) -> impl Iterator<Item = FeatureId> + '_ {
        self.order().ready(self)
    }

    /// Returns how many features there are in each state. O(1).
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Returns what may start now, most urgent first.
    ///
    /// Most urgent is what begins the longest chain of features that do not pass, in estimated seconds (without
    /// an estimate: the median of all estimates, or 1); then what more distinct features wait for, counted up to
    /// 100; then the lower priority, then the lower id. O(ready) while the order is known, see
    /// [`Graph::upsert`]; otherwise it is computed first, in O((V + E) · log V).
    pub fn ready_in_order(&self) -> Vec<FeatureId> {
        self.ready().collect()
    }

    /// Returns why the feature does not run, or that it may; `None` when there is no such feature.
    pub fn hold(&self, id: FeatureId) -> Option<Hold> {
        let node = self.node(id)?;
        Some(match node.status {
            Status::Pending if self.is_ready(id) => Hold::Ready,
            Status::Pending => {
                Hold::Blocked { waiting_for: self.unmet_of(id).collect(), roots: self.roots(id) }
            }
            // The store keeps no claim without a session; 0 is nobody's number.
            Status::Claimed if node.submitted => Hold::Landing { waits_for: node.reason.map(str::to_owned) },
            Status::Claimed => Hold::Running { session: node.session.unwrap_or(SessionId(0)) },
            Status::Passing => Hold::Passing,
            Status::Parked => Hold::Parked {
                failed_attempts: node.failed_attempts,
                reason: node.reason.unwrap_or_default().to_owned(),
            },
            Status::NeedsHuman => Hold::NeedsHuman { question: node.reason.unwrap_or_default().to_owned() },
        })
    }

    /// Returns what [`Graph::hold`] says of every feature, by id. Whoever wants all of them asks here: features that wait
    /// for the same have their roots looked for once.
    pub fn holds(&self) -> impl Iterator<Item = (FeatureId, Hold)> {
        let mut known = Roots::default();
        self.iter().filter_map(move |node| {
            let hold = if node.status == Status::Pending && !self.is_ready(node.id) {
                let roots = known.of(self, node.id).to_vec();
                Hold::Blocked { waiting_for: self.unmet_of(node.id).collect(), roots }
            } else {
                self.hold(node.id)?
            };
            Some((node.id, hold))
        })
    }

    /// Returns the dependencies of a feature that do not pass, ascending: what [`Graph::hold`] says of a blocked
    /// one, without looking for its roots.
    pub fn unmet_of(&self, id: FeatureId) -> impl Iterator<Item = FeatureId> + '_ {
        let dependencies = self.node(id).map_or(&[][..], |node| node.dependencies);
        dependencies.iter().copied().filter(|dependency| !self.passes(*dependency))
    }

    /// Returns the shortest way from one feature to another along the dependencies, both ends included, or `None`
    /// when there is none. Of several the same one every time. O(V + E).
    pub fn path(&self, from: FeatureId, to: FeatureId) -> Option<Vec<FeatureId>> {
        let (start, goal) = (self.places.find(from)?, self.places.find(to)?);
        // Nothing leads to what nothing depends on, and that is what is new.
        if start != goal && self.above.of(goal).is_empty() {
            return None;
        }
        // Each place reached, with the one it was reached from; those below are open until they were looked at.
        let mut came_from: Vec<Option<u32>> = vec![None; self.nodes.len()];
        let mut reached = vec![start];
        let mut looked_at = 0;
        while let Some(place) = reached.get(looked_at).copied() {
            if place == goal {
                return Some(self.way_back(&came_from, goal));
            }
            looked_at += 1;
            for below in self.dependencies_at(place) {
                if below != start && came_from[below].is_none() {
                    came_from[below] = u32::try_from(place).ok();
                    reached.push(below);
                }
            }
        }
        None
    }

    /// Returns the longest chain of features that do not pass, in estimated seconds: no number of slots finishes
    /// the rest sooner. O(V) while the order is known.
    pub fn critical_path_s(&self) -> f64 {
        let open = (0..self.nodes.len()).filter(|place| self.is_open(*place));
        open.map(|place| self.order().chain_s(place)).fold(0.0, f64::max)
    }

    fn way_back(&self, came_from: &[Option<u32>], goal: usize) -> Vec<FeatureId> {
        let back = std::iter::successors(Some(goal), |place| came_from[*place].map(|before| before as usize));
        let mut path: Vec<FeatureId> =
            back.filter_map(|place| Some(self.nodes[place].as_ref()?.id)).collect();
        path.reverse();
        path
    }

    /// Returns the longest chain of features that do not pass which begins with this one, in estimated seconds.
    pub fn chain_s(&self, id: FeatureId) -> f64 {
        self.places.find(id).map_or(0.0, |place| self.order().chain_s(place))
    }

    /// Returns the expected work of each feature in seconds, as the order takes it.
    pub fn work_s(&self) -> BTreeMap<FeatureId, f64> {
        let estimates = order::estimates(self);
        self.nodes
            .iter()
            .zip(estimates)
            .filter_map(|(node, seconds)| Some((node.as_ref()?.id, seconds)))
            .collect()
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
                if self.waits(dependency) {
                    open.push(dependency);
                } else {
                    roots.insert(dependency);
                }
            }
        }
        roots.into_iter().collect()
    }

    /// Returns whether a feature is pending, and something that it depends on does not pass.
    fn waits(&self, id: FeatureId) -> bool {
        self.node(id).is_some_and(|node| node.status == Status::Pending) && !self.is_ready(id)
    }

    fn node_at(&self, place: usize) -> Option<NodeView<'_>> {
        let plain = self.nodes[place].as_ref()?;
        Some(view(plain, self.special.get(&place), self.below.of(place)))
    }

    fn order(&self) -> &Order {
        self.order.get_or_init(|| Order::new(self))
    }

    fn passes(&self, id: FeatureId) -> bool {
        self.places.find(id).is_some_and(|place| self.links[place].passes)
    }

    fn is_ready_at(&self, place: usize) -> bool {
        self.links[place].unmet == 0
            && self.nodes[place].as_ref().is_some_and(|node| node.status == Status::Pending)
    }

    /// Returns whether there is a feature that does not pass.
    fn is_open(&self, place: usize) -> bool {
        !self.links[place].passes && self.nodes[place].is_some()
    }

    /// Returns the places of what a feature depends on.
    fn dependencies_at(&self, place: usize) -> impl Iterator<Item = usize> + '_ {
        self.below.of(place).iter().filter_map(|id| self.places.find(*id))
    }

    fn place_or_new(&mut self, id: FeatureId) -> usize {
        let place = self.places.find_or_add(id);
        if place == self.nodes.len() {
            self.nodes.push(None);
            self.links.push(Links::default());
        }
        place
    }

    /// Gives a feature other dependencies, and counts those that do not pass.
    fn rewire(&mut self, place: usize, wanted: Vec<FeatureId>) {
        let own = number(place);
        let had = self.below.of(place).to_vec();
        for gone in had.iter().filter(|id| wanted.binary_search(id).is_err()) {
            if let Some(gone) = self.places.find(*gone) {
                self.above.remove(gone, own);
            }
        }
        let mut unmet = 0;
        for id in &wanted {
            let below = self.place_or_new(*id);
            if had.binary_search(id).is_err() {
                self.above.push(below, own);
            }
            self.leads_down &= below < place;
            unmet += u32::from(!self.links[below].passes);
        }
        self.links[place].unmet = unmet;
        self.below.set(place, wanted);
    }

    fn count(&mut self, place: usize) {
        if let Some(node) = &self.nodes[place] {
            self.counts.add(node.status, self.is_ready_at(place));
        }
    }

    /// Takes a feature out of the counts, before it changes.
    fn discount(&mut self, place: usize) {
        if let Some(node) = &self.nodes[place] {
            self.counts.take(node.status, self.is_ready_at(place));
        }
    }

    /// Notes whether a feature passes now, and tells everything that waits for it.
    fn count_again(&mut self, place: usize, passes: bool) {
        self.links[place].passes = passes;
        for nth in 0..self.above.of(place).len() {
            let dependent = self.above.of(place)[nth] as usize;
            // The feature itself, should it depend on itself, is not counted while it changes.
            if dependent != place {
                self.discount(dependent);
            }
            let unmet = &mut self.links[dependent].unmet;
            *unmet = if passes { unmet.saturating_sub(1) } else { *unmet + 1 };
            if dependent != place {
                self.count(dependent);
            }
        }
    }
}

/// Memory ends long before the numbers do.
fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}
