//! How attempts, sessions and runs end. Three closed enums, because everything downstream branches on them.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How one try at one feature ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum AttemptOutcome {
    /// The work is on the main branch and the feature passes.
    Landed,
    /// The agent ended and the feature's checks are still red, or an agent without checks never said it is done.
    NotFinished { reason: String },
    /// The work was green on its own, but could not be merged with what others landed meanwhile.
    Conflict { reason: String },
    /// The work was green on its own and red once merged.
    RedAfterMerge { reason: String },
    /// The session met a time or silence limit.
    TimedOut { reason: String },
    /// The agent gave the feature back.
    GivenUp { reason: String },
    /// The agent asked a person, and the feature waits for the answer.
    NeedsHuman,
    /// A testing session found that the feature works.
    Confirmed,
    /// A process of Cogwork itself died under it, or the agent could not be started.
    Crashed { reason: String },
    /// What the agent needs was not to be had: its account's allowance, its service, its key.
    Unavailable { reason: String },
    /// A person or the end of the run stopped it.
    Stopped,
    /// Its lease ran out and the claim was taken back.
    Expired,
    /// The run that watched it died, and its session was ended by the next one.
    Orphaned,
}

impl AttemptOutcome {
    /// Returns whether this outcome counts against the feature's attempt limit.
    ///
    /// The one place where that is decided: what the feature or its agent did wrong counts, what happened to
    /// Cogwork or was asked for by a person does not.
    pub fn costs_attempt(&self) -> bool {
        match self {
            Self::NotFinished { .. }
            | Self::Conflict { .. }
            | Self::RedAfterMerge { .. }
            | Self::TimedOut { .. }
            | Self::GivenUp { .. } => true,
            Self::Landed
            | Self::Crashed { .. }
            | Self::Unavailable { .. }
            | Self::NeedsHuman
            | Self::Confirmed
            | Self::Stopped
            | Self::Expired
            | Self::Orphaned => false,
        }
    }

    /// Returns the word the database and tables show.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Landed => "landed",
            Self::NotFinished { .. } => "not_finished",
            Self::Conflict { .. } => "conflict",
            Self::RedAfterMerge { .. } => "red_after_merge",
            Self::TimedOut { .. } => "timed_out",
            Self::GivenUp { .. } => "given_up",
            Self::NeedsHuman => "needs_human",
            Self::Confirmed => "confirmed",
            Self::Crashed { .. } => "crashed",
            Self::Unavailable { .. } => "unavailable",
            Self::Stopped => "stopped",
            Self::Expired => "expired",
            Self::Orphaned => "orphaned",
        }
    }

    /// Returns what a person should know beyond the word, if anything.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::NotFinished { reason }
            | Self::Conflict { reason }
            | Self::RedAfterMerge { reason }
            | Self::TimedOut { reason }
            | Self::GivenUp { reason }
            | Self::Crashed { reason }
            | Self::Unavailable { reason } => Some(reason),
            Self::Landed
            | Self::NeedsHuman
            | Self::Confirmed
            | Self::Stopped
            | Self::Expired
            | Self::Orphaned => None,
        }
    }
}

impl fmt::Display for AttemptOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.reason() {
            Some(reason) => write!(f, "{}: {reason}", self.word().replace('_', " ")),
            None => f.write_str(&self.word().replace('_', " ")),
        }
    }
}

