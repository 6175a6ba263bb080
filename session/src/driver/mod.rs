//! The shell around the session machine: it turns the world into events and effects into deeds.
//!
//! One session at a time, on one thread. It owns what is alive of a session: the work under way (preparing or
//! judging), the renewal under way and the agent's process. It talks to the store under the attempt's token and to whoever listens through
//! a [`Report`](crate::report::Report). It decides nothing that the machine could.

mod clean;
pub(crate) mod close;
mod doing;
mod job;
mod judge;
mod last_words;
mod launch;
mod meter;
mod open;
pub(crate) mod patient;
mod prepare;
mod renewal;
mod setback;
mod tools;

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use cogwork_process::contain::{self, Asking, Contained, Output};
use cogwork_process::git::snapshot::Snapshots;
use cogwork_schemas::{AgentEvent, AttemptId, Isolation, ProcessIdentity, RunnerEvent, SessionOutcome};
use cogwork_store::{StoreError, snapshot_dir, workspace_dir};
use jiff::Timestamp;

use crate::agent::{Backend, Heard};
use crate::clock::Clock;
use crate::inbox::Inbox;
use crate::machine::{Death, Effect, Ending, Event, Exit, Patience, Record, Recorder, Session};
use crate::report::bounded;

use clean::Clean;
use close::End;
use doing::{Doing, Telling, next_told};
pub use job::{Claimed, Job, Task, World};
use judge::Verdict;
use last_words::LastWords;
use meter::Meter;
pub use patient::PatientStore;
use prepare::{Prepared, Wants};
use renewal::{Renewal, next_renewed};
use setback::Setback;
pub use setback::Unrecorded;
pub use tools::chain;

/// How much longer than the machine's own patience the crate `process` waits before it kills by itself: never, as
/// long as the machine works.
const SAFETY: Duration = Duration::from_secs(60);

/// A piece of work under way, beside which the session stays awake.
type Work<'a> = Pin<Box<dyn Future<Output = Result<Done, Setback>> + 'a>>;

enum Done {
    /// What the last life left behind is gone.
    Cleared,
    Prepared(Box<Prepared>),
    Judged(Verdict),
}

/// Runs one session to its end, and returns how it ended. When this returns, no process of it is left.
///
/// # Errors
/// When the state of the project cannot be read or written, and no waiting has helped.
pub async fn run(
    world: World<'_>,
    backend: Box<dyn Backend>,
    inbox: &mut Inbox,
) -> Result<SessionOutcome, Unrecorded> {
    let process = contain::started_identity();
    let mut driver = Driver::new(world, backend, process.clone());
    world.report.tell(world.clock.now(), RunnerEvent::Up { process });
    let result = driver.drive(inbox).await;
    (driver.agent, driver.work, driver.renewal) = (None, None, None);
    let left = contain::kill_descendants().await;
    if !left.is_empty() {
        tracing::error!("processes that cannot be killed are left: {left:?}");
    }
    let Job { session, project, isolation, .. } = world.job;
    let unrecorded = |source| {
        let workspace = match isolation {
            Isolation::Workspace => workspace_dir(project, *session),
            Isolation::Shared => project.clone(),
        };
        Unrecorded { session: *session, workspace, source }
    };
    if *isolation == Isolation::Shared {
        driver.leave_project().await;
    }
    let (outcome, agent_ms) = result.map_err(unrecorded)?;
    let outcome = clean::outcome(world.report.secrets(), outcome);
    let is_refused = matches!(driver.verdict, Some(Verdict::NotSubmitted { .. })) && !driver.is_claim_lost;
    let words = is_refused.then_some(driver.words);
    close::record(world, inbox, End { outcome: &outcome, agent_ms, words, usage: driver.doing.usage() })
        .await
        .map_err(unrecorded)?;
    let reason = match &driver.verdict {
        Some(Verdict::NotSubmitted { reason }) => reason.clone(),
        Some(Verdict::SubmittedByAgent | Verdict::Green | Verdict::Confirmed) | None => None,
    };
    if let Some(event) = driver.meter.last() {
        world.report.tell(world.clock.now(), event);
    }
    let confirmed = driver.verdict == Some(Verdict::Confirmed) && outcome == SessionOutcome::Completed;
    let ended = RunnerEvent::Ended { outcome: outcome.clone(), agent_ms, reason, confirmed };
    world.report.tell(world.clock.now(), ended);
    Ok(outcome)
}

