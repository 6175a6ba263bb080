//! The tools. One file per group; a handler parses, asks the store and wraps the answer.

mod ask_user;
mod attempt;
mod claim;
mod detail;
mod explain;
mod graph;
mod lists;
mod mark;
mod page;
mod search;
mod stats;
mod summary;

use cogwork_schemas::FeatureId;
use rmcp::handler::server::router::tool::ToolRouter;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::server::Server;
pub(crate) use stats::Stats;

/// Returns every tool there is; which of them a server has is its role's matter.
pub(crate) fn router() -> ToolRouter<Server> {
    Server::stats_router()
        + Server::detail_router()
        + Server::summary_router()
        + Server::lists_router()
        + Server::explain_router()
        + Server::graph_router()
        + Server::search_router()
        + Server::claim_router()
        + Server::mark_router()
        + Server::ask_user_router()
}

/// The arguments of a tool about one feature.
#[derive(Debug, Deserialize, JsonSchema)]
struct OneFeature {
    /// The feature's id.
    feature_id: FeatureId,
}
