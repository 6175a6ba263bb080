//! One journal entry as one line of text.

use cogwork_schemas::{CheckPhase, Entry, Fact, LandingOutcome, RunOutcome, Standing, Status, listed};
use cogwork_views::{When, counted};

use super::{cut, duration};

/// Returns what an entry says to a person, or nothing when it is too small for a line of its own.
pub(crate) fn describe(entry: &Entry) -> Option<String> {
    let when = When { now: entry.at, ..super::here() };
    let text = match &entry.fact {
        Fact::RunStarted { agent, slots, .. } => {
            format!("run started: {} at once, agent {agent}", counted(u64::from(*slots), "session"))
        }
        Fact::NotShown { entries } => super::plain::not_shown(*entries),
        Fact::RunEnded { result } => format!("the run {}", ended(result, &when)),
        Fact::Commanded { command, by } => format!("asked to {command}, by {by}"),
        Fact::SessionWaits { until, because } => format!("waits until {}: {because}", when.at(*until)),
        Fact::SessionGoesOn => "goes on".to_owned(),
        Fact::StartAvoided { hold } => format!("is not started: {}", cut(&hold.to_string(), 200)),
        Fact::LandingWaits { wait } => format!("landing waits for {}", cut(&wait.to_string(), 200)),
        Fact::LandingEnded { result: LandingOutcome::Landed, .. } => {
            "is on the branch, though its attempt is over: take it back if nobody wants it".to_owned()
        }
        Fact::Claimed { number } => format!("claimed, attempt {number}"),
        Fact::Checked { phase: CheckPhase::After | CheckPhase::Merged, report, .. }
            if !report.verdict.is_green() =>
        {
            format!(
                "check `{}` is {}{}",
                cut(&report.command, 60),
                report.verdict,
                last_line(&report.output_tail)
            )
        }
        Fact::ChecksRed { red, total } => format!("{} red before the work", of(*red, *total)),
        Fact::ChecksAlreadyGreen { .. } => "all checks are green before any work".to_owned(),
        Fact::ChecksGreen { total, .. } => format!("{} green", of(*total, *total)),
        Fact::SaidDone { .. } => "the agent says that it is done; there is no check".to_owned(),
        Fact::Integrated { commit, proof, merge_ms, check_ms } => {
            let place = commit.as_deref().map_or_else(String::new, |commit| format!(" as {}", short(commit)));
            format!(
                "{}: integrated{place} (merge {}, checks {})",
                Standing::new(Status::Passing, Some(*proof), true, false).word(),
                duration(*merge_ms),
                duration(*check_ms)
            )
        }
        Fact::AttemptEnded { result, failed_attempts } => {
            let count = match failed_attempts {
                0 => String::new(),
                n => format!(" ({n} failed so far)"),
            };
            format!("{}{count}", cut(&result.to_string(), 200))
        }
        Fact::Parked { reason } => format!("given up: {}", cut(reason, 200)),
        Fact::Retried => "is given another chance".to_owned(),
        Fact::Inspected { number } => format!("taken for a test, attempt {number}"),
        Fact::ReportedFailing { reason, reopened } => {
            let then = if *reopened { "does not pass any more" } else { "does not work yet" };
            format!("{then}: {}", cut(reason, 200))
        }
        Fact::NoteLeft { text } => format!("a note for the next attempt: {}", cut(text, 200)),
        Fact::Skipped { reason, .. } => match reason {
            Some(reason) => format!("put behind all others: {}", cut(reason, 200)),
            None => "put behind all others".to_owned(),
        },
        Fact::DependenciesChanged { dependencies } if dependencies.is_empty() => {
            "depends on nothing now".to_owned()
        }
        Fact::DependenciesChanged { dependencies } => format!("depends on {} now", listed(dependencies)),
        Fact::ChecksChanged { checks } if checks.is_empty() => "has no checks now".to_owned(),
        Fact::ChecksChanged { checks } => format!("has other checks now: {}", checks.len()),
        Fact::Deleted { name } => format!("deleted: {}", cut(name, 100)),
        Fact::HumanAsked { request } => format!("waits for a person's answer: {}", cut(&request.prompt, 200)),
        Fact::HumanAnswered { .. } => "a person has answered".to_owned(),
        Fact::Adopted { source, features, left_out } => {
            let lost = match left_out.len() {
                0 => String::new(),
                n => format!(", {n} things left out"),
            };
            format!("took over {features} features of {source}{lost}")
        }
        Fact::Created { .. }
        | Fact::SessionStarted { .. }
        | Fact::SessionUp { .. }
        | Fact::SlotIdle { .. }
        | Fact::SessionActive { .. }
        | Fact::SessionEnded { .. }
        | Fact::LandingBegun { .. }
        | Fact::LandingEnded { result: LandingOutcome::Overtaken | LandingOutcome::Undone { .. }, .. }
        | Fact::Checked { .. } => {
            return None;
        }
    };
    Some(text)
}

/// Returns how a run ended, as what follows "the run".
pub(crate) fn ended(outcome: &RunOutcome, when: &When) -> String {
    match outcome {
        RunOutcome::Complete => "is complete: nothing is left to do".to_owned(),
        RunOutcome::CompleteWithFailures { parked } => format!("is complete, but {parked} given up"),
        RunOutcome::Blocked { waiting, parked, needs_human } => format!(
            "is blocked: {waiting} waiting for features that cannot pass now ({parked} given up, {needs_human} waiting for a person)"
        ),
        RunOutcome::LimitReached { resets_at } => match resets_at {
            Some(at) => format!("ended at the account's usage limit, which resets at {}", when.at(*at)),
            None => "ended at the account's usage limit".to_owned(),
        },
        RunOutcome::Stopped => "was stopped before it was over".to_owned(),
        RunOutcome::Through { sessions, failed } => {
            let failed = match failed {
                0 => String::new(),
                count => format!(", and {} not proven", counted(u64::from(*count), "feature")),
            };
            format!(
                "is through with what it was asked for, in {}{failed}",
                counted(u64::from(*sessions), "session")
            )
        }
        RunOutcome::Broken { reason } => format!("cannot go on: {}", cut(reason, 300)),
    }
}

/// Returns the first seven digits of a commit.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

/// Returns "the check is", "both checks are", "2 of 3 checks are".
fn of(count: u32, total: u32) -> String {
    match (count, total) {
        (1, 1) => "the check is".to_owned(),
        (2, 2) => "both checks are".to_owned(),
        (count, total) if count == total => format!("all {total} checks are"),
        (1, total) => format!("1 of {total} checks is"),
        (count, total) => format!("{count} of {total} checks are"),
    }
}

fn last_line(output: &str) -> String {
    match output.lines().rev().find(|line| !line.trim().is_empty()) {
        Some(line) => format!(": {}", cut(line.trim(), 100)),
        None => String::new(),
    }
}
