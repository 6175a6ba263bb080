//! Taking over from a run that died: its processes are ended, its claims given back, its finished work landed.
//!
//! It runs under the project's run lock, so whatever session has no living process has nobody.

use cogwork_process::contain::{self, Sweep};
use cogwork_schemas::{AttemptOutcome, Isolation, SessionOutcome};
use cogwork_store::{Attempt, AttemptLimits, LiveSession, StoreError};
use jiff::{SignedDuration, Timestamp};

use super::{Lone, StandaloneError};
use crate::driver::{self, Job, World, is_stale};
use crate::environment::marker;
use crate::journal::{self, Journal};
use crate::report::{Form, Report};

/// How long a session may take to say which process it is. Longer than any start takes, so that nobody's is taken
/// who claims through an MCP server at this very moment.
const UNNAMED: SignedDuration = SignedDuration::from_secs(60);

impl Lone<'_> {
    /// Ends the sessions that nobody runs any more.
    pub(super) async fn recover(&self) -> Result<(), StandaloneError> {
        for session in self.store.live_sessions()? {
            if is_dead(&session, self.clock.now()) {
                self.bury(&session).await?;
            }
        }
        Ok(())
    }

    async fn bury(&self, session: &LiveSession) -> Result<(), StandaloneError> {
        let markers = vec![marker(&self.flags.project_dir, session.id)];
        contain::sweep(&Sweep {
            markers,
            ..Sweep::default()
        })
        .await;
        for attempt in &session.attempts {
            match (&attempt.submitted, session.isolation) {
                (None, _) => self.give_back(attempt)?,
                (Some(_), Isolation::Shared) => self.land_late(attempt).await?,
                // Its work is in a workspace, and merging is not ours to do.
                (Some(_), Isolation::Workspace) => {
                    self.say(format!(
                        "{} is done and waits to be merged: `cogwork run` does that",
                        attempt.feature
                    ));
                }
            }
        }
        let reason = "its runner was gone".to_owned();
        self.store.end_session(
            self.clock.now(),
            session.id,
            &SessionOutcome::NotStarted { reason },
            0,
        )?;
        Ok(())
    }

    fn give_back(&self, attempt: &Attempt) -> Result<(), StandaloneError> {
        let outcome = AttemptOutcome::Crashed {
            reason: "its runner was gone".to_owned(),
        };
        self.say(format!(
            "{} was left by session {}, whose runner is gone; it is free again",
            attempt.feature, attempt.session
        ));
        unless_stale(self.store.end_attempt(
            self.clock.now(),
            &attempt.token,
            &outcome,
            &AttemptLimits::default(),
        ))
    }

    /// Lands work that was green when its runner died.
    async fn land_late(&self, attempt: &Attempt) -> Result<(), StandaloneError> {
        let dir = driver::session_dir(&self.flags.project_dir, attempt.session);
        let journal = Journal::open(&dir.join("journal.ndjson"), journal::MAX_BYTES);
        let report = Report::new(
            attempt.session,
            Form::Sentences,
            self.outbox,
            journal,
            attempt.token.clone(),
        );
        let job: Job<'_> = self.job(
            attempt.session,
            attempt.id,
            attempt.token.clone(),
            self.store.feature(attempt.feature)?,
        );
        let world = World {
            job: &job,
            store: self.store,
            clock: self.clock,
            report: &report,
        };
        let outcome = self.land(world, true).await?;
        self.end(world, &outcome)
    }
}

fn is_dead(session: &LiveSession, now: Timestamp) -> bool {
    match &session.process {
        Some(process) => !contain::is_alive(process),
        None => now.duration_since(session.started_at) > UNNAMED,
    }
}

fn unless_stale<T>(result: Result<T, StoreError>) -> Result<(), StandaloneError> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if is_stale(&error) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
