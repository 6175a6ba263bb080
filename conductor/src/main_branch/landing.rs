//! One landing: which step is next, and what an attempt comes to. Decides and does nothing.

use cogwork_schemas::{AttemptOutcome, Check, CheckReport, Isolation};
use cogwork_session::text::cut;
use cogwork_store::Merge;
use jiff::{SignedDuration, Timestamp};

use super::{Collected, Merged, Moved, Task, TaskAnswer};
use crate::ledger::Job;

/// How often a landing is merged again because somebody moved the main branch meanwhile.
const RACES: u32 = 3;
/// How long a step of git may take: a clone, a merge of a large tree.
const GIT_LIMIT: SignedDuration = SignedDuration::from_secs(600);
/// What checks may take beyond their own limits.
const CHECK_MARGIN: SignedDuration = SignedDuration::from_secs(60);
/// Characters of a list of files in a reason.
const FILES: usize = 300;

/// An attempt on its way to the main branch.
#[derive(Debug)]
pub struct Landing {
    job: Job,
    tip: String,
    /// What was merged: where the main branch was, and the merge; `None` when there was nothing to merge.
    merged: Option<(String, Option<String>)>,
    merge_ms: u64,
    reports: Vec<CheckReport>,
    check_ms: u64,
    races: u32,
    step_began: Timestamp,
}

/// What follows.
#[derive(Debug, PartialEq)]
pub enum Next {
    /// Do this, within so long.
    Do {
        task: Task,
        limit: SignedDuration,
    },
    Decided(Verdict),
}

/// What an attempt comes to.
#[derive(Debug, PartialEq)]
pub enum Verdict {
    /// The work is on the main branch.
    OnMain(Merge),
    /// The work does not fit.
    Refused { outcome: AttemptOutcome, reports: Vec<CheckReport>, commit: Option<String> },
    /// The main branch is in use: later.
    InUse { reason: String },
    /// A step failed: later, a few times.
    Failed { reason: String },
}

fn refused_without_checks(outcome: AttemptOutcome) -> Next {
    Next::Decided(Verdict::Refused { outcome, reports: Vec::new(), commit: None })
}

impl Landing {
    /// Begins with a job, whose session may have been an earlier run's. `now` is steady, here and below.
    pub fn begin(now: Timestamp, job: Job, is_recovered: bool) -> (Self, Next) {
        let next = match job.isolation {
            Isolation::Workspace => {
                let (session, attempt, commit) = (job.session, job.attempt, job.commit.clone());
                let task = Task::Collect { session, attempt, commit, foreign: job.foreign.clone() };
                Next::Do { task, limit: GIT_LIMIT }
            }
            // Nobody has looked since its run died, and whoever was there last may have gone on.
            Isolation::Shared if is_recovered => {
                let checks = job.feature.checks.clone();
                Next::Do { limit: check_limit(&checks), task: Task::CheckInProject { checks } }
            }
            // The work is where it belongs already, and its checks were run there.
            Isolation::Shared => Next::Decided(Verdict::OnMain(Merge {
                commit: job.commit.clone(),
                reports: Vec::new(),
                merge_ms: 0,
                check_ms: 0,
            })),
        };
        let landing = Self {
            job,
            tip: String::new(),
            merged: None,
            merge_ms: 0,
            reports: Vec::new(),
            check_ms: 0,
            races: 0,
            step_began: now,
        };
        (landing, next)
    }

    /// Returns what it is about.
    pub fn job(&self) -> &Job {
        &self.job
    }

    /// Takes the answer to the task that was asked for last.
    pub fn on_answer(&mut self, now: Timestamp, answer: TaskAnswer) -> Next {
        let taken = u64::try_from(now.duration_since(self.step_began).as_millis()).unwrap_or(0);
        self.step_began = now;
        match answer {
            TaskAnswer::Collected(collected) => self.on_collected(collected),
            TaskAnswer::Merged(merged) => {
                self.merge_ms = taken;
                self.on_merged(merged)
            }
            TaskAnswer::Checked(reports) => {
                self.check_ms = taken;
                self.reports = reports;
                self.on_checked()
            }
            TaskAnswer::Moved(moved) => self.on_moved(moved),
            TaskAnswer::Failed { reason } => Next::Decided(Verdict::Failed { reason }),
            TaskAnswer::Kept { .. } | TaskAnswer::Confirmed { .. } => {
                let reason = "the answer to another question came".to_owned();
                Next::Decided(Verdict::Failed { reason })
            }
        }
    }

