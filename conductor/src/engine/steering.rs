//! What people ask of a run that goes on: to pause, to resume, to stop one session, to have fewer or more of them.

use std::collections::BTreeSet;

use cogwork_schemas::{FeatureId, SessionId};
use jiff::{SignedDuration, Timestamp};

use super::{Effect, Engine, Mode};

/// A session that waits for longer is stopped when nothing more is to be started: its agent is not at work, and would
/// keep the run from its end for hours.
const WORTH_WAITING: SignedDuration = SignedDuration::from_secs(60);

impl Engine {
    /// Returns whether the run finishes what runs, and ends.
    pub fn is_draining(&self) -> bool {
        self.mode == Mode::Draining
    }

    /// Returns whether the run starts nothing although it goes on.
    pub fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Returns the features whose session a person has stopped, and which are not started before [`Event::Resume`](super::Event::Resume).
    pub fn held_back(&self) -> &BTreeSet<FeatureId> {
        &self.held_back
    }

    pub(super) fn on_pause(&mut self) -> Vec<Effect> {
        self.is_paused = true;
        // A further feature of a batch would be something new.
        self.close_batches()
    }

    pub(super) fn on_resume(&mut self) -> Vec<Effect> {
        self.is_paused = false;
        self.held_back.clear();
        if self.mode == Mode::Draining {
            self.mode = Mode::Running;
        }
        Vec::new()
    }

    pub(super) fn on_stop_session(&mut self, session: SessionId, feature: FeatureId) -> Vec<Effect> {
        self.held_back.insert(feature);
        vec![Effect::StopSession { session }]
    }

    pub(super) fn on_slots(&mut self, slots: usize) -> Vec<Effect> {
        self.settings.slots = slots;
        Vec::new()
    }

    pub(super) fn on_waits(&mut self, now: Timestamp, session: SessionId, until: Timestamp) -> Vec<Effect> {
        if let Some(held) = self.sessions.get_mut(&session) {
            held.waits_until = Some(until);
        }
        if self.mode == Mode::Draining { self.stop_waiting(now) } else { Vec::new() }
    }

    pub(super) fn on_goes_on(&mut self, session: SessionId) -> Vec<Effect> {
        if let Some(held) = self.sessions.get_mut(&session) {
            held.waits_until = None;
        }
        Vec::new()
    }

    /// Stops the sessions of a draining run that only wait.
    pub(super) fn stop_waiting(&self, now: Timestamp) -> Vec<Effect> {
        let is_long = |until: Timestamp| until.duration_since(now) > WORTH_WAITING;
        let waiting = self.sessions.iter().filter(|(_, held)| held.waits_until.is_some_and(is_long));
        waiting.map(|(session, _)| Effect::StopSession { session: *session }).collect()
    }
}
