//! How long a session waits before its agent gets another life, and when it gives up waiting.
//!
//! Delays are data: this decides them, the driver waits. An account's limit is waited for to its reset, a busy or
//! failing service with growing pauses, and for what only a person can repair nobody waits at all.

use cogwork_schemas::SessionOutcome;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Without a reset time: often enough to notice it soon, seldom enough to be no burden.
const BLIND_FIRST: SignedDuration = SignedDuration::from_mins(15);
const BLIND_LONGEST: SignedDuration = SignedDuration::from_mins(60);

/// A reset that has passed, or comes in a moment, may be that of a clock that goes wrong, or of a message that is always the
/// same. The next life waits for so long at least, longer each time, and there is an end to that: after three hours.
const HASTY_FIRST: SignedDuration = SignedDuration::from_secs(5);
const HASTY_LONGEST: SignedDuration = SignedDuration::from_mins(15);
const HASTY_TRIES: u32 = 20;

const THROTTLED_FIRST: SignedDuration = SignedDuration::from_secs(30);
const THROTTLED_LONGEST: SignedDuration = SignedDuration::from_mins(15);

const TRANSIENT_FIRST: SignedDuration = SignedDuration::from_secs(5);
const TRANSIENT_LONGEST: SignedDuration = SignedDuration::from_mins(5);

/// A service that fails as often in a row will not be well soon.
const TRIES: u32 = 6;

/// A service that is busy for about four hours is not waited for any longer; nor is a limit that says no time for
/// longer than any limit lasts.
const BUSY_TRIES: u32 = 20;
const BLIND_TRIES: u32 = 200;

/// New conversations for one session: an agent that fills them without finishing will fill the next one, too.
const CONVERSATIONS: u32 = 2;

/// What a person decided about waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    /// Whether a usage limit is waited for at all.
    pub waits_for_limits: bool,
    /// The longest time that is added to a reset, so that not everybody comes back in the same second. At least a
    /// quarter of it always is.
    pub jitter: SignedDuration,
}

/// When the next life begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// By the clock on the wall: limits end at a time of day, however long the machine slept.
    pub until: Timestamp,
    /// It goes on with the conversation that was cut off.
    pub resumes: bool,
}

/// What was tried already.
#[derive(Debug, Clone)]
pub struct Patience {
    policy: Policy,
    rng: fastrand::Rng,
    /// Limits in a row whose reset did not have to be waited for. Progress between them is no sign that it was true.
    hasty: u32,
    /// In a row, without progress between them.
    blind: u32,
    throttled: u32,
    transient: u32,
    /// In all.
    conversations: u32,
}

impl Patience {
    /// Begins anew. The same seed makes the same delays.
    pub fn new(policy: Policy, seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        Self { policy, rng, hasty: 0, blind: 0, throttled: 0, transient: 0, conversations: 0 }
    }

