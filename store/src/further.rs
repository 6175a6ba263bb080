//! Which feature a session takes next, when it has handed in the one before. Pure: the store fills it.
//!
//! A session that goes on saves a start: a workspace, and an agent that has to read itself in. It must not cost
//! anything in parallel work for that: what a free slot would start is never for a session, a slot that others wait
//! for is not held without work, and nothing that decides when the run is over is passed over.

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{FeatureId, Status};

use crate::graph::{Graph, NodeView};

/// A session that asks for more.
pub(crate) struct Asking<'a> {
    pub(crate) graph: &'a Graph,
    /// What it has worked on so far.
    pub(crate) mine: &'a BTreeSet<FeatureId>,
    /// What of that is handed in and has not landed.
    pub(crate) landing: &'a BTreeSet<FeatureId>,
    /// The features of the same categories as its own.
    pub(crate) kin: &'a BTreeSet<FeatureId>,
    /// The slots of its run, and those of them without a session.
    pub(crate) slots: usize,
    pub(crate) free: usize,
}

/// What it gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    Take(FeatureId),
    Wait,
    Nothing,
}

/// Chooses the most urgent feature that builds on what the session did, else the most urgent of a category that it
/// knows. Never a feature that it has worked on: whatever became of that, another pair of eyes is better.
pub(crate) fn choose(asking: &Asking<'_>) -> Choice {
    let Asking { graph, mine, kin, free, .. } = *asking;
    let ready: Vec<FeatureId> = graph.ready().collect();
    // What free slots start at this moment is not for it.
    let Some(most_urgent) = ready.get(free).copied() else {
        // Its own slot is of use to nobody, so it may wait for what its own work frees.
        return if asking.landing.is_empty() { Choice::Nothing } else { Choice::Wait };
    };
    let builds_on_mine = |id: &FeatureId| graph.node(*id).is_some_and(|node| builds_on(&node, mine));
    let mut fresh = ready.iter().copied().filter(|id| !mine.contains(id));
    let of_chain = fresh.clone().find(builds_on_mine);
    let chosen = of_chain.or_else(|| fresh.find(|id| kin.contains(id)));
    let slack = Slack::of(graph, asking.slots);
    if let Some(heir) = asking.heir()
        && graph.chain_s(heir) > graph.chain_s(most_urgent)
        && !slack.allows(heir, chosen.unwrap_or(most_urgent))
    {
        return Choice::Wait;
    }
    match chosen {
        Some(chosen) if chosen == most_urgent || slack.allows(most_urgent, chosen) => Choice::Take(chosen),
        Some(_) | None => Choice::Nothing,
    }
}

fn builds_on(node: &NodeView<'_>, mine: &BTreeSet<FeatureId>) -> bool {
    node.dependencies.iter().any(|dependency| mine.contains(dependency))
}

impl Asking<'_> {
    /// Returns the most urgent feature that waits for nothing but work of this session that is about to land.
    fn heir(&self) -> Option<FeatureId> {
        let will_pass = |id: &FeatureId| {
            self.landing.contains(id)
                || self.graph.node(*id).is_some_and(|node| node.status == Status::Passing)
        };
        let heirs = self.graph.iter().filter(|node| {
            node.status == Status::Pending
                && builds_on(node, self.landing)
                && node.dependencies.iter().all(will_pass)
        });
        heirs
            .map(|node| node.id)
            .max_by(|a, b| self.graph.chain_s(*a).total_cmp(&self.graph.chain_s(*b)).then(b.cmp(a)))
    }
}

/// How much later than at once things may begin without making the run longer.
struct Slack<'a> {
    graph: &'a Graph,
    work_s: BTreeMap<FeatureId, f64>,
    /// No schedule of what is left is shorter: its longest chain, or its work shared among the slots.
    left_s: f64,
}

impl<'a> Slack<'a> {
    fn of(graph: &'a Graph, slots: usize) -> Self {
        let work_s = graph.work_s();
        // What is handed in takes no slot any more.
        let is_open = |node: &NodeView<'_>| node.status != Status::Passing && !node.submitted;
        let open = || graph.iter().filter(is_open).map(|node| node.id);
        let total: f64 = open().map(|id| work_s[&id]).sum();
        let longest = open().map(|id| graph.chain_s(id)).fold(0.0, f64::max);
        let slots = u32::try_from(slots.max(1)).map_or(1.0, f64::from);
        Self { graph, left_s: longest.max(total / slots), work_s }
    }

