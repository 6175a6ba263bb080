//! The tools. One file per group; a handler parses, asks the store and wraps the answer.

mod ask_user;
mod attempt;
mod claim;
mod create;
mod depend;
mod detail;
mod explain;
mod fail;
mod graph;
mod human;
mod lists;
mod mark;
mod page;
mod progress;
mod recheck;
mod search;
mod skip;
mod stats;
mod summary;

use cogwork_schemas::{FeatureId, Token};
use cogwork_store::Store;
use rmcp::handler::server::router::tool::ToolRouter;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::answer::cut;
use crate::error::ToolError;
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
        + Server::progress_router()
        + Server::mark_router()
        + Server::ask_user_router()
        + Server::fail_router()
        + Server::skip_router()
        + Server::human_router()
        + Server::create_router()
        + Server::depend_router()
        + Server::recheck_router()
}

/// The arguments of a tool about one feature.
#[derive(Debug, Deserialize, JsonSchema)]
struct OneFeature {
    /// The feature's id.
    feature_id: FeatureId,
}

/// Leaves what was noted for the next attempt, if anything was.
fn leave_note(store: &Store, token: &Token, note: Option<&str>) -> Result<(), ToolError> {
    match note {
        Some(note) => Ok(store.leave_note(token, note)?),
        None => Ok(()),
    }
}

/// Returns a reason as it was given, or that none was.
fn reason(given: Option<String>) -> String {
    match given {
        Some(reason) if !reason.trim().is_empty() => cut(reason.trim(), 2_000),
        Some(_) | None => "no reason given".to_owned(),
    }
}
