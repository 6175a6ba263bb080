//! What the prompts know with which an agent judges work: testing and review.

use cogwork_schemas::Isolation;
use serde::Serialize;

use crate::{FeatureText, Hints};

/// The context of `testing.md`: a passing feature that is looked at again.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Testing {
    /// The feature that is said to work.
    pub feature: FeatureText,
    pub isolation: Isolation,
    pub branch: Option<String>,
    pub hints: Hints,
    pub yolo: bool,
}

/// The context of `review.md`: the work on one feature, to be read by somebody who did not do it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Review {
    pub feature: FeatureText,
    pub hints: Hints,
    /// What was handed in last.
    pub commit: Option<String>,
    pub passes: bool,
}
