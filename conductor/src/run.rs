//! A run on this machine: the real ports, put together around the conductor.

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

use cogwork_process::contain;
use cogwork_process::git::Git;
use cogwork_schemas::{Isolation, RunOutcome, RunSettings};
use cogwork_session::clock::Clock;
use cogwork_session::{AgentSettings, AgentSpec, Environment, Programs, SessionLimits};
use cogwork_store::{AttemptLimits, NewRun, Store};
use jiff::SignedDuration;
use tokio::sync::mpsc::{self, Receiver};

use crate::conduct::{Conductor, Score, conduct};
use crate::engine::{SLOT_WAIT, Scope, Settings};
use crate::ledger::LedgerThread;
use crate::main_branch::{Checks, GitMain};
use crate::ports::{self, Deadlines, Input, Inputs, Moment, Ports, Readers};
use crate::prepare::{self, NotReady, Prepared};
use crate::run_lock::RunLock;
use crate::runner_processes::RunnerProcesses;
use crate::signals::Signals;
use crate::socket::CommandSocket;
use cogwork_session::clock;

/// Runners write a few lines per second. A full queue makes them wait, which is right: it means that this process
/// is busy, and their output is not lost.
const INPUTS: usize = 256;

/// A deadline that is noticed so much too late says that this process stood still: it was stopped, or the machine was.
const LATE: SignedDuration = SignedDuration::from_secs(1);
/// How long a process that stood still listens before it takes silence for silence. What was said waits in pipes.
const CATCH_UP: Duration = Duration::from_millis(200);

/// What a run is asked to do, resolved once.
#[derive(Debug, Clone)]
pub struct Plan {
    pub slots: usize,
    pub scope: Scope,
    /// How many features a session may have, one after the other.
    pub batch: u32,
    /// Agents try nothing out by themselves; the checks decide as ever.
    pub yolo: bool,
    pub agent: AgentSpec,
    pub script: Option<PathBuf>,
    pub isolation: Isolation,
    pub limits: AttemptLimits,
    pub session_limits: SessionLimits,
    pub settings: AgentSettings,
    pub pass_env: Vec<String>,
}

impl Plan {
    /// Returns the settings of the engine that this asks for.
    pub(crate) fn engine_settings(&self) -> Settings {
        // Several minutes of a person's unsaved work on the main branch, as the waits grow.
        Settings { slots: self.slots, batch: self.batch, postponements: 10, slot_wait: SLOT_WAIT }
    }

    /// Returns how long a claim holds without a sign of life.
    pub(crate) fn lease(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from(self.session_limits.lease_s))
    }

    fn score(&self, branch: String, base_commit: Option<String>) -> Score {
        let limits = &self.session_limits;
        Score {
            run: NewRun {
                process: contain::own_identity(),
                node: Some(contain::own_node()),
                settings: RunSettings {
                    agent: self.agent.to_string(),
                    slots: u32::try_from(self.slots).unwrap_or(u32::MAX),
                    isolation: self.isolation,
                    batch: Some(self.batch),
                },
                base_commit,
            },
            branch,
            role: self.scope.role,
            slots: self.slots,
            batch: self.batch,
            limits: self.limits,
            session_limit: SignedDuration::from_secs(
                i64::from(limits.max_session_s) + i64::from(limits.grace_s),
            ),
            lease: self.lease(),
        }
    }
}

/// Runs a project until the run is over, and returns how it ended.
///
/// The caller holds the project's lock, where the run says what holds it up and takes commands, and has made sure that
/// the agent can be started. The signals stay the caller's: one that comes when the run is over is for what is left.
///
/// # Errors
///
/// When the project is not in a state in which a run can begin.
pub async fn run(
    project: &Path,
    store: &Store,
    plan: &Plan,
    programs: Programs,
    readers: &mut dyn Readers,
    lock: &mut RunLock,
    signals: &mut Signals,
) -> Result<RunOutcome, NotReady> {
    let seen = store.last_seq()?;
    let (sender, received) = mpsc::channel(INPUTS);
    let environment = Environment::of_this_process();
    // What is asked from now on waits for the run.
    let mut socket = match CommandSocket::listen(&environment, sender.clone()) {
        Ok(socket) => {
            lock.show_socket(socket.path());
            Some(socket)
        }
        Err(error) => {
            readers.note(clock::now(), &format!("this run takes no commands but signals: {error}"));
            None
        }
    };
    let Prepared { resumed, steps, leftovers } = prepare::prepare(project, store, plan, readers).await?;
    let base = steps.as_ref().filter(|_| plan.isolation == Isolation::Workspace).map(|steps| steps.base());
    let branch = steps.as_ref().map_or_else(String::new, |steps| steps.branch().to_owned());
    let mut ledger = LedgerThread::start(project, clock::source(), seen, resumed.tokens, sender.clone())?;
    let mut runners =
        RunnerProcesses::new(project.to_owned(), plan.clone(), base, programs, environment, sender.clone());
    let checks = Checks::of_plan(project, plan)
        .await
        .map_err(|error| NotReady::new(cogwork_session::chain(&error)))?;
    let mut main = GitMain::new(steps, checks, sender);
    let clock = Clock::start();
    let mut inputs = Sources::new(received, signals, clock);
    let base_commit = Git::at(project).head().await.ok().flatten();
    let engine = resumed.engine.within(plan.scope.clone());
    let mut conductor = Conductor::new(plan.score(branch, base_commit), engine);
    conductor.clear_leftovers(leftovers);
    let mut ports = Ports {
        ledger: &mut ledger,
        runners: &mut runners,
        main: &mut main,
        readers,
        replies: &mut socket,
        signpost: lock,
        clock: &clock,
        inputs: &mut inputs,
    };
    let outcome = conduct(&mut conductor, resumed.events, &mut ports).await;
    drop((runners, main));
    prepare::sweep(project, &[]).await;
    Ok(outcome)
}