/// How one life of an agent program ended. Says nothing about the feature: that is the checks' word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum SessionOutcome {
    /// The agent ended by itself with exit code 0.
    Completed,
    /// The agent ended by itself with another exit code; `stderr_tail` is the end of its stderr, and of nothing else.
    Failed { exit_code: i32, stderr_tail: String },
    /// The agent said that it failed, in its own words or its model's, whatever its exit code was.
    ReportedError { reason: String },
    /// A signal that Cogwork did not send ended the agent.
    Killed { signal: i32, stderr_tail: String },
    /// It ran longer than a session may.
    TimedOut { after_s: u64 },
    /// It printed nothing for longer than a session may.
    Silent { after_s: u64 },
    /// It called no tool and wrote nothing for longer than a session may, though it gave signs of life.
    NoProgress { after_s: u64 },
    /// It and its programs had more memory than a session may, in megabytes of a million bytes.
    MemoryLimit { limit_mb: u64, used_mb: u64 },
    /// Its account has used up what it may use; until when, and of which window, as far as the service said it.
    UsageLimit {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resets_at: Option<Timestamp>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<String>,
    },
    /// The service asked to be asked less often.
    Throttled { reason: String },
    /// The service, or the way to it, failed in a way that passes.
    Transient { reason: String },
    /// The key or login was refused.
    Auth { reason: String },
    /// Nobody pays for the account.
    Billing { reason: String },
    /// It cannot work as it was told to: an unknown model, a wrong flag, an MCP server that does not come up.
    Config { reason: String },
    /// The conversation did not fit the model any more.
    ContextFull,
    /// It took as many turns as it may.
    TurnLimit,
    /// It cost as much as it may.
    BudgetSpent,
    /// It was asked to stop.
    Stopped,
    /// The agent program could not be started, or its workspace could not be made.
    NotStarted { reason: String },
}

impl fmt::Display for SessionOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last_line = |tail: &str| match tail.trim().lines().last() {
            Some(line) => format!(": {}", line.trim()),
            None => String::new(),
        };
        match self {
            Self::Completed => f.write_str("the agent ended"),
            Self::Failed { exit_code, stderr_tail } => {
                write!(f, "the agent ended with exit code {exit_code}{}", last_line(stderr_tail))
            }
            Self::ReportedError { reason } => write!(f, "the agent reported an error: {reason}"),
            Self::Killed { signal, stderr_tail } => {
                write!(f, "the agent was ended by signal {signal}{}", last_line(stderr_tail))
            }
            Self::TimedOut { after_s } => {
                write!(f, "the agent was stopped after {after_s} s, the session's limit")
            }
            Self::Silent { after_s } => {
                write!(f, "the agent was stopped after {after_s} s without any output")
            }
            Self::NoProgress { after_s } => {
                write!(f, "the agent was stopped after {after_s} s without any progress")
            }
            Self::MemoryLimit { limit_mb, used_mb } => {
                write!(f, "the agent was stopped at {used_mb} MB of memory; a session may have {limit_mb} MB")
            }
            Self::UsageLimit { resets_at, window } => {
                f.write_str("the account's usage limit")?;
                if let Some(window) = window {
                    write!(f, " ({window})")?;
                }
                f.write_str(" was reached")?;
                match resets_at {
                    Some(at) => write!(f, "; it resets at {at}"),
                    None => Ok(()),
                }
            }
            Self::Throttled { reason } => write!(f, "the service throttled the agent: {reason}"),
            Self::Transient { reason } => write!(f, "the service failed: {reason}"),
            Self::Auth { reason } => write!(f, "the agent's key or login was refused: {reason}"),
            Self::Billing { reason } => write!(f, "the agent's account cannot pay: {reason}"),
            Self::Config { reason } => write!(f, "the agent cannot work as it was told to: {reason}"),
            Self::ContextFull => f.write_str("the conversation did not fit the model any more"),
            Self::TurnLimit => f.write_str("the agent took as many turns as it may"),
            Self::BudgetSpent => f.write_str("the agent spent its budget"),
            Self::Stopped => f.write_str("the agent was stopped"),
            Self::NotStarted { reason } => write!(f, "the agent could not be started: {reason}"),
        }
    }
}

/// How a run ended. Every run ends with exactly one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum RunOutcome {
    /// Every feature passes.
    Complete,
    /// Nothing is left to do, but some features were given up.
    CompleteWithFailures { parked: u32 },
    /// Nothing can be started: what is left waits for features that were given up or for a person.
    Blocked { waiting: u32, parked: u32, needs_human: u32 },
    /// The agent's account has used up what it may use, and the run was not to wait.
    LimitReached {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resets_at: Option<Timestamp>,
    },
    /// It was asked to stop.
    Stopped,
    /// It was for some features only, for so many sessions, or a test, and is through with that: so many of the features
    /// that its sessions were for do not pass, or could not be tested.
    Through { sessions: u32, failed: u32 },
    /// Cogwork itself cannot go on, for example because the disk is full.
    Broken { reason: String },
}
