//! Landing in the project's own directory, where nothing has to be merged.

use cogwork_process::contain;
use cogwork_process::git::Git;
use cogwork_schemas::{AttemptOutcome, CheckPhase, CheckReport, SessionOutcome, Status};
use cogwork_store::{AttemptLimits, Merge, StoreError};

use super::{Lone, StandaloneError, list};
use cogwork_session::attempt_outcome;
use cogwork_session::clock::millis;
use cogwork_session::driver::{self, Claimed, Ended, Verdict, World, first_red, is_stale};
use cogwork_session::inbox::Inbox;

impl Lone<'_> {
    /// Lands what is green, ends what is not.
    pub(super) async fn settle(
        &self,
        world: World<'_>,
        claimed: &Claimed,
        ended: &Ended,
        inbox: &mut Inbox,
    ) -> Result<AttemptOutcome, StandaloneError> {
        if ended.is_claim_lost {
            self.say(format!("{}: the claim was lost, somebody else may work on it", claimed.feature.id));
            return Ok(AttemptOutcome::Expired);
        }
        let outcome = match &ended.verdict {
            Some(Verdict::Green) => self.land(claimed, vec![], 0).await?,
            Some(Verdict::SubmittedByAgent) => return self.land_again(world, claimed, inbox).await,
            Some(Verdict::Confirmed) if ended.outcome == SessionOutcome::Completed => {
                AttemptOutcome::Confirmed
            }
            Some(Verdict::Confirmed) => attempt_outcome(&ended.outcome, None),
            Some(Verdict::NotSubmitted { reason }) => attempt_outcome(&ended.outcome, reason.as_deref()),
            None => attempt_outcome(&ended.outcome, None),
        };
        self.end(claimed, &outcome)?;
        if let SessionOutcome::NotStarted { reason } = &ended.outcome {
            // The next one would not start either.
            return Err(StandaloneError::NotStarted { reason: reason.clone() });
        }
        Ok(outcome)
    }

    /// Lands what was green when it was submitted, if it still is: the agent may have gone on after that. A stop
    /// leaves it submitted; the next run lands it.
    pub(super) async fn land_again(
        &self,
        world: World<'_>,
        claimed: &Claimed,
        inbox: &mut Inbox,
    ) -> Result<AttemptOutcome, StandaloneError> {
        let began = self.clock.steady();
        let reports = tokio::select! {
            reports = driver::run_checks(world, claimed, &world.job.project, CheckPhase::Merged) => reports,
            _ = inbox.next() => {
                contain::kill_descendants().await;
                self.say(format!("{} is done and will be landed by the next run", claimed.feature.id));
                return Ok(AttemptOutcome::Stopped);
            }
        };
        let outcome = match first_red(&reports) {
            Some(reason) => AttemptOutcome::RedAfterMerge { reason },
            None => self.land(claimed, reports, millis(began, self.clock.steady())).await?,
        };
        self.end(claimed, &outcome)?;
        Ok(outcome)
    }

    /// Makes a submitted feature pass.
    async fn land(
        &self,
        claimed: &Claimed,
        reports: Vec<CheckReport>,
        check_ms: u64,
    ) -> Result<AttemptOutcome, StandaloneError> {
        let merge = Merge { commit: self.head().await, reports, merge_ms: 0, check_ms };
        match self.store.land(&claimed.token, &merge) {
            Ok(ready) => {
                let unblocks =
                    if ready.is_empty() { String::new() } else { format!(", now ready: {}", list(&ready)) };
                self.say(format!("{} passes{unblocks}", claimed.feature.id));
                Ok(AttemptOutcome::Landed)
            }
            Err(error @ StoreError::DependencyNotPassing { .. }) => {
                Ok(AttemptOutcome::RedAfterMerge { reason: error.to_string() })
            }
            // Whoever has the claim now decides; ending the attempt will say so.
            Err(error) if is_stale(&error) => Ok(AttemptOutcome::Expired),
            Err(error) => Err(error.into()),
        }
    }

    fn end(&self, claimed: &Claimed, outcome: &AttemptOutcome) -> Result<(), StandaloneError> {
        if *outcome == AttemptOutcome::Landed {
            return Ok(());
        }
        let id = claimed.feature.id;
        match self.store.end_attempt(&claimed.token, outcome, &AttemptLimits::default()) {
            Ok(Status::Parked) => self.say(format!("{id} {outcome}; it is given up (`cogwork retry {id}`)")),
            Ok(Status::Pending | Status::Claimed | Status::Passing | Status::NeedsHuman) => {
                self.say(format!("{id} {outcome}"));
            }
            Err(error) if is_stale(&error) => self.say(format!("{id}: {error}")),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Returns the commit that the work is in; none without git, or when git cannot say.
    async fn head(&self) -> Option<String> {
        let git = Git::at(&self.flags.project_dir);
        if !git.is_repository().await.unwrap_or(false) {
            return None;
        }
        git.head().await.ok().flatten()
    }
}
