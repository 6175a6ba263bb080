//! `feature_get_summary`: one or several features in short.

use cogwork_schemas::{FeatureId, Status};
use cogwork_store::Store;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::{Out, short};
use crate::arguments::Args;
use crate::error::{Code, ToolError};
use crate::schema;
use crate::server::Server;

/// Most features of one answer.
const MOST: usize = 50;

#[derive(Debug, Deserialize, JsonSchema)]
struct SummaryArgs {
    /// The feature's id.
    feature_id: Option<FeatureId>,
    /// Several ids, at most 50, instead of `feature_id`.
    feature_ids: Option<Vec<FeatureId>>,
}

/// One feature in short.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Summary {
    pub(super) id: FeatureId,
    name: String,
    pub(super) status: Status,
    passes: bool,
    in_progress: bool,
    needs_human_input: bool,
    dependencies: Vec<FeatureId>,
}

impl Summary {
    /// Reads one feature in short.
    ///
    /// # Errors
    /// When there is no such feature or the store fails.
    pub(super) fn read(store: &Store, id: FeatureId) -> Result<Self, ToolError> {
        let feature = store.feature(id)?;
        Ok(Self {
            id,
            name: short(&feature.name),
            status: feature.status,
            passes: feature.status == Status::Passing,
            in_progress: feature.status == Status::Claimed,
            needs_human_input: feature.status == Status::NeedsHuman,
            dependencies: feature.dependencies,
        })
    }
}

/// One summary by itself or several as a list, as they were asked for.
#[derive(Debug, Default, Serialize, JsonSchema)]
struct Summaries {
    #[serde(flatten)]
    one: Option<Summary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    features: Option<Vec<Summary>>,
}

impl SummaryArgs {
    fn read(&self, store: &Store) -> Result<Summaries, ToolError> {
        match (self.feature_id, &self.feature_ids) {
            (_, Some(ids)) if ids.len() > MOST => Err(ToolError::new(
                Code::InvalidArgument,
                format!("`feature_ids` holds {} ids, at most {MOST} are taken", ids.len()),
                "Ask for them in several calls.",
            )),
            (_, Some(ids)) => {
                let summaries: Result<Vec<Summary>, ToolError> =
                    ids.iter().map(|id| Summary::read(store, *id)).collect();
                Ok(Summaries { features: Some(summaries?), ..Summaries::default() })
            }
            (Some(id), None) => {
                Ok(Summaries { one: Some(Summary::read(store, id)?), ..Summaries::default() })
            }
            (None, None) => Err(ToolError::bad_arguments(&["`feature_id` is missing".to_owned()])),
        }
    }
}

#[tool_router(router = summary_router, vis = "pub(super)")]
impl Server {
    /// One feature, or several, in short: name, status and dependencies, without description and steps. Call it
    /// to see how features stand.
    #[tool(
        title = "Get feature in short",
        input_schema = schema::input::<SummaryArgs>(),
        output_schema = schema::output::<Summaries>(),
        annotations(read_only_hint = true, destructive_hint = false, open_world_hint = false)
    )]
    async fn feature_get_summary(&self, Args(args): Args<SummaryArgs>) -> Result<Out<Summaries>, ToolError> {
        self.database().look(move |store| args.read(store)).await.map(Out)
    }
}
