//! `cogwork why`: why a feature is not running, and what would unblock it.

use std::time::Duration;

use clap::Args;
use cogwork_conductor::ports::Obstacles;
use cogwork_conductor::{Holder, RunLock};
use cogwork_schemas::{FeatureId, Hold};
use cogwork_session::chain;
use cogwork_store::ErrorClass;
use cogwork_views::{Counts, HoldView, Overview};

use super::{CliError, Exit, ProjectArg, print, print_json, question};
use crate::project::Project;
use crate::terminal::{clean, cut, here};

/// Others write for milliseconds: whoever holds the database this long holds up the run.
const TURN: Duration = Duration::from_secs(1);

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

pub(crate) fn why(args: &WhyArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    let answers = match args.id {
        Some(id) => HoldView::of(&project.store, id)?.into_iter().collect(),
        None => HoldView::of_project(&project.store)?,
    };
    if args.json {
        print_json(&answers)?;
    } else if answers.is_empty() {
        print(&format!("nothing is left: {}\n", Counts::of_project(&project.store)?.line()))?;
    } else {
        print(&answers.iter().map(line).collect::<String>())?;
        if let Some(holder) = holder(&project)? {
            let overview = Overview::of_project(&project.store, Some(&holder.process))?;
            let lines = held_up(&holder).into_iter().chain(overview.activity_lines(&here()));
            print(&lines.map(|line| clean(&line) + "\n").collect::<String>())?;
        }
        // One that is asked for by its number is worth all that it takes to go on.
        if let (Some(id), [HoldView { why: Hold::NeedsHuman { .. }, .. }]) = (args.id, answers.as_slice())
            && let Some(request) = project.store.feature(id)?.human_request
        {
            let command = question::command(id, &request, &project.dir);
            print(&format!("{}answer: {command}\n", question::asked(&request)))?;
        }
    }
    Ok(Exit::Ok)
}

fn line(answer: &HoldView) -> String {
    format!("{} {} {}\n", answer.id, cut(&answer.name, 60), sentence(&answer.why))
}

/// Returns who runs the project, and what holds it up: as it says itself, or as this process finds it. Only its sessions
/// may have something to write while the database is locked.
pub(super) fn holder(project: &Project) -> Result<Option<Holder>, CliError> {
    let mut holder = RunLock::holder(&project.dir)?;
    if let Some(Holder { obstacles: Obstacles { ledger: ledger @ None, .. }, .. }) = &mut holder
        && let Err(error) = project.store.await_turn(TURN)
        && error.class() == ErrorClass::Again
    {
        *ledger = Some(chain(&error));
    }
    Ok(holder)
}

/// Returns what holds up the run that is under way, a line for each; nothing where nothing does.
pub(super) fn held_up(holder: &Holder) -> Vec<String> {
    let Holder { obstacles: Obstacles { ledger, landing, held_back }, .. } = holder;
    let ledger = ledger.iter().map(|why| format!("the run cannot write its state and waits: {why}"));
    let landing = landing.iter().map(|why| format!("nothing can land at the moment: {why}"));
    let stopped = held_back.iter().map(|id| {
        format!("{id} is not started again: a person has stopped its session; `cogwork resume` starts it")
    });
    ledger.chain(landing).chain(stopped).collect()
}

/// Returns the answer as two sentences: why, and what would change that.
pub(crate) fn sentence(hold: &Hold) -> String {
    let (why, next) = hold.in_words();
    clean(&format!("{why}. {next}"))
}
