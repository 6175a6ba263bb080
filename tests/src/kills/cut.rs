//! One session, from its start to the moment when nothing of it is left.

#![expect(
    clippy::disallowed_methods,
    reason = "a test starts programs, waits for them and looks at the clock"
)]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use cogwork_process::contain;
use cogwork_schemas::{ProcessIdentity, RunnerEvent, RunnerMessage};
use cogwork_store::state_dir;
use rustix::process::{Pid, Signal};

use super::{Agent, Cut, LIMIT, Outcome, Scene};
use crate::model_api::thread::Model;

/// How long a session may take to be up, on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(40);
const PAUSE: Duration = Duration::from_millis(5);

pub(super) fn play(scene: &Scene) -> Result<Outcome, String> {
    let root = tempfile::tempdir().map_err(|error| error.to_string())?;
    let root = root.path().canonicalize().map_err(|error| error.to_string())?;
    let project = project(scene, &root)?;
    let api = match scene.agent {
        Agent::Claude { .. } => Some(Model::start(&Agent::script(&root))?),
        Agent::Stubborn | Agent::Daemons | Agent::Flood | Agent::Stopped => None,
    };
    let mut run = begin(scene, &root, &project, api.as_ref())?;
    let outcome = until_up(&root, &project, &mut run)
        .and_then(|session| session.cut(scene.cut, &mut run, &state_dir(&project)));
    end(&mut run, &project);
    outcome
}

/// A repository with one feature that no agent here ever finishes.
fn project(scene: &Scene, root: &Path) -> Result<PathBuf, String> {
    let project = root.join("project");
    let list = r#"{"features": [{"name": "one", "checks": ["test -e never"]}]}"#;
    fs::create_dir(&project).map_err(|error| error.to_string())?;
    fs::write(root.join("features.json"), list).map_err(|error| error.to_string())?;
    let git = "git init -q -b main && git -c user.name=T -c user.email=t@localhost commit -q --allow-empty -m first";
    finished(at_home(Command::new("sh").args(["-c", git]), root).current_dir(&project))?;
    let import = ["import", "../features.json"];
    finished(at_home(Command::new(&scene.program).args(import), root).current_dir(&project))?;
    Ok(project)
}

/// Nothing here sees the settings of whoever runs it.
fn at_home<'a>(command: &'a mut Command, root: &Path) -> &'a mut Command {
    for name in ["PROJECT_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    command.env("HOME", root).stdin(Stdio::null())
}

fn finished(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned())
}

fn begin(scene: &Scene, root: &Path, project: &Path, api: Option<&Model>) -> Result<Child, String> {
    let mut command = Command::new(&scene.program);
    command.args(["run", "--concurrency", "1"]).args(scene.agent.flags(root)).current_dir(project);
    if let Some(api) = api {
        command.env("ANTHROPIC_BASE_URL", api.url()).env("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-dummy");
    }
    at_home(&mut command, root).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|error| error.to_string())
}

/// The processes of a session that is up.
struct Session {
    runner: i32,
    /// Who the runner is to whoever started it.
    warden: i32,
    agent: i32,
    /// All of them, the hidden ones included.
    all: Vec<ProcessIdentity>,
}

