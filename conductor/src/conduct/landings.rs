//! The landing that is under way: from the engine's wish to the ledger's record, with a deadline for each step.

use cogwork_schemas::{
    AttemptId, AttemptOutcome, FeatureId, Isolation, LandingOutcome, LandingWait, SessionId,
};
use cogwork_store::NewLanding;
use jiff::{SignedDuration, Timestamp};

use super::{Conductor, Order};
use crate::engine::Landing as Landed;
use crate::ledger::{Call, Job};
use crate::main_branch::{Landing, Moved, Next, Task, TaskAnswer, TaskId, Verdict};
use crate::marks;
use crate::ports::Moment;

/// After so many failures of git on one attempt it is set aside.
const FAILURES: u32 = 3;
/// How long a run that is told to stop waits for a branch that is being moved.
const MOVE_GRACE: SignedDuration = SignedDuration::from_secs(30);

/// One attempt on its way to the main branch.
#[derive(Debug)]
pub(super) struct LandingUnderWay {
    pub(super) feature: FeatureId,
    pub(super) attempt: AttemptId,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// The ledger was asked what is to be landed.
    Asked,
    /// The ledger is to record that the main branch is about to be moved, which is the next step.
    Intending { landing: Box<Landing>, task: Task, limit: SignedDuration },
    /// A step is being done.
    Step { landing: Box<Landing>, task: TaskId, moves: bool, limit: SignedDuration, until: Timestamp },
    /// It is on the main branch, and the ledger is to record it.
    Recording { session: SessionId, commit: Option<String> },
}

impl LandingUnderWay {
    pub(super) fn awaiting_job(feature: FeatureId, attempt: AttemptId) -> Self {
        Self { feature, attempt, stage: Stage::Asked }
    }

    /// Returns until when its step has to be done.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Step { until, .. } => Some(*until),
            Stage::Asked | Stage::Intending { .. } | Stage::Recording { .. } => None,
        }
    }
}

impl Conductor {
    /// The ledger says what is to be landed.
    pub(super) fn on_job(&mut self, now: Moment, job: Job) {
        // Nobody waits for it any more once the run was told to stop.
        if self.landing.as_ref().is_none_or(|landing| landing.attempt != job.attempt) {
            return;
        }
        self.session_of.insert(job.attempt, job.session);
        let is_recovered = self.recovered.contains(&job.attempt);
        let (landing, next) = Landing::begin(now.steady, job, is_recovered);
        self.follow(now, landing, next);
    }

    pub(super) fn on_task_answer(&mut self, now: Moment, id: TaskId, answer: TaskAnswer) {
        if let Some(session) = self.chores.remove(&id) {
            if let TaskAnswer::Kept { stays: Some(reason) } | TaskAnswer::Failed { reason } = answer {
                marks::hit("keep", "stays");
                self.note(&format!("the workspace of {session} stays: {reason}"));
            }
            return;
        }
        if self.on_confirmed(id, &answer) {
            return;
        }
        let is_its = matches!(&self.landing, Some(LandingUnderWay { stage: Stage::Step { task, .. }, .. }) if *task == id);
        if is_its
            && let Some(LandingUnderWay { stage: Stage::Step { mut landing, .. }, attempt, .. }) =
                self.landing.take()
        {
            if let TaskAnswer::Moved(moved) = &answer {
                self.on_moved(attempt, moved);
            }
            let next = landing.on_answer(now.steady, answer);
            self.follow(now, *landing, next);
        }
    }

    fn follow(&mut self, now: Moment, landing: Landing, next: Next) {
        let (feature, attempt, session) =
            (landing.job().feature.id, landing.job().attempt, landing.job().session);
        let stage = match next {
            // A landing that lost a race begins anew, and nobody waits for that once the run is to end.
            Next::Do {
                task: Task::Merge { .. } | Task::Check { .. } | Task::CheckInProject { .. }, ..
            } if self.engine.is_stopping() => {
                let reason = "the run was stopped".to_owned();
                return self.integrated(now, attempt, Landed::Postponed { reason });
            }
            Next::Do { task, limit } => {
                let landing = Box::new(landing);
                if let Task::Move { from, to, .. } = &task {
                    let (branch, from, to) = (self.score.branch.clone(), from.clone(), to.clone());
                    self.calls.push(Call::BeginLanding { attempt, landing: NewLanding { branch, from, to } });
                    Stage::Intending { landing, task, limit }
                } else {
                    let task = self.begin_task(task);
                    Stage::Step { landing, task, moves: false, limit, until: now.steady + limit }
                }
            }
            Next::Decided(verdict) => match verdict {
                Verdict::OnMain(merge) => {
                    // What was made in the project's own directory is wherever its agent has left it.
                    let is_merged = landing.job().isolation == Isolation::Workspace;
                    let commit = merge.commit.clone().filter(|_| is_merged);
                    self.calls.push(Call::Land { attempt, merge });
                    Stage::Recording { session, commit }
                }
                Verdict::Refused { outcome, reports, commit } => {
                    marks::hit("landing", "refused");
                    if !reports.is_empty() {
                        self.calls.push(Call::RecordMerged { attempt, commit, reports });
                    }
                    return self.integrated(now, attempt, Landed::Refused(outcome));
                }
                Verdict::InUse { reason } => {
                    marks::hit("landing", "in_use");
                    // The journal tells it to everybody.
                    let wait = LandingWait::InUse { reason: reason.clone() };
                    self.calls.push(Call::LandingWaits { attempt, wait });
                    return self.integrated(now, attempt, Landed::Postponed { reason });
                }
                Verdict::Failed { reason } => return self.on_landing_failed(now, feature, attempt, &reason),
            },
        };
        self.landing = Some(LandingUnderWay { feature, attempt, stage });
    }

