//! A project in a temporary directory, and `cogwork` started on it as a person would.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use cogwork_conductor::RunLock;
use cogwork_process::contain;
use cogwork_schemas::{Entry, Fact, FeatureId};
use cogwork_store::{Store, TimeSource, state_dir};
use rustix::process::Signal;
use tempfile::TempDir;

/// A directory for one test, gone when the test is over.
pub(crate) struct Place {
    root: TempDir,
    /// Where the project is or will be.
    pub(crate) dir: PathBuf,
}

impl Place {
    /// A place with nothing in it.
    pub(crate) fn empty() -> Self {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().canonicalize().unwrap().join("project");
        Self { root, dir }
    }

    /// A git repository with one commit, and these features imported.
    pub(crate) fn with_features(list: &serde_json::Value) -> Self {
        Self::empty().begun_with(list)
    }

    /// The same in a given directory.
    pub(crate) fn with_features_in(parent: &Path, list: &serde_json::Value) -> Self {
        let root = tempfile::tempdir_in(parent).unwrap();
        let dir = root.path().canonicalize().unwrap().join("project");
        Self { root, dir }.begun_with(list)
    }

    fn begun_with(self, list: &serde_json::Value) -> Self {
        let place = self;
        fs::create_dir(&place.dir).unwrap();
        fs::write(place.dir.join("README"), "a project\n").unwrap();
        place.git(&["init", "--quiet", "--initial-branch", "main"]);
        place.git(&["add", "."]);
        place.git(&["commit", "--quiet", "--message", "first commit"]);
        let output = place.import(list);
        assert!(output.status.success(), "{output:?}");
        place
    }

    /// Imports a feature list.
    pub(crate) fn import(&self, list: &serde_json::Value) -> Output {
        let file = self.root.path().join("features.json");
        fs::write(&file, list.to_string()).unwrap();
        self.cogwork(&["import", file.to_str().unwrap()])
    }

    /// The command `cogwork ARGS --project-dir DIR`, not started.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cogwork-under-test"));
        command.args(args).arg("--project-dir").arg(&self.dir);
        self.at_home(&mut command);
        command
    }

    /// A run of this project with a lease of so many seconds, not started.
    pub(crate) fn short_lease(&self, lease_s: u32, agent: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_short-lease"));
        command.arg("--project-dir").arg(&self.dir).args(["--agent", agent]);
        command.args(["--lease-s", &lease_s.to_string()]);
        command.args(["--cogwork", env!("CARGO_BIN_EXE_cogwork-under-test")]);
        self.at_home(&mut command);
        command
    }

    /// A file beside the project, by which a test and its agents tell each other things: `$HOME/NAME`.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The command `cogwork demo`, not started.
    pub(crate) fn demo(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cogwork-under-test"));
        command.arg("demo").arg("--dir").arg(&self.dir);
        self.at_home(&mut command);
        command
    }

    /// The command `cogwork demo`, as it stands in the README: without a word about where.
    pub(crate) fn plain_demo(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cogwork-under-test"));
        command.arg("demo");
        self.at_home(&mut command);
        command
    }

    /// No test sees the settings of whoever runs it, nor needs any.
    fn at_home(&self, command: &mut Command) {
        command.env("HOME", self.root.path()).env_remove("PROJECT_DIR");
        command.env_remove("XDG_CONFIG_HOME").env_remove("XDG_STATE_HOME");
        command.stdin(Stdio::null()).current_dir(self.root.path());
    }

    /// Runs `cogwork ARGS --project-dir DIR` to its end.
    pub(crate) fn cogwork(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs git in the project and returns what it printed.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new("git");
        command
            .arg("-C")
            .arg(&self.dir)
            .args(["-c", "user.name=T", "-c", "user.email=t@localhost"])
            .args(args);
        self.at_home(&mut command);
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// Runs shell commands in the project, as a person would.
    pub(crate) fn shell(&self, commands: &str) {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("set -e; {commands}")]);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "T").env(format!("GIT_{who}_EMAIL"), "t@localhost");
        }
        self.at_home(&mut command);
        let output = command.current_dir(&self.dir).output().unwrap();
        assert!(output.status.success(), "{commands}: {output:?}");
    }

    /// The commit that the main branch is at.
    pub(crate) fn head(&self) -> String {
        self.git(&["rev-parse", "HEAD"])
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.dir, clock()).unwrap()
    }

    pub(crate) fn journal(&self) -> Vec<Entry> {
        self.store().journal_since(0, usize::MAX >> 1).unwrap()
    }

    /// The processes of this project's sessions that are alive now.
    pub(crate) fn processes(&self) -> Vec<i32> {
        contain::marked(&state_dir(&self.dir).display().to_string())
    }

    /// Waits until no process of this project is alive, and fails when some are after the limit.
    pub(crate) fn assert_no_processes_within(&self, limit: Duration) {
        let start = Instant::now();
        while !self.processes().is_empty() {
            assert!(
                start.elapsed() < limit,
                "still alive: {:?}",
                self.processes().iter().map(|pid| line(*pid)).collect::<Vec<_>>()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Place {
    /// A test that fails leaves no run behind, and no process that was stopped.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let holder = RunLock::holder(&self.dir).ok().flatten().map(|holder| holder.process.pid);
            let others = holder.filter(|pid| *pid != contain::own_identity().pid);
            for pid in others.into_iter().chain(self.processes()) {
                // One that is gone meanwhile is what is wanted.
                let _: Result<(), _> =
                    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), Signal::KILL);
            }
        }
    }
}

