//! `cogwork retry`: another chance for a feature that was given up.

use clap::Args;
use cogwork_schemas::{FeatureId, Status};
use cogwork_store::StoreError;

use super::{CliError, Exit, ProjectArg, print};
use crate::project::Project;

/// Give a feature that was given up another chance, with all its attempts.
#[derive(Debug, Args)]
pub(crate) struct RetryArgs {
    /// The features, by their numbers.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<FeatureId>,
    #[command(flatten)]
    project: ProjectArg,
}

pub(crate) fn retry(args: &RetryArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    // All or nothing: one that cannot be retried keeps the others as they are.
    for id in &args.ids {
        let status = project.store.feature(*id)?.status;
        if status != Status::Parked {
            return Err(StoreError::NotParked { id: *id, status }.into());
        }
    }
    for id in &args.ids {
        project.store.retry(*id)?;
        print(&format!("{id} is tried again by the next run, or by the one that is under way\n"))?;
    }
    Ok(Exit::Ok)
}
