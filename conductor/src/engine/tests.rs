//! The engine's rules one by one; what holds in every schedule is the simulator's.

use cogwork_schemas::{
    AttemptId, AttemptOutcome, FeatureId, RunOutcome, SessionId, SessionOutcome, StartHold, Status,
};
use cogwork_store::graph::{Graph, Node};
use jiff::{SignedDuration, Timestamp};

use super::{Effect, Engine, Event, Landing, SLOT_WAIT, SessionEnd, Settings, StartFailure};
use crate::moment::{Deadlines, Moment};

const T0: Moment = Moment { wall: Timestamp::UNIX_EPOCH, steady: Timestamp::UNIX_EPOCH };

/// So many seconds of steady time later; the clock on the wall shows something else than the time of day.
fn later(now: Moment, seconds: i64, wall: i64) -> Moment {
    Moment {
        wall: T0.wall + SignedDuration::from_secs(wall),
        steady: now.steady + SignedDuration::from_secs(seconds),
    }
}

fn steady(at: Moment) -> Deadlines {
    Deadlines { wall: None, steady: Some(at.steady) }
}

fn node(id: i64, dependencies: &[i64]) -> Node {
    Node { dependencies: dependencies.iter().copied().map(FeatureId).collect(), ..Node::new(FeatureId(id)) }
}

fn with(status: Status, node: Node) -> Node {
    Node { status, ..node }
}

fn engine(slots: usize, nodes: &[Node]) -> Engine {
    let graph = Graph::new(nodes.iter().cloned()).unwrap();
    Engine::new(Settings { slots, batch: 1, postponements: 3, slot_wait: SLOT_WAIT }, graph)
}

fn start(id: i64) -> Effect {
    Effect::Start { feature: FeatureId(id) }
}

fn started(id: i64) -> Event {
    Event::Started { feature: FeatureId(id), session: SessionId(id), attempt: AttemptId(id) }
}

fn ended(id: i64, submitted: bool) -> Event {
    let end = SessionEnd::Reported { outcome: SessionOutcome::Completed, red: None, confirmed: false };
    let submitted = if submitted { vec![AttemptId(id)] } else { Vec::new() };
    Event::SessionEnded { session: SessionId(id), submitted, end }
}

fn integrate(id: i64) -> Effect {
    Effect::Integrate { feature: FeatureId(id), attempt: AttemptId(id) }
}

fn integrated(id: i64, landing: Landing) -> Event {
    Event::Integrated { attempt: AttemptId(id), landing }
}

#[test]
fn it_fills_its_slots_and_no_more() {
    let mut engine = engine(2, &[node(1, &[]), node(2, &[]), node(3, &[])]);
    assert_eq!(engine.step(T0, Event::Begin), [start(1), start(2)]);
    assert_eq!(engine.step(T0, started(1)), []);
    assert_eq!(engine.next_deadline(), Deadlines::default());
}

#[test]
fn a_dependent_starts_only_when_its_dependency_has_landed() {
    let mut engine = engine(2, &[node(1, &[]), node(2, &[1])]);
    assert_eq!(engine.step(T0, Event::Begin), [start(1)]);
    assert_eq!(engine.step(T0, started(1)), []);
    assert_eq!(engine.step(T0, Event::Features(vec![with(Status::Claimed, node(1, &[]))])), []);
    assert_eq!(engine.step(T0, ended(1, true)), [integrate(1)]);
    assert_eq!(engine.step(T0, Event::Features(vec![with(Status::Passing, node(1, &[]))])), [start(2)]);
    assert_eq!(engine.step(T0, integrated(1, Landing::Landed)), []);
}

