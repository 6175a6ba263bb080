//! `cogwork depend`: what a feature depends on.

use std::collections::BTreeSet;

use clap::Args;
use cogwork_schemas::{FeatureId, listed};
use cogwork_store::ImportLimits;

use super::{CliError, Exit, ProjectArg, print};
use crate::project::Project;

/// Make a feature depend on others, or no longer; all of it or nothing.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("change").args(["on", "not_on"]).multiple(true).required(true))]
pub(crate) struct DependArgs {
    /// The feature, by its number.
    id: FeatureId,
    #[command(flatten)]
    project: ProjectArg,
    /// What it has to wait for.
    #[arg(long, value_name = "ID", num_args = 1..)]
    on: Vec<FeatureId>,
    /// What it need not wait for any more.
    #[arg(long, value_name = "ID", num_args = 1..)]
    not_on: Vec<FeatureId>,
}

pub(crate) fn depend(args: &DependArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    let had: BTreeSet<FeatureId> = project.store.feature(args.id)?.dependencies.into_iter().collect();
    if let Some(both) = args.on.iter().find(|id| args.not_on.contains(id)) {
        return Err(CliError::new(format!("{both} is named by --on and by --not-on, nothing was changed"))
            .exit(Exit::Usage));
    }
    if let Some(other) = args.not_on.iter().find(|id| !had.contains(id)) {
        let now: Vec<_> = had.iter().copied().collect();
        let (id, depends) = (args.id, if now.is_empty() { "nothing".to_owned() } else { listed(&now) });
        return Err(CliError::new(format!(
            "{id} does not depend on {other}, nothing was changed: it depends on {depends}"
        )));
    }
    let mut wanted = had;
    wanted.extend(&args.on);
    wanted.retain(|id| !args.not_on.contains(id));
    let wanted: Vec<_> = wanted.into_iter().collect();
    let changed = project.store.set_dependencies(args.id, &wanted, &ImportLimits::default())?;
    let depends = if wanted.is_empty() { "nothing".to_owned() } else { listed(&wanted) };
    let word = if changed { "now" } else { "already" };
    print(&format!("{} depends on {depends} {word}\n", args.id))?;
    Ok(Exit::Ok)
}
