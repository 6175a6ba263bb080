//! Planning sessions without an orchestrator.

use std::io::{self, Write};

use cogwork_schemas::SessionOutcome;

use super::{StandaloneError, StandaloneFlags};
use cogwork_conductor::RunLock;
use cogwork_session::clock::{self, Clock};
use cogwork_session::plan::{self, PlanError, Planning, Spec};
use cogwork_session::text::printable;
use cogwork_session::{Environment, ExitStatus, Programs};

/// Turns the specification into features, in a project that is made if there is none.
pub(super) async fn plan(
    flags: &StandaloneFlags,
    clock: Clock,
    own: &Environment,
    programs: &Programs,
) -> Result<ExitStatus, StandaloneError> {
    let spec = Spec::find(&flags.project_dir, flags.spec.as_deref())?;
    let store = own.state_home().create(&flags.project_dir, clock::source())?;
    let _lock = RunLock::acquire(&flags.project_dir, clock.now())?;
    let planning = Planning {
        project: &flags.project_dir,
        spec: &spec,
        agent: &flags.agent,
        script: flags.script.clone(),
        limits: flags.limits.clone(),
        settings: flags.settings.clone(),
        pass_env: flags.pass_env.clone(),
        quiet: false,
    };
    let planned = match plan::plan(&planning, &store, own, programs).await {
        Err(PlanError::Unfinished { outcome: SessionOutcome::Stopped, .. }) => {
            return Ok(ExitStatus::Stopped);
        }
        planned => planned?,
    };
    let mut text = format!("{} features are new, of {}\n", planned.created.len(), planned.total);
    for finding in &planned.findings {
        text.push_str(&format!("look at this: {}\n", printable(&finding.to_string())));
    }
    // A reader that went away does not undo the plan.
    drop(io::stdout().lock().write_all(text.as_bytes()));
    Ok(ExitStatus::Done)
}
