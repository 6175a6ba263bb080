//! The policy files: where they lie, and which of them are in force.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::{fs, io};

use cogwork_store::state_dir;

use crate::Environment;
use crate::policy::{Layer, Policy, PolicyError};

/// The organisation's file, for all users of a machine.
const SYSTEM: &str = "/etc/cogwork/policy.toml";

/// Which policy a session has, as `--policy` says it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum PolicyChoice {
    /// The built-in rules, the organisation's files and the project's.
    #[default]
    Default,
    /// As the default, with this file in place of the project's.
    File(PathBuf),
    /// None.
    Off,
}

impl FromStr for PolicyChoice {
    type Err = Infallible;

    fn from_str(word: &str) -> Result<Self, Infallible> {
        Ok(match word {
            "default" => Self::Default,
            "off" => Self::Off,
            file => Self::File(file.into()),
        })
    }
}

/// A policy cannot be had. Then no agent is started, and none that runs may do anything.
#[derive(Debug, thiserror::Error)]
pub enum PolicyFileError {
    /// A file says what is not understood.
    #[error(transparent)]
    Wrong(#[from] PolicyError),
    /// A file that is there cannot be read, or one that was named is not there.
    #[error("the policy {} cannot be read: {source}", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// Returns the policy of a project; `None` where none is wanted.
///
/// # Errors
///
/// [`PolicyFileError`] for the first file that cannot be used.
pub fn policy_in_force(
    choice: &PolicyChoice,
    project: &Path,
    environment: &Environment,
) -> Result<Option<Policy>, PolicyFileError> {
    let own_file = state_dir(project).join("policy.toml");
    let (file, is_named) = match choice {
        PolicyChoice::Off => return Ok(None),
        PolicyChoice::Default => (&own_file, false),
        PolicyChoice::File(file) => (file, true),
    };
    let of_user = environment.config_home().map(|dir| dir.join("cogwork/policy.toml"));
    let mut layers = Vec::new();
    for (path, must_be) in
        [(Some(PathBuf::from(SYSTEM)), false), (of_user, false), (Some(file.clone()), is_named)]
    {
        let Some(path) = path else { continue };
        match fs::read_to_string(&path) {
            Ok(text) => layers.push(Layer::parse(&path.display().to_string(), &text)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !must_be => {}
            Err(source) => return Err(PolicyFileError::Unreadable { path, source }),
        }
    }
    Ok(Some(Policy::new(layers)))
}
