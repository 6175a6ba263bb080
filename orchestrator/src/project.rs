//! A project on disk: its directory, its state, its settings file and the lock of the run that holds it.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use cogwork_process::contain;
use cogwork_schemas::Isolation;
use cogwork_store::{Store, state_dir};
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::cli::{CliError, Exit};

/// What `.cogwork/config.toml` may say; the command line goes before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Config {
    /// The agent, as `--agent` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) agent: Option<String>,
    /// The script of the scripted agent, relative to the state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) script: Option<PathBuf>,
    /// How many sessions run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) concurrency: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) isolation: Option<Isolation>,
}

/// A project that exists.
pub(crate) struct Project {
    /// Absolute, without symbolic links.
    pub(crate) dir: PathBuf,
    pub(crate) store: Store,
    pub(crate) config: Config,
}

impl Project {
    /// Opens the project in a directory.
    ///
    /// # Errors
    ///
    /// When there is no directory, no project in it, or its state or settings cannot be read.
    pub(crate) fn open(dir: &Path) -> Result<Self, CliError> {
        let dir = directory(dir)?;
        let store = Store::open(&dir)?;
        let config = read_config(&dir)?;
        Ok(Self { dir, store, config })
    }

    /// Opens the project in a directory, after making one there if there is none.
    ///
    /// # Errors
    ///
    /// As [`Project::open`], but for the missing project.
    pub(crate) fn create(dir: &Path, now: Timestamp) -> Result<Self, CliError> {
        let dir = directory(dir)?;
        let store = Store::create(&dir, now)?;
        let config = read_config(&dir)?;
        Ok(Self { dir, store, config })
    }
}

fn directory(dir: &Path) -> Result<PathBuf, CliError> {
    let found = fs::canonicalize(dir).map_err(|_| {
        CliError::new(format!("there is no directory {}", dir.display())).hint("check --project-dir")
    })?;
    if found.is_dir() {
        Ok(found)
    } else {
        Err(CliError::new(format!("{} is not a directory", dir.display())))
    }
}

fn config_file(dir: &Path) -> PathBuf {
    state_dir(dir).join("config.toml")
}

fn read_config(dir: &Path) -> Result<Config, CliError> {
    let file = config_file(dir);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Config::default()),
        Err(error) => return Err(CliError::new(format!("cannot read {}: {error}", file.display()))),
    };
    toml::from_str(&text).map_err(|error| {
        CliError::new(format!("{} is not understood: {}", file.display(), error.to_string().trim_end()))
            .hint("it may hold: agent, script, concurrency, isolation")
    })
}

/// Writes the settings file of a project that has none yet.
///
/// # Errors
///
/// When the file cannot be written.
pub(crate) fn write_config(dir: &Path, config: &Config) -> Result<(), CliError> {
    let text = toml::to_string(config).map_err(|error| CliError::new(error.to_string()))?;
    Ok(fs::write(config_file(dir), text)?)
}

/// Who holds a project; the content of `.cogwork/run.lock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Holder {
    pub(crate) pid: i32,
    pub(crate) since: Timestamp,
}

/// Holds a project for one run. The kernel lets go of it when the process ends, however it ends.
pub(crate) struct RunLock {
    _file: File,
}

impl RunLock {
    /// Takes hold of the project.
    ///
    /// # Errors
    ///
    /// When another run holds it; the error names that run.
    pub(crate) fn acquire(dir: &Path, now: Timestamp) -> Result<Self, CliError> {
        let mut file = lock_file(dir)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let who = read_holder(&mut file).map_or_else(
                || "another process".to_owned(),
                |holder| format!("process {}, running since {}", holder.pid, holder.since),
            );
            return Err(CliError::new(format!("{who}, holds the project {}", dir.display()))
                .hint("wait for it to end, stop it with Ctrl-C or `kill`, or look on with `cogwork status`")
                .exit(Exit::Busy));
        }
        let holder = Holder { pid: contain::own_identity().pid, since: now };
        file.set_len(0)?;
        file.rewind()?;
        let text = serde_json::to_string(&holder).map_err(|error| CliError::new(error.to_string()))?;
        file.write_all(text.as_bytes())?;
        Ok(Self { _file: file })
    }

    /// Returns who holds the project now, if anybody does.
    ///
    /// # Errors
    ///
    /// When the lock file cannot be opened.
    pub(crate) fn holder(dir: &Path) -> Result<Option<Holder>, CliError> {
        let mut file = lock_file(dir)?;
        match flock(&file, FlockOperation::NonBlockingLockShared) {
            Ok(()) => Ok(None),
            Err(_) => Ok(read_holder(&mut file)),
        }
    }
}

fn lock_file(dir: &Path) -> Result<File, CliError> {
    let path = state_dir(dir).join("run.lock");
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(|error| CliError::new(format!("cannot open {}: {error}", path.display())))
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}
