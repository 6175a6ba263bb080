//! `feature_create` and `feature_create_bulk`: new features, of one call all or none.

mod wanted;

use std::hash::{DefaultHasher, Hash, Hasher};

use cogwork_schemas::FeatureId;
use cogwork_store::{Imported, NewFeature, Store, StoreError};
use rmcp::service::RequestContext;
use rmcp::{RoleServer, tool, tool_router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::summary::Summary;
use crate::answer::Out;
use crate::arguments::Args;
use crate::error::ToolError;
use crate::schema;
use crate::server::Server;

pub(super) use wanted::CheckArg;
use wanted::{Item, Wanted};

/// Ids of one answer; a longer list is told by its ends.
const IDS_SHOWN: usize = 200;

#[derive(Debug, Hash, Deserialize, JsonSchema)]
struct BulkArgs {
    /// The features, in the order in which they are to be built where nothing else decides.
    features: Vec<Item>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Created {
    success: bool,
    /// False when a feature with this key was there before; it was left as it is.
    created: bool,
    /// The same call came before, and this is its answer.
    repeated: bool,
    feature: Summary,
}

#[derive(Debug, Default, Serialize, JsonSchema)]
struct CreatedBulk {
    /// How many features are new.
    created: usize,
    /// The id of every item, in order; the first 200 of a longer list.
    ids: Vec<FeatureId>,
    /// Those of them whose key was there before; they were left as they are.
    known: Vec<FeatureId>,
    /// How many of the items depend on something.
    with_dependencies: usize,
    /// The same call came before, and this is its answer.
    repeated: bool,
    /// Set when not all ids are shown: the new features have the ids from here …
    #[serde(skip_serializing_if = "Option::is_none")]
    ids_from: Option<FeatureId>,
    /// … to here, in the order of the items.
    #[serde(skip_serializing_if = "Option::is_none")]
    ids_to: Option<FeatureId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_known: Option<usize>,
}

impl CreatedBulk {
    fn of(imported: Imported, with_dependencies: usize) -> Self {
        let Imported { created, mut known, items: mut ids, repeated } = imported;
        let is_long = ids.len() > IDS_SHOWN;
        let total_known = (known.len() > IDS_SHOWN).then_some(known.len());
        ids.truncate(IDS_SHOWN);
        known.truncate(IDS_SHOWN);
        Self {
            created: created.len(),
            ids,
            known,
            with_dependencies,
            repeated,
            ids_from: created.first().copied().filter(|_| is_long),
            ids_to: created.last().copied().filter(|_| is_long),
            total_known,
        }
    }
}

impl Server {
    /// Makes features; `path` says where in the arguments an item stands.
    async fn created(
        &self,
        items: Vec<NewFeature>,
        call: String,
        path: fn(usize) -> String,
    ) -> Result<Imported, ToolError> {
        let server = self.clone();
        let create = move |store: &Store| {
            server.may_plan(store)?;
            match store.create_features(&items, &server.options().limits, Some(&call)) {
                Err(StoreError::BadList { problems }) => Err(ToolError::bad_list(&problems, path)),
                other => Ok(other?),
            }
        };
        self.database().run(create).await
    }

    /// Names a call, so that the same one sent again, by a client that lost the answer, makes nothing twice: by the
    /// client's own name for it, if it has one, and by what was asked.
    fn call_id(&self, tool: &str, asked: &impl Hash, context: &RequestContext<RoleServer>) -> String {
        let named =
            ["claudecode/toolUseId", "callId"].iter().find_map(|key| context.meta.get(*key)?.as_str());
        let mut hasher = DefaultHasher::new();
        asked.hash(&mut hasher);
        format!(
            "{tool}/{}/{}/{:016x}",
            self.options().role.word(),
            named.unwrap_or_default(),
            hasher.finish()
        )
    }
}

#[tool_router(router = create_router, vis = "pub(super)")]
impl Server {
    /// Add one feature. Search first whether it is there. Give it checks: without them nothing but an agent's word
    /// says that it works.
    #[tool(
        title = "Create feature",
        input_schema = schema::input::<Wanted>(),
        output_schema = schema::output::<Created>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = false, open_world_hint = false)
    )]
    async fn feature_create(
        &self,
        Args(wanted): Args<Wanted>,
        context: RequestContext<RoleServer>,
    ) -> Result<Out<Created>, ToolError> {
        let call = self.call_id("feature_create", &wanted, &context);
        let imported = self.created(vec![wanted.into()], call, |_| String::new()).await?;
        let [id] = imported.items[..] else {
            return Err(ToolError::internal(&"one feature was asked for"));
        };
        let (created, repeated) = (!imported.created.is_empty(), imported.repeated);
        let feature = self.database().look(move |store| Summary::read(store, id)).await?;
        Ok(Out(Created { success: true, created, repeated, feature }))
    }

    /// Add many features at once, all or none; everything that is wrong with them is told together. A plan may come
    /// in several calls: later ones name earlier features by id or key.
    #[tool(
        title = "Create features",
        input_schema = schema::input::<BulkArgs>(),
        output_schema = schema::output::<CreatedBulk>(),
        annotations(read_only_hint = false, destructive_hint = false, idempotent_hint = false, open_world_hint = false)
    )]
    async fn feature_create_bulk(
        &self,
        Args(args): Args<BulkArgs>,
        context: RequestContext<RoleServer>,
    ) -> Result<Out<CreatedBulk>, ToolError> {
        if args.features.is_empty() {
            return Ok(Out(CreatedBulk::default()));
        }
        let call = self.call_id("feature_create_bulk", &args, &context);
        let with_dependencies = args.features.iter().filter(|item| item.has_dependencies()).count();
        let items = args.features.into_iter().map(NewFeature::from).collect();
        let imported = self.created(items, call, |item| format!("features[{item}]")).await?;
        Ok(Out(CreatedBulk::of(imported, with_dependencies)))
    }
}
