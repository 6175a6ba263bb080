//! The program under test, started as a person or an orchestrator starts it, and the processes around it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use cogwork_process::contain;
use cogwork_schemas::{RunnerEvent, RunnerMessage, SessionOutcome};
use cogwork_session::{Environment, Programs, SessionCommand};

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn binary() -> &'static str {
    env!("CARGO_BIN_EXE_cogwork-runner")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is no program of Cogwork: it starts them as a user does"
)]
fn command(program: impl AsRef<OsStr>) -> Command {
    Command::new(program)
}

/// Runs a shell command to its end.
pub(crate) fn shell(dir: &Path, text: &str) -> Output {
    command("sh").arg("-c").arg(text).current_dir(dir).output().unwrap()
}

pub(crate) fn signal(name: &str, pid: u32) {
    assert!(shell(Path::new("/"), &format!("kill -{name} {pid}")).status.success());
}

/// Returns the runner below the warden, which is what was started.
pub(crate) fn below_warden(warden: u32) -> u32 {
    let warden = i32::try_from(warden).unwrap();
    let mut runner = None;
    let program = |pid: i32| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    until("the warden has a runner", || {
        let mut below = contain::descendants(warden).into_iter();
        runner = below.find(|pid| program(*pid) == program(warden) && parent(*pid) == Some(warden));
        runner.is_some()
    });
    u32::try_from(runner.unwrap()).unwrap()
}

fn parent(pid: i32) -> Option<i32> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// Waits until something is so.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..PATIENCE.as_millis() / 10 {
        if is_so() {
            return;
        }
        #[expect(clippy::disallowed_methods, reason = "a test waits for other processes")]
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not so after {PATIENCE:?}: {what}");
}

/// Waits for a file that an agent writes with its pid in it.
pub(crate) fn pid_in(path: &Path) -> i32 {
    let mut pid = None;
    until(&format!("a pid in {}", path.display()), || {
        pid = std::fs::read_to_string(path).ok().and_then(|text| text.trim().parse().ok());
        pid.is_some()
    });
    pid.unwrap()
}

pub(crate) fn is_alive(pid: i32) -> bool {
    contain::identity(pid).is_some()
}

/// What the lone agent said and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The lone agent on a project.
pub(crate) fn lone(program: impl AsRef<OsStr>, project: &Path, args: &[&str]) -> Command {
    let mut command = command(program);
    command.arg("--project-dir").arg(project).args(args);
    command.env_remove("COGWORK_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The reader of journals on a project.
pub(crate) fn logs(program: impl AsRef<OsStr>, project: &Path, args: &[&str]) -> Command {
    let mut command = command(program);
    command.arg("logs").args(args).arg("--project-dir").arg(project);
    command.env_remove("COGWORK_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs the lone agent to its end.
pub(crate) fn run_lone(project: &Path, args: &[&str]) -> Said {
    said(lone(binary(), project, args).output().unwrap())
}

pub(crate) fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A session that runs.
pub(crate) struct Session {
    pub(crate) child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<RunnerEvent>,
}

/// A session that is over.
pub(crate) struct Over {
    pub(crate) status: ExitStatus,
    pub(crate) events: Vec<RunnerEvent>,
}

impl Session {
    /// Starts a session exactly as its command says.
    pub(crate) fn start(command: &SessionCommand) -> Self {
        Self::start_with(command, &[])
    }

    /// The same, with more in its environment.
    pub(crate) fn start_with(command: &SessionCommand, env: &[(&str, &str)]) -> Self {
        let mut child = prepared(command, Stdio::piped()).envs(env.iter().copied()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for line in stdout.lines() {
                let line = line.unwrap();
                let message: RunnerMessage =
                    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if sender.send(message.event).is_err() {
                    return;
                }
            }
        });
        let stdin = child.stdin.take();
        Self { child, stdin, messages }
    }

    pub(crate) fn say(&mut self, line: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    /// Closes its stdin, as a parent does that dies.
    pub(crate) fn hang_up(&mut self) {
        self.stdin = None;
    }

    /// Waits for an event and returns all until it, itself included.
    pub(crate) fn until(&self, is_it: impl Fn(&RunnerEvent) -> bool) -> Vec<RunnerEvent> {
        let mut events = Vec::new();
        loop {
            match self.messages.recv_timeout(PATIENCE) {
                Ok(event) => {
                    events.push(event);
                    if events.last().is_some_and(&is_it) {
                        return events;
                    }
                }
                Err(error) => panic!("{error}; only this came: {events:#?}"),
            }
        }
    }

    /// Waits for its end, its stdin open all the time.
    pub(crate) fn end(mut self) -> Over {
        let mut events = Vec::new();
        loop {
            match self.messages.recv_timeout(PATIENCE) {
                Ok(event) => events.push(event),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    self.child.kill().ok();
                    panic!("it does not end; this came: {events:#?}");
                }
            }
        }
        Over { status: self.child.wait().unwrap(), events }
    }
}

/// Runs a session to its end, its stdin open all the time, and returns what it wrote as well.
pub(crate) fn run_session(session: &SessionCommand, meanwhile: impl FnOnce()) -> Said {
    let mut command = prepared(session, Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let _stdin = child.stdin.take();
    meanwhile();
    said(child.wait_with_output().unwrap())
}

/// Starts a session with a stdout of one's own.
pub(crate) fn started(session: &SessionCommand, stdout: Stdio) -> Child {
    prepared(session, stdout).spawn().unwrap()
}

fn prepared(session: &SessionCommand, stdout: Stdio) -> Command {
    let programs = Programs { mcp: vec!["no-mcp-server".into()], agent: vec![binary().into()] };
    let argv = session.argv(&programs);
    let mut command = command(&argv[0]);
    command.args(&argv[1..]).env_clear().envs(session.env(&Environment::of_this_process()));
    command.stdin(Stdio::piped()).stdout(stdout).stderr(Stdio::inherit());
    command
}

impl Over {
    /// The outcome of the last message, which has to be the only end.
    pub(crate) fn outcome(&self) -> &SessionOutcome {
        let ends = self.events.iter().filter(|event| matches!(event, RunnerEvent::Ended { .. }));
        assert_eq!(ends.count(), 1, "{:#?}", self.events);
        match self.events.last() {
            Some(RunnerEvent::Ended { outcome, .. }) => outcome,
            other => panic!("the last message is no end: {other:?}"),
        }
    }

    /// What the agent printed.
    pub(crate) fn said(&self) -> Vec<String> {
        let text = |event: &RunnerEvent| {
            let RunnerEvent::Agent { event } = event else {
                return None;
            };
            serde_json::to_value(event).unwrap()["text"].as_str().map(str::to_owned)
        };
        self.events.iter().filter_map(text).collect()
    }
}

pub(crate) fn is_agent_up(event: &RunnerEvent) -> bool {
    matches!(event, RunnerEvent::AgentStarted { .. })
}
