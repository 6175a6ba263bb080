//! A project on disk: its directory, its state and its settings file.

use std::fs;
use std::path::{Path, PathBuf};

use cogwork_schemas::Isolation;
use cogwork_store::{Store, state_dir};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cli::CliError;

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
