//! When the agents themselves cannot work: whether a run has to end because of it.
//!
//! What only a person can repair ends a run at once, so that nothing hammers a refused key through a night; what
//! passes by itself ends it only when several sessions in a row have waited for it in vain.

use cogwork_schemas::{RunOutcome, SessionOutcome};

/// Each of them has tried for minutes or hours, with growing pauses.
const IN_VAIN: u32 = 3;

/// What the last sessions came to, in a row.
#[derive(Debug, Default)]
pub(super) struct Unavailable {
    in_vain: u32,
}

impl Unavailable {
    /// Takes note of how a session ended and returns how the run ends because of it, if it does.
    pub(super) fn after(&mut self, outcome: &SessionOutcome) -> Option<RunOutcome> {
        let broken = || Some(RunOutcome::Broken { reason: outcome.to_string() });
        match outcome {
            SessionOutcome::UsageLimit { resets_at, .. } => {
                Some(RunOutcome::LimitReached { resets_at: *resets_at })
            }
            SessionOutcome::Auth { .. } | SessionOutcome::Billing { .. } | SessionOutcome::Config { .. } => {
                broken()
            }
            SessionOutcome::Throttled { .. } | SessionOutcome::Transient { .. } => {
                self.in_vain += 1;
                if self.in_vain < IN_VAIN { None } else { broken() }
            }
            SessionOutcome::Completed
            | SessionOutcome::Failed { .. }
            | SessionOutcome::ReportedError { .. }
            | SessionOutcome::Killed { .. }
            | SessionOutcome::TimedOut { .. }
            | SessionOutcome::Silent { .. }
            | SessionOutcome::NoProgress { .. }
            | SessionOutcome::MemoryLimit { .. }
            | SessionOutcome::ContextFull
            | SessionOutcome::TurnLimit
            | SessionOutcome::BudgetSpent
            | SessionOutcome::Stopped
            | SessionOutcome::NotStarted { .. } => {
                self.in_vain = 0;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_has_to_repair_ends_the_run_at_once() {
        for outcome in [
            SessionOutcome::Auth { reason: "401".into() },
            SessionOutcome::Billing { reason: "no credit".into() },
            SessionOutcome::Config { reason: "no such model".into() },
        ] {
            let reason = outcome.to_string();
            assert_eq!(Unavailable::default().after(&outcome), Some(RunOutcome::Broken { reason }));
        }
        let limit = SessionOutcome::UsageLimit { resets_at: None, window: None };
        let reached = RunOutcome::LimitReached { resets_at: None };
        assert_eq!(Unavailable::default().after(&limit), Some(reached));
    }

    #[test]
    fn what_passes_ends_it_only_after_several_in_a_row() {
        let mut unavailable = Unavailable::default();
        let failed = SessionOutcome::Transient { reason: "500".into() };
        assert_eq!(unavailable.after(&failed), None);
        assert_eq!(unavailable.after(&failed), None);
        assert_eq!(unavailable.after(&SessionOutcome::Completed), None);
        assert_eq!(unavailable.after(&failed), None);
        assert_eq!(unavailable.after(&failed), None);
        assert!(matches!(unavailable.after(&failed), Some(RunOutcome::Broken { .. })));
    }
}
