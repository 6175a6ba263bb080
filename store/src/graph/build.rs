//! Building a graph from all its nodes at once: each vector is filled in one pass and to its size.

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{FeatureId, Status};

use super::{Cycle, Graph, Node, find_cycle, tidied};

/// Builds the graph; of two nodes with one id the later counts.
pub(super) fn build(nodes: impl IntoIterator<Item = Node>) -> Result<Graph, Cycle> {
    let mut graph = Graph::default();
    let nodes = nodes.into_iter();
    graph.nodes.reserve(nodes.size_hint().0);
    graph.links.reserve(nodes.size_hint().0);
    for node in nodes {
        let place = graph.place_or_new(node.id);
        graph.links[place].passes = node.status == Status::Passing;
        graph.nodes[place] = Some(tidied(node));
    }
    let edges = Edges::of(&mut graph);
    edges.link(&mut graph);
    for place in 0..graph.nodes.len() {
        graph.count(place);
    }
    if edges.lead_down || edges.are_acyclic(&graph) { Ok(graph) } else { Err(cycle(&graph)) }
}

/// The places of all dependencies, one feature after the other.
struct Edges {
    below: Vec<u32>,
    /// Where those of each place end.
    ends: Vec<usize>,
    /// Every id is above those that it depends on, so there can be no cycle.
    lead_down: bool,
}

impl Edges {
    /// Looks up each dependency; one that does not exist is given its place now.
    fn of(graph: &mut Graph) -> Self {
        let mut edges =
            Self { below: Vec::new(), ends: Vec::with_capacity(graph.nodes.len()), lead_down: true };
        for place in 0..graph.nodes.len() {
            // Out of the graph while the graph may grow by what only this one names.
            let node = graph.nodes[place].take();
            for id in node.iter().flat_map(|node| &node.dependencies) {
                edges.lead_down &= node.as_ref().is_some_and(|node| *id < node.id);
                let below = graph.place_or_new(*id);
                edges.below.push(u32::try_from(below).unwrap_or(u32::MAX));
            }
            edges.ends.push(edges.below.len());
            graph.nodes[place] = node;
        }
        edges
    }

    /// Returns the dependencies of a place.
    fn below(&self, place: usize) -> &[u32] {
        let start = place.checked_sub(1).map_or(0, |before| self.ends[before]);
        // What only its dependents name comes after all features, and has no dependencies.
        self.ends.get(place).map_or(&[], |end| &self.below[start..*end])
    }

    /// Notes each edge at its lower end, and counts at its upper end what does not pass.
    fn link(&self, graph: &mut Graph) {
        let mut counts = vec![0_u32; graph.links.len()];
        for below in &self.below {
            counts[*below as usize] += 1;
        }
        for (links, count) in graph.links.iter_mut().zip(counts) {
            links.dependents.reserve_exact(count as usize);
        }
        for (place, number) in (0..self.ends.len()).zip(0_u32..) {
            let mut unmet = 0;
            for below in self.below(place) {
                let below = &mut graph.links[*below as usize];
                below.dependents.push(number);
                unmet += u32::from(!below.passes);
            }
            graph.links[place].unmet = unmet;
        }
    }

    /// Takes away, again and again, what nothing depends on; in a cycle there is always something that does.
    fn are_acyclic(&self, graph: &Graph) -> bool {
        let mut left: Vec<usize> = graph.links.iter().map(|links| links.dependents.len()).collect();
        let mut free: Vec<usize> = (0..left.len()).filter(|place| left[*place] == 0).collect();
        let mut taken = 0;
        while let Some(place) = free.pop() {
            taken += 1;
            for below in self.below(place).iter().map(|below| *below as usize) {
                left[below] -= 1;
                if left[below] == 0 {
                    free.push(below);
                }
            }
        }
        taken == left.len()
    }
}

/// Returns the cycle that is there.
fn cycle(graph: &Graph) -> Cycle {
    let edges: BTreeMap<FeatureId, BTreeSet<FeatureId>> =
        graph.iter().map(|node| (node.id, node.dependencies.iter().copied().collect())).collect();
    Cycle { path: find_cycle(&edges).unwrap_or_default() }
}
