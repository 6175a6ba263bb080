//! The calls of a run to its ledger: in order, one under way at a time, each until its answer is known.
//!
//! What to do about a fault is decided here, once for all calls. *Again* is tried again with growing waits and *unknown*
//! under the same id; everything behind waits, so that the order of the journal is the order of asking. *Refused* is an
//! answer. After *fatal* nothing is answered any more.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use crate::ledger::{Answer, Call, CallId, Fault};
use crate::marks;

/// The first wait after a fault: a lock is held for milliseconds mostly …
const FIRST_WAIT: SignedDuration = SignedDuration::from_millis(100);
/// … and the longest: whoever frees the disk does not want to wait for us.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_secs(5);

/// How long a call is tried: a person who holds the database for longer has forgotten about it.
const PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// How long one call may be without any answer: beyond every wait for a lock, and beyond what a healthy disk takes.
const ANSWER_LIMIT: SignedDuration = SignedDuration::from_secs(600);

/// The queue.
#[derive(Debug, Default)]
pub(super) struct CallQueue {
    waiting: VecDeque<(CallId, Call)>,
    last_id: u64,
    /// When the first was sent, while it is not answered yet.
    sent_at: Option<Timestamp>,
    /// Whether the first may have been carried out, though nobody knows.
    may_be_done: bool,
    faults: u32,
    /// Since when the first cannot be carried out.
    stuck_since: Option<Timestamp>,
    /// When the first is sent again. Steady, as all times here.
    again_at: Option<Timestamp>,
    is_closed: bool,
}

/// What a reply means.
#[derive(Debug, PartialEq)]
pub(super) enum Settled {
    Answered(Call, Answer),
    Refused {
        call: Call,
        reason: String,
        not_yet: bool,
    },
    /// It is asked again later.
    Waits {
        reason: String,
    },
    /// Nothing will be answered any more.
    Closed {
        reason: String,
    },
    /// The reply to something that was settled before.
    Late,
}

