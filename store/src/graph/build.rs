//! Building a graph from all its nodes at once: each vector is filled in one pass and to its size.

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{FeatureId, Status};

use super::node::{Plain, Special, apart, view};
use super::places::Places;
use super::spans::Spans;
use super::{Cycle, Graph, Links, Node, find_cycle, number};

/// All nodes of a graph that is to be, by id, each id once.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    plain: Vec<Plain>,
    special: BTreeMap<FeatureId, Special>,
    /// The dependencies of those in `plain` that have theirs already, distinct and ascending.
    below: Vec<FeatureId>,
    ends: Vec<u32>,
}

impl Draft {
    /// Begins with features that have no dependencies yet and nothing special.
    pub(crate) fn of(mut plain: Vec<Plain>) -> Self {
        // Mostly a few long runs, one for each status, which this sort only joins.
        plain.sort_by_key(|plain| plain.id);
        let ends = Vec::with_capacity(plain.len());
        Self { plain, special: BTreeMap::new(), below: Vec::new(), ends }
    }

    /// Says more of a feature, if there is such a one.
    pub(crate) fn amend(&mut self, node: Node) {
        let (plain, special, _) = apart(node);
        if let Ok(index) = self.plain.binary_search_by_key(&plain.id, |plain| plain.id) {
            self.special.extend(special.map(|special| (plain.id, special)));
            self.plain[index] = plain;
        }
    }

    /// Adds a dependency. They come in the order of the ids that depend, and then of those that they depend on; what
    /// there is no feature for is left out.
    pub(crate) fn depends(&mut self, id: FeatureId, on: FeatureId) {
        while self.plain.get(self.ends.len()).is_some_and(|plain| plain.id < id) {
            self.ends.push(number(self.below.len()));
        }
        if self.plain.get(self.ends.len()).is_some_and(|plain| plain.id == id) {
            self.below.push(on);
        }
    }

    /// Returns the nodes by themselves.
    pub(crate) fn into_nodes(mut self) -> impl Iterator<Item = Node> {
        self.ends.resize(self.plain.len(), number(self.below.len()));
        let Self { plain, special, below, ends } = self;
        let mut start = 0;
        plain.into_iter().zip(ends).map(move |(plain, end)| {
            let dependencies = &below[start..end as usize];
            start = end as usize;
            view(&plain, special.get(&plain.id), dependencies).into()
        })
    }

    /// Builds the graph.
    ///
    /// # Errors
    ///
    /// The cycle, when there is one.
    pub(crate) fn build(mut self) -> Result<Graph, Cycle> {
        self.ends.resize(self.plain.len(), number(self.below.len()));
        let mut places = Places::of(self.plain.iter().map(|plain| plain.id));
        let Self { plain, special, below, ends } = self;
        let special =
            special.into_iter().filter_map(|(id, special)| Some((places.find(id)?, special))).collect();
        let mut nodes: Vec<Option<Plain>> = vec![None; places.count()];
        let mut spans = Spans::with_capacity(places.count(), below.len());
        let mut start = 0;
        let mut place = 0;
        for (plain, end) in plain.iter().zip(&ends) {
            let own = places.find(plain.id).unwrap_or(place);
            while place < own {
                spans.close();
                place += 1;
            }
            nodes[own] = Some(*plain);
            for id in &below[start..*end as usize] {
                spans.add(*id);
            }
            spans.close();
            start = *end as usize;
            place += 1;
        }
        for id in &below {
            places.find_or_add(*id);
        }
        nodes.resize(places.count(), None);
        linked(Graph { places, nodes, special, below: spans, ..Graph::default() })
    }
}

impl FromIterator<Node> for Draft {
    /// Takes nodes as they come; of two with one id the later counts.
    fn from_iter<I: IntoIterator<Item = Node>>(nodes: I) -> Self {
        let mut nodes: Vec<Node> = nodes.into_iter().collect();
        nodes.sort_by_key(|node| node.id);
        let mut draft = Self::default();
        let mut nodes = nodes.into_iter().peekable();
        while let Some(node) = nodes.next() {
            if nodes.peek().is_some_and(|later| later.id == node.id) {
                continue;
            }
            let (plain, special, below) = apart(node);
            draft.special.extend(special.map(|special| (plain.id, special)));
            draft.plain.push(plain);
            draft.below.extend(below);
            draft.ends.push(number(draft.below.len()));
        }
        draft
    }
}

/// Notes each dependency at its lower end, and counts at its upper end what does not pass.
fn linked(mut graph: Graph) -> Result<Graph, Cycle> {
    let count = graph.nodes.len();
    let (places, below) = (&graph.places, &graph.below);
    let edges = || {
        (0..count).flat_map(|place| {
            below.of(place).iter().filter_map(move |id| Some((places.find(*id)?, number(place))))
        })
    };
    let above = Spans::grouped(count, edges);
    let passes = |node: &Option<Plain>| node.is_some_and(|node| node.status == Status::Passing);
    let mut links: Vec<Links> =
        graph.nodes.iter().map(|node| Links { unmet: 0, passes: passes(node) }).collect();
    let mut leads_down = true;
    for (low, high) in edges() {
        links[high as usize].unmet += u32::from(!links[low].passes);
        leads_down &= low < high as usize;
    }
    (graph.above, graph.links, graph.leads_down) = (above, links, leads_down);
    for place in 0..count {
        graph.count(place);
    }
    if leads_down || is_acyclic(&graph) { Ok(graph) } else { Err(cycle(&graph)) }
}

/// Takes away, again and again, what nothing depends on; in a cycle there is always something that does.
fn is_acyclic(graph: &Graph) -> bool {
    let mut left: Vec<usize> = (0..graph.nodes.len()).map(|place| graph.above.of(place).len()).collect();
    let mut free: Vec<usize> = (0..left.len()).filter(|place| left[*place] == 0).collect();
    let mut taken = 0;
    while let Some(place) = free.pop() {
        taken += 1;
        for below in graph.dependencies_at(place) {
            left[below] -= 1;
            if left[below] == 0 {
                free.push(below);
            }
        }
    }
    taken == left.len()
}

/// Returns the cycle that is there.
fn cycle(graph: &Graph) -> Cycle {
    let edges: BTreeMap<FeatureId, BTreeSet<FeatureId>> =
        graph.iter().map(|node| (node.id, node.dependencies.iter().copied().collect())).collect();
    Cycle { path: find_cycle(&edges).unwrap_or_default() }
}
