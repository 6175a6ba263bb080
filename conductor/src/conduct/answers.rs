//! What the answers of the ledger mean: one arm for each call that was answered, refused, or lost for good.

use cogwork_schemas::{AttemptId, SessionId, SessionOutcome};
use cogwork_store::Taken;

use super::session::{Life, Session};
use super::{Conductor, Order};
use crate::engine::{Event, Landing as Landed, SessionEnd, StartFailure};
use crate::ledger::{Answer, Call};
use crate::ports::{Control, Moment, StartRunner};

impl Conductor {
    pub(super) fn on_answer(&mut self, now: Moment, call: Call, answer: Answer) {
        match (call, answer) {
            (Call::Claim { feature, new, .. }, Answer::Claimed { session, attempt, token, check_s }) => {
                let begun = (feature, attempt, now.wall);
                let (lease, limit) = (self.score.lease, self.score.session_limit);
                self.session_of.insert(attempt, session);
                self.sessions
                    .insert(session, Session::new(now.steady, begun, new.slot, lease, limit, check_s));
                if !self.engine.starts_sessions() {
                    // The run was told to end while the ledger was asked.
                    return self.give_back(session, attempt, SessionOutcome::Stopped);
                }
                self.orders.push(Order::Start(StartRunner { session, feature, attempt, token }));
            }
            (Call::EndAttempt { feature, attempt, .. }, Answer::Nodes { nodes, gone }) => {
                self.on_nodes(now, nodes, gone);
                self.feed(now, Event::Settled { feature });
                if let Some(session) = self.session_of.get(&attempt).copied() {
                    self.look_to_clear(session);
                }
            }
            (Call::Nodes, Answer::Nodes { nodes, gone }) => self.on_nodes(now, nodes, gone),
            (Call::Reap { .. }, Answer::Nodes { nodes, gone }) => {
                self.on_nodes(now, nodes, gone);
                self.feed(now, Event::Reaped);
            }
            (Call::NotStarted { session, .. }, _) => self.on_start_failed(now, session),
            (Call::Taken { session } | Call::Lost { session, .. }, Answer::Taken(taken)) => {
                self.on_taken(now, session, taken);
            }
            (Call::Job { .. }, Answer::Job(job)) => self.on_job(now, *job),
            (Call::BeginLanding { attempt, .. }, _) => self.on_landing_begun(now, attempt),
            (Call::Land { attempt, .. }, _) => self.on_recorded(now, attempt),
            (Call::EndRun { .. }, _) => self.on_end_recorded(),
            (Call::RecordCommand { request, .. }, _) => self.on_command_recorded(request, None),
            // A runner that was told to stop may be gone before it is recorded.
            (
                Call::BeginRun { .. }
                | Call::Up { .. }
                | Call::LandingWaits { .. }
                | Call::RecordMerged { .. }
                | Call::EndLanding { .. }
                | Call::SlotIdle { .. }
                | Call::StartAvoided { .. }
                | Call::CloseBatches,
                _,
            ) => {}
            (
                call @ (Call::Claim { .. }
                | Call::EndAttempt { .. }
                | Call::Nodes
                | Call::Reap { .. }
                | Call::Taken { .. }
                | Call::Lost { .. }
                | Call::Job { .. }),
                answer,
            ) => {
                let reason = format!("the ledger answers {} with {answer:?}", call.kind());
                self.feed(now, Event::Broken { reason });
            }
        }
    }

    /// The world has moved: what was asked for does not fit it any more. Never the end of a run.
    pub(super) fn on_refusal(&mut self, now: Moment, call: &Call, reason: &str, not_yet: bool) {
        match *call {
            Call::Claim { feature, .. } => {
                // Another process was faster, or its dependencies changed. The store knows more than we do.
                self.calls.push(Call::Nodes);
                self.feed(now, Event::StartFailed { feature, failure: StartFailure::Lost });
            }
            Call::Job { attempt } | Call::BeginLanding { attempt, .. } | Call::Land { attempt, .. } => {
                self.on_not_recorded(now, attempt, reason, not_yet);
            }
            // The session was ended by somebody else, so its runner has nothing to do any more.
            Call::Up { session, .. } => {
                if let Some(known) = self.sessions.get_mut(&session)
                    && known.stop(now.steady)
                {
                    self.orders.push(Order::Control { session, control: Control::Stop });
                }
            }
            Call::NotStarted { session, .. } => self.on_start_failed(now, session),
            Call::Taken { session } | Call::Lost { session, .. } => self.on_taken(now, session, Vec::new()),
            Call::EndAttempt { feature, .. } => {
                self.note(&format!("the end of an attempt at {feature} was not recorded: {reason}"));
                self.calls.push(Call::Nodes);
                self.feed(now, Event::Settled { feature });
            }
            Call::Reap { .. } => self.feed(now, Event::Reaped),
            Call::EndRun { .. } => self.on_end_recorded(),
            Call::RecordCommand { request, .. } => self.on_command_recorded(request, Some(reason)),
            Call::LandingWaits { .. }
            | Call::RecordMerged { .. }
            | Call::EndLanding { .. }
            | Call::SlotIdle { .. }
            | Call::StartAvoided { .. }
            | Call::BeginRun { .. }
            | Call::CloseBatches
            | Call::Nodes => {
                tracing::warn!("the ledger refuses {}: {reason}", call.kind());
            }
        }
    }

