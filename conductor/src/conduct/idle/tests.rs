//! When it is told that a slot stays free, and that nothing waits behind that.

use cogwork_schemas::{AttemptId, Isolation, ProcessIdentity, Role, RunSettings, SessionId, Status, Token};
use cogwork_store::graph::{Graph, Node};
use cogwork_store::{AttemptLimits, NewRun, Secret};

use super::*;
use crate::conduct::{Order, Score};
use crate::engine::{Engine, Event, SLOT_WAIT, Settings};
use crate::ledger::{Answer, CallId, Changes, Fault};
use crate::ports::{Input, Report, Signal};

fn at(ms: i64) -> Moment {
    let time = Timestamp::UNIX_EPOCH + SignedDuration::from_millis(ms);
    Moment { wall: time, steady: time }
}

fn conductor(slots: u32) -> Conductor {
    let process = ProcessIdentity { pid: 1, started: 1, boot_id: "boot".into() };
    let settings = RunSettings { agent: "a".into(), slots, isolation: Isolation::Workspace, batch: None };
    let score = Score {
        run: NewRun { process, node: None, settings, base_commit: None },
        branch: "main".into(),
        role: Role::Coding,
        slots: slots as usize,
        batch: 1,
        limits: AttemptLimits { attempts: 3, crashes: 3 },
        session_limit: SignedDuration::from_secs(3_600),
        lease: SignedDuration::from_secs(60),
    };
    let settings = Settings { slots: slots as usize, batch: 1, postponements: 3, slot_wait: SLOT_WAIT };
    let graph = Graph::new([Node::new(FeatureId(1))]).unwrap();
    Conductor::new(score, Engine::new(settings, graph))
}

fn called(orders: Vec<Order>) -> Option<(CallId, Call)> {
    orders.into_iter().find_map(
        |order| {
            if let Order::Call { id, call } = order { Some((id, call)) } else { None }
        },
    )
}

fn answer(id: CallId, answer: Answer) -> Input {
    Input::Ledger { id, reply: Ok(answer) }
}

fn locked(id: CallId) -> Input {
    Input::Ledger { id, reply: Err(Fault::Again { reason: "locked".into() }) }
}

fn claimed(id: i64) -> Answer {
    let token: Token = Secret::known("secret").token(AttemptId(id));
    Answer::Claimed { session: SessionId(id), attempt: AttemptId(id), token, check_s: 0 }
}

fn slot_of(call: &Call) -> Option<u32> {
    if let Call::Claim { new, .. } = call { new.slot } else { None }
}

/// A run with one feature, which is claimed; its first slot is taken and the others are free.
fn first_slot_taken(slots: u32) -> Conductor {
    let mut conductor = conductor(slots);
    let (id, _) = called(conductor.open(at(0), vec![Event::Begin])).unwrap();
    let (id, call) = called(conductor.step(at(0), answer(id, Answer::Done))).unwrap();
    assert_eq!(slot_of(&call), Some(1));
    assert_eq!(called(conductor.step(at(0), answer(id, claimed(1)))), None);
    conductor
}

fn change(node: Node) -> Input {
    Input::Changes(Box::new(Changes { nodes: vec![node], ..Changes::default() }))
}