fn until_up(root: &Path, project: &Path, run: &mut Child) -> Result<Session, String> {
    let start = Instant::now();
    let number = |name: &str| fs::read_to_string(root.join(name)).ok()?.trim().parse().ok();
    while number("up").is_none() {
        if start.elapsed() > PATIENCE {
            return Err(format!("the agent was not up after {PATIENCE:?}: {}", journal(project)));
        }
        if let Ok(Some(status)) = run.try_wait() {
            return Err(format!("the run ended too soon ({status}): {}", journal(project)));
        }
        std::thread::sleep(PAUSE);
    }
    let (mut warden, mut agent) = (None, None);
    for line in journal(project).lines() {
        match serde_json::from_str::<RunnerMessage>(line).map(|message| message.event) {
            Ok(RunnerEvent::Up { process }) => warden = Some(process.pid),
            Ok(RunnerEvent::AgentStarted { process }) => agent = Some(process.pid),
            Ok(_) | Err(_) => {}
        }
    }
    let (Some(warden), Some(agent)) = (warden, agent) else {
        return Err("the session's journal tells no processes".to_owned());
    };
    let own = own_pid(run)?;
    let below = contain::descendants(own);
    let is_runner = |pid: &&i32| parent(**pid) == Some(warden);
    let runner = below.iter().find(is_runner).copied().ok_or("the warden has no runner")?;
    let hidden = ["daemon1", "daemon2", "child"].into_iter().filter_map(number);
    let mut all: Vec<i32> = below.iter().copied().chain(hidden).collect();
    all.sort_unstable();
    all.dedup();
    let all = all.into_iter().filter_map(contain::identity).collect();
    Ok(Session { runner, warden, agent, all })
}

fn journal(project: &Path) -> String {
    fs::read_to_string(state_dir(project).join("sessions/s1/journal.ndjson")).unwrap_or_default()
}

impl Session {
    /// Kills, and waits until nothing is left.
    fn cut(&self, cut: Cut, run: &mut Child, state: &Path) -> Result<Outcome, String> {
        let parent = own_pid(run)?;
        let victims: &[(i32, Signal)] = match cut {
            Cut::Runner => &[(self.runner, Signal::KILL)],
            Cut::Warden => &[(self.warden, Signal::KILL)],
            Cut::Agent => &[(self.agent, Signal::KILL)],
            Cut::Parent => &[(parent, Signal::KILL)],
            Cut::RunnerAndParent => &[(parent, Signal::KILL), (self.runner, Signal::KILL)],
            Cut::Nobody => &[(parent, Signal::TERM)],
        };
        let start = Instant::now();
        for (pid, signal) in victims {
            send(*pid, *signal).map_err(|error| format!("{cut} cannot be killed: {error}"))?;
        }
        let marker = format!("{}#s1", state.display());
        loop {
            // A run that is killed waits to be reaped by us.
            run.try_wait().ok();
            let mut left: Vec<i32> =
                self.all.iter().filter(|one| contain::is_alive(one)).map(|one| one.pid).collect();
            left.extend(contain::marked(&marker));
            let gone_after = start.elapsed();
            if left.is_empty() || gone_after > LIMIT {
                let outcome = Outcome {
                    processes: self.all.len(),
                    gone_after,
                    left: left.iter().map(|pid| line(*pid)).collect(),
                };
                self.all.iter().filter(|one| contain::is_alive(one)).for_each(|one| {
                    send(one.pid, Signal::KILL).ok();
                });
                return Ok(outcome);
            }
            std::thread::sleep(PAUSE);
        }
    }
}

/// Ends the run, if it goes on, and whatever a failed one left.
fn end(run: &mut Child, project: &Path) {
    if let Ok(pid) = own_pid(run) {
        send(pid, Signal::TERM).ok();
    }
    let start = Instant::now();
    while !matches!(run.try_wait(), Ok(Some(_))) && start.elapsed() < 2 * LIMIT {
        std::thread::sleep(PAUSE);
    }
    run.kill().ok();
    run.wait().ok();
    for pid in contain::marked(&state_dir(project).display().to_string()) {
        send(pid, Signal::KILL).ok();
    }
}

fn send(pid: i32, signal: Signal) -> io::Result<()> {
    let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
    Ok(rustix::process::kill_process(pid, signal)?)
}

fn own_pid(child: &Child) -> Result<i32, String> {
    i32::try_from(child.id()).map_err(|error| error.to_string())
}

fn parent(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

fn line(pid: i32) -> String {
    let words = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    format!("{pid} {}", words.replace('\0', " "))
}
