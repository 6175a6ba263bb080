//! The shell around the engine: turns the world into [`Event`]s and [`Effect`]s into deeds.
//!
//! One loop: wait for a runner, an integration, a signal, a deadline or another process's commit; tell the engine;
//! do what it asks; show what the journal gained. Everything runs on one thread, so the store is never asked from
//! two places and a decision is never made on a view that is older than the last deed.

mod deeds;
mod forecast;
mod prepare;
mod sessions;
mod signals;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use cogwork_schemas::{
    AttemptId, Entry, Fact, FeatureId, Isolation, ProcessIdentity, RunOutcome, RunnerEvent, SessionId, Status,
};
use cogwork_session::{AgentSettings, AgentSpec, Environment, Programs, SessionLimits};
use cogwork_store::{Attempt, AttemptLimits, Store, StoreError};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use cogwork_conductor::clock;

use crate::cli::CliError;
use crate::project::Project;
use crate::terminal::{Progress, Reporter, RunningSession};
use cogwork_conductor::engine::{Effect, Engine, Event, Landing, Settings, StartFailure};
use cogwork_conductor::integrate::{Integration, Integrator};
use cogwork_session::chain;
use forecast::Forecast;
use sessions::Session;
use signals::{Asked, Signals};

pub(crate) use prepare::can_land;

/// How often the journal is looked at for what other processes wrote, and the display moves. One look costs
/// microseconds; what a session does is heard from its runner at once.
const NOTICE: Duration = Duration::from_millis(100);
/// At how many of those looks the leases are looked at, too: every ten seconds.
const LOOK_AT_LEASES: u64 = 100;
/// Runners write a few lines per second. A full queue makes them wait, which is right: it means that this process
/// is busy, and their output is not lost.
const INPUTS: usize = 256;
/// How long a run that is over waits for its workspaces to be cleared away.
const CHORES: Duration = Duration::from_secs(30);
/// How much of the journal is read at once.
const PAGE: usize = 1000;

/// What a run was asked to do, resolved once.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) slots: usize,
    /// How many features a session may have, one after the other.
    pub(crate) batch: u32,
    /// Agents try nothing out by themselves; the checks decide as ever.
    pub(crate) yolo: bool,
    pub(crate) agent: AgentSpec,
    pub(crate) script: Option<PathBuf>,
    pub(crate) isolation: Isolation,
    pub(crate) limits: AttemptLimits,
    pub(crate) session_limits: SessionLimits,
    pub(crate) settings: AgentSettings,
    pub(crate) pass_env: Vec<String>,
}

/// What reaches the loop from sessions and integrations.
#[derive(Debug)]
enum Input {
    Runner {
        session: SessionId,
        event: RunnerEvent,
    },
    /// The runner process is gone.
    RunnerGone {
        session: SessionId,
        how: String,
    },
    Integrated {
        attempt: AttemptId,
        integration: Integration,
    },
}

/// One run of one project.
pub(crate) struct Run<'a> {
    store: &'a Store,
    project: PathBuf,
    plan: Plan,
    programs: Programs,
    environment: Environment,
    process: ProcessIdentity,
    engine: Engine,
    sessions: BTreeMap<SessionId, Session>,
    /// Attempts that wait for integration or are being integrated.
    submitted: BTreeMap<AttemptId, Attempt>,
    integrator: Option<Integrator>,
    /// The integration that is under way.
    landing: Option<(AttemptId, AbortHandle)>,
    /// How often git has failed on an attempt.
    failures: BTreeMap<AttemptId, u32>,
    /// Sessions whose workspace is gone or about to be.
    cleared: BTreeSet<SessionId>,
    /// Workspaces that are being cleared away; a run waits for them before it ends.
    chores: JoinSet<()>,
    inputs: mpsc::Sender<Input>,
    received: mpsc::Receiver<Input>,
    reporter: &'a mut dyn Reporter,
    forecast: Forecast,
    /// The last journal entry that was shown and told.
    shown: i64,
    notices: u64,
    /// Set by the third signal: leave at once.
    abandoned: bool,
    ended: Option<RunOutcome>,
}

/// Runs a project until the run is over, and returns how it ended.
///
/// The caller holds the project's lock and has made sure that the agent can be started.
///
/// # Errors
///
/// When the project is not in a state in which a run can begin.
pub(crate) async fn run(
    project: &Project,
    plan: Plan,
    programs: Programs,
    reporter: &mut dyn Reporter,
) -> Result<RunOutcome, CliError> {
    let store = &project.store;
    let shown = store.last_seq()?;
    let prepared = prepare::prepare(project, &plan, reporter).await?;
    let (inputs, received) = mpsc::channel(INPUTS);
    let mut run = Run {
        store,
        project: project.dir.clone(),
        programs,
        environment: Environment::of_this_process(),
        process: cogwork_process::contain::own_identity(),
        engine: prepared.resumed.engine,
        sessions: BTreeMap::new(),
        submitted: prepared.resumed.submitted,
        integrator: prepared.integrator,
        landing: None,
        failures: BTreeMap::new(),
        cleared: BTreeSet::new(),
        chores: JoinSet::new(),
        inputs,
        received,
        reporter,
        forecast: Forecast::default(),
        shown,
        notices: 0,
        abandoned: false,
        ended: None,
        plan,
    };
    run.live(prepared.resumed.events).await
}

