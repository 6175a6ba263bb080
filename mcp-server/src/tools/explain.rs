//! `feature_explain`: why a feature is not running, and what would unblock it.

use cogwork_schemas::{FeatureId, Hold, Status};
use cogwork_store::Store;
use cogwork_store::graph::Graph;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::Serialize;

use super::OneFeature;
use crate::answer::{Out, short};
use crate::arguments::Args;
use crate::error::{Code, ToolError};
use crate::schema;
use crate::server::Server;

/// Roots that are explained themselves; the others are only counted.
const ROOTS_SHOWN: usize = 20;

#[derive(Debug, Serialize, JsonSchema)]
struct Explanation {
    id: FeatureId,
    name: String,
    status: Status,
    /// Whether nothing holds it.
    ready: bool,
    why: String,
    next: String,
    /// The features whose own state decides when this one can start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roots: Vec<Root>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_roots: Option<usize>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Root {
    id: FeatureId,
    name: String,
    why: String,
}

impl Explanation {
    fn read(store: &Store, id: FeatureId) -> Result<Self, ToolError> {
        let feature = store.summary(id)?;
        let graph = store.graph()?;
        let hold = hold_of(&graph, id)?;
        let (why, next) = hold.in_words();
        let roots = match &hold {
            Hold::Blocked { roots, .. } => roots.as_slice(),
            Hold::Ready
            | Hold::Running { .. }
            | Hold::Landing { .. }
            | Hold::Passing
            | Hold::Parked { .. }
            | Hold::NeedsHuman { .. } => &[],
        };
        let explained: Result<Vec<Root>, ToolError> =
            roots.iter().take(ROOTS_SHOWN).map(|root| Root::read(store, &graph, *root)).collect();
        Ok(Self {
            id,
            name: short(&feature.name),
            status: feature.status,
            ready: hold == Hold::Ready,
            why: format!("{id} {why}."),
            next,
            roots: explained?,
            total_roots: (roots.len() > ROOTS_SHOWN).then_some(roots.len()),
        })
    }
}

impl Root {
    fn read(store: &Store, graph: &Graph, id: FeatureId) -> Result<Self, ToolError> {
        let (why, _) = hold_of(graph, id)?.in_words();
        Ok(Self { id, name: short(&store.summary(id)?.name), why: format!("{id} {why}.") })
    }
}

/// Between two reads another process may have removed the feature.
fn hold_of(graph: &Graph, id: FeatureId) -> Result<Hold, ToolError> {
    graph.hold(id).ok_or_else(|| {
        ToolError::new(
            Code::NotFound,
            format!("feature {id} is gone"),
            "Call feature_get_ready for what there is.",
        )
    })
}

#[tool_router(router = explain_router, vis = "pub(super)")]
impl Server {
    /// Why a feature is not running, and what would unblock it. Call it when a feature cannot be claimed or waits
    /// for longer than you expect.
    #[tool(
        title = "Explain feature",
        input_schema = schema::input::<OneFeature>(),
        output_schema = schema::output::<Explanation>(),
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn feature_explain(&self, Args(args): Args<OneFeature>) -> Result<Out<Explanation>, ToolError> {
        self.database().run(move |store| Explanation::read(store, args.feature_id)).await.map(Out)
    }
}
