//! What the coding prompt knows.

use cogwork_schemas::{Check, Feature, Isolation};
use serde::Serialize;

/// The context of `coding.md`: one feature for one agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coding {
    /// The feature to build.
    pub feature: FeatureText,
    /// Where the agent works: decides what the prompt says about other agents and commits.
    pub isolation: Isolation,
    /// The branch that the agent's commits go to; none in a directory that is no git repository.
    pub branch: Option<String>,
    /// The names of the features this one builds on; all of them pass.
    pub builds_on: Vec<String>,
    /// How many features the session may have, one after the other; this is the first.
    pub batch: u32,
    /// What earlier attempts at this feature came to, oldest first.
    pub previous: Vec<PreviousAttempt>,
}

/// The part of a feature that an agent has to know. Every field is always there, `none` where there is nothing, so
/// that a template may ask for it without a guard.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FeatureText {
    /// The number that the tools take.
    pub id: i64,
    /// The author's own name for it.
    pub key: Option<String>,
    pub category: String,
    pub name: String,
    pub description: String,
    /// Prose, in order.
    pub steps: Vec<String>,
    /// The commands that decide, each with `command` and `timeout_s`.
    pub checks: Vec<Check>,
}

impl From<&Feature> for FeatureText {
    fn from(feature: &Feature) -> Self {
        Self {
            id: feature.id.0,
            key: feature.key.clone(),
            category: feature.category.clone(),
            name: feature.name.clone(),
            description: feature.description.clone(),
            steps: feature.steps.clone(),
            checks: feature.checks.clone(),
        }
    }
}

/// One earlier attempt that did not land.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PreviousAttempt {
    /// Counts from 1 per feature.
    pub number: u32,
    /// How it ended and why, as one line.
    pub outcome: String,
}
