//! One call of the git program: hardened, with a time limit, repeated while a lock is taken.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::GitError;
use super::error::is_locked;
use crate::contain::{Bond, Exit, Spawn, StartError, Stdin};

/// How long one call may take: a clone or checkout of a very large tree, not a hanging one.
const TIME_LIMIT: Duration = Duration::from_secs(300);

/// What git gets to take back its locks when it meets the limit.
const GRACE: Duration = Duration::from_secs(5);

/// Bytes of output that are read; a path list of half a million files.
const OUTPUT_LIMIT: usize = 32 << 20;

/// Waits between tries while somebody else holds a lock: 2.6 s in all, a lifetime for a lock.
const LOCK_WAITS_MS: [u64; 7] = [20, 40, 80, 160, 300, 800, 1200];

/// Settings of every call. They win over every configuration file.
const HARDENED: &[&str] = &[
    // programs that a repository could name
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.sshCommand=ssh",
    "core.attributesFile=/dev/null",
    "core.alternateRefsCommand=true",
    "diff.external=",
    "protocol.ext.allow=never",
    "protocol.git.allow=never",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "merge.verifySignatures=false",
    "log.showSignature=false",
    "safe.bareRepository=explicit",
    // work that nobody asked for, in the background or in other repositories
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    "diff.ignoreSubmodules=dirty",
    "rerere.enabled=false",
    // output that is read by a program
    "color.ui=false",
    "core.quotePath=false",
    "diff.autoRefreshIndex=true",
];

/// Further settings for a repository to whose configuration an agent could write: files only, no helpers.
pub(super) const DISTRUST: [&str; 3] =
    ["protocol.allow=never", "protocol.file.allow=always", "credential.helper="];

/// The setting for a fetch between two directories of ours, whatever the user allows git at other times.
pub(super) const LOCAL: [&str; 1] = ["protocol.file.allow=always"];

/// The environment of every call on top of the basic one, whose locale is left out.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("GIT_CONFIG_NOSYSTEM", "1"),
    ("GIT_ATTR_NOSYSTEM", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "true"),
    ("SSH_ASKPASS", "true"),
    ("GIT_EDITOR", "true"),
    ("GIT_SEQUENCE_EDITOR", "true"),
    ("GIT_MERGE_AUTOEDIT", "no"),
    ("GIT_PAGER", "cat"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("LC_ALL", "C"),
];

/// One call of git, to be run.
#[derive(Debug)]
pub(super) struct Call {
    dir: PathBuf,
    purpose: String,
    config: Vec<OsString>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    /// What must be a directory, and is the git directory.
    git_dir: Option<PathBuf>,
    /// Settings that stand in the environment: `-c` would take a `=` in a key for its end.
    env_settings: usize,
    stdin: Option<Vec<u8>>,
    or_code: Option<i32>,
    limit: Duration,
}

/// What a call that went well said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) code: i32,
    pub(super) stdout: Vec<u8>,
}

impl Said {
    /// Returns the first line.
    pub(super) fn line(&self) -> String {
        lines(&self.stdout).next().unwrap_or_default().to_owned()
    }
}

/// Returns the lines of an answer that can only be ASCII or a path of ours.
pub(super) fn lines(stdout: &[u8]) -> impl Iterator<Item = &str> {
    stdout
        .split(|byte| *byte == b'\n')
        .filter_map(|line| str::from_utf8(line).ok())
        .filter(|line| !line.is_empty())
}

/// Returns the records of an answer to a command with `-z`.
pub(super) fn records(stdout: &[u8]) -> impl Iterator<Item = &[u8]> {
    stdout.split(|byte| *byte == 0).filter(|record| !record.is_empty())
}

