//! What the end of a session means: for its attempt, and as an exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use cogwork_process::redact::Redactor;
use cogwork_schemas::{AttemptOutcome, SessionOutcome};

/// Returns the outcome of an attempt whose session ended without green checks. `red` says which check is red.
///
/// Together with [`AttemptOutcome::costs_attempt`] this decides what counts against a feature: what its agent did
/// or did not do counts; what befell the agent, Cogwork or this machine does not.
pub fn attempt_outcome(session: &SessionOutcome, red: Option<&str>) -> AttemptOutcome {
    let told = || match red {
        Some(red) => format!("{session}; {red}"),
        None => session.to_string(),
    };
    match session {
        SessionOutcome::Completed
        | SessionOutcome::Failed { .. }
        | SessionOutcome::ReportedError { .. }
        | SessionOutcome::ContextFull
        | SessionOutcome::TurnLimit
        | SessionOutcome::MemoryLimit { .. }
        | SessionOutcome::BudgetSpent => AttemptOutcome::NotFinished { reason: told() },
        SessionOutcome::TimedOut { .. }
        | SessionOutcome::Silent { .. }
        | SessionOutcome::NoProgress { .. } => AttemptOutcome::TimedOut { reason: told() },
        // The account's, the service's or this machine's matter, whatever the feature.
        SessionOutcome::UsageLimit { .. }
        | SessionOutcome::Throttled { .. }
        | SessionOutcome::Transient { .. }
        | SessionOutcome::Auth { .. }
        | SessionOutcome::Billing { .. }
        | SessionOutcome::Config { .. } => AttemptOutcome::Unavailable { reason: session.to_string() },
        // The agent did not choose to die: the out-of-memory killer and a person's `kill` look like this.
        SessionOutcome::Killed { .. } | SessionOutcome::NotStarted { .. } => {
            AttemptOutcome::Crashed { reason: session.to_string() }
        }
        SessionOutcome::Stopped => AttemptOutcome::Stopped,
    }
}

/// How the programs of this crate exit. The numbers mean what they mean for `cogwork`, which is the same file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// What was asked for was done: the session was run and recorded, whatever its outcome.
    Done = 0,
    /// The runner itself failed; stderr says why.
    Broken = 1,
    /// The command line is wrong.
    Usage = 2,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Done => Self::SUCCESS,
            ExitStatus::Broken => Self::from(1),
            ExitStatus::Usage => Self::from(2),
        }
    }
}

/// Tells the person what went wrong.
pub fn failed(sentence: &str) -> ExitStatus {
    // There is no third place to complain to.
    let sentence = Redactor::default().redact(sentence.to_owned());
    writeln!(io::stderr(), "cogwork-runner: {sentence}").ok();
    ExitStatus::Broken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_agent_did_costs_and_what_befell_it_does_not() {
        let tail = String::new;
        for (outcome, costs) in [
            (SessionOutcome::Completed, true),
            (SessionOutcome::Failed { exit_code: 1, stderr_tail: tail() }, true),
            (SessionOutcome::TimedOut { after_s: 9 }, true),
            (SessionOutcome::Silent { after_s: 9 }, true),
            (SessionOutcome::Killed { signal: 9, stderr_tail: tail() }, false),
            (SessionOutcome::NotStarted { reason: tail() }, false),
            (SessionOutcome::Stopped, false),
            (SessionOutcome::NoProgress { after_s: 9 }, true),
            (SessionOutcome::ContextFull, true),
            (SessionOutcome::TurnLimit, true),
            (SessionOutcome::MemoryLimit { limit_mb: 1, used_mb: 2 }, true),
            (SessionOutcome::BudgetSpent, true),
            (SessionOutcome::UsageLimit { resets_at: None, window: None }, false),
            (SessionOutcome::Throttled { reason: tail() }, false),
            (SessionOutcome::Transient { reason: tail() }, false),
            (SessionOutcome::Auth { reason: tail() }, false),
            (SessionOutcome::Billing { reason: tail() }, false),
            (SessionOutcome::Config { reason: tail() }, false),
        ] {
            assert_eq!(attempt_outcome(&outcome, None).costs_attempt(), costs, "{outcome:?}");
        }
    }

    #[test]
    fn the_reason_names_the_red_check() {
        let outcome = attempt_outcome(&SessionOutcome::Completed, Some("`sh t.sh` is red (exit 1)"));
        assert_eq!(outcome.to_string(), "not finished: the agent ended; `sh t.sh` is red (exit 1)");
    }
}