#[test]
fn a_deleted_feature_is_not_waited_for() {
    let mut engine = engine(1, &[node(1, &[]), node(2, &[])]);
    assert_eq!(engine.step(T0, Event::Begin), [start(1)]);
    assert_eq!(engine.step(T0, started(1)), []);
    assert_eq!(engine.step(T0, Event::Features(vec![with(Status::Claimed, node(1, &[]))])), []);
    assert_eq!(engine.step(T0, Event::Deleted(vec![FeatureId(2)])), []);
    assert_eq!(engine.step(T0, ended(1, true)), [integrate(1)]);
    let passing = Event::Features(vec![with(Status::Passing, node(1, &[]))]);
    assert_eq!(engine.step(T0, passing), []);
    let finish = Effect::Finish(RunOutcome::Complete);
    assert_eq!(engine.step(T0, integrated(1, Landing::Landed)), [finish]);
}

#[test]
fn an_attempt_that_is_not_green_is_ended_with_its_reason() {
    let mut engine = engine(1, &[node(1, &[])]);
    assert_eq!(engine.step(T0, Event::Begin), [start(1)]);
    assert_eq!(engine.step(T0, started(1)), []);
    assert_eq!(engine.step(T0, Event::Features(vec![with(Status::Claimed, node(1, &[]))])), []);
    let effects = engine.step(T0, ended(1, false));
    assert!(
        matches!(&effects[..], [Effect::EndAttempt { outcome: AttemptOutcome::NotFinished { .. }, .. }, ..]),
        "{effects:?}"
    );
}

#[test]
fn a_crash_waits_before_it_is_tried_again() {
    let mut engine = engine(1, &[node(1, &[])]);
    assert_eq!(engine.step(T0, Event::Begin), [start(1)]);
    let failed = Event::StartFailed { feature: FeatureId(1), failure: StartFailure::Crashed };
    assert_eq!(engine.step(T0, failed), []);
    let later = later(T0, 1, 1);
    assert_eq!(engine.next_deadline(), steady(later));
    assert_eq!(engine.step(later, Event::Deadline), [start(1)]);
}

#[test]
fn a_drain_finishes_what_runs_and_lands_it() {
    let mut engine = engine(1, &[node(1, &[]), node(2, &[])]);
    assert_eq!(engine.step(T0, Event::Begin), [start(1)]);
    assert_eq!(engine.step(T0, started(1)), []);
    assert_eq!(engine.step(T0, Event::Drain), []);
    assert_eq!(engine.step(T0, ended(1, true)), [integrate(1)]);
    assert_eq!(engine.step(T0, Event::Features(vec![with(Status::Passing, node(1, &[]))])), []);
    assert_eq!(engine.step(T0, integrated(1, Landing::Landed)), [Effect::Finish(RunOutcome::Stopped)]);
}

/// The last word of a run is true when it is recorded, also where somebody said stop in between.
#[test]
fn what_is_new_after_the_last_word_is_heard_whoever_said_stop() {
    for stop in [Event::Drain, Event::Stop] {
        let mut engine = engine(1, &[with(Status::Passing, node(1, &[]))]);
        assert_eq!(engine.step(T0, Event::Begin), [Effect::Finish(RunOutcome::Complete)]);
        assert_eq!(engine.step(T0, stop), []);
        let new = Event::Features(vec![node(2, &[])]);
        assert_eq!(engine.step(T0, new), [Effect::Finish(RunOutcome::Stopped)]);
        assert_eq!(
            engine.step(T0, Event::Deleted(vec![FeatureId(2)])),
            [Effect::Finish(RunOutcome::Complete)]
        );
    }
}

#[test]
fn a_stop_stops_sessions_that_start_late_too() {
    let mut engine = engine(2, &[node(1, &[]), node(2, &[])]);
    assert_eq!(engine.step(T0, Event::Begin), [start(1), start(2)]);
    assert_eq!(engine.step(T0, started(1)), []);
    assert_eq!(engine.step(T0, Event::Stop), [Effect::StopSession { session: SessionId(1) }]);
    assert_eq!(engine.step(T0, started(2)), [Effect::StopSession { session: SessionId(2) }]);
}