fn line(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " ")
}

/// Returns which sessions work on which feature at this moment, by what their processes carry.
pub(crate) fn sessions_by_feature(project: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut sessions: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for pid in contain::marked(&state_dir(project).display().to_string()) {
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else {
            continue;
        };
        let variable = |name: &str| {
            let text =
                environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(name.as_bytes()))?;
            Some(String::from_utf8_lossy(text).into_owned())
        };
        if let (Some(features), Some(session)) = (variable("COGWORK_FEATURES="), variable("COGWORK_SESSION="))
        {
            sessions.entry(features).or_default().insert(session);
        }
    }
    sessions
}

/// Waits for something to become true.
pub(crate) fn until(what: &str, limit: Duration, mut is_true: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_true() {
        assert!(start.elapsed() < limit, "{what} does not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal to a process that a test has started.
pub(crate) fn signal(child: &Child, signal: Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

/// Kills a process outright and waits for its end.
pub(crate) fn kill(child: &mut Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Asserts that the journal tells a whole story: no feature has two owners at once, and each was taken through
/// claim, checks and integration.
pub(crate) fn assert_sound_journal(journal: &[Entry]) {
    let mut owner: BTreeMap<FeatureId, _> = BTreeMap::new();
    for entry in journal {
        let (Some(feature), Some(attempt)) = (entry.feature, entry.attempt) else {
            continue;
        };
        match entry.fact {
            Fact::Claimed { .. } => {
                let before = owner.insert(feature, attempt);
                assert_eq!(before, None, "{feature} is claimed twice, see entry {}", entry.seq);
            }
            Fact::Integrated { .. } | Fact::AttemptEnded { .. } => {
                assert_eq!(
                    owner.remove(&feature),
                    Some(attempt),
                    "{feature}: entry {} is of no owner",
                    entry.seq
                );
            }
            // A session begins before its claim and may end after its attempt.
            Fact::SessionStarted { .. } | Fact::SessionUp { .. } | Fact::SessionEnded { .. } => {}
            _ => assert_eq!(
                owner.get(&feature),
                Some(&attempt),
                "{feature}: entry {} is of no owner",
                entry.seq
            ),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a test plays the programs around the project")]
pub(crate) fn clock() -> TimeSource {
    TimeSource::new(jiff::Timestamp::now)
}