impl Call {
    /// Returns a call in `dir`, whatever that is: a repository above it is not found, one at it is not needed.
    pub(super) fn outside<'a>(dir: &Path, purpose: &str, args: impl IntoIterator<Item = &'a str>) -> Self {
        let is_locale = |name: &OsStr| {
            name.to_str().is_some_and(|name| name.starts_with("LC_") || name.starts_with("LANG"))
        };
        let call = Self {
            dir: dir.to_owned(),
            purpose: format!("{purpose} in {}", dir.display()),
            config: Vec::new(),
            args: Vec::new(),
            env: crate::base_env().into_iter().filter(|(name, _)| !is_locale(name)).collect(),
            git_dir: None,
            env_settings: 0,
            stdin: None,
            or_code: None,
            limit: TIME_LIMIT,
        };
        let above = dir.canonicalize().ok().and_then(|dir| dir.parent().map(Path::to_owned));
        let call = call.env("GIT_CEILING_DIRECTORIES", above.unwrap_or_default());
        let call = ENVIRONMENT.iter().fold(call, |call, (name, value)| call.env(name, value));
        call.config(HARDENED).args(args)
    }

    pub(super) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    pub(super) fn args<S: AsRef<OsStr>>(self, args: impl IntoIterator<Item = S>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    /// Adds settings (`key=value`) for this call.
    pub(super) fn config<S: AsRef<OsStr>>(mut self, settings: impl IntoIterator<Item = S>) -> Self {
        for setting in settings {
            let setting = setting.as_ref();
            match setting.to_str().and_then(|setting| setting.rsplit_once('=')) {
                Some((key, value)) if key.contains('=') => self = self.setting(key, value),
                Some(_) | None => self.config.extend(["-c".into(), setting.to_owned()]),
            }
        }
        self
    }

    /// Adds a setting for this call, whatever characters its key and value have.
    pub(super) fn setting(mut self, key: &str, value: &str) -> Self {
        let index = self.env_settings;
        self.env_settings += 1;
        self.env(&format!("GIT_CONFIG_KEY_{index}"), key).env(&format!("GIT_CONFIG_VALUE_{index}"), value)
    }

    /// Ties the call to this git directory, which has to be one and no file or link that leads elsewhere.
    pub(super) fn git_dir(mut self, git_dir: PathBuf) -> Self {
        self.git_dir = Some(git_dir);
        self
    }

    pub(super) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    pub(super) fn stdin(mut self, bytes: Vec<u8>) -> Self {
        self.stdin = Some(bytes);
        self
    }

    /// Takes one more exit code for an answer instead of a failure.
    pub(super) fn or_code(mut self, code: i32) -> Self {
        self.or_code = Some(code);
        self
    }

    /// Gives it less time than usual.
    pub(super) fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Runs it; again and again for some seconds while somebody else holds a lock that it needs.
    pub(super) async fn run(self) -> Result<Said, GitError> {
        let mut waits = LOCK_WAITS_MS.into_iter();
        loop {
            match (self.run_once().await, waits.next()) {
                (Err(GitError::Failed { stderr, .. }), Some(wait)) if is_locked(&stderr) => {
                    tokio::time::sleep(Duration::from_millis(wait)).await;
                }
                (Err(GitError::Failed { purpose, stderr, .. }), None) if is_locked(&stderr) => {
                    return Err(GitError::Locked { purpose, stderr });
                }
                (result, _) => return result,
            }
        }
    }

    async fn run_once(&self) -> Result<Said, GitError> {
        if let Some(git_dir) = &self.git_dir
            && !std::fs::symlink_metadata(git_dir).is_ok_and(|found| found.is_dir())
        {
            return Err(GitError::NotAClone { path: self.dir.clone() });
        }
        let mut git = self.spawn().start().map_err(|source| match source {
            StartError::NoProgram { .. } => GitError::NotInstalled,
            StartError::NoDirectory { .. } | StartError::Other { .. } => GitError::NotStarted(source),
        })?;
        let mut stdout = Vec::new();
        let mut too_much = false;
        let read = |bytes: &[u8]| {
            too_much |= stdout.len() + bytes.len() > OUTPUT_LIMIT;
            if !too_much {
                stdout.extend_from_slice(bytes);
            }
        };
        let (exit, timed_out) = git.wait_limited(self.limit, GRACE, read).await;
        let purpose = || self.purpose.clone();
        match exit {
            _ if timed_out => Err(GitError::TimedOut { purpose: purpose(), limit_s: self.limit.as_secs() }),
            _ if too_much => Err(GitError::TooMuchOutput { purpose: purpose(), limit: OUTPUT_LIMIT }),
            Exit::Code(code) if code == 0 || Some(code) == self.or_code => Ok(Said { code, stdout }),
            Exit::Code(_) | Exit::Signal(_) => {
                Err(GitError::Failed { purpose: purpose(), exit, stderr: git.stderr_tail() })
            }
        }
    }

    fn spawn(&self) -> Spawn {
        let mut spawn = Spawn::new("git", &self.dir);
        spawn.args = self.config.iter().chain(&self.args).cloned().collect();
        spawn.env = self.env.clone();
        if let Some(git_dir) = &self.git_dir {
            spawn.env.push(("GIT_DIR".into(), git_dir.into()));
        }
        if self.env_settings > 0 {
            spawn.env.push(("GIT_CONFIG_COUNT".into(), self.env_settings.to_string().into()));
        }
        spawn.stdin = self.stdin.clone().map_or(Stdin::Null, Stdin::Bytes);
        spawn.bond = Bond::Free;
        spawn
    }
}
