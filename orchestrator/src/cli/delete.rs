//! `cogwork delete`: a feature that is wanted no more.

use std::io::{self, IsTerminal};

use clap::Args;
use cogwork_schemas::{FeatureId, listed};

use super::{CliError, Exit, ProjectArg, print};
use crate::project::Project;
use crate::terminal::cut;

/// Delete a feature and its history; what depended on it does so no more.
///
/// The journal keeps what happened, and the number is not given again.
#[derive(Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The feature, by its number.
    id: FeatureId,
    #[command(flatten)]
    project: ProjectArg,
    /// Do not ask.
    #[arg(short, long)]
    yes: bool,
}

pub(crate) fn delete(args: &DeleteArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    let feature = project.store.feature(args.id)?;
    let name = format!("{} {}", feature.id, cut(&feature.name, 80));
    if !args.yes {
        let features = project.store.features()?;
        let dependents: Vec<FeatureId> = features
            .iter()
            .filter(|other| other.dependencies.contains(&feature.id))
            .map(|other| other.id)
            .collect();
        let what = match dependents.len() {
            0 => format!("nothing depends on {name}"),
            _ => format!("{name} is what {} wait for", listed(&dependents)),
        };
        if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
            return Err(CliError::new(format!("{what}; nothing was deleted"))
                .hint("--yes deletes it without asking")
                .exit(Exit::Usage));
        }
        print(&format!("{what}. Delete it? [y/N] "))?;
        let mut word = String::new();
        io::stdin().read_line(&mut word)?;
        if !matches!(word.trim().to_lowercase().as_str(), "y" | "yes") {
            return Err(CliError::new("nothing was deleted"));
        }
    }
    let dependents = project.store.delete_feature(feature.id)?;
    let rest = match dependents.len() {
        0 => String::new(),
        1 => format!("; {} depends on it no more", listed(&dependents)),
        _ => format!("; {} depend on it no more", listed(&dependents)),
    };
    print(&format!("deleted {name}{rest}\n"))?;
    Ok(Exit::Ok)
}
