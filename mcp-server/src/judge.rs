//! Runs a feature's checks where the session works, and says what is red.
//!
//! It owns everything around a check run that is a tool call's: progress for the client, its cancellation, and the
//! words of a red result. The run itself belongs to [`cogwork_process::check`]; what follows from it to the caller.
//! Everything here stays on the runtime's own thread: Linux ties the life of a program to the thread that started
//! it.

use std::path::Path;
use std::time::Duration;

use cogwork_process::git::{Git, GitError};
use cogwork_process::{base_env, check, contain};
use cogwork_schemas::{Check, CheckReport, CheckVerdict, FeatureId};
use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};

use crate::error::{Code, ToolError};
use crate::options::Options;

/// How often a client hears that a check still runs. Well under the shortest idle limit measured (5 min).
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Characters of check output that an answer carries, shared by all red checks.
const OUTPUT_CHARS: usize = 6_000;

/// Red checks whose output is shown; further ones are only counted.
const SHOWN: usize = 8;

/// Runs all checks one after the other and returns a report for each, red or green.
///
/// # Errors
/// When the client cancels; whatever the checks had started is gone then.
pub(crate) async fn run(
    options: &Options,
    checks: &[Check],
    context: &RequestContext<RoleServer>,
) -> Result<Vec<CheckReport>, ToolError> {
    let progress = Progress::of(context, checks.len());
    // No token, and nothing of the client's own environment that was not granted: checks decide the same here as
    // where the work is merged.
    let environment = [base_env(), options.check_variables.clone()].concat();
    let mut reports = Vec::with_capacity(checks.len());
    for (index, check) in checks.iter().enumerate() {
        let running = check::run(check, &options.workspace, &environment);
        tokio::select! {
            report = running => reports.push(report),
            () = context.ct.cancelled() => {
                contain::kill_descendants().await;
                return Err(ToolError::cancelled());
            }
            never = progress.keep_telling(index, check) => match never {},
        }
    }
    // What follows is a write; a call that was taken back while it waited for its turn must not make it.
    if context.ct.is_cancelled() { Err(ToolError::cancelled()) } else { Ok(reports) }
}

/// Where to tell how far a check run is; tells nobody when the client did not ask.
struct Progress<'a> {
    peer: &'a Peer<RoleServer>,
    token: Option<ProgressToken>,
    total: usize,
}

/// A future that never ends has no value.
enum Never {}

impl<'a> Progress<'a> {
    fn of(context: &'a RequestContext<RoleServer>, total: usize) -> Self {
        Self { peer: &context.peer, token: context.meta.get_progress_token(), total }
    }

    /// Tells at once that a check runs, and again from time to time. Each number is larger than the one before,
    /// as the protocol wants it.
    async fn keep_telling(&self, index: usize, check: &Check) -> Never {
        let (of, command) = (self.total, one(&check.command));
        let mut ran = Duration::ZERO;
        loop {
            let share = (ran.as_secs_f64() / f64::from(check.timeout_s)).min(0.99);
            let message = format!("check {} of {of}, {} s: {command}", index + 1, ran.as_secs());
            self.tell(as_f64(index) + share, message).await;
            tokio::time::sleep(HEARTBEAT).await;
            ran += HEARTBEAT;
        }
    }

    async fn tell(&self, done: f64, message: String) {
        let Some(token) = self.token.clone() else {
            return;
        };
        let progress =
            ProgressNotificationParam::new(token, done).with_total(as_f64(self.total)).with_message(message);
        if let Err(error) = self.peer.notify_progress(progress).await {
            tracing::debug!(%error, "the client did not take a progress notification");
        }
    }
}