struct Driver<'a> {
    world: World<'a>,
    backend: Box<dyn Backend>,
    machine: Session,
    recorder: Recorder,
    meter: Meter,
    prepared: Option<Box<Prepared>>,
    work: Option<Work<'a>>,
    renewal: Option<Renewal<'a>>,
    doing: Doing,
    telling: Option<Telling<'a>>,
    agent: Option<Contained>,
    /// What it takes for a request to end.
    asking: Asking,
    /// How much the agent had printed when last looked at.
    bytes_seen: u64,
    clean: Clean,
    verdict: Option<Verdict>,
    /// When the present wait is over, by the clock on the wall.
    wait_until: Option<Timestamp>,
    is_claim_lost: bool,
    /// The newest attempt of the session that is known here.
    newest: Option<AttemptId>,
    words: LastWords,
    events: VecDeque<Event>,
}

impl<'a> Driver<'a> {
    fn new(world: World<'a>, backend: Box<dyn Backend>, process: ProcessIdentity) -> Self {
        let seed = world.job.session.0.unsigned_abs();
        let (limits, policy) = (world.job.limits.durations(), world.job.limits.policy());
        let began = world.clock.steady();
        world.report.step(&Record::begin(began, limits, policy, seed));
        let wants = Wants { env: backend.wanted_env(), token: backend.needs_token() };
        Self {
            machine: Session::new(began, limits, Patience::new(policy, seed)),
            recorder: Recorder::default(),
            meter: Meter::new(began, limits.max_memory.is_some()),
            work: Some(Box::pin(async move {
                open::report_up(world, &process).await?;
                open::prune(world);
                prepare::prepare(world, wants).await.map(Done::Prepared)
            })),
            renewal: None,
            doing: Doing::default(),
            telling: None,
            world,
            backend,
            prepared: None,
            agent: None,
            asking: Asking::Terminate,
            bytes_seen: 0,
            clean: Clean::default(),
            verdict: None,
            wait_until: None,
            is_claim_lost: false,
            newest: world.job.claimed().map(|claimed| claimed.attempt),
            words: LastWords::new(),
            events: VecDeque::new(),
        }
    }

    /// Leaves the project itself. What is not committed of the work is noted for the next session there.
    async fn leave_project(&self) {
        let own = snapshot_dir(&self.world.job.project, self.world.job.session);
        let project = &self.world.job.project;
        let left = async { Snapshots::open(&own, project, project, "HEAD").await?.end_in_project().await };
        // What it was prepared with may be in use elsewhere by now.
        let stays = Snapshots::began_in_project(&own)
            && left.await.unwrap_or_else(|error| {
                tracing::warn!("what is left in the project is not known: {}", chain(&error));
                true
            });
        if !stays {
            drop(std::fs::remove_dir_all(&own));
        }
    }

    async fn drive(&mut self, inbox: &mut Inbox) -> Result<(SessionOutcome, u64), StoreError> {
        loop {
            let event = match self.events.pop_front() {
                Some(event) => event,
                None => match self.wait(inbox).await? {
                    Some(event) => event,
                    None => continue,
                },
            };
            for effect in self.step(event) {
                if let Some(end) = self.perform(effect)? {
                    return Ok(end);
                }
            }
        }
    }

    fn step(&mut self, event: Event) -> Vec<Effect> {
        let now = self.world.clock.steady();
        let effects = self.machine.step(now, event.clone());
        for record in self.recorder.step(now, event, &effects) {
            self.world.report.step(&record);
        }
        debug_assert!(self.machine.fault().is_none(), "{:?}: {:?}", self.machine.fault(), self.machine);
        effects
    }

