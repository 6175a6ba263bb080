//! The simulated ledger: the production calls on a store in memory, with a door that jams, an answer that gets lost, and
//! a run that is killed before or after a call.

use std::collections::BTreeMap;

use cogwork_schemas::{NodeIdentity, Presence, ProcessIdentity, SessionId, Token};
use cogwork_store::Secret;

use super::people::PERSON;
use super::world::{Faults, Happening, Port, World};
use crate::ledger::{Answer, Call, CallId, Clerk, Fault, Owners, changes_after};
use crate::ports::{Input, Ledger, Signal};

/// A lock that others hold is waited for so long, in milliseconds, before the call comes back.
const LOCK_WAIT: i64 = 10_000;

/// Who lives in this world: the other person.
pub(super) struct Living;

impl Owners for Living {
    fn presence(&self, process: &ProcessIdentity, _: Option<&NodeIdentity>) -> Presence {
        if process.pid == PERSON { Presence::Alive } else { Presence::Gone }
    }
}

/// Returns the clerk of a run, whose secrets are numbers.
pub(super) fn clerk(run: u64, taken_over: BTreeMap<SessionId, Token>) -> Clerk {
    let mut made = 0;
    let new_secret = Box::new(move || {
        made += 1;
        Ok(Secret::known(format!("{run}x{made}")))
    });
    Clerk::new(Box::new(Living), new_secret, format!("run {run}"), taken_over)
}

/// Returns whether a call writes nothing.
fn is_question(call: &Call) -> bool {
    match call {
        Call::Taken { .. } | Call::Job { .. } | Call::Nodes => true,
        Call::BeginRun { .. }
        | Call::Claim { .. }
        | Call::Up { .. }
        | Call::NotStarted { .. }
        | Call::Lost { .. }
        | Call::EndAttempt { .. }
        | Call::LandingWaits { .. }
        | Call::RecordMerged { .. }
        | Call::BeginLanding { .. }
        | Call::EndLanding { .. }
        | Call::Land { .. }
        | Call::SlotIdle { .. }
        | Call::StartAvoided { .. }
        | Call::RecordCommand { .. }
        | Call::CloseBatches
        | Call::Reap { .. }
        | Call::EndRun { .. } => false,
    }
}

impl Ledger for Port {
    fn call(&mut self, id: CallId, call: &Call) {
        self.0.borrow_mut().call(id, call);
    }
}

impl World {
    fn call(&mut self, id: CallId, call: &Call) {
        if self.is_dead {
            return;
        }
        self.say(|| format!("→ {id:?} {call:?}"));
        self.is_unanswered = true;
        let mut faults = self.faults;
        if faults.favourites.iter().any(|kind| call.kind() == Call::KINDS[*kind]) {
            for rate in [&mut faults.refused, &mut faults.again, &mut faults.unknown] {
                *rate *= 5;
            }
            faults.fatal = if faults.late > 0 { 150 } else { faults.fatal * 40 };
        }
        if self.chance(faults.crash) {
            return self.kill();
        }
        let reason = || "simulated".to_owned();
        // Whoever only asks waits for nobody.
        let held_for = if is_question(call) { 0 } else { self.held_for() };
        // Only who gets a turn finds the damage.
        let may_find_damage = held_for <= i128::from(LOCK_WAIT);
        if self.is_ledger_dead || (may_find_damage && self.chance(faults.fatal)) {
            self.is_ledger_dead = true;
            return self.reply(id, Err(Fault::Fatal { reason: reason() }));
        }
        let is_full = !is_question(call) && self.staged.as_ref().is_some_and(|staged| staged.is_full);
        if held_for > i128::from(LOCK_WAIT) || is_full || self.chance(faults.again) {
            let ms = if held_for > 0 { LOCK_WAIT } else { self.rng.i64(0..50) };
            return self.deliver(ms, Input::Ledger { id, reply: Err(Fault::Again { reason: reason() }) });
        }
        if faults.fatal > 0 && self.rng.u32(0..3_000) == 0 {
            return; // the disk hangs
        }
        // What was carried out is answered the same under its id, and never refused.
        if self.chance(faults.refused) && self.done_call != Some(id) {
            let not_yet = self.rng.bool();
            return self.reply(id, Err(Fault::Refused { reason: reason(), not_yet }));
        }
        if held_for > 0 {
            let run = self.run;
            return self.at(self.locked_until, Happening::Turn(run, id, Box::new(call.clone())));
        }
        self.carry_out(id, call, faults);
    }

    /// Carries out a call that has waited for its turn.
    pub(super) fn take_turn(&mut self, id: CallId, call: &Call) {
        if self.is_ledger_dead {
            return self.reply(id, Err(Fault::Fatal { reason: "simulated".to_owned() }));
        }
        self.carry_out(id, call, self.faults);
    }

    /// Returns for how many milliseconds somebody else still holds the database.
    fn held_for(&self) -> i128 {
        self.locked_until.duration_since(self.now).as_millis()
    }

    fn carry_out(&mut self, id: CallId, call: &Call, faults: Faults) {
        let reason = || "simulated".to_owned();
        let is_answer_lost = self.chance(faults.unknown);
        if is_answer_lost && self.rng.u32(0..10) == 0 {
            // A person who sees it hang presses Ctrl-C.
            let ms = self.rng.i64(1..300);
            self.later(ms, Happening::Signal(Signal::Interrupt));
        }
        if is_answer_lost && self.rng.bool() {
            return self.reply(id, Err(Fault::Unknown { reason: reason() }));
        }
        self.before_call(id, call);
        let reply = self.clerk.perform(&self.store, id, call);
        if reply.is_ok() {
            self.done_call = Some(id);
        }
        if self.chance(faults.crash) {
            return self.kill();
        }
        let reply = if is_answer_lost { Err(Fault::Unknown { reason: reason() }) } else { reply };
        self.reply(id, reply);
    }

    /// Answers a call. What the journal gained is told before.
    fn reply(&mut self, id: CallId, reply: Result<Answer, Fault>) {
        self.is_unanswered = false;
        let mut ms = self.rng.i64(0..4);
        let late = self.faults.late;
        if self.chance(late) {
            ms += self.rng.i64(0..5_000);
        }
        self.tell_changes();
        self.deliver(ms, Input::Ledger { id, reply });
    }

    /// The file of the database is gone, or another one is in its place: the run is told so, once.
    pub(super) fn lose_ledger(&mut self) {
        self.is_ledger_dead = true;
        let ms = self.rng.i64(1..60);
        self.deliver(ms, Input::LedgerLost { reason: "simulated".to_owned() });
    }

    /// Tells what the journal gained since the run was told last.
    pub(super) fn tell_changes(&mut self) {
        if self.is_ledger_dead {
            return;
        }
        if let Some(changes) = changes_after(&self.store, self.seen).unwrap() {
            self.seen = changes.through;
            self.deliver(0, Input::Changes(Box::new(changes)));
        }
    }
}