fn as_f64(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Returns the commit that checks in the session's directory see; `None` where there is no git, nothing committed yet, or
/// a file changed: what is seen then is not the commit.
///
/// # Errors
/// When git is there and fails, because work without its commit could not be integrated.
pub(crate) async fn commit(dir: &Path) -> Result<Option<String>, ToolError> {
    let git = Git::untrusted(dir);
    let head = async {
        if git.is_repository().await? && !git.has_changed_files().await? {
            git.head().await
        } else {
            Ok(None)
        }
    };
    match head.await {
        Ok(head) => Ok(head),
        Err(GitError::NotInstalled) => Ok(None),
        Err(error) => Err(ToolError::internal(&error)),
    }
}

/// Returns some of the paths that are not committed; none where git has nothing to say.
pub(crate) async fn uncommitted(dir: &Path) -> Vec<String> {
    const SOME: usize = 5;
    let git = Git::untrusted(dir);
    match git.is_repository().await {
        Ok(true) => git.dirty_paths(SOME).await.unwrap_or_default(),
        Ok(false) | Err(_) => Vec::new(),
    }
}

/// Returns the error that tells an agent what is red and what it printed; `None` when everything is green.
pub(crate) fn red(id: FeatureId, reports: &[CheckReport]) -> Option<ToolError> {
    told(
        reports,
        |checks| format!("feature {id} does not pass yet: {checks} red; the feature stays yours"),
        "Fix the work (not the check) and call feature_mark_passing again.",
    )
}

/// Returns the error that tells whoever tests a passing feature what is red; `None` when everything is green.
pub(crate) fn red_under_test(id: FeatureId, reports: &[CheckReport]) -> Option<ToolError> {
    told(
        reports,
        |checks| format!("feature {id} passes on record, but {checks} red"),
        "Report it with feature_mark_failing: then it is yours to repair.",
    )
}

fn told(reports: &[CheckReport], what: impl FnOnce(&str) -> String, next: &'static str) -> Option<ToolError> {
    let red: Vec<(usize, &CheckReport)> =
        reports.iter().enumerate().filter(|(_, report)| !report.verdict.is_green()).collect();
    if red.is_empty() {
        return None;
    }
    let room = OUTPUT_CHARS / red.len().min(SHOWN);
    let shown = red.iter().take(SHOWN);
    let mut detail: Vec<String> =
        shown.map(|(index, report)| in_words(*index, reports.len(), report, room)).collect();
    if red.len() > SHOWN {
        detail.push(format!("and {} more red checks", red.len() - SHOWN));
    }
    let checks = if reports.len() == 1 {
        "its only check is".to_owned()
    } else {
        format!("{} of its {} checks {}", red.len(), reports.len(), if red.len() == 1 { "is" } else { "are" })
    };
    Some(ToolError::new(Code::ChecksFailed, what(&checks), next).with_detail(detail.join("\n\n")))
}

fn in_words(index: usize, total: usize, report: &CheckReport, room: usize) -> String {
    let verdict = match &report.verdict {
        CheckVerdict::Green => "green".to_owned(),
        CheckVerdict::Red { exit_code } => format!("exit code {exit_code}"),
        CheckVerdict::TimedOut => "killed at its time limit".to_owned(),
        CheckVerdict::NotStarted { reason } => format!("not started: {reason}"),
    };
    let seconds = format!("{}.{} s", report.duration_ms / 1000, report.duration_ms % 1000 / 100);
    let head = format!("check {} of {total}, {verdict} after {seconds}: {}", index + 1, one(&report.command));
    let output = report.output_tail.trim_end();
    if output.is_empty() {
        return format!("{head}\n(it printed nothing)");
    }
    format!("{head}\n{}", tail(output, room))
}

/// Returns a command as one short line.
fn one(command: &str) -> String {
    const LONGEST: usize = 200;
    let line = crate::schema::one_line(command);
    if line.chars().count() <= LONGEST {
        return line;
    }
    line.chars().take(LONGEST).chain(['…']).collect()
}

/// Returns the end of a text, cut where a line begins if there is one.
fn tail(text: &str, chars: usize) -> String {
    let total = text.chars().count();
    let Some(cut) = total.checked_sub(chars).filter(|cut| *cut > 0) else {
        return text.to_owned();
    };
    let end: String = text.chars().skip(cut).collect();
    let whole_lines = end.split_once('\n').map(|(_, rest)| rest).filter(|rest| !rest.is_empty());
    format!("…\n{}", whole_lines.unwrap_or(&end))
}

#[cfg(test)]
mod tests;