#[test]
fn a_slot_that_stays_free_is_told_once_after_a_while() {
    let mut conductor = first_slot_taken(2);
    assert_eq!(conductor.deadlines().steady, Some(at(2_000).steady));
    assert_eq!(called(conductor.step(at(1_999), Input::Deadline)), None);
    let (id, call) = called(conductor.step(at(2_000), Input::Deadline)).unwrap();
    assert_eq!(call, Call::SlotIdle { slot: 2, hold: StartHold::NothingReady });
    assert_eq!(called(conductor.step(at(2_001), answer(id, Answer::Done))), None);
    assert_eq!(called(conductor.step(at(9_000), Input::Deadline)), None);
    assert_eq!(conductor.idle.deadline(), None);
    // A new reason is told, and one that was refused is no matter.
    let (id, call) = called(conductor.step(at(10_000), Input::Signal(Signal::Interrupt))).unwrap();
    assert!(matches!(call, Call::RecordCommand { .. }), "{call:?}");
    assert_eq!(called(conductor.step(at(10_001), answer(id, Answer::Done))), None);
    let (id, call) = called(conductor.step(at(12_000), Input::Deadline)).unwrap();
    assert_eq!(call, Call::SlotIdle { slot: 2, hold: StartHold::Draining });
    let refused = Err(Fault::Refused { reason: "no".into(), not_yet: false });
    assert_eq!(called(conductor.step(at(12_001), Input::Ledger { id, reply: refused })), None);
    assert_eq!(conductor.idle.deadline(), None);
}

#[test]
fn a_claim_takes_the_lowest_slot_and_does_not_wait_behind_facts() {
    let mut conductor = first_slot_taken(2);
    let (id, _) = called(conductor.step(at(2_000), Input::Deadline)).unwrap();
    // The ledger cannot be written, and something is to be started meanwhile.
    assert_eq!(called(conductor.step(at(2_001), locked(id))), None);
    assert_eq!(called(conductor.step(at(2_002), change(Node::new(FeatureId(2))))), None);
    let (_, call) = called(conductor.step(at(2_200), Input::Deadline)).unwrap();
    assert_eq!(slot_of(&call), Some(2));
    assert_eq!(conductor.calls.waiting().count(), 1);
}

#[test]
fn nothing_piles_up_while_the_ledger_cannot_be_written() {
    let mut conductor = first_slot_taken(3);
    let mut now = 0;
    for turn in 0..20 {
        now += 2_500;
        if turn == 10 {
            // What was asked is written down all the same, once it can be.
            let asked = conductor.step(at(now), Input::Signal(Signal::Interrupt));
            let is_slot = |call: &Call| matches!(call, Call::SlotIdle { .. });
            assert!(asked.iter().all(|order| !matches!(order, Order::Call { call, .. } if is_slot(call))));
            drop(conductor.calls.withdraw(|call| matches!(call, Call::RecordCommand { .. })));
        }
        if let Some((id, _)) = called(conductor.step(at(now), Input::Deadline)) {
            drop(conductor.step(at(now), locked(id)));
        }
        let waiting: Vec<_> = conductor.calls.waiting().cloned().collect();
        let hold = if turn < 10 { StartHold::NothingReady } else { StartHold::Draining };
        assert!(waiting.len() <= 1, "{waiting:?}");
        assert!(
            waiting.iter().all(|call| *call == Call::SlotIdle { slot: 2, hold: hold.clone() }),
            "{waiting:?}"
        );
    }
}

#[test]
fn what_could_not_be_told_is_told_when_it_is_true_again() {
    let mut conductor = first_slot_taken(2);
    let waiting = |status| change(Node { status, crashes: 6, ..Node::new(FeatureId(2)) });
    let (id, _) = called(conductor.step(at(0), waiting(Status::Pending))).unwrap();
    drop(conductor.step(at(0), answer(id, claimed(2))));
    let report = Report::NotStarted { reason: "no process".into() };
    let (id, _) = called(conductor.step(at(0), Input::Runner { session: SessionId(2), report })).unwrap();
    let (id, _) = called(conductor.step(at(0), answer(id, Answer::Done))).unwrap();
    let (id, _) = called(conductor.step(at(0), answer(id, Answer::Taken(Vec::new())))).unwrap();
    drop(conductor.step(at(0), answer(id, Answer::Done)));
    let hold = StartHold::BackingOff { until: at(60_000).wall };
    let told = Call::SlotIdle { slot: 2, hold };
    let (id, call) = called(conductor.step(at(2_000), Input::Deadline)).unwrap();
    assert_eq!(call, told);
    drop(conductor.step(at(2_001), locked(id)));
    drop(conductor.step(at(2_010), waiting(Status::NeedsHuman)));
    assert_eq!(conductor.calls.waiting().count(), 0);
    drop(conductor.step(at(2_020), waiting(Status::Pending)));
    assert_eq!(called(conductor.step(at(4_020), Input::Deadline)).unwrap().1, told);
}