#[test]
fn a_landing_that_cannot_be_tried_is_tried_again_and_then_given_up() {
    let mut engine = engine(1, &[with(Status::Claimed, node(1, &[]))]);
    let recovered = Event::Recovered { feature: FeatureId(1), attempt: AttemptId(1) };
    let mut now = T0;
    assert_eq!(engine.step(now, recovered), []);
    assert_eq!(engine.step(now, Event::Begin), [integrate(1)]);
    for _ in 0..2 {
        let postponed = Landing::Postponed { reason: "local changes".into() };
        assert_eq!(engine.step(now, integrated(1, postponed)), []);
        now.steady = engine.next_deadline().steady.unwrap();
        assert_eq!(engine.step(now, Event::Deadline), [integrate(1)]);
    }
    let postponed = Landing::Postponed { reason: "local changes".into() };
    let broken = RunOutcome::Broken { reason: "local changes".into() };
    assert_eq!(engine.step(now, integrated(1, postponed)), [Effect::Finish(broken)]);
}

const HOUR: i64 = 3_600;

#[test]
fn a_clock_that_is_set_delays_and_hurries_nothing() {
    for set in [-HOUR, HOUR] {
        let mut engine = engine(1, &[node(1, &[]), with(Status::Claimed, node(2, &[]))]);
        let recovered = Event::Recovered { feature: FeatureId(2), attempt: AttemptId(2) };
        assert_eq!(engine.step(T0, recovered), []);
        assert_eq!(engine.step(T0, Event::Begin), [integrate(2), start(1)]);
        let failed = Event::StartFailed { feature: FeatureId(1), failure: StartFailure::Crashed };
        assert_eq!(engine.step(T0, failed), []);
        let backing_off = StartHold::BackingOff { until: later(T0, 0, set + 1).wall };
        assert_eq!(engine.slot_hold(later(T0, 0, set)), Some(backing_off.clone()));
        let avoided: Vec<_> = engine.avoided_starts(later(T0, 0, set)).collect();
        assert_eq!(avoided, [(FeatureId(1), backing_off)]);
        let postponed = Landing::Postponed { reason: "local changes".into() };
        assert_eq!(engine.step(T0, integrated(2, postponed)), []);
        for (seconds, effect) in [(1, start(1)), (2, integrate(2))] {
            let now = later(T0, seconds, set);
            assert_eq!(engine.next_deadline(), steady(now));
            let before = Moment { steady: now.steady - SignedDuration::from_millis(1), ..now };
            assert_eq!(engine.step(before, Event::Deadline), []);
            assert_eq!(engine.step(now, Event::Deadline), [effect]);
        }
    }
}

#[test]
fn what_was_learned_of_landings_and_sessions_does_not_depend_on_the_clock() {
    for set in [-HOUR, HOUR] {
        let estimated = |id, dependencies: &[i64], s| Node { estimate_s: Some(s), ..node(id, dependencies) };
        let (one, two) = (estimated(1, &[], 200.0), estimated(2, &[], 100.0));
        let (three, four) = (estimated(3, &[2], 100.0), estimated(4, &[3], 1_000.0));
        let mut engine = engine(1, &[one.clone(), two.clone(), three.clone(), four, node(5, &[])]);
        // The clock is set, and set right again.
        let (mut now, mut wall) = (T0, 0);
        let mut go_on = |seconds| {
            wall = set - wall;
            now = later(now, seconds, wall);
            now
        };
        let claimed = |node: &Node| Event::Features(vec![with(Status::Claimed, node.clone())]);
        let passing = |node: Node| Event::Features(vec![with(Status::Passing, node)]);
        assert_eq!(engine.step(T0, Event::Begin), [start(2)]);
        assert_eq!(engine.step(T0, claimed(&two)), []);
        assert_eq!(engine.step(T0, started(2)), []);
        assert_eq!(engine.step(go_on(100), ended(2, true)), [integrate(2), start(1)]);
        let at = go_on(1);
        assert_eq!(engine.step(at, claimed(&one)), []);
        assert_eq!(engine.step(at, started(1)), []);
        assert_eq!(engine.step(at, passing(two)), []);
        assert_eq!(engine.step(at, integrated(2, Landing::Landed)), []);
        assert_eq!(engine.step(go_on(100), ended(1, true)), [integrate(1), start(3)]);
        let at = go_on(1);
        assert_eq!(engine.step(at, claimed(&three)), []);
        assert_eq!(engine.step(at, started(3)), []);
        assert_eq!(engine.step(at, passing(one)), []);
        assert_eq!(engine.step(at, integrated(1, Landing::Landed)), []);
        // Landings took a second and sessions a hundred: the slot is kept for what this one frees.
        let at = go_on(100);
        assert_eq!(engine.step(at, ended(3, true)), [integrate(3)]);
        assert_eq!(engine.next_deadline(), steady(later(at, 1, 0)));
        let until = at.wall + SignedDuration::from_secs(1);
        let kept = StartHold::KeptForLanding { feature: FeatureId(3), until };
        assert_eq!(engine.slot_hold(at), Some(kept));
    }
}

