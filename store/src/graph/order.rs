//! The order in which ready features start: what is expensive to know about the graph, computed once and kept.
//!
//! Built on first use and thrown away by every change that could alter it (see [`super::Graph::upsert`]). Its
//! numbers are right for every feature that does not pass; for those that pass they are never asked.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use cogwork_schemas::{FeatureId, Status};

use super::Graph;

/// Counting stops here. Two features that both unblock this many are equally urgent, and the bound keeps the
/// first order of a graph with 10,000 ready features a matter of milliseconds.
const UNBLOCKS_BOUND: u32 = 1_000;

/// The place of a ready feature: the smallest starts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    /// The bits of a length in seconds; for numbers from 0 up they are ordered as the numbers are.
    chain: Reverse<u64>,
    unblocks: Reverse<u32>,
    priority: i64,
    pub(super) id: FeatureId,
}

/// Features under dense numbers, in the order of their ids.
#[derive(Debug, Clone)]
pub(super) struct Order {
    ids: Vec<FeatureId>,
    /// The features that wait for this one, among those that do not pass.
    dependents: Vec<Vec<u32>>,
    /// The longest chain that begins with this feature, in seconds.
    chain_s: Vec<f64>,
    /// The place each feature has in `ready`, if it has one.
    ranks: Vec<Option<Rank>>,
    pub(super) ready: BTreeSet<Rank>,
    /// Marks of the last count that reached a feature; kept to save clearing them.
    reached: Vec<u32>,
    count: u32,
}

impl Order {
    /// Computes everything: O((V + E) · log V), and one bounded count per ready feature.
    pub(super) fn new(graph: &Graph) -> Self {
        let ids: Vec<FeatureId> = graph.nodes.keys().copied().collect();
        let size = ids.len();
        let mut order = Self {
            ids,
            dependents: vec![Vec::new(); size],
            chain_s: Vec::new(),
            ranks: vec![None; size],
            ready: BTreeSet::new(),
            reached: vec![0; size],
            count: 0,
        };
        let dependencies = order.connect(graph);
        order.chain_s = order.chains(&estimates(graph), &dependencies);
        for id in graph.nodes.keys() {
            order.place(graph, *id);
        }
        order
    }

    /// Puts a feature where it belongs now: among the ready ones, in its place, or nowhere.
    pub(super) fn place(&mut self, graph: &Graph, id: FeatureId) {
        let Some(index) = self.index(id) else { return };
        if let Some(old) = self.ranks[index].take() {
            self.ready.remove(&old);
        }
        if !graph.is_ready(id) {
            return;
        }
        let rank = Rank {
            chain: Reverse(self.chain_s[index].to_bits()),
            unblocks: Reverse(self.unblocks(index)),
            priority: graph.node(id).map_or(0, |node| node.priority),
            id,
        };
        self.ranks[index] = Some(rank);
        self.ready.insert(rank);
    }

    /// Returns the longest chain that begins with a feature that does not pass, in seconds.
    pub(super) fn chain_s(&self, id: FeatureId) -> f64 {
        self.index(id).map_or(0.0, |index| self.chain_s[index])
    }

    fn index(&self, id: FeatureId) -> Option<usize> {
        self.ids.binary_search(&id).ok()
    }

    /// Fills `dependents` and returns the same edges the other way round.
    fn connect(&mut self, graph: &Graph) -> Vec<Vec<u32>> {
        let mut dependencies = vec![Vec::new(); self.ids.len()];
        for (number, (id, node)) in (0u32..).zip(&graph.nodes) {
            if node.status == Status::Passing {
                continue;
            }
            for dependency in graph.dependencies_of(*id) {
                if let Some(below) = self.index(*dependency) {
                    self.dependents[below].push(number);
                    dependencies[number as usize].push(u32::try_from(below).unwrap_or(u32::MAX));
                }
            }
        }
        dependencies
    }

    /// Computes the longest chain from each feature, last features first. What is in a cycle keeps its own length.
    fn chains(&self, estimates: &[f64], dependencies: &[Vec<u32>]) -> Vec<f64> {
        let mut longest_s = estimates.to_vec();
        let mut open: Vec<usize> = self.dependents.iter().map(Vec::len).collect();
        let mut known: Vec<usize> = (0..open.len()).filter(|index| open[*index] == 0).collect();
        while let Some(index) = known.pop() {
            for below in dependencies[index].iter().map(|below| *below as usize) {
                longest_s[below] = longest_s[below].max(estimates[below] + longest_s[index]);
                open[below] -= 1;
                if open[below] == 0 {
                    known.push(below);
                }
            }
        }
        longest_s
    }

    /// Counts the distinct features that cannot start before this one passes, up to the bound.
    fn unblocks(&mut self, index: usize) -> u32 {
        self.count += 1;
        self.reached[index] = self.count;
        let (mut found, mut open) = (0, vec![index]);
        while let Some(index) = open.pop() {
            for above in &self.dependents[index] {
                let above = *above as usize;
                if self.reached[above] != self.count {
                    self.reached[above] = self.count;
                    open.push(above);
                    found += 1;
                    if found == UNBLOCKS_BOUND {
                        return found;
                    }
                }
            }
        }
        found
    }
}

/// Returns each feature's expected work in seconds. What has no estimate, or one that is no duration, is taken for
/// as much work as the median of the others, or 1 when nobody said anything.
pub(super) fn estimates(graph: &Graph) -> Vec<f64> {
    let usable = |estimate: Option<f64>| estimate.filter(|s| s.is_finite() && *s >= 0.0);
    let known: Vec<f64> = graph.nodes.values().filter_map(|node| usable(node.estimate_s)).collect();
    let default = median(known).unwrap_or(1.0);
    // `+ 0.0` turns a negative zero, whose bits would sort last, into a plain one.
    graph.nodes.values().map(|node| usable(node.estimate_s).unwrap_or(default) + 0.0).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    if values.len() % 2 == 1 {
        return Some(upper);
    }
    Some(f64::midpoint(values[middle - 1], upper))
}
