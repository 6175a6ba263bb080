//! `cogwork why`: why a feature is not running, and what would unblock it.

use clap::Args;
use cogwork_schemas::{Feature, FeatureId, Hold};
use cogwork_store::graph::Graph;
use serde::Serialize;

use super::{CliError, Exit, ProjectArg, print, print_json};
use crate::project::Project;
use crate::terminal::{clean, cut};

/// Say why a feature is not running, and what would unblock it.
#[derive(Debug, Args)]
pub(crate) struct WhyArgs {
    /// The feature; without it, every feature that does not pass.
    id: Option<FeatureId>,
    #[command(flatten)]
    project: ProjectArg,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Answer {
    id: FeatureId,
    name: String,
    why: Hold,
}

pub(crate) fn why(args: &WhyArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    let graph = Graph::new(project.store.nodes()?).map_err(cogwork_store::StoreError::from)?;
    let features = match args.id {
        Some(id) => vec![project.store.feature(id)?],
        None => project.store.features()?,
    };
    let answers: Vec<_> = features
        .into_iter()
        .filter_map(|Feature { id, name, .. }| Some(Answer { why: graph.hold(id)?, id, name }))
        .filter(|answer| args.id.is_some() || answer.why != Hold::Passing)
        .collect();
    if args.json {
        print_json(&answers)?;
    } else if answers.is_empty() {
        print("every feature passes\n")?;
    } else {
        print(&answers.iter().map(line).collect::<String>())?;
    }
    Ok(Exit::Ok)
}

fn line(answer: &Answer) -> String {
    format!("{} {}: {}\n", answer.id, cut(&answer.name, 60), sentence(&answer.why))
}

/// Returns the answer as a sentence.
pub(crate) fn sentence(hold: &Hold) -> String {
    let ids = |ids: &[FeatureId]| ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match hold {
        Hold::Ready => "ready, it starts as soon as a run has a free slot".to_owned(),
        Hold::Running { session } => format!("running in session {session}"),
        Hold::Passing => "it passes".to_owned(),
        Hold::Blocked { waiting_for, roots } if waiting_for == roots => {
            format!("blocked, waits for {}", ids(waiting_for))
        }
        Hold::Blocked { waiting_for, roots } => {
            format!("blocked, waits for {}; that is decided by {}", ids(waiting_for), ids(roots))
        }
        Hold::Parked { failed_attempts, reason } => {
            format!("given up after {failed_attempts} attempts; the last said: {}", clean(reason))
        }
        Hold::NeedsHuman => "waits for a person's answer".to_owned(),
    }
}
