//! How far a run is, for who looks on.

use cogwork_schemas::{FeatureId, SessionId};
use jiff::Timestamp;

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    pub total: usize,
    pub passing: usize,
    pub running: Vec<RunningSession>,
    /// An estimate of what is left, in milliseconds; `None` before anything is known.
    pub left_ms: Option<u64>,
}

/// One session that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningSession {
    pub session: SessionId,
    pub feature: FeatureId,
    /// When it began with that feature.
    pub since: Timestamp,
}
