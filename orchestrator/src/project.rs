//! A project on disk: its directory, its state and its settings file.

use std::fs;
use std::path::{Path, PathBuf};

use cogwork_schemas::Isolation;
use cogwork_store::{Adoption, Store, StoreError, state_dir};
use serde::{Deserialize, Serialize};

use crate::cli::{CliError, note};
use crate::terminal::clean;
use cogwork_session::{Environment, clock};

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
    /// The command policy, as `--policy` takes it; a file is relative to the state directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) policy: Option<String>,
    /// The sandbox, as `--sandbox` takes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sandbox: Option<String>,
    /// What may be written in a sandbox beside the workspace, for example `~/.cargo`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sandbox_write: Vec<PathBuf>,
}

/// A project that exists.
pub(crate) struct Project {
    /// Absolute, without symbolic links.
    pub(crate) dir: PathBuf,
    pub(crate) store: Store,
    pub(crate) config: Config,
    /// What was taken over from the original, when that was now.
    pub(crate) adoption: Option<Adoption>,
}

impl Project {
    /// Opens the project in a directory; one of the original is taken over first, and the person told so.
    ///
    /// # Errors
    ///
    /// When there is no directory, no project in it, its database is missing, or its state or settings cannot be read.
    pub(crate) fn open(dir: &Path) -> Result<Self, CliError> {
        let dir = directory(dir)?;
        let (store, adoption) =
            Environment::of_this_process().state_home().open_or_adopt(&dir, clock::source())?;
        Self::opened(dir, store, adoption)
    }

    /// Opens the project in a directory, after making one there if there is none.
    ///
    /// # Errors
    ///
    /// As [`Project::open`], but for the missing project.
    pub(crate) fn create(dir: &Path) -> Result<Self, CliError> {
        let dir = directory(dir)?;
        let is_new = matches!(Store::open(&dir, clock::source()), Err(StoreError::NoProject { .. }));
        let store = Environment::of_this_process().state_home().create(&dir, clock::source())?;
        let adoption = store.adoption()?.filter(|_| is_new);
        Self::opened(dir, store, adoption)
    }

    fn opened(dir: PathBuf, store: Store, adoption: Option<Adoption>) -> Result<Self, CliError> {
        // What is damaged here would give wrong answers without a word.
        store.file().check_features()?;
        if let Some(adoption) = &adoption {
            note(&adopted(adoption));
        }
        let config = read_config(&dir)?;
        Ok(Self { dir, store, config, adoption })
    }
}

/// How many things that were left out a line names; `cogwork doctor` names all.
const NAMED: usize = 3;

/// Returns what was taken over when the project began, as one line.
pub(crate) fn adopted(adoption: &Adoption) -> String {
    let Adoption { source, features, left_out, .. } = adoption;
    let mut line = format!("taken over from {source}, which stays as it is: {features} features; ");
    match left_out.len() {
        0 => line.push_str("nothing was left out"),
        _ => line.push_str(&format!(
            "left out: {}",
            left_out.iter().take(NAMED).cloned().collect::<Vec<_>>().join("; ")
        )),
    }
    if left_out.len() > NAMED {
        line.push_str(&format!("; and {} more, see `cogwork doctor`", left_out.len() - NAMED));
    }
    clean(&line)
}

/// Returns a directory that is there, absolute, without symbolic links.
///
/// # Errors
///
/// When it is not there, or no directory.
pub(crate) fn directory(dir: &Path) -> Result<PathBuf, CliError> {
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
            .hint("it may hold: agent, script, concurrency, isolation, policy, sandbox, sandbox-write")
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
