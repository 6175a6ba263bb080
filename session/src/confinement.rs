//! The sandbox of a session, a check or a landing: which wall there is, and what may be written behind it.
//!
//! It owns the answer to "where may this write?" and a directory for what is not kept. The wall itself is the matter of
//! [`cogwork_process::contain`].

use std::ffi::OsString;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use cogwork_process::contain::{NoSandbox, Rule, Sandbox, SandboxChoice, Wall};
use cogwork_store::state_dir;

use crate::{AgentSettings, AgentSpec, Environment};

/// What the MCP server of an agent writes of the state of a project. It is started by the agent, inside.
const DATABASE: [&str; 4] = ["features.db", "features.db-wal", "features.db-shm", "write.lock"];
/// Where programs look for a temporary directory whatever they are told.
const SHARED: &str = "/tmp";
/// Variables that name the directory for what is not kept.
const TEMPORARY: &[&str] = &["TMPDIR", "TMP", "TEMP", "CLAUDE_CODE_TMPDIR"];

/// Why there is none although one is wanted.
#[derive(Debug, thiserror::Error)]
pub enum ConfinementError {
    /// No wall stands here.
    #[error(transparent)]
    NoSandbox(#[from] NoSandbox),
    /// Nothing can be kept apart.
    #[error("no directory can be made in {} for the sandbox: {source}", dir.display())]
    NoTemporary {
        /// Where it was to be.
        dir: PathBuf,
        #[source]
        source: io::Error,
    },
}

/// A wall, and what may be written behind it whoever writes. Its temporary directory goes with it.
#[derive(Debug)]
pub struct Confinement {
    wall: Wall,
    temporary: PathBuf,
    /// The temporary directory is seen where all programs look for one.
    is_in_place: bool,
    home: Option<PathBuf>,
    caches: Vec<PathBuf>,
}

impl Confinement {
    /// Returns the one that is wanted for the agents and checks of `project`; `None` where none is.
    ///
    /// # Errors
    ///
    /// [`ConfinementError`] where one is wanted and cannot be had: nothing runs without it then.
    pub async fn find(
        settings: &AgentSettings,
        project: &Path,
        own: &Environment,
    ) -> Result<Option<Self>, ConfinementError> {
        let choice = settings.sandbox.unwrap_or_default();
        if choice == SandboxChoice::Off {
            return Ok(None);
        }
        let Some(wall) = Wall::find(choice, &own.allowed(&[])).await? else { return Ok(None) };
        let home = own.get("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        let in_home = |path: &PathBuf| match (path.strip_prefix("~"), &home) {
            (Ok(rest), Some(home)) => home.join(rest),
            (Ok(_) | Err(_), _) => path.clone(),
        };
        let caches: Vec<PathBuf> = settings.sandbox_write.iter().map(in_home).collect();
        let needed = [Some(project.to_owned()), home.clone(), std::env::current_exe().ok()];
        let mut needed = needed.into_iter().flatten().chain(caches.iter().cloned());
        let is_in_place = wall == Wall::Bubblewrap && !needed.any(|path| lies_in_shared(&path));
        let parent = own.get("TMPDIR").map_or_else(|| PathBuf::from(SHARED), PathBuf::from);
        let temporary = temporary_dir(&parent)
            .map_err(|source| ConfinementError::NoTemporary { dir: parent.clone(), source })?;
        Ok(Some(Self { wall, temporary, is_in_place, home, caches }))
    }

    /// Returns the variables by which programs find where to put what is not kept.
    pub fn env(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let dir = if self.is_in_place { Path::new(SHARED) } else { &self.temporary };
        TEMPORARY.iter().map(|name| (OsString::from(name), dir.as_os_str().to_owned()))
    }

    /// Returns the sandbox of a check in `tree`.
    pub fn around_check(&self, project: &Path, tree: &Path) -> Sandbox {
        let dir = self.temporary.clone();
        let temporary =
            if self.is_in_place { Rule::Own { dir, at: SHARED.into() } } else { Rule::Writable(dir) };
        let mut rules = vec![temporary, Rule::Writable(tree.to_owned())];
        // A shared tree has the state in it.
        let state = state_dir(project);
        if state.starts_with(tree) {
            rules.push(Rule::Sealed(state));
        }
        rules.extend(self.caches.iter().cloned().map(Rule::Writable));
        Sandbox { wall: self.wall, rules }
    }