    fn on_collected(&mut self, collected: Collected) -> Next {
        match collected {
            Collected::Here { tip } => {
                self.tip = tip;
                self.merge()
            }
            Collected::Nowhere => {
                let reason = "its workspace is gone, and with it the commit that was green".to_owned();
                refused_without_checks(AttemptOutcome::Crashed { reason })
            }
            Collected::Foreign => {
                let reason = "it holds work of its session at another feature that did not land".to_owned();
                refused_without_checks(AttemptOutcome::Crashed { reason })
            }
        }
    }

    fn merge(&self) -> Next {
        let (tip, base) = (self.tip.clone(), self.job.base.clone());
        let task = Task::Merge { tip, base, message: message(&self.job) };
        Next::Do { task, limit: GIT_LIMIT }
    }

    fn on_merged(&mut self, merged: Merged) -> Next {
        self.merged = Some(match merged {
            Merged::Clean { onto, commit } => (onto, Some(commit)),
            // An earlier run landed it, or there was nothing to change.
            Merged::AlreadyThere { onto } => (onto, None),
            Merged::Conflict { files } => {
                let files = cut(&files.join(", "), FILES);
                let reason = format!("it changes what others changed meanwhile: {files}");
                return refused_without_checks(AttemptOutcome::Conflict { reason });
            }
            Merged::Refused { reason } => {
                return refused_without_checks(AttemptOutcome::NotFinished { reason });
            }
            Merged::NoBranch { reason } => return Next::Decided(Verdict::InUse { reason }),
        });
        let checks = self.job.feature.checks.clone();
        Next::Do { limit: check_limit(&checks), task: Task::Check { checks } }
    }

    fn on_checked(&mut self) -> Next {
        if let Some(red) = self.reports.iter().find(|report| !report.verdict.is_green()) {
            let when = if self.merged.is_some() { "once merged" } else { "when it is looked at again" };
            let reason = format!("`{}` is {} {when}", cut(&red.command, 100), red.verdict);
            return Next::Decided(Verdict::Refused {
                outcome: AttemptOutcome::RedAfterMerge { reason },
                reports: self.reports.clone(),
                commit: self.tested(),
            });
        }
        match &self.merged {
            Some((from, Some(to))) => {
                let message = format!("cogwork: land feature {}", self.job.feature.id);
                let task = Task::Move { from: from.clone(), to: to.clone(), message };
                Next::Do { task, limit: GIT_LIMIT }
            }
            Some((_, None)) | None => self.on_main(),
        }
    }

    fn on_moved(&mut self, moved: Moved) -> Next {
        match moved {
            Moved::There => self.on_main(),
            Moved::Elsewhere => {
                self.races += 1;
                if self.races < RACES {
                    return self.merge();
                }
                Next::Decided(Verdict::InUse { reason: "the main branch keeps moving".to_owned() })
            }
            Moved::InUse { reason } => Next::Decided(Verdict::InUse { reason }),
        }
    }

    /// Returns the commit that the checks were run on.
    fn tested(&self) -> Option<String> {
        match &self.merged {
            Some((onto, commit)) => Some(commit.clone().unwrap_or_else(|| onto.clone())),
            None => self.job.commit.clone(),
        }
    }

    fn on_main(&self) -> Next {
        Next::Decided(Verdict::OnMain(Merge {
            commit: self.tested(),
            reports: self.reports.clone(),
            merge_ms: self.merge_ms,
            check_ms: self.check_ms,
        }))
    }
}

/// Returns how long checks may take in all.
fn check_limit(checks: &[Check]) -> SignedDuration {
    let seconds = checks.iter().map(|check| i64::from(check.timeout_s)).sum();
    SignedDuration::from_secs(seconds) + CHECK_MARGIN
}

fn message(job: &Job) -> String {
    format!(
        "Merge feature {}: {}\n\nCogwork-Feature: {}\nCogwork-Attempt: {}\nCogwork-Session: {}\n",
        job.feature.id,
        cut(&job.feature.name, 60),
        job.feature.id.0,
        job.attempt.0,
        job.session.0
    )
}