impl Run<'_> {
    async fn live(&mut self, opening: Vec<Event>) -> Result<RunOutcome, CliError> {
        let mut signals = Signals::new()?;
        let mut notice = tokio::time::interval(NOTICE);
        notice.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        self.store.append(&Fact::RunStarted {
            process: self.process.clone(),
            agent: self.plan.agent.to_string(),
            slots: u32::try_from(self.plan.slots).unwrap_or(u32::MAX),
            isolation: self.plan.isolation,
        })?;
        for event in opening {
            self.feed(event);
        }
        let outcome = loop {
            self.catch_up();
            if let Some(outcome) = self.ended.take() {
                break outcome;
            }
            let deadline = self.engine.next_deadline();
            tokio::select! {
                biased;
                asked = signals.next() => self.on_signal(asked),
                Some(input) = self.received.recv() => self.on_input(input).await,
                () = clock::sleep_until(deadline) => self.feed(Event::Deadline),
                _ = notice.tick() => self.on_notice(),
            }
            if self.abandoned {
                break RunOutcome::Stopped;
            }
        };
        self.end(&outcome).await;
        Ok(outcome)
    }

    /// Tells the engine and does what it asks, until nothing more follows.
    fn feed(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for effect in self.engine.step(clock::now(), event) {
                let failed = answer_of_a_failed(&effect);
                match self.perform(effect) {
                    // What a deed made true is told before the next one is done.
                    Ok(answers) => answers.into_iter().rev().for_each(|answer| events.push_front(answer)),
                    Err(error) => {
                        let reason = chain(&error);
                        events.extend(failed);
                        events.push_back(Event::Broken { reason });
                    }
                }
            }
        }
    }

    fn perform(&mut self, effect: Effect) -> Result<Vec<Event>, StoreError> {
        match effect {
            Effect::Start { feature } => self.start(feature),
            Effect::EndAttempt { feature, attempt, outcome } => self.end_attempt(feature, attempt, &outcome),
            Effect::Integrate { feature, attempt } => self.integrate(feature, attempt),
            Effect::CloseBatches => {
                self.store.close_batches()?;
                Ok(Vec::new())
            }
            Effect::StopSession { session } => {
                if let Some(session) = self.sessions.get_mut(&session) {
                    session.stop();
                }
                Ok(Vec::new())
            }
            Effect::Reap => self.reap(),
            Effect::Finish(outcome) => {
                self.ended = Some(outcome);
                Ok(Vec::new())
            }
        }
    }

    async fn on_input(&mut self, input: Input) {
        match input {
            Input::Runner { session, event } => self.on_runner(session, event),
            Input::RunnerGone { session, how } => self.on_runner_gone(session, &how).await,
            Input::Integrated { attempt, integration } => self.on_integrated(attempt, integration),
        }
    }

    fn on_signal(&mut self, asked: Asked) {
        match asked {
            Asked::Drain => {
                self.reporter.note("finishing what runs; press Ctrl-C again to stop it");
                self.feed(Event::Drain);
            }
            Asked::Stop => {
                self.reporter.note("stopping");
                self.feed(Event::Stop);
                self.leave_landing();
            }
            Asked::Abandon => self.abandoned = true,
        }
    }

    /// Reads what the journal gained, whoever wrote it: shows it, and tells the engine which features changed.
    ///
    /// The journal is written in the transaction of each change, so nothing can change unseen. Leases alone are
    /// renewed without an entry; the engine asks the store before it takes one back.
    fn catch_up(&mut self) {
        let (mut changed, mut of_sessions) = (BTreeSet::new(), Vec::new());
        loop {
            let entries = match self.store.journal_since(self.shown, PAGE) {
                Ok(entries) => entries,
                Err(error) => return self.feed(Event::Broken { reason: chain(&error) }),
            };
            let Some(last) = entries.last() else { break };
            self.shown = last.seq;
            for entry in &entries {
                self.learn(entry);
                match self.of_session(entry) {
                    Ok(event) => of_sessions.extend(event),
                    Err(error) => of_sessions.push(Event::Broken { reason: chain(&error) }),
                }
                self.reporter.entry(entry);
                changed.extend(entry.feature);
            }
        }
        if changed.is_empty() {
            return;
        }
        let changed: Vec<_> = changed.into_iter().collect();
        match self.store.nodes_of(&changed) {
            Ok(nodes) => {
                let gone: Vec<_> =
                    changed.into_iter().filter(|id| nodes.iter().all(|node| node.id != *id)).collect();
                self.feed(Event::Features(nodes));
                if !gone.is_empty() {
                    self.feed(Event::Deleted(gone));
                }
            }
            Err(error) => self.feed(Event::Broken { reason: chain(&error) }),
        }
        of_sessions.into_iter().for_each(|event| self.feed(event));
    }

    /// Looks whether the database is still the one that was opened, and shows that time goes by. That the loop was
    /// woken makes it read the journal.
    fn on_notice(&mut self) {
        self.notices += 1;
        if self.notices.is_multiple_of(LOOK_AT_LEASES) {
            self.look_at_leases();
        }
        if let Err(error) = self.store.data_version() {
            self.feed(Event::Broken { reason: chain(&error) });
        }
        let progress = if self.reporter.wants_progress() { self.progress() } else { Progress::default() };
        self.reporter.tick(clock::now(), &progress);
    }

    /// Ends sessions whose runner does not give a sign of life.
    fn look_at_leases(&mut self) {
        // A store that is busy is noticed elsewhere.
        for live in self.store.live_sessions().unwrap_or_default() {
            if let Some(session) = self.sessions.get_mut(&live.id) {
                let lease = live.attempts.iter().filter_map(|attempt| attempt.lease_until).max();
                session.end_if_it_sleeps(lease, self.plan.session_limits.lease_s);
            }
        }
    }

    fn progress(&self) -> Progress {
        let graph = self.engine.graph();
        Progress {
            total: graph.iter().count(),
            passing: graph.iter().filter(|node| node.status == Status::Passing).count(),
            running: self.running(),
            left_ms: self.forecast.left_ms(graph, self.plan.slots),
        }
    }

    fn learn(&mut self, entry: &Entry) {
        if let (Some(id), Fact::Integrated { .. }) = (entry.feature, &entry.fact)
            && let Some(began) = entry.attempt.and_then(|attempt| self.submitted.get(&attempt))
        {
            let taken = entry.at.duration_since(began.started_at).as_secs_f64();
            let estimate = self.engine.graph().node(id).and_then(|node| node.estimate_s);
            self.forecast.learn(estimate, taken);
        }
        if let Fact::Integrated { .. } | Fact::AttemptEnded { .. } = entry.fact
            && let Some(attempt) = entry.attempt
        {
            self.submitted.remove(&attempt);
        }
    }

    fn running(&self) -> Vec<RunningSession> {
        self.sessions
            .iter()
            .map(|(id, session)| RunningSession {
                session: *id,
                feature: session.feature,
                since: session.since,
            })
            .collect()
    }

    /// The view of one feature, for the engine.
    fn node(&self, feature: FeatureId) -> Result<Event, StoreError> {
        Ok(Event::Features(self.store.nodes_of(&[feature])?))
    }

    /// Leaves nothing behind, whatever the outcome.
    async fn end(&mut self, outcome: &RunOutcome) {
        self.sessions.clear();
        // Bounded: what is not cleared away now is found and cleared away by the next start.
        drop(tokio::time::timeout(CHORES, async { while self.chores.join_next().await.is_some() {} }).await);
        prepare::sweep(&self.project, &[]).await;
        if let Err(error) = self.store.append(&Fact::RunEnded { result: outcome.clone() }) {
            tracing::error!("the end of the run cannot be recorded: {}", chain(&error));
        }
        self.catch_up();
        self.reporter.close();
    }
}

/// The answer that the engine gets when what it asked for could not even be tried: it waits for one, and would
/// otherwise wait for ever.
fn answer_of_a_failed(effect: &Effect) -> Option<Event> {
    match effect {
        Effect::Start { feature } => {
            Some(Event::StartFailed { feature: *feature, failure: StartFailure::Crashed })
        }
        Effect::Integrate { attempt, .. } => {
            let reason = "the store does not answer".to_owned();
            Some(Event::Integrated { attempt: *attempt, landing: Landing::Postponed { reason } })
        }
        Effect::EndAttempt { .. }
        | Effect::CloseBatches
        | Effect::StopSession { .. }
        | Effect::Reap
        | Effect::Finish(_) => None,
    }
}

/// The settings of the engine that a plan asks for.
fn settings(plan: &Plan) -> Settings {
    // Several minutes of a person's unsaved work on the main branch, as the waits grow.
    Settings { slots: plan.slots, batch: plan.batch, postponements: 10 }
}
