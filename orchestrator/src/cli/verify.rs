//! `cogwork verify`: all checks, by hand, on what is on the main branch.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use cogwork_process::git::{Git, GitError};
use cogwork_process::{check, contain};
use cogwork_schemas::{CheckReport, Feature, FeatureId, Status};
use cogwork_store::state_dir;
use serde::Serialize;

use super::run::block_on;
use super::{CliError, Exit, ProjectArg, print, print_json};
use crate::project::Project;
use crate::terminal::{cut, duration, table};
use cogwork_session::{Environment, chain};

/// Run the checks of all passing features on what is committed, and say whether they are green.
///
/// In a git project they run in a fresh clone of the branch that is checked out, so that no uncommitted file can
/// help them. Changes nothing.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(flatten)]
    project: ProjectArg,
    /// Run the checks of every feature, also of those that do not pass yet.
    #[arg(long)]
    all: bool,
    /// Let the checks see this variable of the environment, too; may be given several times.
    #[arg(long = "pass-env", value_name = "NAME")]
    pass_env: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Verified {
    id: FeatureId,
    name: String,
    green: bool,
    reports: Vec<CheckReport>,
}

pub(crate) fn verify(args: &VerifyArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    let features = project
        .store
        .features()?
        .into_iter()
        .filter(|feature| !feature.checks.is_empty() && (args.all || feature.status == Status::Passing))
        .collect();
    let verified = block_on(verify_in_clone(&project, features, &args.pass_env))?
        .map_err(|error| CliError::new(chain(&error)))?;
    let green = verified.iter().filter(|feature| feature.green).count();
    if args.json {
        print_json(&verified)?;
    } else {
        print(&text(&verified))?;
        print(&format!("\n{green} of {} features are green\n", verified.len()))?;
    }
    Ok(if green == verified.len() { Exit::Ok } else { Exit::Red })
}

async fn verify_in_clone(
    project: &Project,
    features: Vec<Feature>,
    pass_env: &[String],
) -> Result<Vec<Verified>, GitError> {
    let state = state_dir(&project.dir);
    // No checks outlive this command, not even the servers they leave running.
    drop(contain::become_subreaper());
    let mut env = Environment::of_this_process().allowed(pass_env);
    // Not one of the marks that a run sweeps: this command is a person's.
    env.push((contain::MARKER.into(), state.join("verify").into()));
    if !Git::at(&project.dir).is_repository().await? {
        return Ok(verify_each(features, project.dir.clone(), &env).await);
    }
    let clone = state.join(format!("verify-{}", contain::own_identity().pid));
    Git::clone_shared(&project.dir, &clone, "cogwork/verify").await?;
    let verified = verify_each(features, clone.clone(), &env).await;
    std::fs::remove_dir_all(&clone).map_err(|source| GitError::Io { path: clone, source })?;
    Ok(verified)
}

async fn verify_each(features: Vec<Feature>, dir: PathBuf, env: &[(OsString, OsString)]) -> Vec<Verified> {
    let mut verified = Vec::with_capacity(features.len());
    for feature in features {
        let reports = check::run_all(&feature.checks, &dir, env, None).await;
        let green = reports.iter().all(|report| report.verdict.is_green());
        verified.push(Verified { id: feature.id, name: feature.name, green, reports });
    }
    verified
}

fn text(verified: &[Verified]) -> String {
    let rows: Vec<_> = verified
        .iter()
        .flat_map(|feature| {
            feature.reports.iter().map(|report| {
                [
                    feature.id.to_string(),
                    cut(&feature.name, 44),
                    report.verdict.to_string(),
                    cut(&report.command, 50),
                    duration(report.duration_ms),
                ]
            })
        })
        .collect();
    table(["id", "feature", "check", "command", "time"], &rows)
}
