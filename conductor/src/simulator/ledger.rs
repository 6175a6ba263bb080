//! The simulated ledger: the production calls on a store in memory, with a door that jams, an answer that gets lost, and
//! a run that is killed before or after a call.

use std::collections::BTreeMap;

use cogwork_schemas::{NodeIdentity, Presence, ProcessIdentity, SessionId, Token};
use cogwork_store::Secret;

use super::people::PERSON;
use super::world::{Port, World};
use crate::ledger::{Answer, Call, CallId, Clerk, Fault, Owners, changes_after};
use crate::ports::{Input, Ledger};

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
        let mut faults = self.faults;
        if call.kind() == Call::KINDS[faults.favourite] {
            for rate in [&mut faults.refused, &mut faults.again, &mut faults.unknown] {
                *rate *= 5;
            }
            faults.fatal *= 40;
        }
        if self.chance(faults.crash) {
            return self.kill();
        }
        let reason = || "simulated".to_owned();
        let held_for = self.locked_until.duration_since(self.now).as_millis();
        if self.is_ledger_dead || self.chance(faults.fatal) {
            self.is_ledger_dead = true;
            return self.reply(id, Err(Fault::Fatal { reason: reason() }));
        }
        if held_for > i128::from(LOCK_WAIT) || self.chance(faults.again) {
            let ms = if held_for > 0 { LOCK_WAIT } else { self.rng.i64(0..50) };
            return self.deliver(ms, Input::Ledger { id, reply: Err(Fault::Again { reason: reason() }) });
        }
        if faults.fatal > 0 && self.rng.u32(0..3_000) == 0 {
            return; // the disk hangs
        }
        if self.chance(faults.refused) {
            let not_yet = self.rng.bool();
            return self.reply(id, Err(Fault::Refused { reason: reason(), not_yet }));
        }
        let is_answer_lost = self.chance(faults.unknown);
        if is_answer_lost && self.rng.bool() {
            return self.reply(id, Err(Fault::Unknown { reason: reason() }));
        }
        self.before_call(call);
        let reply = self.clerk.perform(&self.store, id, call);
        if self.chance(faults.crash) {
            return self.kill();
        }
        let reply = if is_answer_lost { Err(Fault::Unknown { reason: reason() }) } else { reply };
        self.reply(id, reply);
    }

    /// Answers a call. What the journal gained is told before.
    fn reply(&mut self, id: CallId, reply: Result<Answer, Fault>) {
        let mut ms = self.rng.i64(0..4);
        let late = self.faults.late;
        if self.chance(late) {
            ms += self.rng.i64(0..5_000);
        }
        self.tell_changes();
        self.deliver(ms, Input::Ledger { id, reply });
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
