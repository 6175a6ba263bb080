//! `feature_get_ready` and `feature_get_blocked`: what can be started, and what has to wait for what.

use cogwork_schemas::{FeatureId, Status};
use cogwork_store::Store;
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
struct ReadyArgs {
    /// Most features of the answer, 1 to 50. Default 10.
    limit: Option<i64>,
    /// How many to skip. Default 0.
    offset: Option<i64>,
    /// Only features of this category.
    category: Option<String>,
    /// `detailed` adds description and checks to each. Default `concise`.
    response_format: Option<Format>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    Concise,
    Detailed,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ReadyList {
    features: Vec<ReadyFeature>,
    count: usize,
    total_ready: usize,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<usize>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ReadyFeature {
    id: FeatureId,
    name: String,
    category: String,
    priority: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<Vec<String>>,
}

impl ReadyArgs {
    fn read(self, store: &Store) -> Result<ReadyList, ToolError> {
        let asked = Asked::new(self.limit, self.offset, 10, 50)?;
        let graph = store.graph()?;
        let of_category = self.category.map(|category| store.in_category(&category)).transpose()?;
        let total_ready = match &of_category {
            Some(ids) => ids.iter().filter(|id| graph.is_ready(**id)).count(),
            None => graph.counts().ready,
        };
        let ids = graph.ready().filter(|id| of_category.as_ref().is_none_or(|ids| ids.contains(id)));
        let detailed = self.response_format == Some(Format::Detailed);
        let page = page(ids, total_ready, asked, |id| ReadyFeature::read(store, id, detailed))?;
        Ok(ReadyList {
            count: page.items.len(),
            features: page.items,
            total_ready,
            has_more: page.next_offset.is_some(),
            next_offset: page.next_offset,
        })
    }
}

impl ReadyFeature {
    fn read(store: &Store, id: FeatureId, detailed: bool) -> Result<Self, ToolError> {
        let summary = store.summary(id)?;
        let (mut description, mut checks) = (None, None);
        if detailed {
            let feature = store.feature(id)?;
            checks = Some(feature.checks.into_iter().map(|check| check.command).collect());
            description = Some(feature.description);
        }
        Ok(Self {
            id,
            name: short(&summary.name),
            category: short(&summary.category),
            priority: summary.priority,
            description,
            checks,
        })
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
struct BlockedArgs {
    /// Most features of the answer, 1 to 100. Default 20.
    limit: Option<i64>,
    /// How many to skip. Default 0.
    offset: Option<i64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct BlockedList {
    features: Vec<BlockedFeature>,
    count: usize,
    total_blocked: usize,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<usize>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct BlockedFeature {
    id: FeatureId,
    name: String,
    /// The dependencies that do not pass yet.
    blocked_by: Vec<FeatureId>,
}

impl BlockedArgs {
    fn read(self, store: &Store) -> Result<BlockedList, ToolError> {
        let asked = Asked::new(self.limit, self.offset, 20, 100)?;
        let graph = store.graph()?;
        let waits = |id: &FeatureId| !graph.is_ready(*id);
        let pending = graph.iter().filter(|node| node.status == Status::Pending).map(|node| node.id);
        let ids: Vec<FeatureId> = pending.filter(waits).collect();
        let page = page(ids.iter().copied(), ids.len(), asked, |id| {
            let name = short(&store.summary(id)?.name);
            Ok(BlockedFeature { id, name, blocked_by: graph.unmet_of(id).collect() })
        })?;
        Ok(BlockedList {
            count: page.items.len(),
            features: page.items,
            total_blocked: ids.len(),
            has_more: page.next_offset.is_some(),
            next_offset: page.next_offset,
        })
    }
}

#[tool_router(router = lists_router, vis = "pub(super)")]
impl Server {
    /// The features that can be started now, the best first: what the most and the longest other work waits for.
    /// Call it to choose what to do next.
    #[tool(
        title = "List ready features",
        input_schema = schema::input::<ReadyArgs>(),
        output_schema = schema::output::<ReadyList>(),
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn feature_get_ready(&self, Args(args): Args<ReadyArgs>) -> Result<Out<ReadyList>, ToolError> {
        self.database().run(move |store| args.read(store)).await.map(Out)
    }

    /// The features that wait for others, each with the dependencies that do not pass yet. Call it when little or
    /// nothing is ready.
    #[tool(
        title = "List blocked features",
        input_schema = schema::input::<BlockedArgs>(),
        output_schema = schema::output::<BlockedList>(),
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn feature_get_blocked(
        &self,
        Args(args): Args<BlockedArgs>,
    ) -> Result<Out<BlockedList>, ToolError> {
        self.database().run(move |store| args.read(store)).await.map(Out)
    }
}
