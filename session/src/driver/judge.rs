//! After the agent: what its work is worth. All that it left is looked at, then the checks decide.

use std::ffi::OsString;
use std::path::Path;

use cogwork_process::check;
use cogwork_process::git::Work;
use cogwork_schemas::{
    AttemptOutcome, CheckPhase, CheckReport, Feature, FeatureId, Role, RunnerEvent, Status, Token,
};
use cogwork_store::{Attempt, AttemptLimits, Store, Submitted, handed_in_ref};

use super::prepare::{Prepared, Tree};
use super::tools::chain;
use super::{Claimed, Job, Setback, World};
use crate::Confinement;
use crate::environment;
use crate::machine::Depth;
use crate::report::check_line;

/// What the work of a session is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The agent submitted it through its tools; the checks were green then.
    SubmittedByAgent,
    /// The checks were green just now, on what the agent left; submitted.
    Green,
    /// It was to be tested, nobody found it broken, and its checks are green.
    Confirmed,
    /// Not submitted. `reason` says what is red, where that is known.
    NotSubmitted { reason: Option<String> },
}

/// Finds out and records what the work is worth.
pub(super) async fn judge(
    world: World<'_>,
    prepared: Option<Box<Prepared>>,
    depth: Depth,
) -> Result<Verdict, Setback> {
    // The machine asks for a judgement after an agent only, and for an agent after the preparation.
    let Some(prepared) = prepared else {
        return Ok(Verdict::NotSubmitted { reason: None });
    };
    // A session without a feature has no work to be judged: what it did stands in the database.
    let Some(claimed) = world.job.claimed() else {
        return Ok(Verdict::NotSubmitted { reason: None });
    };
    let judged = judge_claimed(world, claimed, &prepared.tree, depth).await;
    // A rule of the store says no, such as after the checks of the feature were changed: that is red.
    judged.or_else(|setback| match setback {
        Setback::NotPossible(reason) => Ok(Verdict::NotSubmitted { reason: Some(reason) }),
        Setback::Stale | Setback::Broken(_) => Err(setback),
    })
}

async fn judge_claimed(
    world: World<'_>,
    claimed: &Claimed,
    tree: &Tree,
    depth: Depth,
) -> Result<Verdict, Setback> {
    match standing(world, claimed).await? {
        Standing::Tested => judge_tested(world, claimed, tree, depth).await,
        Standing::First => judge_open(world, claimed, tree, depth).await,
        Standing::Further(claimed) => judge_open(world, &claimed, tree, depth).await,
        Standing::Over(verdict) => Ok(verdict),
    }
}

/// What a session was working on when its agent ended.
enum Standing {
    /// A feature that passes, also for this session, which was to test it.
    Tested,
    /// The feature that it was started for.
    First,
    /// One that it has taken since.
    Further(Box<Claimed>),
    /// Nothing: what it had was handed in before, and is landing or has landed.
    Over(Verdict),
}

async fn standing(world: World<'_>, claimed: &Claimed) -> Result<Standing, Setback> {
    let job = world.job;
    if job.role == Role::Testing && feature(world, claimed.feature.id).await?.status == Status::Passing {
        return Ok(Standing::Tested);
    }
    if job.batch == 1 {
        return Ok(Standing::First);
    }
    let mut taken = world.store.call(|store| store.attempts_beside(&claimed.token)).await?;
    let Some(newest) = taken.pop() else { return Err(Setback::Stale) };
    if newest.is_lost() {
        return Err(Setback::Stale);
    }
    if newest.attempt.submitted.is_some() {
        return Ok(Standing::Over(Verdict::SubmittedByAgent));
    }
    if newest.outcome.is_some() {
        return Ok(Standing::Over(Verdict::NotSubmitted { reason: None }));
    }
    if newest.attempt.id == claimed.attempt {
        return Ok(Standing::First);
    }
    let feature = feature(world, newest.attempt.feature).await?;
    let token = claimed.token.for_attempt(newest.attempt.id);
    if !feature.checks.is_empty() && !was_looked_at(world, &newest.attempt).await? {
        // It was taken and not handed out any more: the agent ended while its checks were run for the first time.
        let limits = AttemptLimits::default();
        world.store.call(|store| store.end_attempt(&token, &AttemptOutcome::Stopped, &limits)).await?;
        return Ok(Standing::Over(Verdict::NotSubmitted { reason: None }));
    }
    Ok(Standing::Further(Box::new(Claimed::of(newest.attempt.id, token, feature))))
}

async fn feature(world: World<'_>, id: FeatureId) -> Result<Feature, Setback> {
    Ok(world.store.call(|store| store.feature(id)).await?)
}

/// Returns whether an attempt's checks were run before the work.
async fn was_looked_at(world: World<'_>, attempt: &Attempt) -> Result<bool, Setback> {
    let records = world.store.call(|store| store.attempts_of(attempt.feature)).await?;
    let mut evidence = records.iter().filter(|record| record.id == attempt.id).flat_map(|it| &it.evidence);
    Ok(evidence.any(|evidence| evidence.phase == CheckPhase::Before))
}