impl CallQueue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Returns the calls that are not answered, the one that is under way included.
    pub(super) fn waiting(&self) -> impl Iterator<Item = &Call> {
        self.waiting.iter().map(|(_, call)| call)
    }

    pub(super) fn push(&mut self, call: Call) {
        self.last_id += 1;
        self.waiting.push_back((CallId(self.last_id), call));
    }

    /// Returns what has to be sent now, if anything has.
    pub(super) fn send(&mut self, now: Timestamp) -> Option<(CallId, Call)> {
        if self.is_closed || self.sent_at.is_some() || self.again_at.is_some_and(|at| at > now) {
            return None;
        }
        let first = self.waiting.front()?.clone();
        self.sent_at = Some(now);
        self.again_at = None;
        Some(first)
    }

    /// Returns when [`CallQueue::send`] has something again.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let answer = self.sent_at.map(|at| at + ANSWER_LIMIT);
        answer.or(self.again_at).filter(|_| !self.is_closed)
    }

    /// Returns whether the answer to a call does not come any more.
    pub(super) fn is_overdue(&self, now: Timestamp) -> bool {
        !self.is_closed && self.sent_at.is_some_and(|at| at + ANSWER_LIMIT <= now)
    }

    pub(super) fn on_reply(&mut self, now: Timestamp, id: CallId, reply: Result<Answer, Fault>) -> Settled {
        if self.sent_at.is_none() || self.waiting.front().is_none_or(|(first, _)| *first != id) {
            return Settled::Late;
        }
        self.sent_at = None;
        let kind = self.waiting.front().map_or("", |(_, call)| call.kind());
        match reply {
            Ok(answer) => {
                marks::hit(kind, "answered");
                match self.settle() {
                    Some(call) => Settled::Answered(call, answer),
                    None => Settled::Late,
                }
            }
            Err(Fault::Refused { reason, not_yet }) => {
                marks::hit(kind, "refused");
                match self.settle() {
                    Some(call) => Settled::Refused { call, reason, not_yet },
                    None => Settled::Late,
                }
            }
            Err(Fault::Again { reason } | Fault::Unknown { reason }) if self.is_out_of_patience(now) => {
                marks::hit("ledger", "given_up");
                self.is_closed = true;
                Settled::Closed { reason: format!("{reason}; it was waited for an hour") }
            }
            Err(Fault::Again { reason }) => {
                marks::hit(kind, "again");
                self.wait(now);
                Settled::Waits { reason }
            }
            Err(Fault::Unknown { reason }) => {
                marks::hit(kind, "unknown");
                self.may_be_done = true;
                self.wait(now);
                Settled::Waits { reason }
            }
            Err(Fault::Fatal { reason }) => {
                marks::hit(kind, "fatal");
                self.is_closed = true;
                Settled::Closed { reason }
            }
        }
    }

    /// Ends all calls; none is sent any more.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// Returns the calls that will never be answered.
    pub(super) fn take_lost(&mut self) -> Vec<Call> {
        if !self.is_closed {
            return Vec::new();
        }
        self.waiting.drain(..).map(|(_, call)| call).collect()
    }

    /// Takes out the calls that were certainly not carried out and are not wanted any more.
    pub(super) fn withdraw(&mut self, is_unwanted: impl Fn(&Call) -> bool) -> Vec<Call> {
        let is_first_safe = self.sent_at.is_none() && !self.may_be_done;
        let mut withdrawn = Vec::new();
        let mut index = 0;
        self.waiting.retain(|(_, call)| {
            let is_first = index == 0;
            index += 1;
            let goes = (!is_first || is_first_safe) && is_unwanted(call);
            if goes {
                withdrawn.push(call.clone());
            }
            !goes
        });
        if self.waiting.is_empty() {
            // Nothing is waited for any more; a deadline without a call would come again and again.
            (self.faults, self.stuck_since, self.again_at) = (0, None, None);
        }
        withdrawn
    }

    fn settle(&mut self) -> Option<Call> {
        self.faults = 0;
        self.stuck_since = None;
        self.may_be_done = false;
        self.waiting.pop_front().map(|(_, call)| call)
    }

    fn is_out_of_patience(&self, now: Timestamp) -> bool {
        self.stuck_since.is_some_and(|since| now.duration_since(since) > PATIENCE)
    }

    fn wait(&mut self, now: Timestamp) {
        self.stuck_since.get_or_insert(now);
        let doubled = FIRST_WAIT * 2_i32.saturating_pow(self.faults.min(10));
        self.faults += 1;
        self.again_at = Some(now + doubled.min(LONGEST_WAIT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::UNIX_EPOCH;

    fn again() -> Result<Answer, Fault> {
        Err(Fault::Again { reason: "locked".into() })
    }

    #[test]
    fn a_call_waits_behind_the_one_before_and_keeps_its_id() {
        let mut queue = CallQueue::default();
        queue.push(Call::CloseBatches);
        queue.push(Call::Nodes);
        let (id, call) = queue.send(T0).unwrap();
        assert_eq!((call, queue.send(T0)), (Call::CloseBatches, None));
        assert!(matches!(queue.on_reply(T0, id, again()), Settled::Waits { .. }));
        assert_eq!(queue.send(T0), None);
        let later = queue.deadline().unwrap();
        assert_eq!(queue.send(later), Some((id, Call::CloseBatches)));
        let settled = queue.on_reply(later, id, Ok(Answer::Done));
        assert_eq!(settled, Settled::Answered(Call::CloseBatches, Answer::Done));
        assert_eq!(queue.on_reply(later, id, Ok(Answer::Done)), Settled::Late);
        assert_eq!(queue.send(later).unwrap().1, Call::Nodes);
    }

    #[test]
    fn waits_grow_and_have_an_end() {
        let mut queue = CallQueue::default();
        queue.push(Call::Nodes);
        let (mut now, mut waits) = (T0, Vec::new());
        for _ in 0..12 {
            let (id, _) = queue.send(now).unwrap();
            queue.on_reply(now, id, again());
            let next = queue.deadline().unwrap();
            waits.push(next.duration_since(now));
            now = next;
        }
        assert_eq!((waits[0], waits[1], waits[11]), (FIRST_WAIT, FIRST_WAIT * 2, LONGEST_WAIT));
    }

    #[test]
    fn what_may_have_been_done_is_not_withdrawn() {
        let mut queue = CallQueue::default();
        queue.push(Call::Nodes);
        let (id, _) = queue.send(T0).unwrap();
        assert_eq!(queue.withdraw(|_| true), [], "it is under way");
        queue.on_reply(T0, id, Err(Fault::Unknown { reason: "lost".into() }));
        queue.push(Call::CloseBatches);
        assert_eq!(queue.withdraw(|_| true), [Call::CloseBatches]);
        let (id, _) = queue.send(queue.deadline().unwrap()).unwrap();
        queue.on_reply(T0, id, Ok(Answer::Done));
        queue.push(Call::Nodes);
        let (id, _) = queue.send(T0).unwrap();
        queue.on_reply(T0, id, again());
        assert_eq!(queue.withdraw(|_| true), [Call::Nodes], "nothing was changed");
        assert_eq!(queue.deadline(), None, "nobody waits for its turn any more");
    }

    #[test]
    fn after_a_fatal_fault_nothing_is_answered() {
        let mut queue = CallQueue::default();
        queue.push(Call::Nodes);
        let (id, _) = queue.send(T0).unwrap();
        let fatal = Err(Fault::Fatal { reason: "damaged".into() });
        assert!(matches!(queue.on_reply(T0, id, fatal), Settled::Closed { .. }));
        queue.push(Call::CloseBatches);
        assert_eq!(queue.send(T0), None);
        assert_eq!(queue.take_lost(), [Call::Nodes, Call::CloseBatches]);
    }
}
