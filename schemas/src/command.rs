//! What a run is asked while it is under way, by whom, and what it answers.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FeatureId, SessionId};

/// What a person or a program asks of a run. The same words stand on its socket and in the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Start no session. What runs and what lands goes on, and the next run of the project begins paused, too.
    Pause,
    /// Start sessions again, also for features whose session was stopped; a drain is taken back.
    Resume,
    /// Finish what runs, start nothing more, and end.
    Drain,
    /// Stop what runs, and end.
    Stop,
    /// Stop the session that works on a feature. The feature is free again, and not started until somebody asks to resume.
    StopFeature { feature: FeatureId },
    /// Stop a session, and leave what it works on as [`Command::StopFeature`] does.
    StopSession { session: SessionId },
    /// Run at most so many sessions at once from now on. None is stopped because of it.
    Slots { slots: u32 },
    /// Leave at once; the next start tidies up.
    Abandon,
}

impl fmt::Display for Command {
    /// What follows "asked to".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Drain => f.write_str("finish what runs, and end"),
            Self::Stop => f.write_str("stop"),
            Self::StopFeature { feature } => write!(f, "stop the work on {feature}"),
            Self::StopSession { session } => write!(f, "stop session {session}"),
            Self::Slots { slots: 1 } => f.write_str("run one session at once"),
            Self::Slots { slots } => write!(f, "run {slots} sessions at once"),
            Self::Abandon => f.write_str("leave at once"),
        }
    }
}

/// Who asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "asker")]
pub enum Asker {
    /// A signal to the process of the run.
    Signal { name: String },
    /// A process of the same user, over the run's socket.
    Process { pid: i32 },
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Signal { name } => f.write_str(name),
            Self::Process { pid } => write!(f, "process {pid}"),
        }
    }
}

/// What a run answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "reply")]
pub enum CommandReply {
    /// It is written down and happens; `text` says what that is.
    Done { text: String },
    /// Nothing changed; `reason` says why.
    Refused { reason: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_have_one_wire_form() {
        let stop = Command::StopFeature { feature: FeatureId(3) };
        let text = serde_json::to_string(&stop).unwrap();
        assert_eq!(text, r#"{"command":"stop_feature","feature":3}"#);
        assert_eq!(serde_json::from_str::<Command>(&text).unwrap(), stop);
        for bad in [r#"{"command":"sleep"}"#, r#"{"command":"slots"}"#, "3"] {
            serde_json::from_str::<Command>(bad).unwrap_err();
        }
    }
}