    /// Waits until something happens. What is urgent comes first: an agent that floods cannot hold up the rest.
    async fn wait(&mut self, inbox: &mut Inbox) -> Result<Option<Event>, StoreError> {
        let (deadline, reading) = (self.machine.next_deadline(), self.meter.next());
        tokio::select! {
            biased;
            event = inbox.next() => Ok(Some(event)),
            () = self.world.clock.until(deadline) => {
                self.notice_bytes();
                self.events.push_back(Event::Deadline);
                Ok(None)
            }
            () = self.world.clock.until(reading) => Ok(self.read_meter()),
            renewed = next_renewed(&mut self.renewal) => {
                self.renewal = None;
                self.on_renewed(renewed)
            }
            told = next_told(&mut self.telling) => {
                self.telling = None;
                if let Err(error) = told {
                    tracing::debug!("what the session does is told the next time: {}", chain(&error));
                }
                Ok(None)
            }
            done = next_done(&mut self.work) => {
                self.work = None;
                self.on_done(done)
            }
            () = self.world.clock.until_wall(self.wait_until) => {
                self.wait_until = None;
                Ok(Some(Event::WaitOver))
            }
            output = next_output(&mut self.agent) => Ok(self.on_output(output)),
        }
    }

    fn read_meter(&mut self) -> Option<Event> {
        let shown = self.meter.read(self.world.clock.steady())?;
        if let Some(event) = shown.event {
            self.world.report.tell(self.world.clock.now(), event);
        }
        self.world.job.limits.memory_limit_mb.map(|_| Event::Memory { bytes: shown.bytes })
    }

    /// A program that prints dots and never ends a line is alive, too.
    fn notice_bytes(&mut self) {
        let bytes = self.agent.as_ref().map_or(0, Contained::bytes_read);
        if bytes > self.bytes_seen {
            self.bytes_seen = bytes;
            self.events.push_back(Event::AgentOutput);
        }
    }

    fn on_done(&mut self, done: Result<Done, Setback>) -> Result<Option<Event>, StoreError> {
        Ok(Some(match done {
            Ok(Done::Prepared(prepared)) => {
                self.prepared = Some(prepared);
                Event::Prepared
            }
            Ok(Done::Judged(verdict)) => {
                self.verdict = Some(verdict);
                Event::Judged
            }
            Ok(Done::Cleared) => return Ok(None),
            Err(Setback::NotPossible(reason)) => Event::NotPrepared { reason },
            Err(Setback::Stale) => {
                self.is_claim_lost = true;
                Event::LeaseLost
            }
            Err(Setback::Broken(error)) => return Err(error),
        }))
    }

    fn on_output(&mut self, output: Output) -> Option<Event> {
        match output {
            Output::Stdout(line) => {
                // Before it is understood: what is made of it is clean, too.
                let line = self.clean.stdout(self.world.report.secrets(), line);
                let heard = self.backend.read(line);
                self.on_heard(heard);
            }
            Output::Stderr(line) => {
                let line = self.clean.stderr(self.world.report.secrets(), line);
                let heard = self.backend.read_stderr(line);
                self.on_heard(heard);
            }
            Output::Ended(exit) => {
                if let Some(rest) = self.clean.rest(self.world.report.secrets()) {
                    self.tell(rest);
                }
                return Some(Event::AgentExited(self.death(exit)));
            }
        }
        // Or the next look would take what has just been heard for news.
        self.bytes_seen = self.agent.as_ref().map_or(0, Contained::bytes_read);
        Some(Event::AgentOutput)
    }

    fn on_heard(&mut self, heard: Heard) {
        let Heard { events, hopeless, say, is_over } = heard;
        for event in events {
            self.events.extend(sign(&event));
            self.words.hear(&event);
            self.doing.hear(&event);
            if self.backend.writes_in_pieces() {
                for event in self.clean.told(self.world.report.secrets(), event) {
                    self.tell(event);
                }
            } else {
                self.tell(event);
            }
        }
        self.events.extend(hopeless.map(|outcome| Event::AgentHopeless { outcome }));
        let grace = self.grace();
        if let Some(agent) = &mut self.agent {
            for line in say {
                // One that leaves megabytes unread hears no more, and is noticed by its silence.
                agent.say(format!("{line}\n").as_bytes());
            }
            if is_over {
                agent.end_input();
                agent.ask_to_end(self.asking, grace);
            }
        }
    }

    /// How long the agent may take to end before the crate `process` kills it by itself.
    fn grace(&self) -> Duration {
        Duration::from_secs(u64::from(self.world.job.limits.grace_s)) + SAFETY
    }

    fn tell(&self, event: AgentEvent) {
        self.world.report.tell(self.world.clock.now(), RunnerEvent::Agent { event: bounded(event) });
    }

