//! What the journal is told of what is not started: why a slot stays free, and why a feature that is ready gets none.
//!
//! These facts decide nothing and wait for everything else. One at a time is in the queue of calls, once nothing else is,
//! and what is not true any more is taken out again. So no claim waits behind them, and while the ledger cannot be
//! written they do not pile up.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::mem::{Discriminant, discriminant};

use cogwork_schemas::{FeatureId, StartHold};
use jiff::{SignedDuration, Timestamp};

use super::Conductor;
use crate::ledger::Call;
use crate::ports::Moment;

/// A reason is told once it has held for so long: a slot that is given away again within a moment is no news, however
/// many short sessions there are.
const LASTS: SignedDuration = SignedDuration::from_secs(2);

/// Which slots are free, and what was told.
#[derive(Debug, Default)]
pub(super) struct Idleness {
    slots: BTreeMap<u32, IdleSlot>,
    /// What was told of features, until they are started.
    avoided: BTreeMap<FeatureId, Reason>,
}

#[derive(Debug)]
struct IdleSlot {
    hold: StartHold,
    /// Since when that is the reason. Steady.
    since: Timestamp,
    is_told: bool,
}

/// Why nothing is started, however long.
type Reason = (Discriminant<StartHold>, Option<FeatureId>);

fn reason(hold: &StartHold) -> Reason {
    let landing = if let StartHold::KeptForLanding { feature, .. } = hold { Some(*feature) } else { None };
    (discriminant(hold), landing)
}

impl Idleness {
    /// Returns when there is something to be told.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.slots.values().filter(|idle| !idle.is_told).map(|idle| idle.since + LASTS).min()
    }

    /// A session is to be started for a feature.
    pub(super) fn on_start(&mut self, feature: FeatureId) {
        self.avoided.remove(&feature);
    }

    /// Takes note of the slots that are free, and why.
    fn watch(&mut self, now: Timestamp, free: &BTreeSet<u32>, hold: &StartHold) {
        self.slots.retain(|slot, idle| free.contains(slot) && reason(&idle.hold) == reason(hold));
        for slot in free {
            let new = IdleSlot { hold: hold.clone(), since: now, is_told: false };
            self.slots.entry(*slot).or_insert(new).hold.clone_from(hold);
        }
    }

    /// Returns what is to be told next.
    fn next(
        &mut self,
        now: Timestamp,
        mut avoided: impl Iterator<Item = (FeatureId, StartHold)>,
    ) -> Option<Call> {
        if let Some((feature, hold)) = avoided.find(|(id, hold)| self.avoided.get(id) != Some(&reason(hold)))
        {
            self.avoided.insert(feature, reason(&hold));
            return Some(Call::StartAvoided { feature, hold });
        }
        let is_due = |idle: &IdleSlot| !idle.is_told && idle.since + LASTS <= now;
        let (slot, idle) = self.slots.iter_mut().find(|(_, idle)| is_due(idle))?;
        idle.is_told = true;
        Some(Call::SlotIdle { slot: *slot, hold: idle.hold.clone() })
    }
}

impl Conductor {
    /// Returns the slots that no session has and nothing is being claimed for.
    pub(super) fn free_slots(&self) -> BTreeSet<u32> {
        let claimed = |call: &Call| if let Call::Claim { new, .. } = call { new.slot } else { None };
        let taken = self.sessions.values().filter_map(|session| session.slot);
        let taken: BTreeSet<_> = taken.chain(self.calls.waiting().filter_map(claimed)).collect();
        (1..=self.score.run.settings.slots).filter(|slot| !taken.contains(slot)).collect()
    }

    /// Tells the next thing of what is not started, if nothing else is to be told.
    pub(super) fn tell_idleness(&mut self, now: Moment) {
        match self.engine.slot_hold(now) {
            Some(hold) => self.idle.watch(now.steady, &self.free_slots(), &hold),
            None => self.idle.slots.clear(),
        }
        let is_over = |slot: &u32, hold: &StartHold| {
            self.idle.slots.get(slot).is_none_or(|idle| reason(&idle.hold) != reason(hold))
        };
        self.calls.withdraw(|call| matches!(call, Call::SlotIdle { slot, hold } if is_over(slot, hold)));
        if self.calls.is_empty() {
            let call = self.idle.next(now.steady, self.engine.avoided_starts(now));
            call.into_iter().for_each(|call| self.calls.push(call));
        }
    }
}
