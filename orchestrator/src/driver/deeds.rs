//! What the engine asks for, done: claims, runners, ends of attempts, integrations.

use std::collections::BTreeMap;
use std::time::Duration;

use cogwork_process::contain::{self, Sweep};
use cogwork_schemas::{
    AttemptId, AttemptOutcome, CheckPhase, Entry, Fact, FeatureId, Isolation, Proof, Role, RunnerEvent,
    SessionId, SessionOutcome,
};
use cogwork_session::SessionCommand;
use cogwork_store::{Attempt, Claim, Merge, NewSession, StoreError, Taken, state_dir};
use jiff::SignedDuration;

use super::sessions::{self, Begun};
use super::{Input, Run};
use cogwork_conductor::clock;
use cogwork_conductor::engine::{Event, Landing, SessionEnd, StartFailure};
use cogwork_conductor::integrate::{Integration, Integrator, Job};
use cogwork_session::chain;

/// After so many failures of git on one attempt it is set aside.
const FAILURES: u32 = 3;
/// What a runner needs beyond its agent and its checks: a clone, a commit, a sweep.
const RUNNER_MARGIN: Duration = Duration::from_secs(300);

impl Run<'_> {
    /// Claims a feature and starts a runner for it.
    pub(super) fn start(&mut self, feature: FeatureId) -> Result<Vec<Event>, StoreError> {
        let new = NewSession {
            role: Role::Coding,
            agent: self.plan.agent.to_string(),
            isolation: self.plan.isolation,
        };
        let limit = self.limit(feature)?;
        let lease = SignedDuration::from_secs(i64::from(self.plan.session_limits.lease_s));
        let claim = match self.store.claim(feature, &new, lease) {
            Ok(claim) => claim,
            Err(
                StoreError::NotClaimable { .. }
                | StoreError::AlreadyClaimed { .. }
                | StoreError::UnknownFeature { .. },
            ) => {
                let lost = Event::StartFailed { feature, failure: StartFailure::Lost };
                return Ok(vec![Event::Features(self.store.nodes()?), lost]);
            }
            Err(error) => return Err(error),
        };
        if self.plan.batch > 1 {
            let slots = u32::try_from(self.plan.slots).unwrap_or(u32::MAX);
            self.store.begin_batch(claim.session, self.plan.batch, slots)?;
        }
        let command = self.command(feature, &claim);
        let environment = (&self.programs, &self.environment);
        let begun = Begun { feature, attempt: claim.attempt, at: clock::now() };
        match sessions::start(&command, (begun, limit), environment, self.inputs.clone()) {
            Ok((session, process)) => {
                self.sessions.insert(claim.session, session);
                self.store.session_up(claim.session, &process)?;
                let started = Event::Started { feature, session: claim.session, attempt: claim.attempt };
                Ok(vec![self.node(feature)?, started])
            }
            Err(error) => {
                let reason = chain(&error);
                let crashed = AttemptOutcome::Crashed { reason: reason.clone() };
                self.store.end_attempt(&claim.token, &crashed, &self.plan.limits)?;
                self.store.end_session(claim.session, &SessionOutcome::NotStarted { reason }, 0)?;
                let failed = Event::StartFailed { feature, failure: StartFailure::Crashed };
                Ok(vec![self.node(feature)?, failed])
            }
        }
    }

    /// Returns what an entry says about a session that goes on after it has handed something in.
    pub(super) fn of_session(&mut self, entry: &Entry) -> Result<Option<Event>, StoreError> {
        let (Some(session), Some(feature), Some(attempt)) = (entry.session, entry.feature, entry.attempt)
        else {
            return Ok(None);
        };
        if self.plan.batch == 1 || !self.sessions.contains_key(&session) {
            return Ok(None);
        }
        if let Fact::Claimed { .. } = entry.fact {
            let limit = self.limit(feature)?;
            let begun = Begun { feature, attempt, at: entry.at };
            let known = self.sessions.get_mut(&session).filter(|known| !known.attempts.contains(&attempt));
            return Ok(known.map(|known| {
                known.went_on(begun, limit);
                Event::Took { session, feature, attempt }
            }));
        }
        if let Fact::ChecksGreen { .. } | Fact::SaidDone { .. } = entry.fact {
            let live = self.store.live_attempts()?.into_iter().find(|live| live.id == attempt);
            // What has ended meanwhile is no more to be landed.
            return Ok(live.map(|live| {
                self.submitted.insert(attempt, live);
                Event::Submitted { session, attempt }
            }));
        }
        Ok(None)
    }

    /// After this time a runner has failed to keep the limits that are its own: it is stopped, or hangs.
    fn limit(&self, feature: FeatureId) -> Result<Duration, StoreError> {
        let checks: u64 =
            self.store.feature(feature)?.checks.iter().map(|check| u64::from(check.timeout_s)).sum();
        let limits = &self.plan.session_limits;
        let session = u64::from(limits.max_session_s) + u64::from(limits.grace_s);
        // Checks run before the work, when the agent says it is done, and after it.
        Ok(Duration::from_secs(session + 3 * checks) + RUNNER_MARGIN)
    }

    fn command(&self, feature: FeatureId, claim: &Claim) -> SessionCommand {
        SessionCommand {
            project: self.project.clone(),
            session: claim.session,
            feature,
            token: claim.token.clone(),
            role: Role::Coding,
            agent: self.plan.agent.clone(),
            script: self.plan.script.clone(),
            isolation: self.plan.isolation,
            base: self.integrator.as_ref().map(Integrator::base),
            batch: self.plan.batch,
            yolo: self.plan.yolo,
            attempts: self.plan.limits.attempts,
            limits: self.plan.session_limits.clone(),
            settings: self.plan.settings.clone(),
            pass_env: self.plan.pass_env.clone(),
        }
    }

    pub(super) fn on_runner(&mut self, session: SessionId, event: RunnerEvent) {
        match event {
            RunnerEvent::Agent { event } => self.reporter.agent(session, &event),
            RunnerEvent::Ended { outcome, reason, .. } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.report = Some((outcome, reason));
                }
            }
            RunnerEvent::Waiting { until, because } => {
                self.reporter.note(&format!("session {session}: {because}; it waits until {until}"));
                let wait = Duration::try_from(until.duration_since(clock::now())).unwrap_or_default();
                let feature = self.sessions.get(&session).map(|known| known.feature);
                let limit = feature.and_then(|feature| self.limit(feature).ok()).unwrap_or_default();
                if let Some(known) = self.sessions.get_mut(&session) {
                    known.waits(wait + limit);
                }
            }
            // The journal tells these to everybody.
            RunnerEvent::Up { .. }
            | RunnerEvent::Prepared { .. }
            | RunnerEvent::Checked { .. }
            | RunnerEvent::AgentStarted { .. }
            | RunnerEvent::Resources { .. }
            | RunnerEvent::LeftOut { .. } => {}
        }
    }

    /// A runner process is gone. Whatever it left of its session is ended before anybody else may claim.
    pub(super) async fn on_runner_gone(&mut self, id: SessionId, how: &str) {
        // Whatever it took and handed in is known before its end.
        self.catch_up();
        let Some(session) = self.sessions.remove(&id) else { return };
        let end = match session.report.clone() {
            Some((outcome, red)) => SessionEnd::Reported { outcome, red },
            None => {
                let marker = format!("{}#{id}", state_dir(&self.project).display());
                contain::sweep(&Sweep { markers: vec![marker], ..Sweep::default() }).await;
                let reason = format!("its runner ended without a report ({how})");
                let outcome = SessionOutcome::NotStarted { reason: reason.clone() };
                if let Err(error) = self.store.end_session(id, &outcome, 0) {
                    tracing::warn!("the end of session {id} cannot be recorded: {}", chain(&error));
                }
                SessionEnd::RunnerLost { reason }
            }
        };
        // An attempt whose lease ran out was taken back by somebody; there is nothing left to judge.
        match self.store.attempts_of_session(id) {
            Ok(taken) => {
                let is_waiting = |taken: &Taken| taken.outcome.is_none() && taken.attempt.submitted.is_some();
                let waiting = taken.into_iter().filter(is_waiting).map(|taken| taken.attempt);
                let waiting: BTreeMap<_, _> = waiting.map(|attempt| (attempt.id, attempt)).collect();
                let submitted = waiting.keys().copied().collect();
                self.submitted.extend(waiting);
                self.feed(Event::SessionEnded { session: id, submitted, end });
            }
            Err(error) => {
                self.feed(Event::Broken { reason: chain(&error) });
                // Whatever it is worth stays in the store, for the next run; nothing is judged now.
                self.feed(Event::SessionEnded { session: id, submitted: session.attempts, end });
            }
        }
        self.clear_away(id);
    }

    pub(super) fn end_attempt(
        &mut self,
        feature: FeatureId,
        attempt: AttemptId,
        outcome: &AttemptOutcome,
    ) -> Result<Vec<Event>, StoreError> {
        let attempts = self.store.attempts_of(feature)?;
        let Some(record) = attempts.iter().find(|record| record.id == attempt) else { return Ok(Vec::new()) };
        let live = self.store.live_attempts()?.into_iter().find(|live| live.id == attempt);
        if let Some(live) = live {
            self.store.end_attempt(&live.token, outcome, &self.plan.limits)?;
        }
        self.submitted.remove(&attempt);
        self.clear_away(record.session);
        Ok(vec![self.node(feature)?])
    }

    /// Starts the integration of an attempt; its end comes as an input.
    pub(super) fn integrate(
        &mut self,
        feature: FeatureId,
        attempt: AttemptId,
    ) -> Result<Vec<Event>, StoreError> {
        let Some(mut waiting) = self.submitted.get(&attempt).cloned() else {
            let reason = "it is not known any more".to_owned();
            let landing = Landing::Refused(AttemptOutcome::Crashed { reason });
            return Ok(vec![Event::Integrated { attempt, landing }]);
        };
        // A session that goes on may have handed in a newer commit since.
        if let Ok(newer) = self.store.attempt(&waiting.token) {
            waiting = newer;
        }
        let submitted = waiting.submitted.as_ref();
        let commit = submitted.and_then(|submitted| submitted.commit.clone());
        let inputs = self.inputs.clone();
        let integrator = self.integrator.clone().filter(|_| waiting.isolation == Isolation::Workspace);
        let job = Job {
            feature: self.store.feature(feature)?,
            attempt,
            session: waiting.session,
            commit: commit.clone(),
            proof: submitted.map_or(Proof::Unverified, |submitted| submitted.proof),
            base: self.base_of(feature, attempt)?,
            foreign: self.foreign_to(&waiting)?,
        };
        let task = tokio::spawn(async move {
            let integration = match integrator {
                Some(integrator) => integrator.integrate(&job).await,
                // The work is where it belongs already, and its checks were run there.
                None => Integration::OnMain(Merge { commit, reports: Vec::new(), merge_ms: 0, check_ms: 0 }),
            };
            // Only a run that is over closes the channel; the next one integrates again.
            drop(inputs.send(Input::Integrated { attempt, integration }).await);
        });
        self.landing = Some((attempt, task.abort_handle()));
        Ok(Vec::new())
    }

    /// Returns what the same session handed in for other features and what has not landed: no part of this work.
    fn foreign_to(&self, attempt: &Attempt) -> Result<Vec<String>, StoreError> {
        if self.plan.batch == 1 {
            return Ok(Vec::new());
        }
        let others =
            self.store.attempts_of_session(attempt.session)?.into_iter().filter(|other| {
                other.attempt.id != attempt.id && other.outcome != Some(AttemptOutcome::Landed)
            });
        Ok(others.filter_map(|other| other.attempt.submitted?.commit).collect())
    }

    /// Returns the commit that an attempt's checks were red on.
    fn base_of(&self, feature: FeatureId, attempt: AttemptId) -> Result<Option<String>, StoreError> {
        let attempts = self.store.attempts_of(feature)?;
        let evidence =
            attempts.into_iter().filter(|record| record.id == attempt).flat_map(|record| record.evidence);
        let before = evidence.into_iter().find(|evidence| evidence.phase == CheckPhase::Before);
        Ok(before.and_then(|before| before.commit))
    }

    /// Leaves the integration that is under way to the next run, which finds what git has finished meanwhile. Checks
    /// may take many minutes, and whoever says stop does not mean that.
    pub(super) fn leave_landing(&mut self) {
        if let Some((attempt, task)) = self.landing.take() {
            task.abort();
            let landing = Landing::Postponed { reason: "the run was stopped".to_owned() };
            self.feed(Event::Integrated { attempt, landing });
        }
    }

    pub(super) fn on_integrated(&mut self, attempt: AttemptId, integration: Integration) {
        self.landing.take_if(|(landing, _)| *landing == attempt);
        let landing = match self.record(attempt, integration) {
            Ok(landing) => landing,
            Err(error @ StoreError::DependencyNotPassing { .. }) => {
                Landing::Postponed { reason: chain(&error) }
            }
            Err(error) => {
                let reason = chain(&error);
                self.feed(Event::Broken { reason: reason.clone() });
                Landing::Postponed { reason }
            }
        };
        // What was landed is told before the answer: dependents start in the same moment.
        self.catch_up();
        self.feed(Event::Integrated { attempt, landing });
    }

    fn record(&mut self, attempt: AttemptId, integration: Integration) -> Result<Landing, StoreError> {
        let Some(waiting) = self.submitted.get(&attempt).cloned() else {
            let reason = "it is not known any more".to_owned();
            return Ok(Landing::Refused(AttemptOutcome::Crashed { reason }));
        };
        match integration {
            Integration::OnMain(merge) => {
                self.store.land(&waiting.token, &merge)?;
                self.clear_away(waiting.session);
                Ok(Landing::Landed)
            }
            Integration::Refused { outcome, reports, commit } => {
                if !reports.is_empty() {
                    let (phase, commit) = (CheckPhase::Merged, commit.as_deref());
                    self.store.record_checks(&waiting.token, phase, commit, &reports)?;
                }
                Ok(Landing::Refused(outcome))
            }
            Integration::InUse { reason } => {
                self.reporter.note(&format!("landing waits: {reason}"));
                Ok(Landing::Postponed { reason })
            }
            Integration::Failed { reason } => {
                let failures = self.failures.entry(attempt).or_insert(0);
                *failures += 1;
                self.reporter.note(&format!("landing failed: {reason}"));
                // One piece of work that git cannot handle must not keep all others from landing.
                if *failures < FAILURES {
                    return Ok(Landing::Postponed { reason });
                }
                Ok(Landing::Refused(AttemptOutcome::Crashed { reason }))
            }
        }
    }

    /// Takes back claims whose lease ran out, but for those whose process lives: a laptop that slept for a night has
    /// let every lease run out, and nobody's work has ended.
    pub(super) fn reap(&mut self) -> Result<Vec<Event>, StoreError> {
        let now = self.store.now()?;
        let lease = SignedDuration::from_secs(i64::from(self.plan.session_limits.lease_s));
        for session in self.store.live_sessions()? {
            if session.process.as_ref().is_some_and(contain::is_alive) {
                for attempt in
                    session.attempts.iter().filter(|attempt| attempt.lease_until.is_some_and(|at| at <= now))
                {
                    self.store.renew(&attempt.token, lease)?;
                }
            }
        }
        self.store.reap(&self.plan.limits)?;
        Ok(vec![Event::Features(self.store.nodes()?)])
    }

    /// Removes the workspace of a session that is over and has nothing left to land, in the background; work that did
    /// not land is kept under a ref first.
    fn clear_away(&mut self, session: SessionId) {
        let Some(integrator) = self.integrator.clone() else { return };
        // What cannot be read now is found by the next start.
        let Ok(taken) = self.store.attempts_of_session(session) else { return };
        let is_over =
            !self.sessions.contains_key(&session) && taken.iter().all(|taken| taken.outcome.is_some());
        if is_over && self.cleared.insert(session) {
            self.chores.spawn(async move {
                if let Err(error) = integrator.clear_away(session, &taken).await {
                    tracing::warn!("the workspace of {session} stays: {}", chain(&error));
                }
            });
        }
    }
}