    /// Returns when the agent gets another life after this end of one; `None` when it gets none. `progressed`: in
    /// that life it did something.
    pub fn after(&mut self, outcome: &SessionOutcome, wall: Timestamp, progressed: bool) -> Option<Pause> {
        if progressed {
            (self.blind, self.throttled, self.transient) = (0, 0, 0);
        }
        let (delay, resumes) = match outcome {
            SessionOutcome::UsageLimit { .. } if !self.policy.waits_for_limits => return None,
            SessionOutcome::UsageLimit { resets_at: Some(at), .. } => {
                let (left, least) =
                    (at.duration_since(wall), self.growing(HASTY_FIRST, HASTY_LONGEST, self.hasty + 1));
                self.hasty = if left < least { self.hasty + 1 } else { 0 };
                if self.hasty > HASTY_TRIES {
                    return None;
                }
                let waited = left.max(SignedDuration::ZERO) + self.jitter();
                (if left < least { waited.max(least) } else { waited }, true)
            }
            SessionOutcome::UsageLimit { resets_at: None, .. } => {
                self.blind += 1;
                if self.blind > BLIND_TRIES {
                    return None;
                }
                (self.growing(BLIND_FIRST, BLIND_LONGEST, self.blind), true)
            }
            SessionOutcome::Throttled { .. } => {
                self.throttled += 1;
                if self.throttled > BUSY_TRIES {
                    return None;
                }
                (self.growing(THROTTLED_FIRST, THROTTLED_LONGEST, self.throttled), true)
            }
            SessionOutcome::Transient { .. } => {
                self.transient += 1;
                if self.transient > TRIES {
                    return None;
                }
                (self.growing(TRANSIENT_FIRST, TRANSIENT_LONGEST, self.transient), true)
            }
            SessionOutcome::ContextFull => {
                self.conversations += 1;
                if self.conversations > CONVERSATIONS {
                    return None;
                }
                (SignedDuration::ZERO, false)
            }
            SessionOutcome::Completed
            | SessionOutcome::Failed { .. }
            | SessionOutcome::ReportedError { .. }
            | SessionOutcome::Killed { .. }
            | SessionOutcome::TimedOut { .. }
            | SessionOutcome::Silent { .. }
            | SessionOutcome::NoProgress { .. }
            | SessionOutcome::MemoryLimit { .. }
            | SessionOutcome::Auth { .. }
            | SessionOutcome::Billing { .. }
            | SessionOutcome::Config { .. }
            | SessionOutcome::TurnLimit
            | SessionOutcome::BudgetSpent
            | SessionOutcome::Stopped
            | SessionOutcome::NotStarted { .. } => return None,
        };
        Some(Pause { until: wall.checked_add(delay).unwrap_or(Timestamp::MAX), resumes })
    }

    /// Returns the delay of the nth try: doubled each time up to the longest, and up to a quarter more.
    fn growing(&self, first: SignedDuration, longest: SignedDuration, nth: u32) -> SignedDuration {
        let doublings = nth.saturating_sub(1).min(16);
        let delay = first.checked_mul(1 << doublings).unwrap_or(longest).min(longest);
        let mut rng = self.rng.clone();
        rng.seed(self.rng.get_seed() ^ u64::from(nth));
        delay + share(delay, 0.25 * rng.f64())
    }

    fn jitter(&mut self) -> SignedDuration {
        share(self.policy.jitter, 0.25 + 0.75 * self.rng.f64())
    }
}

