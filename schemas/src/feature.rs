//! A feature, its stored status, and how well its passing is proven.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Check, FeatureId, HumanRequest, HumanResponse, SessionId};

/// Where a feature stands, as stored. Whether a pending one is ready or blocked is derived from its dependencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not done and owned by nobody.
    Pending,
    /// Owned by one attempt, until that attempt ends or its lease runs out.
    Claimed,
    /// Done: landed on the main branch with the proof that [`Proof`] names.
    Passing,
    /// Given up after the attempt limit; `cogwork` starts nothing for it until a person asks for a retry.
    Parked,
    /// Waiting for a person's answer.
    NeedsHuman,
}

/// How well it is known that a passing feature works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// Cogwork ran the checks itself and saw at least one red before the work and all green after it.
    RedGreen,
    /// All checks were green before any work was done: they prove nothing about this work.
    AlreadyGreen,
    /// The feature has no check; only the agent's word says that it works.
    Unverified,
}

/// One feature with everything a reader may want to know about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Feature {
    pub id: FeatureId,
    /// The author's own name for it, unique in the project, for dependencies and scripts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Lower is earlier among features that are equal in the graph.
    pub priority: i64,
    pub category: String,
    pub name: String,
    pub description: String,
    /// Prose for the agent, in order.
    pub steps: Vec<String>,
    pub status: Status,
    /// Set while the status is passing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Proof>,
    /// The features that have to pass before this one may start, ascending.
    pub dependencies: Vec<FeatureId>,
    pub checks: Vec<Check>,
    /// The author's guess of the work in seconds; ordering uses it until durations are learned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate_s: Option<f64>,
    /// Attempts that ended without success and count against the limit.
    pub failed_attempts: u32,
    /// The session that owns it while claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What an agent asked a person about it last; unanswered while the status is `needs_human`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub human_request: Option<HumanRequest>,
    /// The answer to that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub human_response: Option<HumanResponse>,
}

/// One feature as a list shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    pub id: FeatureId,
    pub name: String,
    pub category: String,
    pub status: Status,
    pub priority: i64,
    pub dependencies: Vec<FeatureId>,
}
