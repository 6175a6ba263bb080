//! `feature_search`: find features by their words.

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
struct SearchArgs {
    /// Words that must all occur in name, key, category or description; an id finds that feature.
    query: String,
    /// Only features with this status.
    status: Option<Status>,
    /// Most features of the answer, 1 to 50. Default 20.
    limit: Option<i64>,
    /// How many to skip. Default 0.
    offset: Option<i64>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SearchList {
    features: Vec<Found>,
    count: usize,
    total: usize,
    has_more: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_offset: Option<usize>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Found {
    id: FeatureId,
    name: String,
    category: String,
    status: Status,
}

impl SearchArgs {
    fn read(self, store: &Store) -> Result<SearchList, ToolError> {
        let asked = Asked::new(self.limit, self.offset, 20, 50)?;
        let ids = store.search(&self.query, self.status)?;
        let page = page(ids.iter().copied(), ids.len(), asked, |id| {
            let feature = store.summary(id)?;
            let (name, category) = (short(&feature.name), short(&feature.category));
            Ok(Found { id, name, category, status: feature.status })
        })?;
        Ok(SearchList {
            count: page.items.len(),
            features: page.items,
            total: ids.len(),
            has_more: page.next_offset.is_some(),
            next_offset: page.next_offset,
        })
    }
}

#[tool_router(router = search_router, vis = "pub(super)")]
impl Server {
    /// Find features by words of their name, key, category or description, the best first. Call it before adding
    /// a feature or when you know what one is about but not its id.
    #[tool(
        title = "Search features",
        input_schema = schema::input::<SearchArgs>(),
        output_schema = schema::output::<SearchList>(),
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn feature_search(&self, Args(args): Args<SearchArgs>) -> Result<Out<SearchList>, ToolError> {
        self.database().run(move |store| args.read(store)).await.map(Out)
    }
}
