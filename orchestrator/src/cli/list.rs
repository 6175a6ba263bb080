//! `cogwork list`: every feature in a line.

use clap::Args;
use cogwork_views::standing;

use super::{CliError, Exit, ProjectArg, print, print_json};
use crate::project::Project;
use crate::terminal::{cut, standing_word, table};

/// List all features with their status.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    project: ProjectArg,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn list(args: &ListArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    let features = project.store.features()?;
    if args.json {
        print_json(&features)?;
        return Ok(Exit::Ok);
    }
    let graph = project.store.graph()?;
    let rows: Vec<_> = features
        .iter()
        .map(|feature| {
            let dependencies =
                feature.dependencies.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
            [
                feature.id.to_string(),
                standing_word(standing(feature, &graph)),
                cut(&feature.category, 16),
                cut(&feature.name, 50),
                cut(&dependencies, 30),
            ]
        })
        .collect();
    print(&table(["id", "status", "category", "name", "needs"], &rows))?;
    Ok(Exit::Ok)
}
