//! `feature_mark_in_progress` and `feature_clear_in_progress`: take a feature without reading it, and give it back.

use cogwork_schemas::FeatureId;
use cogwork_store::Store;
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attempt::Whose;
use super::summary::Summary;
use super::{OneFeature, leave_note, reason};
use crate::answer::Out;
use crate::arguments::Args;
use crate::error::ToolError;
use crate::schema;
use crate::server::Server;

#[derive(Debug, Deserialize, JsonSchema)]
struct ClearArgs {
    /// The feature's id.
    feature_id: FeatureId,
    /// Why you give it back; whoever takes it next reads this.
    reason: Option<String>,
    /// For the next attempt: what you tried, what happened, what is missing. At most 4,000 characters.
    note: Option<String>,
}

/// Where a feature stands after it was taken or given back.
#[derive(Debug, Serialize, JsonSchema)]
struct Progress {
    #[serde(flatten)]
    summary: Summary,
    /// False when it was so before the call.
    changed: bool,
    next: String,
}

impl Server {
    fn given_back(&self, store: &Store, args: ClearArgs) -> Result<Progress, ToolError> {
        let id = args.feature_id;
        let changed = match self.whose(store, id)? {
            Whose::Ours(token) => {
                leave_note(store, &token, args.note.as_deref())?;
                self.give_up(store, id, &token, &reason(args.reason))?;
                true
            }
            Whose::Nobodys => false,
        };
        let next = "It is not yours: leave it. feature_claim_and_get takes the next one, if there is any.";
        Ok(Progress { summary: Summary::read(store, id)?, changed, next: next.to_owned() })
    }
}

#[tool_router(router = progress_router, vis = "pub(super)")]
impl Server {
    /// Take a feature without reading it; feature_claim_and_get does the same and shows it whole. Repeating it for
    /// your own feature is fine.
    #[tool(
        title = "Take feature",
        input_schema = schema::input::<OneFeature>(),
        output_schema = schema::output::<Progress>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = true, open_world_hint = false)
    )]
    async fn feature_mark_in_progress(
        &self,
        Args(args): Args<OneFeature>,
        context: RequestContext<RoleServer>,
    ) -> Result<Out<Progress>, ToolError> {
        let claimed = self.claimed(Some(args.feature_id), &context).await?;
        let summary = self.database().look(move |store| Summary::read(store, claimed.id)).await?;
        let next = "It is yours: build it, then call feature_mark_passing.".to_owned();
        Ok(Out(Progress { summary, changed: !claimed.already, next }))
    }

    /// Give your feature back without finishing it: others can take it at once. Call it when you cannot go on; to
    /// wait for a person, ask with feature_request_human_input instead.
    #[tool(
        title = "Give feature back",
        input_schema = schema::input::<ClearArgs>(),
        output_schema = schema::output::<Progress>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = true, open_world_hint = false)
    )]
    async fn feature_clear_in_progress(
        &self,
        Args(args): Args<ClearArgs>,
    ) -> Result<Out<Progress>, ToolError> {
        let server = self.clone();
        self.database().run(move |store| server.given_back(store, args)).await.map(Out)
    }
}