#[test]
fn the_leases_of_others_run_out_by_the_clock_on_the_wall() {
    let until = later(T0, 0, 60).wall;
    let claimed = Node { lease_until: Some(until), ..with(Status::Claimed, node(1, &[])) };
    let mut engine = engine(1, &[claimed]);
    assert_eq!(engine.step(T0, Event::Begin), []);
    assert_eq!(engine.next_deadline(), Deadlines { wall: Some(until), steady: None });
    assert_eq!(engine.step(later(T0, HOUR, 59), Event::Deadline), []);
    let due = later(T0, HOUR, 60);
    assert_eq!(engine.step(due, Event::Deadline), [Effect::Reap]);
    assert_eq!(engine.step(due, Event::Reaped), []);
    // Its owner lives: it is looked at again after a moment, whatever the clock says.
    let again = later(due, 1, -HOUR);
    assert_eq!(engine.next_deadline(), steady(again));
    assert_eq!(engine.step(again, Event::Deadline), []);
    assert_eq!(engine.next_deadline(), Deadlines { wall: Some(until), steady: None });
}

#[test]
fn a_free_slot_has_a_reason_and_a_taken_one_has_none() {
    let mut engine = engine(2, &[node(1, &[]), node(2, &[1])]);
    assert_eq!(engine.slot_hold(T0), None, "it has not begun");
    assert_eq!(engine.step(T0, Event::Begin), [start(1)]);
    assert_eq!(engine.slot_hold(T0), Some(StartHold::NothingReady));
    assert_eq!(engine.step(T0, started(1)), []);
    assert_eq!(engine.step(T0, Event::Features(vec![node(3, &[])])), [start(3)]);
    assert_eq!(engine.slot_hold(T0), None);
    assert_eq!(engine.step(T0, started(3)), []);
    assert_eq!(engine.step(T0, Event::Drain), []);
    assert_eq!(engine.slot_hold(T0), None);
    assert!(!engine.step(T0, ended(3, false)).is_empty());
    assert_eq!(engine.slot_hold(T0), Some(StartHold::Draining));
    assert_eq!(engine.step(T0, Event::Stop), [Effect::StopSession { session: SessionId(1) }]);
    assert_eq!(engine.slot_hold(T0), None);
}

#[test]
fn a_claim_that_was_refused_because_of_another_is_told_from_others() {
    for (status, elsewhere) in
        [(Status::Claimed, true), (Status::NeedsHuman, false), (Status::Pending, false)]
    {
        let mut engine = engine(2, &[node(1, &[]), with(Status::Claimed, node(2, &[]))]);
        assert_eq!(engine.step(T0, Event::Begin), [start(1)]);
        assert_eq!(engine.avoided_starts(T0).next(), None);
        assert_eq!(engine.step(T0, Event::Features(vec![with(status, node(1, &[]))])), []);
        let refused = Event::StartFailed { feature: FeatureId(1), failure: StartFailure::Lost };
        let effects = engine.step(T0, refused);
        assert!(!effects.contains(&start(1)), "{effects:?}");
        let avoided: Vec<_> = engine.avoided_starts(T0).collect();
        let told = elsewhere.then_some((FeatureId(1), StartHold::ClaimedElsewhere));
        assert_eq!(avoided, Vec::from_iter(told));
        assert_eq!(engine.avoided_starts(later(T0, 1, 1)).next(), None);
    }
}

