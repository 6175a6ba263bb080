//! Which feature a session takes next, when it has handed in the one before. Pure: the store fills it.
//!
//! A session that goes on saves a start: a workspace, and an agent that has to read itself in. It must not cost
//! anything in parallel work for that: what a free slot would start is never for a session that has to finish
//! something first, and a slot that others wait for is not held without work.

use std::collections::BTreeSet;

use cogwork_schemas::FeatureId;

use crate::graph::Graph;

/// A session that asks for more.
pub(crate) struct Asking<'a> {
    pub(crate) graph: &'a Graph,
    /// What it has worked on so far.
    pub(crate) mine: &'a BTreeSet<FeatureId>,
    /// The features of the same categories as those.
    pub(crate) kin: &'a BTreeSet<FeatureId>,
    /// Slots of its run without a session.
    pub(crate) free: usize,
    /// Whether something that it handed in is still to land.
    pub(crate) is_landing: bool,
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
    let Asking { graph, mine, kin, free, is_landing } = *asking;
    let ready: Vec<FeatureId> = graph.ready().collect();
    if ready.len() <= free {
        // Free slots start all of it, at this moment. Its own slot is of use to nobody, so it may wait for what its
        // own work frees.
        return if is_landing { Choice::Wait } else { Choice::Nothing };
    }
    let builds_on_mine = |id: &FeatureId| {
        graph
            .node(*id)
            .is_some_and(|node| node.dependencies.iter().any(|dependency| mine.contains(dependency)))
    };
    let mut fresh = ready.iter().copied().filter(|id| !mine.contains(id));
    let of_chain = fresh.clone().find(builds_on_mine);
    of_chain.or_else(|| fresh.find(|id| kin.contains(id))).map_or(Choice::Nothing, Choice::Take)
}

#[cfg(test)]
mod tests {
    use cogwork_schemas::Status;

    use super::*;
    use crate::graph::Node;

    fn node(id: i64, dependencies: &[i64]) -> Node {
        Node {
            dependencies: dependencies.iter().copied().map(FeatureId).collect(),
            ..Node::new(FeatureId(id))
        }
    }

    fn with(status: Status, node: Node) -> Node {
        Node { status, ..node }
    }

    fn ids(ids: &[i64]) -> BTreeSet<FeatureId> {
        ids.iter().copied().map(FeatureId).collect()
    }

    /// Feature 1 is the session's own and passes; 2 to 4 are ready, 4 builds on it.
    fn chosen(kin: &[i64], free: usize, is_landing: bool) -> Choice {
        let nodes = [with(Status::Passing, node(1, &[])), node(2, &[]), node(3, &[]), node(4, &[1])];
        let graph = Graph::new(nodes).unwrap();
        choose(&Asking { graph: &graph, mine: &ids(&[1]), kin: &ids(kin), free, is_landing })
    }

    #[test]
    fn the_chain_goes_before_the_category() {
        assert_eq!(chosen(&[2, 3, 4], 0, false), Choice::Take(FeatureId(4)));
    }

    #[test]
    fn within_the_category_the_order_of_the_graph_decides() {
        let nodes = [with(Status::Claimed, node(1, &[])), node(2, &[]), node(3, &[]), node(4, &[3])];
        let graph = Graph::new(nodes).unwrap();
        let asking =
            Asking { graph: &graph, mine: &ids(&[1]), kin: &ids(&[1, 2, 3]), free: 1, is_landing: true };
        assert_eq!(choose(&asking), Choice::Take(FeatureId(3)));
    }

    #[test]
    fn what_is_no_kin_is_left_to_a_session_of_its_own() {
        let nodes = [with(Status::Claimed, node(1, &[])), node(2, &[])];
        let graph = Graph::new(nodes).unwrap();
        let asking = Asking { graph: &graph, mine: &ids(&[1]), kin: &ids(&[1]), free: 0, is_landing: true };
        assert_eq!(choose(&asking), Choice::Nothing, "and its slot is wanted: there is no waiting");
    }

    #[test]
    fn what_a_free_slot_would_start_is_never_taken() {
        assert_eq!(chosen(&[2, 3, 4], 2, false), Choice::Take(FeatureId(4)));
        assert_eq!(chosen(&[2, 3, 4], 3, false), Choice::Nothing);
        assert_eq!(chosen(&[2, 3, 4], 3, true), Choice::Wait);
    }

    #[test]
    fn what_it_has_worked_on_is_never_taken_again() {
        let graph = Graph::new([node(1, &[])]).unwrap();
        let asking = Asking { graph: &graph, mine: &ids(&[1]), kin: &ids(&[1]), free: 0, is_landing: false };
        assert_eq!(choose(&asking), Choice::Nothing);
    }
}
