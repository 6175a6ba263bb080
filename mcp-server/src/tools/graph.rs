//! `feature_get_graph`: which feature depends on which.

use std::collections::BTreeSet;

use cogwork_schemas::{FeatureId, Status};
use cogwork_store::Store;
use cogwork_store::graph::Graph;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::page::{Asked, page};
use crate::answer::{Out, short};
use crate::arguments::Args;
use crate::error::ToolError;
use crate::schema;
use crate::server::Server;

#[derive(Debug, Deserialize, JsonSchema)]
struct GraphArgs {
    /// Only what is around this feature; without it the whole graph.
    feature_id: Option<FeatureId>,
    /// How many steps around `feature_id`, both ways. Default 2.
    depth: Option<i64>,
    /// Most features of the answer, 1 to 200. Default 100.
    limit: Option<i64>,
    /// How many features to skip. Default 0.
    offset: Option<i64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct GraphView {
    nodes: Vec<NodeView>,
    /// Every dependency that one of `nodes` has.
    edges: Vec<Edge>,
    total_nodes: usize,
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<usize>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct NodeView {
    id: FeatureId,
    name: String,
    status: Status,
}

/// `target` depends on `source`.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
struct Edge {
    source: FeatureId,
    target: FeatureId,
}

impl GraphArgs {
    fn read(self, store: &Store) -> Result<GraphView, ToolError> {
        let asked = Asked::new(self.limit, self.offset, 100, 200)?;
        let graph = store.graph()?;
        let ids: Vec<FeatureId> = match self.feature_id {
            Some(center) => {
                // The store's own words when there is no such feature.
                store.summary(center)?;
                let depth = self.depth.map_or(2, |depth| usize::try_from(depth).unwrap_or(0));
                around(&graph, center, depth).into_iter().collect()
            }
            None => graph.iter().map(|node| node.id).collect(),
        };
        // A node and its edges share the room of the page.
        let page = page(ids.iter().copied(), ids.len(), asked, |id| {
            let feature = store.summary(id)?;
            let edges =
                feature.dependencies.iter().map(|source| Edge { source: *source, target: id }).collect();
            Ok((NodeView { id, name: short(&feature.name), status: feature.status }, edges))
        })?;
        let (nodes, edges): (Vec<NodeView>, Vec<Vec<Edge>>) = page.items.into_iter().unzip();
        Ok(GraphView {
            nodes,
            edges: edges.into_iter().flatten().collect(),
            total_nodes: ids.len(),
            truncated: page.next_offset.is_some(),
            next_offset: page.next_offset,
        })
    }
}

/// Returns what can be reached from a feature in so many steps along its dependencies and its dependents.
fn around(graph: &Graph, center: FeatureId, depth: usize) -> BTreeSet<FeatureId> {
    let mut found = BTreeSet::from([center]);
    let mut edge = vec![center];
    for _ in 0..depth {
        let neighbours = edge.iter().flat_map(|id| {
            let below = graph.node(*id).map_or(&[][..], |node| node.dependencies);
            below.iter().copied().chain(graph.dependents(*id))
        });
        edge = neighbours.filter(|id| graph.node(*id).is_some() && found.insert(*id)).collect();
        if edge.is_empty() {
            break;
        }
    }
    found
}

#[tool_router(router = graph_router, vis = "pub(super)")]
impl Server {
    /// Which features depend on which (an edge's target depends on its source), with names and status. Call it to
    /// understand the plan or what is around one feature.
    #[tool(
        title = "Get dependency graph",
        input_schema = schema::input::<GraphArgs>(),
        output_schema = schema::output::<GraphView>(),
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn feature_get_graph(&self, Args(args): Args<GraphArgs>) -> Result<Out<GraphView>, ToolError> {
        self.database().run(move |store| args.read(store)).await.map(Out)
    }
}
