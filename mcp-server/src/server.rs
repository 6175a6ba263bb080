//! The server as the protocol sees it: what it is, which tools it has, and how one call is carried through.
//!
//! It owns the path of a call (find the tool, repair the arguments, run it with panics contained) and the cached
//! tool list. What a tool does stands in [`crate::tools`]; it holds no state of a client, because one process may
//! serve several conversations.

use std::collections::BTreeSet;
use std::sync::Arc;

use rmcp::handler::server::router::tool::{ToolRoute, ToolRouter};
use rmcp::handler::server::tool::ToolCallContext;
use rmcp::model::{
    CacheScope, CallToolRequestMethod, CallToolRequestParams, CallToolResponse, CompleteRequestParams,
    CompleteResult, ConstString, CustomRequest, CustomResult, ErrorCode, GetPromptRequestParams,
    GetPromptResponse, Implementation, JsonObject, ListPromptsResult, ListResourceTemplatesResult,
    ListResourcesResult, ListToolsResult, MetaObject, PaginatedRequestParams, ProtocolVersion,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig, ServerResult, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::Value;
use tokio::sync::Mutex;

use crate::ask::Seal;
use crate::claims::Claims;
use crate::database::Database;
use crate::error::ToolError;
use crate::options::{Assignment, Options, ToolFilter};
use crate::workspace::WrittenByChecks;
use crate::{arguments, contain, prompts, resources, role, schema, tools};

/// How long a client may keep a list: none ever changes while a server lives.
const LIST_TTL_MS: u64 = 3_600_000;

/// One server; cheap to clone, all clones are the same server.
#[derive(Clone)]
pub(crate) struct Server {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    router: ToolRouter<Server>,
    /// The router's tools, sorted by name.
    tools: Vec<Tool>,
    database: Database,
    claims: Claims,
    /// Held while checks run: they share one working tree and would see each other's half-done work.
    checking: Mutex<()>,
    seal: Seal,
    written_by_checks: WrittenByChecks,
}

/// The filter names a tool that does not exist or that the role does not have.
#[derive(Debug, thiserror::Error)]
#[error("there is no tool `{name}` for the role {role}: it has {}", available.join(", "))]
pub(crate) struct UnknownTool {
    name: String,
    role: &'static str,
    available: Vec<String>,
}

impl Server {
    /// Makes the server; opens nothing.
    ///
    /// # Errors
    /// [`UnknownTool`] when a filter names no tool of the role.
    pub(crate) fn new(options: Options) -> Result<Self, UnknownTool> {
        let router = served(tools::router(), &options)?;
        Ok(Self::with_router(options, router))
    }

    fn with_router(options: Options, router: ToolRouter<Self>) -> Self {
        Self {
            inner: Arc::new(Inner {
                tools: router.list_all(),
                router,
                // A run reads the whole database before it starts anything.
                database: Database::of(
                    &options.project,
                    options.state_home.clone(),
                    matches!(options.assignment, Assignment::Given(_)),
                ),
                claims: Claims::of(&options.assignment),
                checking: Mutex::default(),
                seal: Seal::default(),
                written_by_checks: WrittenByChecks::default(),
                options,
            }),
        }
    }

    pub(crate) fn options(&self) -> &Options {
        &self.inner.options
    }

    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }

    pub(crate) fn claims(&self) -> &Claims {
        &self.inner.claims
    }

    pub(crate) fn checking(&self) -> &Mutex<()> {
        &self.inner.checking
    }

    pub(crate) fn written_by_checks(&self) -> &WrittenByChecks {
        &self.inner.written_by_checks
    }

    pub(crate) fn seal(&self) -> &Seal {
        &self.inner.seal
    }

    /// Carries one call of an existing tool through; whatever happens inside, the caller gets an answer.
    async fn answered(
        &self,
        tool: &Tool,
        mut request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> CallToolResponse {
        let given = request.arguments.take().unwrap_or_default();
        match arguments::repaired(&tool.input_schema, given) {
            Ok(repaired) => request.arguments = Some(repaired),
            Err(problems) => return ToolError::bad_arguments(&problems).into(),
        }
        let call = self.inner.router.call(ToolCallContext::new(self, request, context));
        match contain::panics(call).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => ToolError::bad_arguments(&[error.message.into_owned()]).into(),
            Err(panic) => ToolError::internal(&panic).into(),
        }
    }

    /// A call of a tool that is not there is the one protocol error: no model's arguments can cause it.
    fn no_such_tool(&self, name: &str) -> ErrorData {
        let role = self.inner.options.role;
        let what = if !tools::router().has_route(name) {
            "does not exist".to_owned()
        } else if role::has(role, name) {
            "is switched off in this server".to_owned()
        } else {
            format!("is not available to role {}", role.word())
        };
        let names: Vec<&str> = self.inner.tools.iter().map(|tool| tool.name.as_ref()).collect();
        ErrorData::invalid_params(format!("tool `{name}` {what}; available: {}", names.join(", ")), None)
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let options = &self.inner.options;
        let capabilities = ServerCapabilities::builder()
            .enable_completions()
            .enable_prompts()
            .enable_resources()
            .enable_tools()
            .build();
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("cogwork", env!("CARGO_PKG_VERSION")).with_title("Cogwork"))
            .with_instructions(role::instructions(options.role, &options.assignment))
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let mut result = ListToolsResult::with_all_items(self.inner.tools.clone());
        (result.ttl_ms, result.cache_scope) = cache_hints(&context, LIST_TTL_MS);
        Ok(result)
    }

    async fn list_prompts(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        let options = &self.inner.options;
        let mut result =
            ListPromptsResult::with_all_items(prompts::all(options.role, options.filter.read_only));
        (result.ttl_ms, result.cache_scope) = cache_hints(&context, LIST_TTL_MS);
        Ok(result)
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        contained(self.prompt(request)).await.map(GetPromptResponse::from)
    }

    async fn list_resources(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let mut result = ListResourcesResult::with_all_items(resources::all());
        (result.ttl_ms, result.cache_scope) = cache_hints(&context, LIST_TTL_MS);
        Ok(result)
    }

    async fn list_resource_templates(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        let mut result = ListResourceTemplatesResult::with_all_items(resources::templates());
        (result.ttl_ms, result.cache_scope) = cache_hints(&context, LIST_TTL_MS);
        Ok(result)
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let mut result = contained(self.resource(request.uri)).await?;
        // Features change under the hands of other processes.
        (result.ttl_ms, result.cache_scope) = cache_hints(&context, 0);
        Ok(result.into())
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        contained(async { Ok(self.completion(request).await) }).await
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.inner.router.get(name).cloned()
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        match self.inner.router.get(&request.name) {
            Some(tool) => Ok(self.answered(tool, request, context).await),
            None => Err(self.no_such_tool(&request.name)),
        }
    }

    /// Rescues a `tools/call` whose arguments are not an object, which the library does not know as a call at all.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        context: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        if request.method != CallToolRequestMethod::VALUE {
            return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, request.method, None));
        }
        let modern = speaks_2026_07_28(&context);
        let response = self.call_tool(rescued(request.params)?, context).await?;
        let mut result = serde_json::to_value(ServerResult::from(response))
            .map_err(|error| ErrorData::internal_error(error.to_string(), None))?;
        if let (false, Some(result)) = (modern, result.as_object_mut()) {
            result.shift_remove("resultType");
        }
        Ok(CustomResult::new(result))
    }
}

