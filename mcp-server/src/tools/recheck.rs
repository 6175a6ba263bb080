//! `feature_set_checks`: other commands decide about a feature, while nobody has worked on it.

use cogwork_schemas::{Check, FeatureId};
use cogwork_store::Store;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::create::CheckArg;
use crate::answer::Out;
use crate::arguments::Args;
use crate::error::ToolError;
use crate::schema;
use crate::server::Server;

#[derive(Debug, Deserialize, JsonSchema)]
struct AllChecks {
    /// The feature's id.
    feature_id: FeatureId,
    /// Every command that decides whether it passes; [] for none.
    checks: Vec<CheckArg>,
}

/// What decides about a feature after the call.
#[derive(Debug, Serialize, JsonSchema)]
struct Rechecked {
    success: bool,
    feature_id: FeatureId,
    /// How many checks it has.
    checks: usize,
    /// False when they were so before the call.
    changed: bool,
}

impl Server {
    fn rechecked(&self, store: &Store, args: AllChecks) -> Result<Rechecked, ToolError> {
        let id = args.feature_id;
        self.may_rewire(store, id)?;
        let checks: Vec<Check> = args.checks.into_iter().map(Check::from).collect();
        let changed = store.set_checks(id, &checks, &self.options().limits)?;
        Ok(Rechecked { success: true, feature_id: id, checks: checks.len(), changed })
    }
}

#[tool_router(router = recheck_router, vis = "pub(super)")]
impl Server {
    /// Replace the commands that decide whether a feature passes. Only while nobody has worked on it: what decides
    /// about work is fixed before it.
    #[tool(
        title = "Set checks",
        input_schema = schema::input::<AllChecks>(),
        output_schema = schema::output::<Rechecked>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn feature_set_checks(&self, Args(args): Args<AllChecks>) -> Result<Out<Rechecked>, ToolError> {
        let server = self.clone();
        self.database().run(move |store| server.rechecked(store, args)).await.map(Out)
    }
}
