//! The exit codes: one enum, documented in the README, so that scripts can branch on them.

use std::process::ExitCode;

use cogwork_schemas::RunOutcome;

/// What the exit code of `cogwork` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// It did what was asked; for a run: every feature passes, or all that it was for.
    Ok = 0,
    /// Something is wrong with the project, its state or this machine; stderr says what and what to do.
    Error = 1,
    /// The command line cannot be understood (clap's own code).
    Usage = 2,
    /// The run is over; some features were given up, all others pass.
    WithFailures = 3,
    /// The run is over; what is left waits for a given-up feature or for a person, or a session that was asked for did
    /// not get its feature to pass.
    Blocked = 4,
    /// The run was asked to stop before it was over.
    Stopped = 5,
    /// `verify` found a red check.
    Red = 6,
    /// Another run holds the project.
    Busy = 7,
    /// The run ended at the usage limit of its agent's account, because it was not to wait.
    Limit = 8,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl From<&RunOutcome> for Exit {
    fn from(outcome: &RunOutcome) -> Self {
        match outcome {
            RunOutcome::Complete | RunOutcome::Through { failed: 0, .. } => Self::Ok,
            RunOutcome::CompleteWithFailures { .. } => Self::WithFailures,
            RunOutcome::Blocked { .. } | RunOutcome::Through { .. } => Self::Blocked,
            RunOutcome::LimitReached { .. } => Self::Limit,
            RunOutcome::Stopped => Self::Stopped,
            RunOutcome::Broken { .. } => Self::Error,
        }
    }
}