    fn death(&mut self, exit: contain::Exit) -> Death {
        let stderr_tail = self.agent.take().map(|agent| agent.stderr_tail()).unwrap_or_default();
        let stderr_tail = self.world.report.secrets().redact_tail(stderr_tail);
        let ending = match exit {
            contain::Exit::Code(code) => Ending::Code(code),
            contain::Exit::Signal(signal) => Ending::Signal(signal),
        };
        let wall = self.world.clock.now();
        let outcome = self.backend.outcome(&Exit { ending, stderr_tail }, wall, &Clock::zone());
        Death { outcome, can_resume: self.backend.can_resume(), wall }
    }

    /// Does what the machine asks for; returns the end when that is what it is.
    fn perform(&mut self, effect: Effect) -> Result<Option<(SessionOutcome, u64)>, StoreError> {
        match effect {
            Effect::Start { resumes } => self.start(resumes),
            Effect::Wait { until, because } => {
                self.doing.waits(until, because.clone());
                self.tell_doing();
                let event = RunnerEvent::Waiting { until, because };
                self.world.report.tell(self.world.clock.now(), event);
                self.wait_until = Some(until);
                self.work = Some(Box::pin(async {
                    contain::kill_descendants().await;
                    Ok(Done::Cleared)
                }));
            }
            Effect::Terminate => self.terminate(),
            Effect::Kill => {
                if let Some(agent) = &mut self.agent {
                    agent.kill();
                }
            }
            Effect::Abandon => self.work = None,
            Effect::Judge(depth) => {
                self.wait_until = None;
                let (world, prepared) = (self.world, self.prepared.take());
                self.work =
                    Some(Box::pin(
                        async move { judge::judge(world, prepared, depth).await.map(Done::Judged) },
                    ));
            }
            Effect::Renew => self.renew(),
            Effect::Finish { outcome, agent_ms } => return Ok(Some((outcome, agent_ms))),
        }
        Ok(None)
    }

    /// Asks the agent to end, in its own language where it has one.
    fn terminate(&mut self) {
        let grace = self.grace();
        let Some(agent) = &mut self.agent else {
            return;
        };
        let said = self.backend.farewell().is_some_and(|line| agent.say(format!("{line}\n").as_bytes()));
        if !said {
            agent.ask_to_end(self.asking, grace);
        }
    }

    fn start(&mut self, resumes: bool) {
        // The machine asks for an agent after the preparation, and never after the judging.
        let Some(prepared) = &self.prepared else {
            return;
        };
        let World { job, confinement, .. } = self.world;
        let launched = launch::launch(job, confinement, prepared, self.backend.as_mut(), resumes);
        let (asking, spawn) = match launched {
            Ok(spawn) => spawn,
            Err(reason) => {
                self.events.push_back(Event::AgentNotStarted { reason });
                return;
            }
        };
        self.asking = asking;
        self.events.push_back(match spawn.start() {
            Ok(agent) => {
                let process = agent.identity().clone();
                self.world.report.tell(self.world.clock.now(), RunnerEvent::AgentStarted { process });
                self.agent = Some(agent);
                self.doing.begins_life();
                self.meter.soon(self.world.clock.steady());
                Event::AgentStarted
            }
            Err(error) => Event::AgentNotStarted { reason: chain(&error) },
        });
        self.tell_doing();
    }
}

/// Returns what an event is a sign of, beyond life.
fn sign(event: &AgentEvent) -> Option<Event> {
    match event {
        AgentEvent::Text { .. } | AgentEvent::ToolCall { .. } | AgentEvent::ToolResult { .. } => {
            Some(Event::AgentProgress)
        }
        AgentEvent::Result { .. } => Some(Event::AgentResult),
        AgentEvent::Started { .. }
        | AgentEvent::Retrying { .. }
        | AgentEvent::Allowance { .. }
        | AgentEvent::Usage { .. }
        | AgentEvent::Other { .. } => None,
    }
}

async fn next_done(work: &mut Option<Work<'_>>) -> Result<Done, Setback> {
    match work {
        Some(work) => work.await,
        None => std::future::pending().await,
    }
}

async fn next_output(agent: &mut Option<Contained>) -> Output {
    match agent {
        Some(agent) => agent.next().await,
        None => std::future::pending().await,
    }
}