impl ports::Clock for Clock {
    fn now(&self) -> Moment {
        Moment { wall: Self::now(self), steady: self.steady() }
    }
}

/// Where the inputs of a real run come from. Signals first: whatever else there is to hear, a person is heard.
pub(crate) struct Sources<'run> {
    received: Receiver<Input>,
    signals: &'run mut Signals,
    clock: Clock,
    /// The deadlines that were late, and before which everything was heard.
    caught_up: Deadlines,
}

impl<'run> Sources<'run> {
    /// Hears these signals, and whatever comes through the channel.
    pub(crate) fn new(received: Receiver<Input>, signals: &'run mut Signals, clock: Clock) -> Self {
        Self { received, signals, clock, caught_up: Deadlines::default() }
    }

    async fn first(&mut self, deadlines: Deadlines) -> Input {
        tokio::select! {
            biased;
            signal = self.signals.next() => Input::Signal(signal),
            Some(input) = self.received.recv() => input,
            () = self.clock.until(deadlines.steady) => Input::Deadline,
            () = self.clock.until_wall(deadlines.wall) => Input::Deadline,
        }
    }

    /// Whether what ran out did so while this process could hear nothing, and it has not listened since.
    fn must_catch_up(&self, deadlines: Deadlines) -> bool {
        let is_late = deadlines.steady.is_some_and(|at| self.clock.steady().duration_since(at) > LATE);
        is_late && self.caught_up != deadlines
    }
}

impl Inputs for Sources<'_> {
    fn next(&mut self, deadlines: Deadlines) -> Pin<Box<dyn Future<Output = Input> + '_>> {
        Box::pin(async move {
            let input = self.first(deadlines).await;
            if !matches!(input, Input::Deadline) || !self.must_catch_up(deadlines) {
                return input;
            }
            // A run that was stopped by Ctrl-Z has not heard its runners, which were not stopped and are not silent.
            self.caught_up = deadlines;
            tokio::time::sleep(CATCH_UP).await;
            self.first(deadlines).await
        })
    }
}

#[cfg(test)]
mod tests {
    use cogwork_schemas::SessionId;

    use super::*;
    use crate::ports::Report;

    #[tokio::test]
    async fn a_run_that_stood_still_listens_before_it_takes_silence_for_silence() {
        let (sender, received) = mpsc::channel(INPUTS);
        let clock = Clock::start();
        let mut signals = Signals::new().unwrap();
        let mut sources = Sources::new(received, &mut signals, clock);
        let in_time = async move {
            for session in [1, 2].map(SessionId) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let report = Report::Gone { how: "exit 0".to_owned() };
                sender.send(Input::Runner { session, report }).await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        tokio::spawn(in_time);
        let deadlines =
            Deadlines { steady: Some(clock.steady() + SignedDuration::from_millis(100)), wall: None };
        tokio::task::yield_now().await;
        stand_still();
        for session in [1, 2] {
            let input = sources.next(deadlines).await;
            assert!(
                matches!(input, Input::Runner { session: SessionId(heard), .. } if heard == session),
                "{input:?}"
            );
        }
        assert!(matches!(sources.next(deadlines).await, Input::Deadline));
    }

    #[expect(clippy::disallowed_methods, reason = "a process that is stopped does nothing at all")]
    fn stand_still() {
        std::thread::sleep(Duration::from_millis(1_500));
    }
}
