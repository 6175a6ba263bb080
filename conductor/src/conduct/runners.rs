//! What is heard of runners, and what follows from it; also when nothing is heard.

use std::collections::BTreeMap;

use cogwork_schemas::{Entry, Fact, FeatureId, RunnerEvent, SessionId, SessionOutcome};
use jiff::{SignedDuration, Timestamp};

use super::session::{Life, Session};
use super::{Conductor, Order};
use crate::engine::{Event, SessionEnd};
use crate::ledger::Call;
use crate::marks;
use crate::ports::{Control, Moment, Report};

impl Conductor {
    pub(super) fn on_runner(&mut self, now: Moment, id: SessionId, report: Report) {
        let Some(session) = self.sessions.get_mut(&id) else {
            if let Report::Gone { how } = report {
                self.on_gone(now, id, &how);
            }
            return;
        };
        session.hear(now.steady);
        match report {
            Report::Started { process } => {
                let (feature, attempt) = (session.feature, session.first());
                session.started();
                self.calls.push(Call::Up { session: id, process });
                self.feed(now, Event::Started { feature, session: id, attempt });
            }
            Report::NotStarted { reason } => {
                let attempt = session.first();
                self.give_back(id, attempt, SessionOutcome::NotStarted { reason });
            }
            Report::Said(event) => self.on_said(now, id, event),
            Report::Gone { how } => self.on_gone(now, id, &how),
        }
    }

    pub(super) fn on_said(&mut self, now: Moment, id: SessionId, event: RunnerEvent) {
        match event {
            RunnerEvent::Agent { event } => {
                self.orders.push(Order::Said { session: id, event: Box::new(event) });
            }
            RunnerEvent::Ended { outcome, reason: red, confirmed, .. } => {
                self.on_reported(now, id, SessionEnd::Reported { outcome, red, confirmed });
            }
            // Until when and for what, the journal tells to everybody.
            RunnerEvent::Waiting { until, .. } => {
                let wait = until.duration_since(now.wall).max(SignedDuration::ZERO);
                if let Some(session) = self.sessions.get_mut(&id) {
                    session.waits(now.steady, wait);
                    let until = now.steady.saturating_add(wait).unwrap_or(Timestamp::MAX);
                    self.feed(now, Event::Waits { session: id, until });
                }
            }
            RunnerEvent::AgentStarted { .. } => self.feed(now, Event::GoesOn { session: id }),
            // The journal tells these to everybody.
            RunnerEvent::Up { .. }
            | RunnerEvent::Alive
            | RunnerEvent::Prepared { .. }
            | RunnerEvent::Checked { .. }
            | RunnerEvent::Resources { .. }
            | RunnerEvent::LeftOut { .. } => {}
        }
    }

    /// A session is over: its agent and all that it had started are gone, and its runner writes nothing any more. What it
    /// handed in is asked for before anything is judged. Its slot does not wait for the process of its runner.
    fn on_reported(&mut self, now: Moment, id: SessionId, end: SessionEnd) {
        self.make_known(now, id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if session.life != Life::Gone && session.end.is_none() {
            session.report(now.steady, end);
            self.calls.push(Call::Taken { session: id });
        }
    }

    /// A runner process is gone, or is given up.
    pub(super) fn on_gone(&mut self, now: Moment, id: SessionId, how: &str) {
        if self.leaving.remove(&id).is_some() {
            marks::hit("session", "let_go");
            return self.look_to_clear(id);
        }
        self.make_known(now, id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        if std::mem::replace(&mut session.life, Life::Gone) != Life::Gone && session.end.is_none() {
            let reason = format!("its runner ended without a report ({how})");
            session.end = Some(SessionEnd::RunnerLost { reason: reason.clone() });
            self.calls.push(Call::Lost { session: id, reason });
        }
    }

    /// The engine waits for a session to start before it may end.
    fn make_known(&mut self, now: Moment, id: SessionId) {
        let Some(session) = self.sessions.get_mut(&id).filter(|session| session.life != Life::Gone) else {
            return;
        };
        if !std::mem::replace(&mut session.is_known, true) {
            let (feature, attempt) = (session.feature, session.first());
            self.feed(now, Event::Started { feature, session: id, attempt });
        }
    }

    /// Lets go of a session that is over; its runner is waited for a little longer, but by nobody.
    pub(super) fn part(&mut self, id: SessionId) -> Option<Session> {
        let session = self.sessions.remove(&id)?;
        if session.life != Life::Gone {
            self.leaving.insert(id, session.clone());
        }
        Some(session)
    }

    /// Something that was to happen with a session did not.
    pub(super) fn on_session_due(&mut self, now: Moment, id: SessionId) {
        let known = self.sessions.get_mut(&id).or_else(|| self.leaving.get_mut(&id));
        let Some(session) = known else { return };
        match session.kill(now.steady) {
            Some(why) => {
                marks::hit("session", "killed");
                self.orders.push(Order::Control { session: id, control: Control::Kill });
                self.note(&format!("session {id} {why}: its runner is killed"));
            }
            None => {
                marks::hit("session", "given_up");
                self.on_gone(now, id, "it does not end, though it was killed");
            }
        }
    }

    /// Returns what an entry says about a session that goes on after it has handed something in.
    pub(super) fn of_session(
        &mut self,
        now: Moment,
        entry: &Entry,
        check_s: &BTreeMap<FeatureId, u64>,
    ) -> Option<Event> {
        let (session, feature, attempt) = (entry.session?, entry.feature?, entry.attempt?);
        if self.score.batch == 1 {
            return None;
        }
        let known = self.sessions.get_mut(&session)?;
        if let Fact::Claimed { .. } = entry.fact {
            if known.attempts.contains(&attempt) {
                return None;
            }
            let seconds = check_s.get(&feature).copied().unwrap_or(0);
            known.goes_on(now.steady, (feature, attempt, entry.at), self.score.session_limit, seconds);
            return Some(Event::Took { session, feature, attempt });
        }
        if let Fact::ChecksGreen { .. } | Fact::SaidDone { .. } = entry.fact {
            return Some(Event::Submitted { session, attempt });
        }
        None
    }
}