    /// The ledger has recorded that the main branch is about to be moved.
    pub(super) fn on_landing_begun(&mut self, now: Moment, id: AttemptId) {
        // Nothing is moved any more once the run was told to stop.
        if let Some(LandingUnderWay { feature, attempt, stage: Stage::Intending { landing, task, limit } }) =
            self.landing.take_if(|landing| landing.attempt == id)
        {
            let task = self.begin_task(task);
            let stage = Stage::Step { landing, task, moves: true, limit, until: now.steady + limit };
            self.landing = Some(LandingUnderWay { feature, attempt, stage });
        }
    }

    /// Where git failed, or has not answered, nobody knows whether the branch was moved: the next try finds out, or the
    /// next start.
    fn on_moved(&mut self, attempt: AttemptId, moved: &Moved) {
        let outcome = match moved {
            Moved::There => return,
            Moved::Elsewhere => LandingOutcome::Overtaken,
            Moved::InUse { reason } => LandingOutcome::Undone { reason: reason.clone() },
        };
        self.calls.push(Call::EndLanding { attempt, outcome });
    }

    fn on_landing_failed(&mut self, now: Moment, feature: FeatureId, attempt: AttemptId, reason: &str) {
        let failures = self.failures.entry(attempt).or_insert(0);
        *failures += 1;
        // One piece of work that git cannot handle must not keep all others from landing.
        let landed = if *failures < FAILURES {
            marks::hit("landing", "failed");
            Landed::Postponed { reason: reason.to_owned() }
        } else {
            marks::hit("landing", "failed_for_good");
            Landed::Refused(AttemptOutcome::Crashed { reason: reason.to_owned() })
        };
        self.note(&format!("landing of {feature} failed: {reason}"));
        self.integrated(now, attempt, landed);
    }

    /// The ledger has recorded that an attempt is on the main branch.
    pub(super) fn on_recorded(&mut self, now: Moment, id: AttemptId) {
        let Some(LandingUnderWay { feature, attempt, stage: Stage::Recording { session, commit } }) =
            self.landing.take_if(|landing| landing.attempt == id)
        else {
            return;
        };
        self.landed.extend(commit.map(|commit| (feature, commit)));
        self.integrated(now, attempt, Landed::Landed);
        self.look_to_clear(session);
    }

    /// The ledger does not record it, or that it begins: a dependency was added meanwhile (`not_yet`), or the attempt is
    /// over.
    pub(super) fn on_not_recorded(&mut self, now: Moment, attempt: AttemptId, reason: &str, not_yet: bool) {
        if self.landing.as_ref().is_none_or(|landing| landing.attempt != attempt) {
            return;
        }
        if not_yet {
            return self.integrated(now, attempt, Landed::Postponed { reason: reason.to_owned() });
        }
        if let Some(LandingUnderWay { feature, stage: Stage::Recording { .. }, .. }) = &self.landing {
            let text = format!("the work at {feature} is on the main branch, and nothing wants it: {reason}");
            self.note(&text);
        }
        self.integrated(now, attempt, Landed::Void);
    }

    /// Leaves the integration that is under way to the next run, which finds what git has finished meanwhile. Checks
    /// may take many minutes, and whoever says stop does not mean that. A branch that is being moved is waited for.
    pub(super) fn leave_landing(&mut self, now: Moment) {
        let Some(landing) = &mut self.landing else { return };
        let attempt = landing.attempt;
        match &mut landing.stage {
            Stage::Step { moves: true, until, .. } => {
                *until = (*until).min(now.steady + MOVE_GRACE);
                return;
            }
            Stage::Step { task, .. } => self.orders.push(Order::Abandon { id: *task }),
            // Nothing was touched.
            Stage::Asked | Stage::Intending { .. } => {}
            Stage::Recording { .. } => return,
        }
        self.integrated(now, attempt, Landed::Postponed { reason: "the run was stopped".to_owned() });
    }

    pub(super) fn on_landing_due(&mut self, now: Moment) {
        let Some(LandingUnderWay { feature, attempt, stage: Stage::Step { task, limit, until, .. } }) =
            &self.landing
        else {
            return;
        };
        if *until > now.steady {
            return;
        }
        let (feature, attempt, seconds) = (*feature, *attempt, limit.as_secs());
        marks::hit("landing", "overdue");
        self.orders.push(Order::Abandon { id: *task });
        self.on_landing_failed(now, feature, attempt, &format!("a step of it took more than {seconds} s"));
    }
}
