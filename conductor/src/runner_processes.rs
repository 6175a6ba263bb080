//! The real runners: processes, their lines, and the two ways to end one.
//!
//! Each has a task that listens to it, on the thread of the run. The conductor sets the deadlines; here is only what a
//! process needs to be started, told and cleared away.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cogwork_process::contain::{self, Bond, Contained, Output, Spawn, Stdin, Sweep};
use cogwork_schemas::{self as schemas, RunnerEvent, RunnerMessage, SessionId};
use cogwork_session::{Environment, Programs, SessionCommand, chain, marker};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::ChildStdin;
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::ports::{Control, Input, Report, Runners, StartRunner};
use crate::run::Plan;

/// Room for a stop and a kill.
const CONTROLS: usize = 4;
/// A runner that was told to stop is killed by this process, should the conductor forget it.
const LAST_RESORT: Duration = Duration::from_secs(120);

/// The runners of one project, as a port.
pub struct RunnerProcesses {
    project: PathBuf,
    plan: Plan,
    /// The commit that workspaces start from; `None` for what is checked out in the project.
    base: Option<String>,
    programs: Programs,
    environment: Environment,
    inputs: Sender<Input>,
    controls: BTreeMap<SessionId, Sender<Control>>,
}

impl RunnerProcesses {
    /// Reports to `inputs`. Dropped, it ends every runner that it has started.
    pub fn new(
        project: PathBuf,
        plan: Plan,
        base: Option<String>,
        programs: Programs,
        environment: Environment,
        inputs: Sender<Input>,
    ) -> Self {
        Self { project, plan, base, programs, environment, inputs, controls: BTreeMap::new() }
    }

    fn command(&self, start: &StartRunner) -> SessionCommand {
        SessionCommand {
            project: self.project.clone(),
            session: start.session,
            feature: start.feature,
            token: start.token.clone(),
            role: self.plan.scope.role,
            agent: self.plan.agent.clone(),
            script: self.plan.script.clone(),
            isolation: self.plan.isolation,
            base: self.base.clone(),
            batch: self.plan.batch,
            yolo: self.plan.yolo,
            attempts: self.plan.limits.attempts,
            limits: self.plan.session_limits.clone(),
            settings: self.plan.settings.clone(),
            pass_env: self.plan.pass_env.clone(),
        }
    }
}

impl Runners for RunnerProcesses {
    fn start(&mut self, start: &StartRunner) {
        let command = self.command(start);
        let mut argv = command.argv(&self.programs).into_iter();
        let mut spawn = Spawn::new(argv.next().unwrap_or_default(), &command.project);
        spawn.args = argv.collect();
        spawn.env = command.env(&self.environment);
        spawn.stdin = Stdin::Piped;
        spawn.bond = Bond::Asked;
        let voice = Voice { session: start.session, inputs: self.inputs.clone() };
        match spawn.start() {
            Ok(runner) => {
                let (controls, received) = mpsc::channel(CONTROLS);
                self.controls.insert(start.session, controls);
                let marker = marker(&self.project, start.session);
                tokio::spawn(async move {
                    voice.tell(Report::Started { process: runner.identity().clone() }).await;
                    listen(runner, marker, received, &voice).await;
                });
            }
            Err(error) => {
                let reason = chain(&error);
                tokio::spawn(async move { voice.tell(Report::NotStarted { reason }).await });
            }
        }
    }

    fn control(&mut self, session: SessionId, control: Control) {
        if let Some(controls) = self.controls.get(&session) {
            // A runner that is gone hears nothing and needs nothing.
            let _: Result<(), _> = controls.try_send(control);
        }
    }
}

/// How what is heard of one runner is passed on.
struct Voice {
    session: SessionId,
    inputs: Sender<Input>,
}

impl Voice {
    async fn tell(&self, report: Report) {
        // Only a run that is over closes the channel; then nobody wants to know.
        drop(self.inputs.send(Input::Runner { session: self.session, report }).await);
    }
}

/// Passes on what a runner says until it is gone, and all that it has started.
async fn listen(mut runner: Contained, marker: String, mut controls: Receiver<Control>, voice: &Voice) {
    let mut stdin = runner.take_stdin();
    let (mut is_heard, mut has_reported) = (true, false);
    loop {
        let output = tokio::select! {
            output = runner.next() => output,
            control = controls.recv(), if is_heard => {
                match control {
                    Some(Control::Stop) => stop(&mut runner, stdin.take()).await,
                    Some(Control::Kill) => runner.kill(),
                    // The run has forgotten it: it is over.
                    None => {
                        is_heard = false;
                        stop(&mut runner, stdin.take()).await;
                    }
                }
                continue;
            }
        };
        match output {
            Output::Stdout(line) => match serde_json::from_str::<RunnerMessage>(&line.text) {
                Ok(message) => {
                    has_reported |= matches!(message.event, RunnerEvent::Ended { .. });
                    voice.tell(Report::Said(message.event)).await;
                }
                Err(error) => {
                    tracing::warn!("session {} wrote a line that is no message: {error}", voice.session);
                }
            },
            Output::Stderr(line) => tracing::info!("session {}: {}", voice.session, line.text),
            Output::Ended(exit) => {
                let tail = runner.stderr_tail();
                let last = tail.trim().lines().last().map_or_else(String::new, |line| format!(": {line}"));
                if !has_reported {
                    contain::sweep(&Sweep { markers: vec![marker], ..Sweep::default() }).await;
                }
                voice.tell(Report::Gone { how: format!("{exit}{last}") }).await;
                return;
            }
        }
    }
}

/// Asks a runner to end: by a line, by the end of its stdin for one that did not read the line, and by a signal.
async fn stop(runner: &mut Contained, stdin: Option<ChildStdin>) {
    if let Some(mut stdin) = stdin
        && let Ok(mut line) = serde_json::to_vec(&schemas::Control::Stop)
    {
        line.push(b'\n');
        // The pipe has room for one line, unless the runner hangs; nothing may wait for that.
        drop(tokio::time::timeout(Duration::from_millis(100), stdin.write_all(&line)).await);
    }
    runner.interrupt(LAST_RESORT);
}