    /// Returns the sandbox of an agent that works in `tree`: beside what a check may write, the database for the MCP
    /// server that it starts, what the agent's own program keeps, and the files that it was given in `given`.
    ///
    /// # Errors
    /// A sentence, for a database that nobody could write in there.
    pub(crate) fn around_agent(
        &self,
        project: &Path,
        tree: &Path,
        agent: &AgentSpec,
        own: &Environment,
        given: impl IntoIterator<Item = PathBuf>,
    ) -> Result<Sandbox, String> {
        let state = state_dir(project);
        let [database, log, ..] = DATABASE;
        // Without a log, each write makes a file beside the database, where nothing else may be written.
        if !state.join(log).exists() {
            return Err(format!(
                "{} keeps no log on this file system, which the sandbox needs: use --sandbox off",
                state.join(database).display()
            ));
        }
        let mut sandbox = self.around_check(project, tree);
        let moved = agent.moves().and_then(|(variable, dir)| Some((own.get(variable)?, dir)));
        let home = |path: &&str| match moved
            .and_then(|(to, dir)| Some((to, Path::new(path).strip_prefix(dir).ok()?)))
        {
            Some((to, rest)) => Some(Path::new(to).join(rest)),
            None => self.home.as_ref().map(|home| home.join(path)),
        };
        let database = DATABASE.iter().map(|file| state.join(file));
        let kept: Vec<PathBuf> = agent.keeps().iter().filter_map(home).collect();
        // On its first day there is nothing yet, and inside it could not be made.
        for dir in kept.iter().filter(|path| path.extension().is_none()) {
            std::fs::create_dir_all(dir)
                .map_err(|error| format!("cannot make {}: {error}", dir.display()))?;
        }
        sandbox.rules.extend(database.chain(kept).chain(given).map(Rule::Writable));
        sandbox.rules.extend(agent.obeys().iter().filter_map(home).map(Rule::Sealed));
        Ok(sandbox)
    }
}

/// Returns whether a path lies in the directory that all users share.
fn lies_in_shared(path: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(path).starts_with(real(Path::new(SHARED)))
}

impl Drop for Confinement {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.temporary) {
            tracing::debug!("{} stays: {error}", self.temporary.display());
        }
    }
}

/// Makes a directory that nobody else may look into.
fn temporary_dir(parent: &Path) -> io::Result<PathBuf> {
    let pid = std::process::id();
    let mut number = 0;
    loop {
        let dir = parent.join(format!("cogwork-{pid}-{number}"));
        match DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => number += 1,
            made => return made.map(|()| dir),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn confinement(wall: Wall, is_in_place: bool) -> Confinement {
        let temporary = temporary_dir(&std::env::temp_dir()).unwrap();
        let home = Some(temporary.join("ann"));
        Confinement { wall, temporary, is_in_place, home, caches: vec!["/c".into()] }
    }

    #[test]
    fn a_project_in_the_shared_directory_is_not_hidden() {
        assert!(lies_in_shared(Path::new("/tmp/p")) && !lies_in_shared(Path::new("/home/ann/tmp")));
        let (plain, own) = (confinement(Wall::Landlock, false), confinement(Wall::Bubblewrap, true));
        let dir = |walls: &Confinement| walls.env().next().unwrap().1;
        assert_eq!((dir(&plain), dir(&own)), (plain.temporary.clone().into_os_string(), "/tmp".into()));
        let rules = own.around_check(Path::new("/p"), Path::new("/w")).rules;
        let temporary = Rule::Own { dir: own.temporary.clone(), at: "/tmp".into() };
        // First, or it would hide what lies in it.
        assert_eq!(rules, [temporary, Rule::Writable("/w".into()), Rule::Writable("/c".into())]);
        let shared = plain.around_check(Path::new("/p"), Path::new("/p")).rules;
        assert!(shared.contains(&Rule::Sealed("/p/.cogwork".into())), "{shared:?}");
    }

    #[test]
    fn an_agent_keeps_what_it_keeps_wherever_that_is() {
        let project = tempfile::tempdir().unwrap();
        let state = state_dir(project.path());
        std::fs::create_dir(&state).unwrap();
        let walls = confinement(Wall::Bubblewrap, false);
        let around = |own: &Environment| {
            let given = [PathBuf::from("/given")];
            walls.around_agent(project.path(), Path::new("/w"), &AgentSpec::Claude, own, given)
        };
        let nowhere = around(&Environment::of(&[], &[])).unwrap_err();
        assert!(nowhere.contains("features.db keeps no log"), "{nowhere}");
        std::fs::write(state.join("features.db-wal"), "").unwrap();
        let elsewhere = project.path().join("elsewhere");
        for (own, kept) in [
            (Environment::of(&[], &[]), walls.temporary.join("ann/.claude")),
            (Environment::of(&[("CLAUDE_CONFIG_DIR", elsewhere.to_str().unwrap())], &[]), elsewhere.clone()),
        ] {
            let rules = around(&own).unwrap().rules;
            let at = |rule: &Rule| rules.iter().position(|known| known == rule).unwrap();
            let settings = kept.join("settings.json");
            assert!(at(&Rule::Writable(kept.clone())) < at(&Rule::Sealed(settings)), "{rules:?}");
            assert!(kept.is_dir(), "it is there on its first day");
            at(&Rule::Writable(state.join("features.db")));
            at(&Rule::Writable("/given".into()));
        }
    }
}
