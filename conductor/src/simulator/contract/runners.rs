//! The runners: processes that a shell plays, and the simulator's.

use std::path::PathBuf;

use cogwork_schemas::{
    AttemptId, FeatureId, ProcessIdentity, Role, RunnerEvent, RunnerMessage, SessionId, SessionOutcome,
};
use cogwork_session::{AgentSettings, AgentSpec, Environment, Programs, SessionLimits};
use cogwork_store::{NewSession, Secret};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::{self, Receiver};

use super::super::agents::Fate;
use super::super::world::{Happening, LEASE};
use super::{A_WHILE, Hears, SOON, Stage, hear_real, ready_feature};
use crate::ports::{Control, Input, Report, Runners, StartRunner};
use crate::{Plan, RunnerProcesses};

on_both!(
    Processes, Stage:
    a_runner_starts_speaks_and_is_gone,
    what_cannot_be_started_is_told_and_leaves_nothing,
    a_runner_that_is_told_to_stop_ends_in_order,
    a_runner_that_is_killed_says_nothing_more,
    a_stopped_process_hears_nothing_but_a_kill,
    a_runner_that_somebody_kills_is_gone_without_its_last_word,
    control_of_what_is_not_there_is_harmless,
    one_runner_does_not_hear_what_another_is_told,
);

/// What a stop takes.
const STOP: SignedDuration = SignedDuration::from_secs(5);

/// What a runner is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Will {
    /// It works until it is told to stop.
    Work,
    /// It ends by itself, soon.
    End,
    /// It cannot be started.
    NotStart,
}

/// A project with runners.
trait Rig: Hears {
    async fn new() -> Self;
    fn runners(&mut self) -> &mut dyn Runners;
    /// Returns a runner that is to be started next.
    fn runner(&mut self, will: Will) -> StartRunner;
    /// Waits until a runner that has started can hear what it is told.
    async fn listens(&mut self, session: SessionId);
    /// Lets somebody stop the process of a runner: SIGSTOP.
    fn freeze(&mut self, runner: &Running);
    /// Lets somebody kill the process of a runner, and nothing else: SIGKILL.
    fn kill_from_outside(&mut self, runner: &Running);
    /// Returns how many processes of a runner are there.
    fn alive(&mut self, runner: &Running) -> usize;
}

/// A runner that has said that it is there.
struct Running {
    session: SessionId,
    process: ProcessIdentity,
}

async fn a_runner_starts_speaks_and_is_gone(rig: &mut impl Rig) {
    let runner = started(rig, Will::End).await;
    let (said, _) = until_gone(rig, &runner).await;
    assert!(matches!(said.last(), Some(RunnerEvent::Ended { .. })), "{said:?}");
    silent(rig).await;
}

async fn what_cannot_be_started_is_told_and_leaves_nothing(rig: &mut impl Rig) {
    let start = rig.runner(Will::NotStart);
    rig.runners().start(&start);
    let report = report(rig, start.session).await;
    assert!(matches!(report, Report::NotStarted { .. }), "{report:?}");
    for control in [Control::Stop, Control::Kill] {
        rig.runners().control(start.session, control);
    }
    silent(rig).await;
}

async fn a_runner_that_is_told_to_stop_ends_in_order(rig: &mut impl Rig) {
    let runner = started(rig, Will::Work).await;
    // Whoever is told twice ends once.
    rig.runners().control(runner.session, Control::Stop);
    rig.runners().control(runner.session, Control::Stop);
    let (said, _) = until_gone(rig, &runner).await;
    assert!(matches!(said.last(), Some(RunnerEvent::Ended { .. })), "{said:?}");
    silent(rig).await;
}

async fn a_runner_that_is_killed_says_nothing_more(rig: &mut impl Rig) {
    let runner = started(rig, Will::Work).await;
    rig.runners().control(runner.session, Control::Kill);
    rig.runners().control(runner.session, Control::Kill);
    let (said, how) = until_gone(rig, &runner).await;
    assert!(!said.iter().any(|event| matches!(event, RunnerEvent::Ended { .. })), "{said:?}");
    assert!(how.contains("signal 9"), "{how}");
    assert_eq!(rig.alive(&runner), 0);
    silent(rig).await;
}