#[test]
fn a_run_says_what_it_is_blocked_by() {
    let mut engine = engine(1, &[with(Status::Parked, node(1, &[])), node(2, &[1]), node(3, &[2])]);
    let blocked = RunOutcome::Blocked { waiting: 2, parked: 1, needs_human: 0 };
    assert_eq!(engine.step(T0, Event::Begin), [Effect::Finish(blocked)]);
    assert_eq!(engine.slot_hold(T0), None, "it is about to be over");
}

#[test]
fn an_answer_that_nobody_asked_for_changes_nothing() {
    let mut engine = engine(1, &[node(1, &[]), with(Status::Claimed, node(2, &[]))]);
    assert_eq!(engine.step(T0, Event::Begin), [start(1)]);
    assert_eq!(engine.step(T0, ended(99, true)), []);
    assert_eq!(engine.step(T0, integrated(99, Landing::Landed)), []);
}

/// Two features in one session: the first is handed in while the session goes on.
fn batch() -> Engine {
    let graph = Graph::new([node(1, &[]), node(2, &[]), node(3, &[])]).unwrap();
    let mut engine =
        Engine::new(Settings { slots: 1, batch: 2, postponements: 3, slot_wait: SLOT_WAIT }, graph);
    assert_eq!(engine.step(T0, Event::Begin), [start(1)]);
    assert_eq!(engine.step(T0, started(1)), []);
    let submitted = Event::Submitted { session: SessionId(1), attempt: AttemptId(1) };
    assert_eq!(engine.step(T0, Event::Features(vec![with(Status::Claimed, node(1, &[]))])), []);
    assert_eq!(engine.step(T0, submitted.clone()), [integrate(1)]);
    assert_eq!(engine.step(T0, submitted), [], "it is handed in once");
    let took = Event::Took { session: SessionId(1), feature: FeatureId(2), attempt: AttemptId(2) };
    assert_eq!(engine.step(T0, Event::Features(vec![with(Status::Claimed, node(2, &[]))])), []);
    assert_eq!(engine.step(T0, took.clone()), [], "it holds the slot still");
    assert_eq!(engine.step(T0, took), []);
    engine
}

#[test]
fn a_session_that_goes_on_holds_one_slot_and_its_work_lands_meanwhile() {
    let mut engine = batch();
    assert_eq!(engine.step(T0, Event::Features(vec![with(Status::Passing, node(1, &[]))])), []);
    assert_eq!(engine.step(T0, integrated(1, Landing::Landed)), []);
    let end = SessionEnd::Reported { outcome: SessionOutcome::Completed, red: None, confirmed: false };
    let ended = Event::SessionEnded { session: SessionId(1), submitted: vec![AttemptId(2)], end };
    assert_eq!(engine.step(T0, ended), [integrate(2), start(3)]);
}

#[test]
fn the_end_of_a_session_costs_only_what_it_was_at() {
    let mut engine = batch();
    let end = SessionEnd::Reported {
        outcome: SessionOutcome::TimedOut { after_s: 9 },
        red: None,
        confirmed: false,
    };
    let effects = engine.step(T0, Event::SessionEnded { session: SessionId(1), submitted: Vec::new(), end });
    let [Effect::EndAttempt { attempt, outcome, .. }, next] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((*attempt, outcome.costs_attempt(), next), (AttemptId(2), true, &start(3)));
    assert_eq!(engine.step(T0, Event::Features(vec![with(Status::Passing, node(1, &[]))])), []);
}

#[test]
fn no_session_goes_on_once_the_run_is_to_end() {
    assert_eq!(batch().step(T0, Event::Drain), [Effect::CloseBatches]);
    let stop = Effect::StopSession { session: SessionId(1) };
    assert_eq!(batch().step(T0, Event::Stop), [Effect::CloseBatches, stop]);
}
