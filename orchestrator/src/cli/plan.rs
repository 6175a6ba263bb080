//! `cogwork plan`: from a specification to features.

use std::path::PathBuf;

use clap::Args;
use cogwork_schemas::{FeatureId, SessionOutcome, listed};
use cogwork_session::plan::{self, Finding, PlanError, Planned, Planning, Spec};
use cogwork_session::{
    AgentSettings, AgentSpec, Environment, Programs, SessionLimits, chain, policy_in_force, preflight,
};
use cogwork_views::counted;
use serde::Serialize;

use super::run::{Way, block_on, quoted, relative};
use super::{CliError, Exit, ProjectArg, print, print_json};
use crate::project::Project;
use crate::terminal::clean;
use cogwork_conductor::RunLock;
use cogwork_session::clock;

/// Turn a specification into features with checks and dependencies.
///
/// Any prose will do. An agent reads it, and what is in the project already, and makes features; it can do nothing else.
/// Then the plan is looked at (features without a check, chains, circles, doubles), and a second round repairs what is
/// found. Calling it again makes nothing twice; `--spec more.md` adds to a project that is under way.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) project: ProjectArg,
    /// The specification [default: app_spec.md or app_spec.txt in the project].
    #[arg(long, value_name = "FILE")]
    pub(crate) spec: Option<PathBuf>,
    /// The agent, as `cogwork run` takes it [default: the project's, or the first that is installed].
    #[arg(long, value_name = "AGENT")]
    pub(crate) agent: Option<String>,
    /// What the scripted agent plays.
    #[arg(long, value_name = "FILE")]
    pub(crate) script: Option<PathBuf>,
    /// Stop a planning session after so many seconds.
    #[arg(long, value_name = "S", default_value_t = plan::MAX_SESSION_S, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_session_s: u32,
    #[command(flatten)]
    pub(crate) settings: AgentSettings,
    /// Let the agent see this variable of the environment, too; may be given several times.
    #[arg(long = "pass-env", value_name = "NAME")]
    pub(crate) pass_env: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Serialize)]
struct Shown<'a> {
    created: &'a [FeatureId],
    total: usize,
    rounds: u32,
    findings: Vec<String>,
}

/// Plans; `way` is how it is run then.
pub(crate) fn plan(args: &PlanArgs, way: &Way) -> Result<Exit, CliError> {
    // Before anything is made: a wrong path makes no project.
    let spec = Spec::find(&args.project.dir, args.spec.as_deref())?;
    let project = Project::create(&args.project.dir)?;
    let asked = args.agent.as_ref().or(project.config.agent.as_ref()).map_or("auto", String::as_str);
    let asked: AgentSpec =
        asked.parse().map_err(|error| CliError::new(format!("{error}")).exit(Exit::Usage))?;
    let script = super::run::script(&project, args.script.as_ref())?;
    let settings = super::run::settings(&project, &args.settings)?;
    let own = Environment::of_this_process();
    let agent = preflight(&asked, script.as_deref(), &settings, &own)
        .map_err(|error| CliError::new(chain(&error)))?;
    policy_in_force(&settings.policy, &project.dir, &own).map_err(|error| CliError::new(chain(&error)))?;
    let _lock = RunLock::acquire(&project.dir, clock::now())?;
    project.store.file().check_integrity()?;
    let planning = Planning {
        project: &project.dir,
        spec: &spec,
        agent: &agent,
        script,
        limits: SessionLimits { max_session_s: args.max_session_s, ..SessionLimits::default() },
        settings,
        pass_env: args.pass_env.clone(),
        quiet: args.json,
    };
    let planned = carry_out(&project, &planning, &way.programs)?;
    if args.json {
        let Planned { created, total, rounds, findings } = &planned;
        let findings = findings.iter().map(Finding::to_string).collect();
        print_json(&Shown { created, total: *total, rounds: *rounds, findings })?;
    } else {
        print(&told(&project, &planned, &way.again))?;
    }
    Ok(Exit::Ok)
}

/// Plans, under the project's lock.
pub(super) fn carry_out(
    project: &Project,
    planning: &Planning<'_>,
    programs: &Programs,
) -> Result<Planned, CliError> {
    let own = Environment::of_this_process();
    Ok(block_on(plan::plan(planning, &project.store, &own, programs))??)
}

/// Returns what was planned, what is wrong with it, and what to do next.
fn told(project: &Project, planned: &Planned, again: &str) -> String {
    let dir = quoted(&relative(&project.dir).to_string_lossy());
    let next = format!("\nlook:   cogwork list --project-dir {dir}\ngo on:  {again} --project-dir {dir}\n");
    findings_told(planned) + &next
}

/// Returns what was planned, and what is wrong with it.
pub(super) fn findings_told(planned: &Planned) -> String {
    let Planned { created, total, findings, .. } = planned;
    let features = |count: usize| counted(count as u64, "feature");
    let mut text = match created.len() {
        0 => format!("\nnothing is new: the project has {}\n", features(*total)),
        n if n == *total => format!("\nplanned: {}\n", features(n)),
        n => format!("\nadded: {}, the project has {total}: {}\n", features(n), short_list(created)),
    };
    if !findings.is_empty() {
        text.push_str("\nlook at these before you run it:\n");
        for finding in findings {
            text.push_str(&format!("- {}\n", clean(&finding.to_string())));
        }
    }
    text
}

fn short_list(ids: &[FeatureId]) -> String {
    const SHOWN: usize = 10;
    match ids.len() {
        n if n > SHOWN => format!("{} and {} more", listed(&ids[..SHOWN]), n - SHOWN),
        _ => listed(ids),
    }
}

impl From<PlanError> for CliError {
    fn from(error: PlanError) -> Self {
        let text = chain(&error);
        match &error {
            PlanError::NoSpec { .. } => Self::new(text).hint("name it: --spec FILE").exit(Exit::Usage),
            PlanError::Unfinished { outcome: SessionOutcome::Stopped, .. } => {
                Self::new(text).exit(Exit::Stopped)
            }
            PlanError::Unfinished { outcome: SessionOutcome::UsageLimit { .. }, .. } => {
                Self::new(text).exit(Exit::Limit)
            }
            PlanError::Unfinished { .. }
            | PlanError::UnreadableSpec { .. }
            | PlanError::EmptySpec { .. }
            | PlanError::LongSpec { .. }
            | PlanError::Empty { .. }
            | PlanError::Agent(_)
            | PlanError::Confinement(_)
            | PlanError::Store(_)
            | PlanError::Unrecorded(_)
            | PlanError::Unusable { .. }
            | PlanError::Kernel { .. } => Self::new(text),
        }
    }
}