    /// The ledger answers no more. What waits for an answer gets one, so that the run can end.
    pub(super) fn on_lost_call(&mut self, now: Moment, call: &Call) {
        match *call {
            Call::Claim { feature, .. } => {
                self.feed(now, Event::StartFailed { feature, failure: StartFailure::Lost });
            }
            Call::NotStarted { session, .. } => self.on_start_failed(now, session),
            // Whatever its work is worth stays in the store, for the next run; nothing is judged now.
            Call::Taken { session } | Call::Lost { session, .. } => {
                if let Some(known) = self.part(session) {
                    let lost = || SessionEnd::RunnerLost { reason: "its runner is gone".to_owned() };
                    let end = known.end.unwrap_or_else(lost);
                    self.feed(now, Event::SessionEnded { session, submitted: known.attempts, end });
                }
            }
            Call::Job { attempt } | Call::BeginLanding { attempt, .. } | Call::Land { attempt, .. } => {
                let reason = "the database cannot be used any more".to_owned();
                self.integrated(now, attempt, Landed::Postponed { reason });
            }
            Call::EndRun { .. } => self.on_end_recorded(),
            Call::RecordCommand { request, .. } => {
                let is_over = self.over().is_some();
                let why = if is_over { "the run is over" } else { "the database cannot be used any more" };
                self.on_command_recorded(request, Some(why));
            }
            Call::BeginRun { .. }
            | Call::Up { .. }
            | Call::EndAttempt { .. }
            | Call::LandingWaits { .. }
            | Call::RecordMerged { .. }
            | Call::EndLanding { .. }
            | Call::SlotIdle { .. }
            | Call::StartAvoided { .. }
            | Call::CloseBatches
            | Call::Reap { .. }
            | Call::Nodes => {}
        }
    }

    /// Gives back the claim of a session whose runner does not run.
    pub(super) fn give_back(&mut self, session: SessionId, attempt: AttemptId, outcome: SessionOutcome) {
        if let Some(known) = self.sessions.get_mut(&session) {
            known.life = Life::Gone;
        }
        self.calls.push(Call::NotStarted { session, attempt, outcome, limits: self.score.limits });
    }

    fn on_nodes(
        &mut self,
        now: Moment,
        nodes: Vec<cogwork_store::graph::Node>,
        gone: Vec<cogwork_schemas::FeatureId>,
    ) {
        self.feed(now, Event::Features(nodes));
        if !gone.is_empty() {
            self.feed(now, Event::Deleted(gone));
        }
    }

    fn on_start_failed(&mut self, now: Moment, session: SessionId) {
        let Some(known) = self.sessions.remove(&session) else { return };
        let failure = StartFailure::Crashed;
        self.feed(now, Event::StartFailed { feature: known.feature, failure });
        self.look_to_clear(session);
    }

    /// What a session has taken: asked for when it was over, and to clear away what it has left.
    fn on_taken(&mut self, now: Moment, session: SessionId, taken: Vec<Taken>) {
        if let Some(known) = self.sessions.get(&session) {
            let Some(end) = known.end.clone() else { return };
            self.part(session);
            // An attempt whose lease ran out was taken back by somebody; there is nothing left to judge.
            let is_waiting = |taken: &&Taken| taken.outcome.is_none() && taken.attempt.submitted.is_some();
            let submitted: Vec<AttemptId> =
                taken.iter().filter(is_waiting).map(|taken| taken.attempt.id).collect();
            self.feed(now, Event::SessionEnded { session, submitted, end });
        }
        self.clear_away(session, taken);
    }
}
