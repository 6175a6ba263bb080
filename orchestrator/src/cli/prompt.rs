//! `cogwork prompt`: what an agent is told, to the letter.

use clap::{Args, Subcommand, ValueEnum};
use cogwork_process::git::{Git, GitError};
use cogwork_prompts::Prompt;
use cogwork_schemas::{FeatureId, Isolation, Role};
use cogwork_session::brief::{self, Place};
use cogwork_session::{chain, plan};
use cogwork_store::session_branch;

use super::run::block_on;
use super::{CliError, Exit, ProjectArg, print};
use crate::project::Project;

/// The prompts that agents get.
#[derive(Debug, Args)]
pub(crate) struct PromptArgs {
    #[command(subcommand)]
    command: PromptCommand,
}

#[derive(Debug, Subcommand)]
enum PromptCommand {
    Show(PromptShowArgs),
}

/// Print exactly what an agent would be told now.
///
/// A project's own words stand in .cogwork/prompts/NAME.md, for the prompts initializer, coding, repair, testing and
/// review, and in .cogwork/prompts/parts/NAME.md for what several of them say. What they get wrong is said here.
#[derive(Debug, Args)]
struct PromptShowArgs {
    #[command(flatten)]
    project: ProjectArg,
    /// Whose prompt. A coding agent is told to repair what passed before; `review` is for whoever reads the work on a
    /// feature, such as: cogwork prompt show --role review --feature 7 | claude -p
    #[arg(long, value_name = "ROLE", default_value = "coding")]
    role: Whose,
    /// The feature; not for an initializer.
    #[arg(long, value_name = "ID")]
    feature: Option<FeatureId>,
    /// The specification, for an initializer [default: app_spec.md or app_spec.txt].
    #[arg(long, value_name = "FILE")]
    spec: Option<std::path::PathBuf>,
    /// Where the agent would work.
    #[arg(long, value_name = "WHERE", default_value = "workspace", value_parser = ["workspace", "shared"])]
    isolation: String,
    /// How many features its session may have.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
    batch_size: u32,
    /// As `cogwork run --yolo`.
    #[arg(long)]
    yolo: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Whose {
    Initializer,
    Coding,
    Testing,
    Review,
}

pub(crate) fn prompt(args: &PromptArgs) -> Result<Exit, CliError> {
    let PromptCommand::Show(args) = &args.command;
    let project = Project::open(&args.project.dir)?;
    let text = cogwork_prompts::render(&project.dir, &made(&project, args)?)
        .map_err(|error| CliError::new(chain(&error)))?;
    print(&text)?;
    Ok(Exit::Ok)
}

fn made(project: &Project, args: &PromptShowArgs) -> Result<Prompt, CliError> {
    let role = match args.role {
        Whose::Initializer => {
            let spec = plan::Spec::find(&project.dir, args.spec.as_deref())?;
            return Ok(plan::prompt(&project.store, &project.dir, &spec, &[])?);
        }
        Whose::Review => {
            let feature = project.store.feature(wanted(args)?)?;
            return Ok(brief::for_review(&project.store, &feature, &project.dir)?);
        }
        Whose::Coding => Role::Coding,
        Whose::Testing => Role::Testing,
    };
    let feature = project.store.feature(wanted(args)?)?;
    let place = block_on(place(project, args.isolation == "workspace"))??;
    let how = brief::How { batch: args.batch_size, yolo: args.yolo };
    Ok(brief::for_feature(&project.store, &feature, role, &place, how)?)
}

fn wanted(args: &PromptShowArgs) -> Result<FeatureId, CliError> {
    args.feature.ok_or_else(|| {
        CliError::new("which feature is it about?")
            .hint("name it: --feature ID; `cogwork list` shows them")
            .exit(Exit::Usage)
    })
}

/// Returns where the next session would work. A workspace holds what is committed, and nothing else.
async fn place(project: &Project, in_workspace: bool) -> Result<Place, CliError> {
    let failed = |error: GitError| CliError::new(chain(&error));
    let git = Git::at(&project.dir);
    let is_repository = git.is_repository().await.unwrap_or(false);
    if in_workspace {
        let names = match is_repository && git.head().await.map_err(failed)?.is_some() {
            true => git.root_names("HEAD").await.map_err(failed)?,
            false => Vec::new(),
        };
        let branch = Some(session_branch(project.store.next_session()?));
        return Ok(Place { names, isolation: Isolation::Workspace, branch });
    }
    let branch = match is_repository {
        true => git.current_branch().await.map_err(failed)?,
        false => None,
    };
    Ok(Place { names: brief::names(&project.dir), isolation: Isolation::Shared, branch })
}
