//! What a run is started with, why it starts nothing at a moment, and what becomes of its landings.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FeatureId, Isolation};

/// What a run was started with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunSettings {
    /// The agent backend as the command line names it.
    pub agent: String,
    /// How many sessions it has at once.
    pub slots: u32,
    pub isolation: Isolation,
    /// How many features a session may have, one after the other; `None` for a run of an earlier version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
}

/// Why no session is started: in a slot that is free, or for a feature that is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "hold")]
pub enum StartHold {
    /// Whatever is left waits for something else.
    NothingReady,
    /// The slot is kept for what the landing of this feature makes ready, until then at the latest.
    KeptForLanding { feature: FeatureId, until: Timestamp },
    /// Its sessions crashed, and it is tried again at that time.
    BackingOff { until: Timestamp },
    /// Nothing is started on this account; until when, as far as that is known.
    GateClosed {
        account: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// Somebody else claimed the feature first.
    ClaimedElsewhere,
    /// The run starts nothing more: it is about to end.
    Draining,
    /// Nothing is started until somebody asks to resume.
    Paused,
    /// Somebody has stopped the session that worked on the feature, and not asked to resume.
    StoppedByPerson,
}

impl fmt::Display for StartHold {
    /// What follows "nothing is started:".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingReady => f.write_str("nothing is ready"),
            Self::KeptForLanding { feature, until } => {
                write!(f, "the slot is kept for what the landing of {feature} frees, until {until}")
            }
            Self::BackingOff { until } => {
                write!(f, "its sessions crashed; the next one may start at {until}")
            }
            Self::GateClosed { account, until } => {
                write!(f, "the account {account} is at its limit")?;
                match until {
                    Some(until) => write!(f, " until {until}"),
                    None => Ok(()),
                }
            }
            Self::ClaimedElsewhere => f.write_str("it was claimed by another process first"),
            Self::Draining => f.write_str("the run is about to end"),
            Self::Paused => f.write_str("the run is paused"),
            Self::StoppedByPerson => f.write_str("its session was stopped by a person"),
        }
    }
}

/// Why work that is green does not land yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "wait")]
pub enum LandingWait {
    /// Another landing goes first.
    Behind { feature: FeatureId },
    /// Somebody uses the branch; `reason` says where and with what.
    InUse { reason: String },
    /// Git failed; it is tried again at that time.
    GitFailed { reason: String, until: Timestamp },
}

impl fmt::Display for LandingWait {
    /// What follows "landing waits for".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind { feature } => write!(f, "the landing of {feature}"),
            Self::InUse { reason } => write!(f, "the main branch: {reason}"),
            Self::GitFailed { reason, until } => write!(f, "git, which is asked again at {until}: {reason}"),
        }
    }
}

/// What became of one try at landing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum LandingOutcome {
    /// The work is on the branch.
    Landed,
    /// The branch moved meanwhile, and the work is merged anew.
    Overtaken,
    /// The branch is as it was before; `reason` says why the work is not on it.
    Undone { reason: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_up_is_said_in_words() {
        let until: Timestamp = "2026-11-29T10:00:00Z".parse().unwrap();
        let gate = |until| StartHold::GateClosed { account: "work".into(), until };
        assert_eq!(gate(None).to_string(), "the account work is at its limit");
        assert_eq!(
            gate(Some(until)).to_string(),
            "the account work is at its limit until 2026-11-29T10:00:00Z"
        );
        let kept = StartHold::KeptForLanding { feature: FeatureId(3), until };
        assert_eq!(
            kept.to_string(),
            "the slot is kept for what the landing of #3 frees, until 2026-11-29T10:00:00Z"
        );
        assert_eq!(LandingWait::Behind { feature: FeatureId(3) }.to_string(), "the landing of #3");
    }
}
