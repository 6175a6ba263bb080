//! What the programs of a session see of the world: an allow list, never the whole environment.
//!
//! It also names, once for all crates, the variables by which the processes of a session find each other.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use cogwork_process::redact::Redactor;
use cogwork_schemas::{SessionId, Token};
use cogwork_store::StateHome;

/// The project directory, absolute.
pub const PROJECT: &str = "COGWORK_PROJECT";
/// The same under the name that other programs know.
pub const PROJECT_DIR: &str = "PROJECT_DIR";
/// The session's number.
pub const SESSION: &str = "COGWORK_SESSION";
/// The session's features: `3` or `3,4`.
pub const FEATURES: &str = "COGWORK_FEATURES";
/// One fencing token per feature, in the same order, with commas.
pub const TOKEN: &str = "COGWORK_TOKEN";
/// How many features the session may have, one after the other; not set when it is one.
pub const BATCH: &str = "COGWORK_BATCH";
/// The branch of the project on which each further feature of a workspace begins.
pub const BRANCH: &str = "COGWORK_BRANCH";
/// The path of the MCP configuration.
pub const MCP_CONFIG: &str = "COGWORK_MCP_CONFIG";
/// What a sweep looks for: see [`marker`].
pub use cogwork_process::contain::MARKER;
/// The agent's working directory.
pub const WORKSPACE: &str = "COGWORK_WORKSPACE";

/// How much this program and its siblings log to stderr, for example `debug`.
pub const LOG: &str = "COGWORK_LOG";

/// The environment of this process, read once at its start.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// What every program may see: the allow list of the crate `process`.
    base: Vec<(OsString, OsString)>,
    /// The rest, secrets included.
    others: Vec<(OsString, OsString)>,
}

impl Environment {
    /// Returns the environment of this process. For a program's `main`; everything else gets it as an argument.
    pub fn of_this_process() -> Self {
        let base = cogwork_process::base_env();
        let is_base = |name: &OsStr| base.iter().any(|(key, _)| key == name);
        let others = std::env::vars_os().filter(|(name, _)| !is_base(name)).collect();
        Self { base, others }
    }

    /// Returns an environment of which `base` may be seen by everybody.
    #[cfg(test)]
    pub fn of(base: &[(&str, &str)], others: &[(&str, &str)]) -> Self {
        let owned = |variables: &[(&str, &str)]| {
            variables.iter().map(|(key, value)| (key.into(), value.into())).collect()
        };
        Self { base: owned(base), others: owned(others) }
    }

    /// Returns the value of a variable.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.all().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
    }

    /// Returns what must not be said by a session that has this environment and works under `token`.
    pub fn secrets(&self, token: &Token) -> Redactor {
        let mut secrets = Redactor::of_variables(self.all());
        secrets.learn(token.reveal());
        secrets
    }

    /// Returns where the user keeps settings.
    pub fn config_home(&self) -> Option<PathBuf> {
        let set = |name: &str| self.get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))
    }

    /// Returns where copies of a project's database lie outside it.
    pub fn state_home(&self) -> StateHome {
        StateHome::of_variables(|name| self.get(name))
    }

    /// Returns all of it: for programs that this one itself is to resemble.
    pub fn all(&self) -> impl Iterator<Item = &(OsString, OsString)> {
        self.base.iter().chain(&self.others)
    }

    /// Returns the named variables that are set and not what every program may see anyway.
    pub fn named(&self, names: &[&str]) -> impl Iterator<Item = (OsString, OsString)> {
        self.others.iter().filter(move |(key, _)| names.iter().any(|name| key == *name)).cloned()
    }

    /// Returns the part that a session's programs may see: what everybody may, and the names in `pass`.
    pub fn allowed(&self, pass: &[String]) -> Vec<(OsString, OsString)> {
        let is_passed = |key: &OsStr| pass.iter().any(|name| key == name.as_str());
        let passed = self.others.iter().filter(|(key, _)| is_passed(key));
        self.base.iter().chain(passed).cloned().collect()
    }
}

/// Returns the value of `COGWORK_MARKER` for a session: what tells its processes from all others on this machine.
/// The project's directory has to be absolute, and written the same way each time.
pub fn marker(project: &Path, session: SessionId) -> String {
    format!("{}#{session}", cogwork_store::state_dir(project).display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_out_unless_they_are_passed_by_name() {
        let others = [("OPENAI_API_KEY", "k"), ("COGWORK_TOKEN", "t"), ("AWS_SECRET_ACCESS_KEY", "k")];
        let environment = Environment::of(&[("PATH", "/bin")], &others);
        let names = |pass: &[String]| -> Vec<String> {
            let allowed = environment.allowed(pass);
            allowed.into_iter().map(|(key, _)| key.into_string().unwrap()).collect()
        };
        assert_eq!(names(&[]), ["PATH"]);
        assert_eq!(names(&["OPENAI_API_KEY".into()]), ["PATH", "OPENAI_API_KEY"]);
        assert_eq!(environment.get("COGWORK_TOKEN"), Some(OsStr::new("t")));
    }

    #[test]
    fn a_marker_names_project_and_session() {
        assert_eq!(marker(Path::new("/p"), SessionId(4)), "/p/.cogwork#s4");
    }
}
