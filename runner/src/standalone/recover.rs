//! Taking over from a run that died: its processes are ended, its claims given back, its finished work landed.
//!
//! It runs under the project's run lock, before the first session of its own.

use cogwork_process::contain::{self, Sweep};
use cogwork_process::git::snapshot::Snapshots;
use cogwork_schemas::{AttemptOutcome, Isolation, ProcessIdentity, SessionOutcome, Token};
use cogwork_store::{
    Attempt, AttemptLimits, ErrorClass, LiveSession, OwnerQuestion, Ownership, Secret, ownership,
    snapshot_dir,
};

use super::{Lone, StandaloneError};
use cogwork_session::driver::{Claimed, is_stale};
use cogwork_session::environment::marker;
use cogwork_session::inbox::Inbox;

/// How far taking over came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recovered {
    All,
    /// A stop came between.
    Stopped,
}

impl Lone<'_> {
    /// Ends the sessions that nobody runs any more.
    pub(super) async fn recover(&self, inbox: &mut Inbox) -> Result<Recovered, StandaloneError> {
        let question = OwnerQuestion { begins_run: true, ..self.store.owner_question(self.lease())? };
        let sessions = self.store.live_sessions()?;
        for session in &sessions {
            let is_dead = ownership(session, &question, contain::presence) == Ownership::Dead;
            if is_dead && self.bury(session, inbox).await? == Recovered::Stopped {
                return Ok(Recovered::Stopped);
            }
        }
        // A stop between its session's end and the landing left it.
        for attempt in self.store.live_attempts()? {
            if attempt.submitted.is_some()
                && attempt.isolation == Isolation::Shared
                && sessions.iter().all(|session| session.id != attempt.session)
                && self.land_late(None, &attempt, inbox).await? == AttemptOutcome::Stopped
            {
                return Ok(Recovered::Stopped);
            }
        }
        Ok(Recovered::All)
    }

    async fn bury(&self, session: &LiveSession, inbox: &mut Inbox) -> Result<Recovered, StandaloneError> {
        let markers = vec![marker(&self.flags.project_dir, session.id)];
        contain::sweep(&Sweep { markers, ..Sweep::default() }).await;
        for attempt in &session.attempts {
            match (&attempt.submitted, session.isolation) {
                (None, _) => self.give_back(session, attempt)?,
                (Some(_), Isolation::Shared) => {
                    let owner = session.process.as_ref();
                    if self.land_late(owner, attempt, inbox).await? == AttemptOutcome::Stopped {
                        return Ok(Recovered::Stopped);
                    }
                }
                // Its work is in a workspace, and merging is not ours to do.
                (Some(_), Isolation::Workspace) => {
                    self.say(format!(
                        "{} is done and waits to be merged: `cogwork run` does that",
                        attempt.feature
                    ));
                }
            }
        }
        let own = snapshot_dir(&self.flags.project_dir, session.id);
        // The next session takes over what this one has left.
        if !Snapshots::began_in_project(&own) {
            drop(std::fs::remove_dir_all(own));
        }
        let reason = "its runner was gone".to_owned();
        self.store.end_session(session.id, &SessionOutcome::NotStarted { reason }, 0)?;
        Ok(Recovered::All)
    }

    fn give_back(&self, session: &LiveSession, attempt: &Attempt) -> Result<(), StandaloneError> {
        let Some(token) = self.take_over(session.process.as_ref(), attempt)? else { return Ok(()) };
        let (id, session) = (attempt.feature, attempt.session);
        self.say(format!("{id} was left by session {session}, whose runner is gone; it is free again"));
        let limits = AttemptLimits::default();
        match self.store.end_attempt(&token, &AttemptOutcome::Orphaned, &limits) {
            Ok(_) => Ok(()),
            Err(error) if is_stale(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Takes an attempt over from the dead process that was seen to own its session; `None` when somebody else was
    /// faster.
    fn take_over(
        &self,
        owner: Option<&ProcessIdentity>,
        attempt: &Attempt,
    ) -> Result<Option<Token>, StandaloneError> {
        match self.store.take_over(attempt.id, owner, &Secret::random()?) {
            Ok(token) => Ok(Some(token)),
            Err(error) if error.class() == ErrorClass::Refused => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Lands work that was green when its runner died, or was stopped.
    async fn land_late(
        &self,
        owner: Option<&ProcessIdentity>,
        attempt: &Attempt,
        inbox: &mut Inbox,
    ) -> Result<AttemptOutcome, StandaloneError> {
        let Some(token) = self.take_over(owner, attempt)? else { return Ok(AttemptOutcome::Orphaned) };
        let report = self.report(attempt.session, &token)?;
        let feature = self.store.feature(attempt.feature)?;
        self.say(format!("{} {} was green when its runner ended", feature.id, feature.name));
        let claimed = Claimed::of(attempt.id, token, feature);
        let job = self.job(attempt.session, claimed.clone());
        let world = self.world(&job, &report);
        self.land_again(world, &claimed, inbox).await
    }
}