/// Judges the work at one feature, which is still to be handed in unless the session has no other.
async fn judge_open(
    world: World<'_>,
    claimed: &Claimed,
    tree: &Tree,
    depth: Depth,
) -> Result<Verdict, Setback> {
    let submitted = world.store.call(|store| store.attempt(&claimed.token)).await?.submitted;
    // Without a check, only the agent could have said that it is done.
    if depth == Depth::Commit || (submitted.is_none() && claimed.feature.checks.is_empty()) {
        return Ok(match submitted {
            Some(_) => Verdict::SubmittedByAgent,
            None => Verdict::NotSubmitted { reason: None },
        });
    }
    let verdict = match look(tree, submitted.as_ref()).await {
        Ok(Work::AsBefore) => return Ok(Verdict::SubmittedByAgent),
        // It went on after it submitted, or has not submitted at all.
        Ok(work) => submit_if_green(world, claimed, tree, &work).await?,
        // What cannot be handed in cannot be merged, so green checks on it would prove nothing.
        Err(reason) => {
            tracing::warn!("{reason}");
            Verdict::NotSubmitted { reason: Some(reason) }
        }
    };
    let is_red = matches!(verdict, Verdict::NotSubmitted { .. });
    // What was green stays handed in.
    Ok(if is_red && submitted.is_some() { Verdict::SubmittedByAgent } else { verdict })
}

/// Looks at what the agent left.
///
/// # Errors
/// A sentence that says why it cannot be handed in.
async fn look(tree: &Tree, submitted: Option<&Submitted>) -> Result<Work, String> {
    let before = submitted.map(|submitted| submitted.commit.as_deref());
    let work = Work::look(tree.snapshots.as_ref(), tree.git.as_ref(), before).await;
    let refused = |why: String| format!("what the agent left cannot be handed in: {why}");
    let work = work.map_err(|error| refused(chain(&error)))?;
    work.objections().map_or(Ok(work), |objections| Err(refused(objections)))
}

/// Looks once more at a feature that a testing session did not find broken: a red check says that it is, whatever the
/// agent thinks.
async fn judge_tested(
    world: World<'_>,
    claimed: &Claimed,
    tree: &Tree,
    depth: Depth,
) -> Result<Verdict, Setback> {
    if depth == Depth::Commit {
        return Ok(Verdict::NotSubmitted { reason: None });
    }
    let reports = run_checks(world, claimed, &tree.dir, CheckPhase::After).await;
    let token = &claimed.token;
    let Some(red) = first_red(&reports) else {
        return Ok(Verdict::Confirmed);
    };
    record_red(world, token, tree.base.as_deref(), &reports).await?;
    world.store.call(|store| store.report_failing(token, &red)).await?;
    Ok(Verdict::NotSubmitted { reason: Some(red) })
}

async fn submit_if_green(
    world: World<'_>,
    claimed: &Claimed,
    tree: &Tree,
    work: &Work,
) -> Result<Verdict, Setback> {
    let token = &claimed.token;
    let reports = run_checks(world, claimed, &tree.dir, CheckPhase::After).await;
    if let Some(red) = first_red(&reports) {
        record_red(world, token, work.commit(), &reports).await?;
        return Ok(Verdict::NotSubmitted { reason: Some(red) });
    }
    let message = format!("{} {}: what the agent left uncommitted", claimed.feature.id, claimed.feature.name);
    let (name, session) = (handed_in_ref(claimed.attempt), world.job.session.to_string());
    let commit = match work.keep(&name, &message, &[("Cogwork-Session", &session)]).await {
        Ok(commit) => commit,
        Err(error) => {
            let reason = format!("what was green could not be kept: {}", chain(&error));
            tracing::warn!("{reason}");
            return Ok(Verdict::NotSubmitted { reason: Some(reason) });
        }
    };
    world.store.call(|store| store.submit(token, commit.as_deref(), &reports)).await?;
    Ok(Verdict::Green)
}

/// Records checks after the work of which one is red.
async fn record_red(
    world: World<'_>,
    token: &Token,
    commit: Option<&str>,
    reports: &[CheckReport],
) -> Result<(), Setback> {
    let record = |store: &Store| store.record_checks(token, CheckPhase::After, commit, reports);
    Ok(world.store.call(record).await?)
}

/// Returns what to say about the first red check, if there is one.
pub(super) fn first_red(reports: &[CheckReport]) -> Option<String> {
    reports.iter().find(|report| !report.verdict.is_green()).map(check_line)
}

/// Runs the feature's checks in `dir`, all of them, and tells of each as it ends.
pub(super) async fn run_checks(
    world: World<'_>,
    claimed: &Claimed,
    dir: &Path,
    phase: CheckPhase,
) -> Vec<CheckReport> {
    let job = world.job;
    let mut env = check_env(job);
    env.extend(world.confinement.into_iter().flat_map(Confinement::env));
    let sandbox = world.confinement.map(|walls| walls.around_check(&job.project, dir));
    let mut reports = Vec::with_capacity(claimed.feature.checks.len());
    for check in &claimed.feature.checks {
        let mut report = check::run_within(check, dir, &env, sandbox.as_ref()).await;
        // What an agent saw and a check does not may have been left in a file.
        report.output_tail = world.report.secrets().redact_tail(report.output_tail);
        let event = RunnerEvent::Checked {
            attempt: claimed.attempt,
            feature: claimed.feature.id,
            phase,
            report: report.clone(),
        };
        world.report.tell(world.clock.now(), event);
        reports.push(report);
    }
    reports
}

/// Returns what a check sees: no token, for it runs what an agent wrote.
fn check_env(job: &Job<'_>) -> Vec<(OsString, OsString)> {
    let mut env = job.own.allowed(&job.pass_env);
    env.push((environment::MARKER.into(), environment::marker(&job.project, job.session).into()));
    env.push(super::prepare::ceiling(&job.project));
    env
}
