//! What people ask of a run, by signals and at a second terminal, and what holds then.

use std::collections::{BTreeMap, BTreeSet};

use cogwork_schemas::{Asker, Command, CommandReply, FeatureId};

use super::world::{Happening, Port, World};
use crate::ports::{Input, Replies, RequestId, Signal};

/// What a person at a second terminal wants.
#[derive(Debug, Clone, Copy)]
pub(super) enum Steering {
    Pause,
    /// To resume, to drain or to stop: whoever has paused a run comes back.
    EndPause,
    /// To stop a session, or the work at a feature.
    StopSomething,
    Slots,
}

/// What the run was asked.
#[derive(Debug, Default)]
pub(super) struct Steered {
    is_paused: bool,
    /// Features whose session was stopped since the last resume.
    held_back: BTreeSet<FeatureId>,
    /// Commands without an answer, and how often the run was told to resume before.
    unanswered: BTreeMap<RequestId, (Command, u32)>,
    resumes: u32,
    last_request: u64,
    is_draining: bool,
    /// Something was asked when the end was being recorded.
    is_late: bool,
    /// The most slots that it had.
    most_slots: usize,
}

impl Replies for Port {
    fn reply(&mut self, id: RequestId, reply: CommandReply) {
        let mut world = self.0.borrow_mut();
        world.say(|| format!("{id:?}: {reply:?}"));
        let steered = &mut world.steered;
        let (command, resumes) = steered.unanswered.remove(&id).expect("each command is answered once");
        if let (Command::StopFeature { feature }, CommandReply::Done { .. }) = (command, reply)
            && resumes == steered.resumes
        {
            steered.held_back.insert(feature);
        }
    }
}

impl World {
    /// A run begins, paused perhaps.
    pub(super) fn begin_steered(&mut self) {
        let is_paused = self.store.pause().unwrap().is_some();
        let (last_request, most_slots) = (self.steered.last_request, self.settings.slots);
        self.steered = Steered { is_paused, last_request, most_slots, ..Steered::default() };
        if is_paused {
            let ms = self.rng.i64(1..60_000);
            self.later(ms, Happening::Steer(Steering::EndPause));
        }
    }

    pub(super) fn signal(&mut self, signal: Signal) -> Input {
        // The first Ctrl-C is no stop; the others are, and so is every other signal.
        if signal == Signal::Interrupt && !self.steered.is_draining && self.stop_asked.is_none() {
            self.steered.is_draining = true;
        } else {
            self.stops += 1;
            self.stop_asked.get_or_insert(self.now);
        }
        Input::Signal(signal)
    }

    pub(super) fn steer(&mut self, steering: Steering) -> Option<Input> {
        let command = match steering {
            Steering::Pause => {
                let ms = self.rng.i64(1..120_000);
                self.later(ms, Happening::Steer(Steering::EndPause));
                Command::Pause
            }
            Steering::EndPause => match self.rng.u32(0..6) {
                0 => Command::Drain,
                1 => Command::Stop,
                _ => Command::Resume,
            },
            Steering::StopSomething => {
                let at_work: Vec<_> = self.agents.values().filter(|agent| agent.watched).collect();
                let index = self.rng.usize(0..at_work.len().max(1));
                let agent = at_work.get(index)?;
                let (session, feature) = (agent.session, agent.feature);
                if self.rng.bool() {
                    Command::StopSession { session }
                } else {
                    Command::StopFeature { feature }
                }
            }
            Steering::Slots => Command::Slots { slots: self.rng.u32(0..=5) },
        };
        match command {
            Command::Pause => self.steered.is_paused = true,
            Command::Resume => {
                self.steered.is_paused = false;
                self.steered.is_draining = false;
                self.steered.held_back.clear();
                self.steered.resumes += 1;
            }
            Command::Drain => self.steered.is_draining = true,
            Command::Stop => {
                self.stops += 1;
                self.stop_asked.get_or_insert(self.now);
            }
            Command::Slots { slots } if slots > 0 && self.stop_asked.is_none() => {
                self.settings.slots = slots as usize;
                self.steered.most_slots = self.steered.most_slots.max(self.settings.slots);
            }
            Command::Slots { .. } | Command::StopFeature { .. } | Command::StopSession { .. } => {}
            Command::Abandon => {}
        }
        // What comes when the end is being recorded may not be answered any more.
        self.steered.is_late |= self.is_ending;
        self.steered.last_request += 1;
        let id = RequestId(self.steered.last_request);
        self.steered.unanswered.insert(id, (command, self.steered.resumes));
        Some(Input::Command { id, command, by: Asker::Process { pid: 7 } })
    }

    /// A run that ends by itself owes nobody an answer.
    pub(super) fn check_answered(&self) {
        let unanswered = &self.steered.unanswered;
        assert!(unanswered.is_empty() || self.steered.is_late, "nobody has answered {unanswered:?}");
    }

    /// Returns the most slots that this run had: nothing is stopped because there are fewer.
    pub(super) fn most_slots(&self) -> usize {
        self.steered.most_slots.max(self.settings.slots)
    }

    /// Nothing is started in a run that is paused or drains.
    pub(super) fn check_steered(&self, feature: FeatureId) {
        assert!(!self.steered.is_paused, "{feature} is started in a pause");
        assert!(!self.steered.is_draining, "{feature} is started by a run that is to end");
        assert!(!self.steered.held_back.contains(&feature), "{feature} is started though it was stopped");
    }
}
