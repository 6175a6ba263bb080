//! What the prompts know with which an agent changes a project: coding and repair.

use cogwork_schemas::Isolation;
use serde::Serialize;

use crate::{FeatureText, Hints, PreviousAttempt, RedCheck};

/// The context of `coding.md`: one feature for one agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coding {
    /// The feature to build.
    pub feature: FeatureText,
    /// Where the agent works: decides what the prompt says about other agents and commits.
    pub isolation: Isolation,
    /// The branch that the agent's commits go to; none in a directory that is no git repository.
    pub branch: Option<String>,
    /// What the files in the root of the project give away.
    pub hints: Hints,
    /// The names of the features this one builds on; all of them pass.
    pub builds_on: Vec<String>,
    /// How many features the session may have, one after the other; this is the first.
    pub batch: u32,
    /// The agent tries nothing out by itself; Cogwork's checks decide as ever.
    pub yolo: bool,
    /// What earlier attempts at this feature came to, oldest first.
    pub previous: Vec<PreviousAttempt>,
    /// What the last of them left for the next.
    pub note: Option<String>,
}

/// The context of `repair.md`: a feature that passed and is broken.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Repair {
    /// The feature to repair.
    pub feature: FeatureText,
    pub isolation: Isolation,
    pub branch: Option<String>,
    pub hints: Hints,
    pub yolo: bool,
    /// What was seen when it was found not to work, in the words of whoever saw it.
    pub reported: Option<String>,
    /// Its checks that are red now.
    pub red: Vec<RedCheck>,
    /// What attempts at the repair came to, oldest first.
    pub previous: Vec<PreviousAttempt>,
    pub note: Option<String>,
}
