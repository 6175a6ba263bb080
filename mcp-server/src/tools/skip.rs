//! `feature_skip`: put a feature behind all others, and give it back if it is this session's.

use cogwork_schemas::FeatureId;
use cogwork_store::Store;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::attempt::Whose;
use super::{leave_note, reason};
use crate::answer::{Out, short};
use crate::arguments::Args;
use crate::error::ToolError;
use crate::schema;
use crate::server::Server;

#[derive(Debug, Deserialize, JsonSchema)]
struct SkipArgs {
    /// The feature's id.
    feature_id: FeatureId,
    /// Why others should come first.
    reason: Option<String>,
    /// For the next attempt: what you tried, what is missing.
    note: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Skipped {
    id: FeatureId,
    name: String,
    old_priority: i64,
    new_priority: i64,
    /// Whether it was this session's and is free again.
    given_back: bool,
    next: String,
}

impl Server {
    fn skipped(&self, store: &Store, args: SkipArgs) -> Result<Skipped, ToolError> {
        let (id, reason) = (args.feature_id, reason(args.reason));
        let ours = match self.whose(store, id)? {
            Whose::Ours(token) => Some(token),
            Whose::Nobodys => None,
        };
        let (old_priority, new_priority) = store.skip(id, ours.as_ref(), Some(&reason))?;
        if let Some(token) = &ours {
            leave_note(store, token, args.note.as_deref())?;
            self.give_up(store, id, token, &format!("skipped: {reason}"))?;
        }
        Ok(Skipped {
            id,
            name: short(&store.feature(id)?.name),
            old_priority,
            new_priority,
            given_back: ours.is_some(),
            next: "Leave it. feature_claim_and_get takes the next one, if there is any.".to_owned(),
        })
    }
}

#[tool_router(router = skip_router, vis = "pub(super)")]
impl Server {
    /// Put a feature behind all others, for example because something outside is missing; your own is given back
    /// with that. What depends on it goes on waiting.
    #[tool(
        title = "Skip feature",
        input_schema = schema::input::<SkipArgs>(),
        output_schema = schema::output::<Skipped>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = false, open_world_hint = false)
    )]
    async fn feature_skip(&self, Args(args): Args<SkipArgs>) -> Result<Out<Skipped>, ToolError> {
        let server = self.clone();
        self.database().run(move |store| server.skipped(store, args)).await.map(Out)
    }
}