async fn a_stopped_process_hears_nothing_but_a_kill(rig: &mut impl Rig) {
    let runner = started(rig, Will::Work).await;
    rig.freeze(&runner);
    rig.runners().control(runner.session, Control::Stop);
    silent_for(rig, STOP).await;
    rig.runners().control(runner.session, Control::Kill);
    let (said, how) = until_gone(rig, &runner).await;
    assert_eq!(said, Vec::new());
    assert!(how.contains("signal 9"), "{how}");
    assert_eq!(rig.alive(&runner), 0);
    silent(rig).await;
}

async fn a_runner_that_somebody_kills_is_gone_without_its_last_word(rig: &mut impl Rig) {
    let runner = started(rig, Will::Work).await;
    rig.kill_from_outside(&runner);
    let (said, how) = until_gone(rig, &runner).await;
    assert!(!said.iter().any(|event| matches!(event, RunnerEvent::Ended { .. })), "{said:?}");
    assert!(how.contains("signal"), "{how}");
    silent(rig).await;
}

async fn control_of_what_is_not_there_is_harmless(rig: &mut impl Rig) {
    for control in [Control::Stop, Control::Kill] {
        rig.runners().control(SessionId(77), control);
    }
    let runner = started(rig, Will::End).await;
    until_gone(rig, &runner).await;
    for control in [Control::Stop, Control::Kill] {
        rig.runners().control(runner.session, control);
    }
    silent(rig).await;
}

async fn one_runner_does_not_hear_what_another_is_told(rig: &mut impl Rig) {
    let (first, second) = (started(rig, Will::Work).await, started(rig, Will::Work).await);
    rig.runners().control(first.session, Control::Kill);
    until_gone(rig, &first).await;
    silent(rig).await;
    assert!(rig.alive(&second) > 0);
    rig.runners().control(second.session, Control::Stop);
    until_gone(rig, &second).await;
}

/// Starts a runner, and hears first of all that it is there.
async fn started(rig: &mut impl Rig, will: Will) -> Running {
    let start = rig.runner(will);
    rig.runners().start(&start);
    let report = report(rig, start.session).await;
    let Report::Started { process } = report else { panic!("{report:?} before it is there") };
    rig.listens(start.session).await;
    Running { session: start.session, process }
}

async fn report(rig: &mut impl Rig, of: SessionId) -> Report {
    loop {
        match rig.hear(SOON).await {
            // Any runner gives a sign of life at any time, and the simulated ones write into the simulated ledger.
            Some(Input::Runner { report: Report::Said(RunnerEvent::Alive), .. } | Input::Changes(_)) => {}
            Some(Input::Runner { session, report }) => {
                assert_eq!(session, of);
                return report;
            }
            other => panic!("{other:?} instead of a report of {of}"),
        }
    }
}

/// Hears a runner until it is gone; returns what it said but for signs of life, and how it went.
async fn until_gone(rig: &mut impl Rig, runner: &Running) -> (Vec<RunnerEvent>, String) {
    let mut said = Vec::new();
    loop {
        match report(rig, runner.session).await {
            Report::Said(event) => said.push(event),
            Report::Gone { how } => return (said, how),
            report @ (Report::Started { .. } | Report::NotStarted { .. }) => {
                panic!("{report:?} of a runner that is there")
            }
        }
    }
}

/// Makes sure that nothing is heard of any runner.
async fn silent(rig: &mut impl Rig) {
    silent_for(rig, A_WHILE).await;
}

async fn silent_for(rig: &mut impl Rig, time: SignedDuration) {
    while let Some(input) = rig.hear(time).await {
        let is_nothing = match &input {
            Input::Changes(_) => true,
            Input::Runner { report, .. } => *report == Report::Said(RunnerEvent::Alive),
            Input::Signal(_)
            | Input::Command { .. }
            | Input::Ledger { .. }
            | Input::LedgerLost { .. }
            | Input::Main { .. }
            | Input::Deadline => false,
        };
        assert!(is_nothing, "{input:?}");
    }
}

/// Real runners, played by a shell.
struct Processes {
    home: tempfile::TempDir,
    runners: RunnerProcesses,
    inputs: Receiver<Input>,
    last: i64,
}

impl Processes {
    fn script(&self) -> PathBuf {
        self.home.path().join("runner")
    }

    fn signal(runner: &Running, signal: &str) {
        #[expect(clippy::disallowed_methods, reason = "a person, who knows nothing of the crate `process`")]
        let mut kill = std::process::Command::new("kill");
        assert!(kill.args([signal, &runner.process.pid.to_string()]).status().unwrap().success());
    }
}

impl Hears for Processes {
    async fn hear(&mut self, within: SignedDuration) -> Option<Input> {
        hear_real(&mut self.inputs, within).await
    }
}