fn share(duration: SignedDuration, share: f64) -> SignedDuration {
    SignedDuration::try_from_secs_f64(duration.as_secs_f64() * share).unwrap_or(SignedDuration::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy { waits_for_limits: true, jitter: SignedDuration::from_secs(120) };

    fn wall() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    fn patience() -> Patience {
        Patience::new(POLICY, 7)
    }

    fn limit(resets_at: Option<&str>) -> SessionOutcome {
        SessionOutcome::UsageLimit { resets_at: resets_at.map(|at| at.parse().unwrap()), window: None }
    }

    /// Returns the pauses in seconds after each of some ends in a row.
    fn pauses(outcomes: &[SessionOutcome], progressed: bool) -> Vec<Option<i64>> {
        let mut patience = patience();
        outcomes
            .iter()
            .map(|outcome| patience.after(outcome, wall(), progressed))
            .map(|pause| pause.map(|pause| pause.until.duration_since(wall()).as_secs()))
            .collect()
    }

    #[track_caller]
    fn between(pauses: &[Option<i64>], bounds: &[(i64, i64)]) {
        assert_eq!(pauses.len(), bounds.len());
        for (pause, (low, high)) in pauses.iter().zip(bounds) {
            assert!(pause.is_some_and(|pause| (*low..=*high).contains(&pause)), "{pauses:?}");
        }
    }

    #[test]
    fn a_limit_is_waited_for_to_its_reset_and_a_little_longer() {
        between(&pauses(&[limit(Some("2026-11-20T13:00:00Z"))], false), &[(3_630, 3_720)]);
        between(&pauses(&[limit(Some("2026-11-20T11:59:00Z"))], false), &[(30, 120)]);
        // However often it passes.
        let hour = vec![limit(Some("2026-11-20T13:00:00Z")); 50];
        between(&pauses(&hour, true), &[(3_600, 3_720); 50]);
        let stops = Policy { waits_for_limits: false, ..POLICY };
        assert_eq!(Patience::new(stops, 7).after(&limit(None), wall(), true), None);
    }

    /// Seen: a reset in the past, and 2,663 lives in twenty seconds.
    #[test]
    fn a_reset_that_has_passed_is_believed_less_each_time_and_not_for_ever() {
        for (reset, progressed) in
            [("2026-11-20T11:59:00Z", false), ("2026-11-20T12:00:03Z", true), ("1970-01-01T00:00:00Z", true)]
        {
            let mut patience = Patience::new(Policy { jitter: SignedDuration::ZERO, ..POLICY }, 7);
            let mut waits = (0..100).map_while(|_| patience.after(&limit(Some(reset)), wall(), progressed));
            let waits: Vec<i64> =
                waits.by_ref().map(|pause| pause.until.duration_since(wall()).as_secs()).collect();
            assert_eq!(waits.len(), 20, "{reset}: {waits:?}");
            assert!(waits[0] >= 5 && waits[19] >= 900, "{reset}: {waits:?}");
            assert!(waits.iter().sum::<i64>() > 3 * 3_600, "{reset}: {waits:?}");
            assert_eq!(patience.after(&limit(Some(reset)), wall(), progressed), None);
        }
    }

    #[test]
    fn a_limit_without_a_time_is_tried_each_hour_at_the_latest() {
        let none = limit(None);
        let found = pauses(&[none.clone(), none.clone(), none.clone(), none.clone(), none], false);
        between(&found, &[(900, 1_125), (1_800, 2_250), (3_600, 4_500), (3_600, 4_500), (3_600, 4_500)]);
    }

    #[test]
    fn a_failing_service_is_given_up_and_progress_begins_the_count_anew() {
        let failed = SessionOutcome::Transient { reason: "500".into() };
        let seven = vec![failed; 7];
        let found = pauses(&seven, false);
        between(&found[..6], &[(5, 7), (10, 13), (20, 25), (40, 50), (80, 100), (160, 200)]);
        assert_eq!(found[6], None);
        between(&pauses(&seven, true), &[(5, 7); 7]);
    }

    #[test]
    fn a_throttle_is_waited_out_with_growing_pauses() {
        let throttled = SessionOutcome::Throttled { reason: "429".into() };
        let found = pauses(&vec![throttled; 8], false);
        between(&found[..3], &[(30, 38), (60, 75), (120, 150)]);
        between(&found[6..], &[(900, 1_125); 2]);
    }

    #[test]
    fn a_full_conversation_is_begun_anew_twice() {
        let mut patience = patience();
        let full = SessionOutcome::ContextFull;
        for _ in 0..2 {
            let pause = Pause { until: wall(), resumes: false };
            assert_eq!(patience.after(&full, wall(), true), Some(pause));
        }
        assert_eq!(patience.after(&full, wall(), true), None);
    }

    #[test]
    fn nobody_waits_for_what_a_person_has_to_repair() {
        let reason = String::new;
        for outcome in [
            SessionOutcome::Completed,
            SessionOutcome::Failed { exit_code: 1, stderr_tail: reason() },
            SessionOutcome::Auth { reason: reason() },
            SessionOutcome::Billing { reason: reason() },
            SessionOutcome::Config { reason: reason() },
            SessionOutcome::TurnLimit,
            SessionOutcome::BudgetSpent,
            SessionOutcome::MemoryLimit { limit_mb: 1, used_mb: 2 },
        ] {
            assert_eq!(patience().after(&outcome, wall(), true), None, "{outcome:?}");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_delays() {
        let outcome = limit(Some("2026-11-20T13:00:00Z"));
        let of = |seed| Patience::new(POLICY, seed).after(&outcome, wall(), false);
        assert_eq!(of(1), of(1));
        assert_ne!(of(1), of(2));
    }
}
