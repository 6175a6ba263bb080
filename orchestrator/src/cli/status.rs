//! `cogwork status`: where the project stands, in a few lines.

use clap::Args;
use cogwork_conductor::Holder;
use cogwork_schemas::Standing;
use cogwork_views::{LastRun, Overview, When};
use serde::Serialize;

use super::{CliError, Exit, ProjectArg, one_line, print, print_json, question};
use crate::project::{Project, adopted};
use crate::terminal::{clean, ended, here, watch};

/// Show where the project stands.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    project: ProjectArg,
    /// Show it again whenever it changes, until interrupted; with --json, a line each time.
    #[arg(long)]
    watch: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Shown {
    /// The run that holds the project now.
    run: Option<Holder>,
    #[serde(flatten)]
    overview: Overview,
}

pub(crate) fn status(args: &StatusArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    if args.watch {
        return watch(|| if args.json { Ok(one_line(&look(&project)?)?) } else { told(&project) });
    }
    if args.json {
        print_json(&look(&project)?)?;
    } else {
        print(&told(&project)?)?;
    }
    Ok(Exit::Ok)
}

fn look(project: &Project) -> Result<Shown, CliError> {
    let run = super::why::holder(project)?;
    let overview = Overview::of_project(&project.store, run.as_ref().map(|holder| &holder.process))?;
    Ok(Shown { run, overview })
}

fn told(project: &Project) -> Result<String, CliError> {
    let shown = look(project)?;
    let mut told = text(&shown, &here());
    if shown.overview.counts.with_standing(Standing::NeedsYou) > 0 {
        told.push_str(&question::open(&project.store.features()?, &project.dir));
    }
    if let Some(adoption) = project.store.adoption()? {
        told.push_str(&format!("{}\n", adopted(&adoption)));
    }
    Ok(told)
}

fn text(Shown { run, overview }: &Shown, when: &When) -> String {
    let mut lines = vec![overview.counts.line()];
    match run {
        Some(holder) => {
            let Holder { process, since, .. } = holder;
            lines.push(format!("a run is under way: process {}, since {}", process.pid, when.at(*since)));
            lines.extend(super::why::held_up(holder));
        }
        None => lines.push(match &overview.last_run {
            Some(last) => format!("no run is under way; {}", last_run(last, when)),
            None => "no run is under way".to_owned(),
        }),
    }
    lines.extend(overview.activity_lines(when));
    lines.iter().map(|line| clean(line) + "\n").collect()
}

/// Returns what became of the last run.
fn last_run(LastRun { started_at, ended_at, outcome }: &LastRun, when: &When) -> String {
    let began = when.at(*started_at);
    match (ended_at, outcome) {
        (Some(at), Some(outcome)) => {
            format!("the last one, from {began} to {}, {}", when.at(*at), ended(outcome, when))
        }
        (Some(_), None) | (None, _) => format!("the last one, of {began}, was killed"),
    }
}
