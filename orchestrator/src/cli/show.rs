//! `cogwork show`: one feature with its whole history.

use std::path::Path;

use clap::Args;
use cogwork_schemas::{CheckPhase, Feature, FeatureId, Hold, Status};
use cogwork_views::{AttemptView, FeatureView};
use serde::Serialize;

use super::kept::{self, Kept};
use super::run::block_on;
use super::{CliError, Exit, ProjectArg, print, print_json, question, why};
use crate::project::Project;
use crate::terminal::{clean, cut, duration, short, standing_word};

/// Show one feature: what it is, why it stands where it stands, and the evidence of every attempt.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The feature, by its number.
    id: FeatureId,
    #[command(flatten)]
    project: ProjectArg,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    view: FeatureView,
    /// What its attempts left beside the main branch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kept: Vec<Kept>,
}

pub(crate) fn show(args: &ShowArgs) -> Result<Exit, CliError> {
    let project = Project::open(&args.project.dir)?;
    let view = FeatureView::of(&project.store, args.id)?;
    let mut kept = block_on(kept::read_kept(&project))??;
    kept.retain(|kept| kept.feature == Some(args.id));
    let shown = Shown { view, kept };
    if args.json {
        print_json(&shown)?;
    } else {
        print(&text(&shown, &project.dir))?;
    }
    Ok(Exit::Ok)
}

fn text(Shown { view, kept }: &Shown, dir: &Path) -> String {
    let feature = &view.feature;
    let mut text = format!("{} {}\n", feature.id, clean(&feature.name));
    let mut field = |name: &str, value: &str| text.push_str(&format!("  {name:<10} {value}\n"));
    field("status", &standing_word(view.standing));
    if let Some(hold) = view.why.as_ref().filter(|hold| **hold != Hold::Passing) {
        field("because", &why::sentence(hold));
    }
    if let Some(key) = &feature.key {
        field("key", &clean(key));
    }
    field("category", &clean(&feature.category));
    if !feature.dependencies.is_empty() {
        field("needs", &feature.dependencies.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    }
    for line in feature.description.lines() {
        text.push_str(&format!("\n  {}", clean(line)));
    }
    text.push('\n');
    for (index, step) in feature.steps.iter().enumerate() {
        text.push_str(&format!("  {}. {}\n", index + 1, clean(step)));
    }
    for check in &feature.checks {
        text.push_str(&format!("  check      {}  (at most {} s)\n", clean(&check.command), check.timeout_s));
    }
    text.push_str(&question_text(feature, dir));
    if let Some(note) = &view.note {
        text.push_str("\n  a note for the next attempt\n");
        for line in note.lines() {
            text.push_str(&format!("    {}\n", clean(line)));
        }
    }
    for attempt in &view.attempts {
        text.push_str(&attempt_text(attempt));
    }
    if !kept.is_empty() {
        text.push_str("\n  kept, and not on the main branch\n");
        for kept in kept {
            text.push_str(&format!("    {}\n", kept.with_command(dir)));
        }
    }
    text
}

/// Returns the last question to a person, with its answer or how to answer it.
fn question_text(feature: &Feature, dir: &Path) -> String {
    let Some(request) = &feature.human_request else { return String::new() };
    let end = match feature.status {
        Status::NeedsHuman => format!("answer: {}\n", question::command(feature.id, request, dir)),
        Status::Pending | Status::Claimed | Status::Passing | Status::Parked => question::answered(feature),
    };
    let mut text = "\n  asked a person\n".to_owned();
    for line in format!("{}{end}", question::asked(request)).lines() {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

fn attempt_text(attempt: &AttemptView) -> String {
    let outcome = attempt.outcome.as_ref().map_or_else(|| "under way".to_owned(), ToString::to_string);
    let mut text =
        format!("\n  attempt {} in session {}: {}\n", attempt.number, attempt.session, cut(&outcome, 200));
    for evidence in &attempt.evidence {
        let when = match evidence.phase {
            CheckPhase::Before => "before the work",
            CheckPhase::After => "after the work",
            CheckPhase::Merged => "on the merge",
            CheckPhase::Verify => "by hand",
        };
        let commit =
            evidence.commit.as_deref().map_or_else(String::new, |commit| format!(" at {}", short(commit)));
        let report = &evidence.report;
        text.push_str(&format!(
            "    {} {when}{commit}: {} ({})\n",
            report.verdict,
            cut(&report.command, 80),
            duration(report.duration_ms)
        ));
        if !report.verdict.is_green() && evidence.phase != CheckPhase::Before {
            for line in report.output_tail.lines().rev().take(5).collect::<Vec<_>>().into_iter().rev() {
                text.push_str(&format!("      | {}\n", cut(line, 110)));
            }
        }
    }
    text
}