impl Rig for Processes {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let script = home.path().join("runner");
        let (sender, inputs) = mpsc::channel(256);
        let plan = Plan {
            slots: 1,
            scope: crate::engine::Scope::default(),
            agent: AgentSpec::Scripted,
            script: None,
            isolation: cogwork_schemas::Isolation::Workspace,
            batch: 1,
            yolo: false,
            limits: cogwork_store::AttemptLimits::default(),
            session_limits: SessionLimits::default(),
            settings: AgentSettings::default(),
            pass_env: Vec::new(),
        };
        let programs = Programs { mcp: Vec::new(), agent: vec![script.into()] };
        let environment = Environment::of_this_process();
        let runners = RunnerProcesses::new(home.path().to_owned(), plan, None, programs, environment, sender);
        Self { home, runners, inputs, last: 0 }
    }

    fn runners(&mut self) -> &mut dyn Runners {
        &mut self.runners
    }

    fn runner(&mut self, will: Will) -> StartRunner {
        self.last += 1;
        let session = SessionId(self.last);
        let says = |event| {
            let message = RunnerMessage { at: Timestamp::UNIX_EPOCH, session, event };
            format!("echo '{}'\n", serde_json::to_string(&message).unwrap())
        };
        let ended = says(RunnerEvent::Ended {
            outcome: SessionOutcome::Stopped,
            agent_ms: 1,
            reason: None,
            confirmed: false,
        });
        let waits = match will {
            // It hears the line, as a runner does. Beside it something works that it started.
            Will::Work => "sleep 60 >/dev/null 2>&1 &\nread line\nkill $!\n",
            Will::End => "sleep 0.1\n",
            Will::NotStart => "",
        };
        let text = format!("#!/bin/sh\ntrap '' TERM INT\n{}{waits}{ended}", says(RunnerEvent::Alive));
        std::fs::write(self.script(), text).unwrap();
        let mode = if will == Will::NotStart { 0o600 } else { 0o700 };
        let permissions = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(self.script(), permissions).unwrap();
        let attempt = AttemptId(self.last);
        let token = Secret::known(format!("of {session}")).token(attempt);
        StartRunner { session, feature: FeatureId(1), attempt, token }
    }

    async fn listens(&mut self, of: SessionId) {
        let alive = Report::Said(RunnerEvent::Alive);
        loop {
            let input = self.hear(SOON).await;
            let Some(Input::Runner { session, report }) = input else { panic!("{input:?}") };
            if session == of && report == alive {
                return;
            }
        }
    }

    fn freeze(&mut self, runner: &Running) {
        Self::signal(runner, "-STOP");
    }

    fn kill_from_outside(&mut self, runner: &Running) {
        Self::signal(runner, "-KILL");
    }

    fn alive(&mut self, runner: &Running) -> usize {
        let marker = cogwork_session::marker(self.home.path(), runner.session);
        cogwork_process::contain::marked(&marker).len()
    }
}

impl Rig for Stage {
    async fn new() -> Self {
        Self::set()
    }

    fn runners(&mut self) -> &mut dyn Runners {
        &mut self.port
    }

    fn runner(&mut self, will: Will) -> StartRunner {
        self.world(|world| {
            let hour = 3_600_000;
            let runner = match will {
                Will::Work => Some((Fate::Fails, hour)),
                Will::End => Some((Fate::Fails, 100)),
                Will::NotStart => None,
            };
            world.staged.as_mut().unwrap().runner = runner;
            let feature = ready_feature(&world.store);
            let new = NewSession::new(Role::Coding, "simulated", cogwork_schemas::Isolation::Workspace);
            let secret = Secret::known(format!("of {feature}"));
            let claim = world.store.claim(feature, &new, &secret, LEASE).unwrap();
            StartRunner { session: claim.session, feature, attempt: claim.attempt, token: claim.token }
        })
    }

    async fn listens(&mut self, _: SessionId) {}

    fn freeze(&mut self, runner: &Running) {
        self.world(|world| world.agents.get_mut(&runner.session).unwrap().fate = Fate::Hangs);
    }

    fn kill_from_outside(&mut self, runner: &Running) {
        self.world(|world| {
            world.agents.get_mut(&runner.session).unwrap().fate = Fate::LosesItsRunner;
            world.later(1, Happening::AgentActs(runner.session));
        });
    }

    fn alive(&mut self, runner: &Running) -> usize {
        self.world(|world| usize::from(world.agents.contains_key(&runner.session)))
    }
}