    /// Returns whether one feature may wait for as long as another one takes.
    fn allows(&self, waits: FeatureId, first: FeatureId) -> bool {
        self.graph.chain_s(waits) + self.work_s.get(&first).copied().unwrap_or(0.0) <= self.left_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Node;

    fn node(id: i64, dependencies: &[i64]) -> Node {
        Node {
            dependencies: dependencies.iter().copied().map(FeatureId).collect(),
            ..Node::new(FeatureId(id))
        }
    }

    fn with(status: Status, node: Node) -> Node {
        Node { status, submitted: status == Status::Claimed, ..node }
    }

    fn ids(ids: &[i64]) -> BTreeSet<FeatureId> {
        ids.iter().copied().map(FeatureId).collect()
    }

    /// A session that has worked on feature 1, which has landed unless it is still claimed.
    fn chosen(nodes: &[Node], kin: &[i64], (slots, free): (usize, usize)) -> Choice {
        let graph = Graph::new(nodes.iter().cloned()).unwrap();
        let is_landing = graph.node(FeatureId(1)).is_some_and(|node| node.status == Status::Claimed);
        let landing = ids(if is_landing { &[1] } else { &[] });
        choose(&Asking { graph: &graph, mine: &ids(&[1]), landing: &landing, kin: &ids(kin), slots, free })
    }

    /// Three are ready, and the last of them builds on what the session did.
    fn three() -> [Node; 4] {
        [with(Status::Passing, node(1, &[])), node(2, &[]), node(3, &[]), node(4, &[1])]
    }

    #[test]
    fn the_chain_goes_before_the_category() {
        assert_eq!(chosen(&three(), &[2, 3, 4], (1, 0)), Choice::Take(FeatureId(4)));
        assert_eq!(chosen(&three(), &[], (1, 0)), Choice::Take(FeatureId(4)));
    }

    #[test]
    fn within_the_category_the_order_of_the_graph_decides() {
        let nodes = [with(Status::Passing, node(1, &[])), node(2, &[]), node(3, &[]), node(4, &[3])];
        assert_eq!(chosen(&nodes, &[2, 3], (1, 0)), Choice::Take(FeatureId(3)));
    }

    #[test]
    fn what_is_no_kin_is_left_to_a_session_of_its_own() {
        let nodes = [with(Status::Claimed, node(1, &[])), node(2, &[])];
        assert_eq!(chosen(&nodes, &[], (1, 0)), Choice::Nothing, "its slot is wanted: there is no waiting");
    }

    #[test]
    fn what_a_free_slot_would_start_is_never_taken() {
        assert_eq!(chosen(&three(), &[2, 3, 4], (3, 2)), Choice::Take(FeatureId(4)));
        assert_eq!(chosen(&three(), &[2, 3, 4], (4, 3)), Choice::Nothing);
        let landing = [with(Status::Claimed, node(1, &[])), node(2, &[])];
        assert_eq!(chosen(&landing, &[2], (2, 1)), Choice::Wait);
    }

    #[test]
    fn what_decides_the_end_is_not_passed_over_for_kin() {
        // 2 to 5 are a chain, 6 and 7 are of the session's kind; two slots have just enough work for the chain.
        let chain = [node(2, &[]), node(3, &[2]), node(4, &[3]), node(5, &[4])];
        let nodes = |more: &[Node]| [&[with(Status::Passing, node(1, &[]))], &chain[..], more].concat();
        let kin = [node(6, &[]), node(7, &[])];
        assert_eq!(chosen(&nodes(&kin), &[6, 7], (2, 0)), Choice::Nothing);
        // With more to do besides, the chain can wait for as long as one of them takes.
        let many: Vec<Node> = (6..=11).map(|id| node(id, &[])).collect();
        assert_eq!(chosen(&nodes(&many), &[6, 7], (2, 0)), Choice::Take(FeatureId(6)));
    }

    #[test]
    fn a_chain_that_decides_the_end_is_waited_for() {
        let chain = [with(Status::Claimed, node(1, &[])), node(2, &[1]), node(3, &[2]), node(4, &[3])];
        let nodes = |more: &[Node]| [&chain[..], more].concat();
        let kin = [node(6, &[]), node(7, &[])];
        assert_eq!(chosen(&nodes(&kin), &[6, 7], (2, 0)), Choice::Wait);
        assert_eq!(chosen(&nodes(&kin), &[], (2, 0)), Choice::Wait);
        let many: Vec<Node> = (6..=13).map(|id| node(id, &[])).collect();
        assert_eq!(chosen(&nodes(&many), &[6, 7], (2, 0)), Choice::Take(FeatureId(6)));
        // It waits for something else besides: nobody knows how long.
        let two = [chain[0].clone(), node(2, &[1, 8]), chain[2].clone(), chain[3].clone()];
        let other = [&two[..], &[with(Status::Claimed, node(8, &[])), node(9, &[])]].concat();
        assert_eq!(chosen(&other, &[9], (2, 0)), Choice::Take(FeatureId(9)));
    }

    #[test]
    fn what_it_has_worked_on_is_never_taken_again() {
        assert_eq!(chosen(&[node(1, &[])], &[1], (1, 0)), Choice::Nothing);
    }
}