#[test]
fn short_sessions_and_passing_reasons_are_not_told() {
    let free = BTreeSet::from([1]);
    let tell = |idle: &mut Idleness, ms: i64| idle.next(at(ms).steady, std::iter::empty());
    let backing_off = |ms| StartHold::BackingOff { until: at(ms).wall };
    let mut idle = Idleness::default();
    for session in 0..100 {
        idle.watch(at(session * 3_000).steady, &free, &StartHold::NothingReady);
        assert_eq!(tell(&mut idle, session * 3_000 + 1_000), None);
        idle.watch(at(session * 3_000 + 1_000).steady, &BTreeSet::new(), &StartHold::NothingReady);
    }
    for ms in [0, 1_000, 2_000] {
        // When it ends is no part of a reason, though the newest end is told.
        idle.watch(at(ms).steady, &free, &backing_off(5_000 + ms));
    }
    let told = Call::SlotIdle { slot: 1, hold: backing_off(7_000) };
    assert_eq!((tell(&mut idle, 2_000), tell(&mut idle, 2_000)), (Some(told), None));
    idle.watch(at(3_000).steady, &free, &backing_off(9_000));
    assert_eq!((tell(&mut idle, 99_000), idle.deadline()), (None, None), "it is as it was told");
}

#[test]
fn a_feature_that_waits_after_a_crash_is_told_once_for_each() {
    let mut conductor = first_slot_taken(2);
    for (turn, ms) in [(1, 500), (2, 5_000)] {
        let report = Report::NotStarted { reason: "no process".into() };
        let failed = Input::Runner { session: SessionId(turn), report };
        let (id, call) = called(conductor.step(at(ms), failed)).unwrap();
        assert_eq!(call.kind(), "not_started");
        let (id, call) = called(conductor.step(at(ms), answer(id, Answer::Done))).unwrap();
        assert_eq!(call, Call::Taken { session: SessionId(turn) });
        let (id, call) = called(conductor.step(at(ms), answer(id, Answer::Taken(Vec::new())))).unwrap();
        let hold = StartHold::BackingOff { until: at(ms + 1_000).wall };
        assert_eq!(call, Call::StartAvoided { feature: FeatureId(1), hold });
        assert_eq!(called(conductor.step(at(ms), answer(id, Answer::Done))), None);
        let (id, call) = called(conductor.step(at(ms + 1_000), Input::Deadline)).unwrap();
        assert_eq!(slot_of(&call), Some(1));
        drop(conductor.step(at(ms + 1_000), answer(id, claimed(turn + 1))));
        // The second slot is told to be free meanwhile.
        if let Some((id, _)) = called(conductor.step(at(ms + 3_500), Input::Deadline)) {
            drop(conductor.step(at(ms + 3_500), answer(id, Answer::Done)));
        }
    }
}

#[test]
fn a_start_that_is_avoided_is_told_once_until_it_is_made() {
    let mut idle = Idleness::default();
    let avoided = |ms| std::iter::once((FeatureId(1), StartHold::BackingOff { until: at(ms).wall }));
    assert!(idle.next(at(0).steady, avoided(1)).is_some());
    assert_eq!(idle.next(at(0).steady, avoided(2)), None);
    let elsewhere = std::iter::once((FeatureId(1), StartHold::ClaimedElsewhere));
    assert!(idle.next(at(0).steady, elsewhere).is_some());
    idle.on_start(FeatureId(1));
    assert!(idle.next(at(0).steady, avoided(2)).is_some());
}
