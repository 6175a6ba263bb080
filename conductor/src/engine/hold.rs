//! Why nothing starts at a moment: in a slot that is free, or for a feature that could have one.

use cogwork_schemas::{FeatureId, StartHold};

use super::{Engine, Mode, StartFailure};
use crate::moment::Moment;

impl Engine {
    /// Returns why the slots that are free stay so; nothing where none is, and for a run that is not under way.
    pub fn slot_hold(&self, now: Moment) -> Option<StartHold> {
        if self.finishing.is_some() || self.free_slots() == 0 {
            return None;
        }
        match (&self.mode, self.kept, self.next_retry()) {
            (Mode::Opening | Mode::Stopping { .. } | Mode::Over, ..) => None,
            (Mode::Draining, ..) => Some(StartHold::Draining),
            (Mode::Running, ..) if self.is_paused => Some(StartHold::Paused),
            (Mode::Running, Some((until, feature)), _) => {
                Some(StartHold::KeptForLanding { feature, until: now.wall_at(until) })
            }
            (Mode::Running, None, Some(at)) => Some(StartHold::BackingOff { until: now.wall_at(at) }),
            (Mode::Running, None, None) => Some(StartHold::NothingReady),
        }
    }

    /// Returns the features that a free slot would have started, and why it does not.
    pub fn avoided_starts(&self, now: Moment) -> impl Iterator<Item = (FeatureId, StartHold)> + '_ {
        let is_free = self.starts_sessions() && self.free_slots() > 0;
        let stopped = self.held_back.iter().filter(move |feature| is_free && self.is_due(**feature));
        let waiting = self.start_after.iter().filter(move |(_, (at, _))| is_free && *at > now.steady);
        let waiting = waiting.filter_map(move |(feature, (at, failure))| {
            let node = self.graph.node(*feature)?;
            let (is_avoided, hold) = match failure {
                StartFailure::Crashed => {
                    (self.is_startable(node.id), StartHold::BackingOff { until: now.wall_at(*at) })
                }
                // Other refusals are nobody's claim: its dependencies have changed, or a person is to decide.
                StartFailure::Lost => (self.is_foreign(&node), StartHold::ClaimedElsewhere),
            };
            is_avoided.then_some((node.id, hold))
        });
        stopped.map(|feature| (*feature, StartHold::StoppedByPerson)).chain(waiting)
    }
}
