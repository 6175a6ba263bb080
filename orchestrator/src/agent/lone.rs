//! A single agent that works through the features of a project, one after the other, in the project's own directory: a
//! run with one slot, and nothing else.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use cogwork_conductor::{Plan, Scope};
use cogwork_schemas::{FeatureId, Isolation, Role, Status};
use cogwork_session::{AgentSettings, AgentSpec, Programs, SessionLimits};
use cogwork_store::AttemptLimits;

use crate::cli::plan::PlanArgs;
use crate::cli::run::{self, Way};
use crate::cli::{CliError, Exit, ProjectArg, plan, report};
use crate::project::Project;

/// What a newcomer types.
const EXAMPLES: &str = "\
Examples:
  cogwork import features.json --project-dir .     add features with their checks, once
  cogwork-runner --project-dir .                   let the first agent that is installed work until all pass
  cogwork-runner --project-dir . --agent codex --features 3,4 --max-iterations 1
  cogwork status --project-dir .                   see where it stands, from anywhere; `cogwork why` says what waits";

/// Let one agent work through the features of a project until they pass
///
/// A run with one session at a time, in the project's directory itself: the next ready feature is claimed, the agent
/// started, and the feature's checks decide. It is paused, drained and stopped as any run is. For several agents at once,
/// each in a workspace of its own, use `cogwork run`.
///
/// Exit codes: 0 done, 1 error, 2 usage, 3 done but some features were given up, 4 blocked, or one of the sessions asked
/// for with --max-iterations did not get its feature to pass, 5 stopped, 7 another run holds the project, 8 at the usage
/// limit.
#[derive(Debug, Parser)]
#[command(name = "cogwork-runner", version, after_help = EXAMPLES)]
pub(super) struct LoneFlags {
    #[command(flatten)]
    project: ProjectArg,
    /// What the sessions are for: coding builds what is ready, testing looks again at what passes, initializer turns the
    /// specification into features [default: initializer where there are no features yet, then coding]
    #[arg(long, value_parser = role)]
    role: Option<Role>,
    /// The specification for --role initializer [default: app_spec.md or app_spec.txt in the project]
    #[arg(long, value_name = "FILE")]
    spec: Option<PathBuf>,
    /// Work on these features only, such as 1,2
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    features: Vec<FeatureId>,
    /// The agent: claude, codex, gemini, opencode, acp:CMD for any that speaks the Agent Client Protocol, exec:CMD for
    /// any command (prompt on stdin, MCP configuration in $COGWORK_MCP_CONFIG), scripted; auto takes the first of the
    /// named ones that is installed [default: the project's, or auto]
    #[arg(long, value_name = "AGENT")]
    agent: Option<AgentSpec>,
    /// What the scripted agent plays
    #[arg(long, value_name = "FILE")]
    script: Option<PathBuf>,
    /// End after so many sessions
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_iterations: Option<u32>,
    /// Have the agent write its code and hand it in without trying it out; the checks decide as ever
    #[arg(long)]
    yolo: bool,
    #[command(flatten)]
    limits: SessionLimits,
    #[command(flatten)]
    settings: AgentSettings,
    /// Let the agent see these variables of the environment, too
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pass_env: Vec<String>,
    /// Print every event as a line of JSON
    #[arg(long)]
    json: bool,
    /// What this program was called.
    #[arg(skip)]
    name: String,
}

impl LoneFlags {
    pub(super) fn called(self, name: String) -> Self {
        Self { name, ..self }
    }
}

fn role(word: &str) -> Result<Role, String> {
    match word {
        "initializer" => Ok(Role::Initializer),
        "coding" | "testing" => cogwork_session::role_with_feature(word),
        _ => Err("no such role: use coding, testing or initializer".to_owned()),
    }
}

/// Works until nothing is left that it could do.
pub(super) fn main(flags: &LoneFlags, programs: &Programs) -> ExitCode {
    match start(flags, programs) {
        Ok(exit) => exit.into(),
        Err(error) => report(&error),
    }
}

fn start(flags: &LoneFlags, programs: &Programs) -> Result<Exit, CliError> {
    let way = Way { json: flags.json, is_lone: true, again: flags.name.clone(), programs: programs.clone() };
    if flags.role == Some(Role::Initializer) {
        return plan::plan(&flags.planning(), &way);
    }
    let project = match flags.role {
        None => run::open_or_begin(&flags.project.dir, flags.spec.as_deref())?,
        Some(_) => Project::open(&flags.project.dir)?,
    };
    for id in &flags.features {
        let feature = project.store.feature(*id)?;
        if flags.role == Some(Role::Testing) && feature.status != Status::Passing {
            return Err(CliError::new(format!("{id} does not pass: there is nothing to test")));
        }
    }
    run::carry_out(&project, flags.plan(&project)?, &way)
}

impl LoneFlags {
    fn planning(&self) -> PlanArgs {
        PlanArgs {
            project: self.project.clone(),
            spec: self.spec.clone(),
            agent: self.agent.as_ref().map(AgentSpec::to_string),
            script: self.script.clone(),
            max_session_s: self.limits.max_session_s,
            settings: self.settings.clone(),
            pass_env: self.pass_env.clone(),
            json: self.json,
        }
    }

    fn plan(&self, project: &Project) -> Result<Plan, CliError> {
        let features = (!self.features.is_empty()).then(|| self.features.iter().copied().collect());
        Ok(Plan {
            slots: 1,
            scope: Scope { role: self.role.unwrap_or(Role::Coding), features, sessions: self.max_iterations },
            batch: 1,
            yolo: self.yolo,
            agent: match &self.agent {
                Some(agent) => agent.clone(),
                None => run::agent(project, None)?.unwrap_or(AgentSpec::Auto),
            },
            script: run::script(project, self.script.as_ref())?,
            isolation: Isolation::Shared,
            limits: AttemptLimits::default(),
            session_limits: self.limits.clone(),
            settings: run::settings(project, &self.settings)?,
            pass_env: self.pass_env.clone(),
        })
    }
}
