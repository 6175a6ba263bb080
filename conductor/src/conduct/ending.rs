//! The end of a run: what it landed is looked at once more, its workspaces are cleared away, and the journal says how it
//! ended. Each with a bound: what is not done now is found and done by the next start.

use cogwork_schemas::{RunOutcome, SessionId};
use cogwork_store::Taken;
use jiff::{SignedDuration, Timestamp};

use super::{Conductor, Order};
use crate::engine::Event;
use crate::ledger::Call;
use crate::main_branch::{Task, TaskAnswer, TaskId};
use crate::marks;
use crate::ports::Moment;

/// How long a run that is over waits: for a look at its landings, for its workspaces, and for the journal.
const LIMIT: SignedDuration = SignedDuration::from_secs(30);

/// A run that is about to be over.
#[derive(Debug)]
pub(super) struct Ending {
    outcome: RunOutcome,
    /// What speaks against calling the run complete.
    objection: Option<String>,
    stage: Stage,
    until: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Its landings are looked at.
    Confirming(TaskId),
    /// Its workspaces are cleared away.
    Clearing,
    /// The journal is to say so.
    Recording,
    Over,
}

impl Ending {
    pub(super) fn deadline(&self) -> Timestamp {
        self.until
    }

    /// A run does not call itself complete when something speaks against it; any other end stays what it is.
    fn justified(&self) -> RunOutcome {
        match (&self.outcome, &self.objection) {
            (RunOutcome::Complete | RunOutcome::CompleteWithFailures { .. }, Some(reason)) => {
                RunOutcome::Broken { reason: reason.clone() }
            }
            (outcome, _) => outcome.clone(),
        }
    }
}

impl Conductor {
    pub(super) fn begin_ending(&mut self, now: Moment, outcome: RunOutcome) {
        if let Some(ending) = &mut self.ending {
            // Something changed that does not make it go on.
            ending.outcome = outcome;
            return;
        }
        let commits: Vec<_> = self.landed.iter().map(|(_, commit)| commit.clone()).collect();
        let stage = if commits.is_empty() {
            Stage::Clearing
        } else {
            Stage::Confirming(self.begin_task(Task::Confirm { commits }))
        };
        self.ending = Some(Ending { outcome, objection: None, stage, until: now.steady + LIMIT });
    }

    /// Takes the answer to the look at the landings; returns whether it was that.
    pub(super) fn on_confirmed(&mut self, id: TaskId, answer: &TaskAnswer) -> bool {
        let Some(ending) = self.ending.as_mut().filter(|ending| ending.stage == Stage::Confirming(id)) else {
            return false;
        };
        ending.stage = Stage::Clearing;
        match answer {
            TaskAnswer::Confirmed { missing } => {
                let is_missing = |commit: &String| missing.contains(commit);
                let lost = self.landed.iter().filter(|(_, commit)| is_missing(commit));
                let lost: Vec<_> = lost.map(|(feature, _)| feature.to_string()).collect();
                if !lost.is_empty() {
                    marks::hit("confirm", "missing");
                    let reason = format!(
                        "the work at {} was landed and is not on the main branch any more: somebody has moved it back",
                        lost.join(", ")
                    );
                    self.object(reason);
                }
            }
            TaskAnswer::Failed { reason } => {
                marks::hit("confirm", "failed");
                self.object(format!("what was landed could not be found again: {reason}"));
            }
            TaskAnswer::Collected(_)
            | TaskAnswer::Merged(_)
            | TaskAnswer::Checked(_)
            | TaskAnswer::Moved(_)
            | TaskAnswer::Kept { .. } => {}
        }
        true
    }

    fn object(&mut self, reason: String) {
        self.note(&reason);
        if let Some(ending) = &mut self.ending {
            ending.objection = Some(reason);
        }
    }

    /// Goes one stage further where nothing is to be waited for any more.
    pub(super) fn advance_ending(&mut self, now: Moment) {
        self.end_overdue_stage(now);
        let Some(ending) = &mut self.ending else { return };
        // What is still to be recorded may bring a workspace that is to be cleared away.
        if ending.stage == Stage::Clearing && self.is_cleared_away() {
            self.record_end(now);
        }
        if self.over().is_some() {
            // Whoever still waits for an answer gets one first.
            self.calls.close();
        }
    }

    /// Returns how the run ended, once nothing more is done in it.
    pub(super) fn over(&self) -> Option<RunOutcome> {
        let ending = self.ending.as_ref().filter(|ending| ending.stage == Stage::Over);
        ending.map(|ending| ending.outcome.clone())
    }

    fn end_overdue_stage(&mut self, now: Moment) {
        let Some(ending) = self.ending.as_mut().filter(|ending| ending.until <= now.steady) else { return };
        ending.until = now.steady + LIMIT;
        match ending.stage {
            Stage::Confirming(id) => {
                marks::hit("confirm", "overdue");
                ending.stage = Stage::Clearing;
                self.orders.push(Order::Abandon { id });
                self.object("what was landed could not be looked at in time".to_owned());
            }
            Stage::Clearing => self.record_end(now),
            // Whoever waits for an answer of the database gets one, and so does the end.
            Stage::Recording => self.calls.close(),
            Stage::Over => {}
        }
    }

    fn record_end(&mut self, now: Moment) {
        if let Some(ending) = &mut self.ending {
            ending.stage = Stage::Recording;
            ending.until = now.steady + LIMIT;
            ending.outcome = ending.justified();
            self.calls.push(Call::EndRun { outcome: ending.outcome.clone() });
            self.feed(now, Event::Close);
        }
    }

    /// The run goes on: something new came in time.
    pub(super) fn leave_ending(&mut self) {
        if let Some(Ending { stage: Stage::Confirming(id), .. }) = self.ending.take() {
            self.orders.push(Order::Abandon { id });
        }
    }

    /// The journal says that the run is over, or never will.
    pub(super) fn on_end_recorded(&mut self) {
        if let Some(ending) = &mut self.ending {
            ending.stage = Stage::Over;
        }
    }

    /// Whether nothing of this run's sessions is left, neither a runner nor a workspace.
    fn is_cleared_away(&self) -> bool {
        self.leaving.is_empty() && self.chores.is_empty() && self.calls.is_empty()
    }

    /// Whether a session has a runner, as far as is known.
    fn is_running(&self, session: SessionId) -> bool {
        self.sessions.contains_key(&session) || self.leaving.contains_key(&session)
    }

    /// Asks what a session has left to be cleared away, once it is over.
    pub(super) fn look_to_clear(&mut self, session: SessionId) {
        if !self.is_running(session) && !self.cleared.contains(&session) {
            self.calls.push(Call::Taken { session });
        }
    }

    /// Takes over what earlier runs have left to be cleared away, beside the sessions of this one: one that is killed again
    /// and again has to get to its own.
    pub(crate) fn clear_leftovers(&mut self, sessions: Vec<SessionId>) {
        sessions.into_iter().for_each(|session| self.look_to_clear(session));
    }

    /// Removes the workspace of a session that is over and has nothing left to land; work that did not land is kept
    /// under a ref first.
    pub(super) fn clear_away(&mut self, session: SessionId, taken: Vec<Taken>) {
        // Of a session of which nothing is known, nothing is cleared away.
        let is_over = !taken.is_empty() && taken.iter().all(|taken| taken.outcome.is_some());
        if is_over && !self.is_running(session) && self.cleared.insert(session) {
            let id = self.begin_task(Task::Keep { session, taken });
            self.chores.insert(id, session);
        }
    }
}
