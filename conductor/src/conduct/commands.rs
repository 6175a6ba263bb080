//! What is asked of the run, by signals and over its socket: one way in for both, and an answer once it is written down.

use cogwork_schemas::{Asker, Command, CommandReply, FeatureId, RunOutcome, SessionId};

use super::session::Life;
use super::{Conductor, Order, STOP_LIMIT};
use crate::engine::{Event, StartFailure};
use crate::ledger::Call;
use crate::marks;
use crate::ports::{Moment, RequestId, Signal};

/// The most sessions that a run may have at once.
pub const MAX_SLOTS: u16 = 256;

impl Signal {
    fn name(self) -> &'static str {
        match self {
            Self::Interrupt => "SIGINT",
            Self::Terminate => "SIGTERM",
            Self::Hangup => "SIGHUP",
        }
    }
}

impl Conductor {
    pub(super) fn on_signal(&mut self, now: Moment, signal: Signal) {
        let is_ending = self.engine.is_draining() || self.engine.is_stopping();
        let command = match signal {
            // Nothing is left to be said by it.
            Signal::Hangup if self.stop_by.is_some() => return,
            Signal::Interrupt | Signal::Terminate if self.stop_by.is_some() => Command::Abandon,
            Signal::Interrupt if !is_ending => Command::Drain,
            Signal::Interrupt | Signal::Terminate | Signal::Hangup => Command::Stop,
        };
        self.on_command(now, command, Asker::Signal { name: signal.name().to_owned() }, None);
    }

    pub(super) fn on_command(&mut self, now: Moment, command: Command, by: Asker, id: Option<RequestId>) {
        match self.obey(now, command) {
            Ok(text) => {
                if let Some(id) = id {
                    self.replies.insert(id, text);
                }
                self.calls.push(Call::RecordCommand { request: id, command, by });
            }
            Err(reason) => {
                if let Some(id) = id {
                    self.orders.push(Order::Reply { id, reply: CommandReply::Refused { reason } });
                }
            }
        }
        if !self.engine.starts_sessions() {
            self.withdraw_claims(now);
        }
    }

    /// Answers a command whose record is settled, one way or the other.
    pub(super) fn on_command_recorded(&mut self, request: Option<RequestId>, failure: Option<&str>) {
        let Some((id, text)) = request.and_then(|id| self.replies.remove_entry(&id)) else { return };
        let text = match failure {
            Some(reason) => format!("{text}; but it could not be written down: {reason}"),
            None => text,
        };
        self.orders.push(Order::Reply { id, reply: CommandReply::Done { text } });
    }

    /// Does what is asked and returns what that is, or why it is not done.
    fn obey(&mut self, now: Moment, command: Command) -> Result<String, String> {
        let is_end = matches!(command, Command::Stop | Command::Abandon);
        if (self.engine.is_stopping() || self.stop_by.is_some()) && !is_end {
            return Err("the run is being stopped".to_owned());
        }
        match command {
            Command::Pause => self.pause(now),
            Command::Resume => {
                self.note("sessions are started again");
                self.feed(now, Event::Resume);
                Ok("sessions are started again".to_owned())
            }
            Command::Drain => {
                self.note("finishing what runs; press Ctrl-C again to stop it");
                self.feed(now, Event::Drain);
                Ok(format!(
                    "nothing more is started; {}, then the run ends",
                    self.running("goes on", "go on")
                ))
            }
            Command::Stop => {
                self.note("stopping");
                self.stop_by.get_or_insert(now.steady + STOP_LIMIT);
                self.feed(now, Event::Stop);
                self.leave_landing(now);
                Ok(format!("{}, then the run ends", self.running("is stopped", "are stopped")))
            }
            Command::StopFeature { feature } => self.stop_feature(now, feature),
            Command::StopSession { session } => self.stop_session(now, session),
            Command::Slots { slots } => self.set_slots(now, slots),
            Command::Abandon => {
                self.orders.push(Order::End(RunOutcome::Stopped));
                Ok("the run ends at once".to_owned())
            }
        }
    }

    fn pause(&mut self, now: Moment) -> Result<String, String> {
        if self.engine.is_draining() {
            return Err("the run finishes what runs and ends: it starts nothing already".to_owned());
        }
        self.note("paused: nothing is started until `cogwork resume`");
        self.feed(now, Event::Pause);
        Ok(format!("paused: nothing is started; {}", self.running("goes on", "go on")))
    }

    fn stop_feature(&mut self, now: Moment, feature: FeatureId) -> Result<String, String> {
        let node = self.engine.graph().node(feature);
        let node = node.ok_or_else(|| format!("there is no feature {feature}"))?;
        let mut at_it = self.sessions.iter().filter(|(_, session)| session.feature == feature);
        match at_it.find(|(_, session)| session.life != Life::Gone).map(|(id, _)| *id) {
            _ if node.submitted => Err(format!("the work at {feature} is handed in, and waits to land")),
            None => Err(format!("no session of this run works on {feature}")),
            Some(session) => self.stop_session(now, session),
        }
    }

    fn stop_session(&mut self, now: Moment, session: SessionId) -> Result<String, String> {
        let known = self.sessions.get(&session).filter(|known| known.life != Life::Gone);
        let feature = known.ok_or_else(|| format!("no session {session} runs"))?.feature;
        self.note(&format!("stopping session {session}"));
        self.feed(now, Event::StopSession { session, feature });
        Ok(format!("session {session} is stopped; {feature} is not started again before `cogwork resume`"))
    }

    fn set_slots(&mut self, now: Moment, slots: u32) -> Result<String, String> {
        let count = u16::try_from(slots).ok().filter(|slots| (1..=MAX_SLOTS).contains(slots));
        let count =
            count.ok_or_else(|| format!("a run has from 1 to {MAX_SLOTS} sessions at once, not {slots}"))?;
        if usize::from(count) < self.score.slots {
            // Some are for slots that there will not be.
            self.withdraw_claims(now);
        }
        self.score.slots = usize::from(count);
        self.score.run.settings.slots = slots;
        self.note(&format!("at most {slots} at once from now on"));
        self.feed(now, Event::Slots { slots: usize::from(count) });
        Ok(format!("at most {slots} at once from now on; {}", self.running("runs", "run")))
    }

    /// Says how many sessions there are, and what they do.
    fn running(&self, one_does: &str, many_do: &str) -> String {
        match self.sessions.len() {
            0 => "no session runs".to_owned(),
            1 => format!("1 session {one_does}"),
            count => format!("{count} sessions {many_do}"),
        }
    }

    /// Takes back claims that were not made yet: nothing is to be started, and nothing was.
    fn withdraw_claims(&mut self, now: Moment) {
        for call in self.calls.withdraw(|call| matches!(call, Call::Claim { .. })) {
            if let Call::Claim { feature, .. } = call {
                marks::hit("claim", "withdrawn");
                self.feed(now, Event::StartFailed { feature, failure: StartFailure::Lost });
            }
        }
        if self.calls.is_empty() {
            // Nothing waits for the database any more.
            self.show_obstacles(|obstacles| obstacles.ledger = None);
        }
    }
}