/// Answers with an error what panicked: the library would not answer at all.
async fn contained<T>(call: impl Future<Output = Result<T, ErrorData>>) -> Result<T, ErrorData> {
    match contain::panics(call).await {
        Ok(result) => result,
        Err(panic) => Err(ToolError::internal(&panic).in_protocol(ErrorData::internal_error)),
    }
}

/// Returns how long and for whom a result may be kept. Older clients would see fields their revision does not know.
fn cache_hints(context: &RequestContext<RoleServer>, ttl_ms: u64) -> (Option<u64>, Option<CacheScope>) {
    speaks_2026_07_28(context).then_some((ttl_ms, CacheScope::Private)).unzip()
}

fn speaks_2026_07_28(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}

/// Returns the call that a client meant which sent its arguments as a JSON text, as an empty list, or the like.
fn rescued(params: Option<Value>) -> Result<CallToolRequestParams, ErrorData> {
    let params = params.unwrap_or_default();
    let Some(name) = params["name"].as_str() else {
        return Err(ErrorData::invalid_params("tools/call needs the tool's name as the string `name`", None));
    };
    let arguments = match &params["arguments"] {
        Value::Object(object) => object.clone(),
        Value::String(text) => parsed(text)?,
        Value::Array(items) if items.is_empty() => JsonObject::new(),
        Value::Null => JsonObject::new(),
        Value::Array(_) | Value::Bool(_) | Value::Number(_) => return Err(no_object()),
    };
    let mut call = CallToolRequestParams::new(name.to_owned()).with_arguments(arguments);
    // The second round of a question.
    call.request_state = params["requestState"].as_str().map(str::to_owned);
    call.input_responses = serde_json::from_value(params["inputResponses"].clone()).ok();
    Ok(call)
}

fn parsed(text: &str) -> Result<JsonObject, ErrorData> {
    if text.trim().is_empty() {
        return Ok(JsonObject::new());
    }
    serde_json::from_str(text).map_err(|_| no_object())
}

fn no_object() -> ErrorData {
    ErrorData::invalid_params("the `arguments` of tools/call must be a JSON object", None)
}

/// Returns the routes that this server serves, brought into the shape in which they are listed.
fn served(all: ToolRouter<Server>, options: &Options) -> Result<ToolRouter<Server>, UnknownTool> {
    let role = options.role;
    let of_role: Vec<ToolRoute<Server>> =
        all.into_iter().filter(|route| role::has(role, route.name())).collect();
    let names: BTreeSet<&str> = of_role.iter().map(ToolRoute::name).collect();
    let filter = &options.filter;
    if let Some(name) = filter.only.iter().chain(&filter.except).find(|name| !names.contains(name.as_str())) {
        return Err(UnknownTool {
            name: name.clone(),
            role: role.word(),
            available: names.iter().map(ToString::to_string).collect(),
        });
    }
    let mut router = ToolRouter::new();
    for mut route in of_role {
        if kept(&route.attr, filter) {
            route.attr.description = route.attr.description.map(|text| schema::one_line(&text).into());
            if role::always_loaded(role, route.name()) {
                route.attr.meta = Some(always_load());
            }
            router.add_route(route);
        }
    }
    Ok(router)
}

fn kept(tool: &Tool, filter: &ToolFilter) -> bool {
    let reads = tool.annotations.as_ref().and_then(|hints| hints.read_only_hint) == Some(true);
    let listed = |names: &[String]| names.iter().any(|name| *name == tool.name);
    (filter.only.is_empty() || listed(&filter.only))
        && !listed(&filter.except)
        && (reads || !filter.read_only)
}

/// Claude Code loads tools on demand; this one it shall have from the start.
fn always_load() -> MetaObject {
    MetaObject(JsonObject::from_iter([("anthropic/alwaysLoad".to_owned(), Value::Bool(true))]))
}

#[cfg(test)]
mod tests;
