//! The checks of a run, outside its sessions: what they see, and what confines them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cogwork_process::{check, contain};
use cogwork_schemas::{Check, CheckReport};
use cogwork_session::{Confinement, ConfinementError, Environment};
use cogwork_store::state_dir;

use crate::run::Plan;

/// How checks are run.
#[derive(Debug, Clone)]
pub struct Checks {
    project: PathBuf,
    env: Vec<(OsString, OsString)>,
    /// Where they may write; everywhere when there is none.
    confinement: Option<Arc<Confinement>>,
}

impl Checks {
    /// Checks that see `variables`, and may write everywhere.
    pub fn new(project: &Path, variables: Vec<(OsString, OsString)>) -> Self {
        let mut env = variables;
        let marker = format!("{}#integrate", state_dir(project).display());
        env.push((contain::MARKER.into(), marker.into()));
        Self { project: project.to_owned(), env, confinement: None }
    }

    /// The same as in the sessions of a run.
    ///
    /// # Errors
    ///
    /// When there is no sandbox that is asked for.
    pub(crate) async fn of_plan(project: &Path, plan: &Plan) -> Result<Self, ConfinementError> {
        let own = Environment::of_this_process();
        let confinement = Confinement::find(&plan.settings, project, &own).await?.map(Arc::new);
        Ok(Self { confinement, ..Self::new(project, own.allowed(&plan.pass_env)) })
    }

    /// Runs them all in a directory.
    pub(super) async fn run(&self, checks: &[Check], dir: &Path) -> Vec<CheckReport> {
        let walls = self.confinement.as_deref();
        let sandbox = walls.map(|walls| walls.around_check(&self.project, dir));
        let mut env = self.env.clone();
        env.extend(walls.into_iter().flat_map(Confinement::env));
        check::run_all(checks, dir, &env, sandbox.as_ref()).await
    }

    /// Runs them all in the project itself.
    pub(super) async fn run_in_project(&self, checks: &[Check]) -> Vec<CheckReport> {
        self.run(checks, &self.project).await
    }
}
