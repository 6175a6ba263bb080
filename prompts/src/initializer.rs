//! What the prompt knows with which an agent plans a project.

use serde::Serialize;

use crate::Hints;

/// Entries of the project's root that a prompt names; more tell a planner nothing new.
pub const FILES_TOLD: usize = 60;

/// Features that a prompt names; the tools find the others.
pub const EXISTING_TOLD: usize = 300;

/// The context of `initializer.md`: a specification to be turned into features.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Initializer {
    /// The specification, any prose.
    pub spec: String,
    /// The name of its file.
    pub spec_name: Option<String>,
    /// What lies in the project's root, without what is Cogwork's and git's; at most [`FILES_TOLD`] entries.
    pub files: Vec<String>,
    pub hints: Hints,
    /// Features that are there already; at most [`EXISTING_TOLD`] of them.
    pub existing: Vec<Existing>,
    /// How many more there are than are named.
    pub existing_left_out: usize,
    /// What is wrong with the plan; set in a second round only.
    pub findings: Vec<String>,
}

/// A feature that is there already, in one line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Existing {
    pub id: i64,
    pub key: Option<String>,
    pub name: String,
    pub category: String,
    pub status: String,
}
