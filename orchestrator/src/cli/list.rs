//! `cogwork list`: every feature in a line.

use clap::Args;
use cogwork_schemas::{Feature, Hold, Status};
use cogwork_store::graph::Graph;

use super::{CliError, Exit, ProjectArg, print, print_json};
use crate::project::Project;
use crate::terminal::{cut, proof_word, table};

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
                standing(feature, hold(&graph, feature).as_ref()).to_owned(),
                cut(&feature.category, 16),
                cut(&feature.name, 50),
                cut(&dependencies, 30),
            ]
        })
        .collect();
    print(&table(["id", "status", "category", "name", "needs"], &rows))?;
    Ok(Exit::Ok)
}

/// Returns what holds a feature, without the roots that a list does not show: to find those of every blocked feature
/// is to walk most of the graph for each.
fn hold(graph: &Graph, feature: &Feature) -> Option<Hold> {
    match feature.status {
        Status::Pending if graph.is_ready(feature.id) => Some(Hold::Ready),
        Status::Pending => Some(Hold::Blocked { waiting_for: Vec::new(), roots: Vec::new() }),
        Status::Claimed | Status::Passing | Status::Parked | Status::NeedsHuman => graph.hold(feature.id),
    }
}

/// Returns the one word for where a feature stands, derived states included.
pub(crate) fn standing(feature: &Feature, hold: Option<&Hold>) -> &'static str {
    match feature.status {
        Status::Pending => match hold {
            Some(Hold::Blocked { .. }) => "blocked",
            Some(
                Hold::Ready
                | Hold::Running { .. }
                | Hold::Landing { .. }
                | Hold::Passing
                | Hold::Parked { .. }
                | Hold::NeedsHuman { .. },
            )
            | None => "ready",
        },
        Status::Claimed if matches!(hold, Some(Hold::Landing { .. })) => "landing",
        Status::Claimed => "running",
        Status::Passing => feature.proof.map_or("passing", |proof| match proof {
            cogwork_schemas::Proof::RedGreen => "passing",
            cogwork_schemas::Proof::AlreadyGreen | cogwork_schemas::Proof::Unverified => proof_word(proof),
        }),
        Status::Parked => "given up",
        Status::NeedsHuman => "needs you",
    }
}
