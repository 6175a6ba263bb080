//! A project in a temporary directory, with features for every case.

use std::path::{Path, PathBuf};
use std::process::Command;

use cogwork_schemas::{CheckReport, CheckVerdict, Feature, FeatureId, Isolation, Role, Token};
use cogwork_store::{Batch, Claim, ImportLimits, NewSession, Secret, Store, TimeSource};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, Era, command, server};

pub(crate) const ONE_CHECK: i64 = 1;
pub(crate) const BLOCKED: i64 = 2;
pub(crate) const NO_CHECK: i64 = 3;
pub(crate) const LONG: i64 = 4;
pub(crate) const TWO_CHECKS: i64 = 5;
pub(crate) const SLOW: i64 = 6;

pub(crate) struct Project {
    dir: TempDir,
    pub(crate) store: Store,
}

#[expect(clippy::disallowed_methods, reason = "a test plays the programs around the server")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

pub(crate) fn clock() -> TimeSource {
    TimeSource::new(now)
}

impl Project {
    pub(crate) fn new() -> Self {
        Self::with(json!([
            {"name": "One check", "category": "core", "description": "Writes a.txt.", "steps": ["Write it."],
             "checks": ["test -f a.txt || { echo a.txt is missing; exit 3; }"], "key": "one"},
            {"name": "Blocked", "dependencies": ["one"], "checks": ["true"]},
            {"name": "No check", "category": "docs"},
            {"name": "Long", "description": "ä\"\n".repeat(10_000), "steps": vec!["step"; 3]},
            {"name": "Two checks", "checks": ["test -f b.txt", "test -f c.txt"]},
            {"name": "Slow", "checks": ["echo $$ > pid; sleep 60 & echo $! > child; wait"]},
        ]))
    }

    pub(crate) fn with(features: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::create(dir.path(), clock()).unwrap();
        let list = serde_json::Map::from_iter([("features".to_owned(), features)]);
        let list = serde_json::from_value(list.into()).unwrap();
        store.import(&list, &ImportLimits::default()).unwrap();
        Self { dir, store }
    }

    pub(crate) fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Claims a feature as an orchestrator does, with its checks red before the work.
    pub(crate) fn claim(&self, id: i64) -> Claim {
        self.claim_batch(id, 1, 1)
    }

    /// Claims as [`Project::claim`] does, for a session that begins on a commit.
    pub(crate) fn claim_on(&self, id: i64, base: &str) -> Claim {
        self.claim_batch_on(id, (1, 1), Some(base))
    }

    /// Claims as [`Project::claim`] does, for a session of a run with so many slots that may have so many features.
    pub(crate) fn claim_batch(&self, id: i64, size: u32, slots: u32) -> Claim {
        self.claim_batch_on(id, (size, slots), None)
    }

    fn claim_batch_on(&self, id: i64, (size, slots): (u32, u32), base: Option<&str>) -> Claim {
        let batch = Some(Batch { size, slots });
        let new = NewSession { batch, ..NewSession::new(Role::Coding, "test", Isolation::Workspace) };
        let claim = self
            .store
            .claim(FeatureId(id), &new, &Secret::random().unwrap(), SignedDuration::from_mins(10))
            .unwrap();
        let red = |command: &str| report(command, CheckVerdict::Red { exit_code: 1 });
        let checks = self.store.feature(FeatureId(id)).unwrap().checks;
        let reports: Vec<CheckReport> = checks.iter().map(|check| red(&check.command)).collect();
        if !reports.is_empty() {
            self.store.record_before(&claim.token, base, &reports).unwrap();
        }
        claim
    }

    /// Takes a passing feature for a test, as an orchestrator does.
    pub(crate) fn inspect(&self, id: i64) -> Claim {
        let new = NewSession::new(Role::Testing, "test", Isolation::Workspace);
        self.store
            .inspect(FeatureId(id), &new, &Secret::random().unwrap(), SignedDuration::from_mins(10))
            .unwrap()
    }

    /// Makes a feature pass whose checks are green or that has none.
    pub(crate) fn pass(&self, id: i64) {
        let mut client = self.open(Era::Stateless, &[]);
        client.get("feature_claim_and_get", json!({"feature_id": id}));
        assert_eq!(client.get("feature_mark_passing", json!({"feature_id": id}))["state"], "passing");
    }

    pub(crate) fn feature(&self, id: i64) -> Feature {
        self.store.feature(FeatureId(id)).unwrap()
    }

    /// Everything that a call could have changed, for tests of calls that change nothing.
    pub(crate) fn last_seq(&self) -> i64 {
        self.store.last_seq().unwrap()
    }

    /// The command line of a server for this project.
    pub(crate) fn server(&self, args: &[&str]) -> Command {
        let mut command = server();
        command.arg("--project-dir").arg(self.path()).args(args);
        command
    }

    pub(crate) fn open(&self, era: Era, args: &[&str]) -> Client {
        Client::open(&mut self.server(args), era)
    }

    /// Opens a coding session for claimed features, as a runner does.
    pub(crate) fn session(&self, era: Era, claims: &[(i64, &Token)]) -> Client {
        self.session_as("coding", era, claims)
    }

    pub(crate) fn session_command(&self, claims: &[(i64, &Token)]) -> Command {
        self.command_as("coding", claims)
    }

    /// The same for a session of another role.
    pub(crate) fn session_as(&self, role: &str, era: Era, claims: &[(i64, &Token)]) -> Client {
        let mut client = Client::open(&mut self.command_as(role, claims), era);
        client.secrets = claims.iter().map(|(_, token)| token.reveal().to_owned()).collect();
        client
    }

    fn command_as(&self, role: &str, claims: &[(i64, &Token)]) -> Command {
        let features: Vec<String> = claims.iter().map(|(id, _)| id.to_string()).collect();
        let tokens: Vec<&str> = claims.iter().map(|(_, token)| token.reveal()).collect();
        let mut command = self.server(&["--role", role, "--features", &features.join(",")]);
        command
            .env("COGWORK_TOKEN", tokens.join(","))
            .env("COGWORK_WORKSPACE", self.path())
            .env("COGWORK_SESSION", "1");
        command
    }

    pub(crate) fn write(&self, file: &str) {
        std::fs::write(self.path().join(file), "x").unwrap();
    }

    /// Makes a git repository of it with one commit.
    pub(crate) fn git(&self) -> String {
        let git = |args: &[&str]| {
            let output = command("git")
                .args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false"])
                .args(args)
                .current_dir(self.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap().trim().to_owned()
        };
        if !self.path().join(".git").exists() {
            git(&["init", "--quiet"]);
        }
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "--allow-empty", "--message", "work"]);
        git(&["rev-parse", "HEAD"])
    }

    /// Returns the process whose id a check wrote into a file, once it is there.
    pub(crate) fn process(&self, file: &str) -> PathBuf {
        let path = self.path().join(file);
        let pid = wait_for(|| std::fs::read_to_string(&path).ok().filter(|text| text.ends_with('\n')));
        Path::new("/proc").join(pid.trim())
    }
}

pub(crate) fn report(command: &str, verdict: CheckVerdict) -> CheckReport {
    CheckReport {
        command: command.into(),
        verdict,
        duration_ms: 1,
        output_tail: String::new(),
        output_digest: String::new(),
    }
}

/// Waits for something that another process does.
#[expect(clippy::disallowed_methods, reason = "a test waits for another process")]
pub(crate) fn wait_for<T>(mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..1_000 {
        if let Some(found) = look() {
            return found;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("it did not happen within 10 s");
}
