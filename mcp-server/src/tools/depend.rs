//! `feature_add_dependency`, `feature_remove_dependency`, `feature_set_dependencies`: what has to pass first.

use cogwork_schemas::FeatureId;
use cogwork_store::Store;
use rmcp::{tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::answer::Out;
use crate::arguments::Args;
use crate::error::ToolError;
use crate::schema;
use crate::server::Server;

#[derive(Debug, Deserialize, JsonSchema)]
struct OneDependency {
    /// The feature that waits.
    feature_id: FeatureId,
    /// The feature that has to pass first.
    dependency_id: FeatureId,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct AllDependencies {
    /// The feature that waits.
    feature_id: FeatureId,
    /// Every feature that has to pass first; [] for none.
    dependency_ids: Vec<FeatureId>,
}

/// What a feature depends on after the call.
#[derive(Debug, Serialize, JsonSchema)]
struct Rewired {
    success: bool,
    feature_id: FeatureId,
    dependencies: Vec<FeatureId>,
    /// False when it was so before the call.
    changed: bool,
}

impl Server {
    async fn rewired(
        &self,
        feature_id: FeatureId,
        change: impl FnOnce(&Self, &Store) -> Result<bool, ToolError> + Send + 'static,
    ) -> Result<Out<Rewired>, ToolError> {
        let server = self.clone();
        let rewire = move |store: &Store| {
            server.may_rewire(store, feature_id)?;
            let changed = change(&server, store)?;
            let dependencies = store.feature(feature_id)?.dependencies;
            Ok(Rewired { success: true, feature_id, dependencies, changed })
        };
        self.database().run(rewire).await.map(Out)
    }
}

#[tool_router(router = depend_router, vis = "pub(super)")]
impl Server {
    /// Make a feature wait until another passes. Circles are refused with their path. Repeating it is fine.
    #[tool(
        title = "Add dependency",
        input_schema = schema::input::<OneDependency>(),
        output_schema = schema::output::<Rewired>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = true, open_world_hint = false)
    )]
    async fn feature_add_dependency(
        &self,
        Args(args): Args<OneDependency>,
    ) -> Result<Out<Rewired>, ToolError> {
        let OneDependency { feature_id, dependency_id } = args;
        self.rewired(feature_id, move |server, store| {
            Ok(store.add_dependency(feature_id, dependency_id, &server.options().limits)?)
        })
        .await
    }

    /// Make a feature no longer wait for another. Call it when a dependency was a mistake. Repeating it is fine.
    #[tool(
        title = "Remove dependency",
        input_schema = schema::input::<OneDependency>(),
        output_schema = schema::output::<Rewired>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn feature_remove_dependency(
        &self,
        Args(args): Args<OneDependency>,
    ) -> Result<Out<Rewired>, ToolError> {
        let OneDependency { feature_id, dependency_id } = args;
        self.rewired(feature_id, move |_, store| Ok(store.remove_dependency(feature_id, dependency_id)?))
            .await
    }

    /// Make a feature wait for exactly these others: all it had before are replaced. Circles are refused with their
    /// path.
    #[tool(
        title = "Set dependencies",
        input_schema = schema::input::<AllDependencies>(),
        output_schema = schema::output::<Rewired>(),
        annotations(read_only_hint = false, destructive_hint = true, idempotent_hint = true, open_world_hint = false)
    )]
    async fn feature_set_dependencies(
        &self,
        Args(args): Args<AllDependencies>,
    ) -> Result<Out<Rewired>, ToolError> {
        let AllDependencies { feature_id, dependency_ids } = args;
        self.rewired(feature_id, move |server, store| {
            Ok(store.set_dependencies(feature_id, &dependency_ids, &server.options().limits)?)
        })
        .await
    }
}
