//! The engine's rules one by one; what holds in every schedule is the simulator's.

use cogwork_schemas::{AttemptId, AttemptOutcome, FeatureId, RunOutcome, SessionId, SessionOutcome, Status};
use cogwork_store::graph::{Graph, Node};
use jiff::{SignedDuration, Timestamp};

use super::{Effect, Engine, Event, Landing, SLOT_WAIT, SessionEnd, Settings, StartFailure};

const T0: Timestamp = Timestamp::UNIX_EPOCH;

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
    let end = SessionEnd::Reported { outcome: SessionOutcome::Completed, red: None };
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
    assert_eq!(engine.next_deadline(), None);
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
    let later = T0 + SignedDuration::from_secs(1);
    assert_eq!(engine.next_deadline(), Some(later));
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
        now = engine.next_deadline().unwrap();
        assert_eq!(engine.step(now, Event::Deadline), [integrate(1)]);
    }
    let postponed = Landing::Postponed { reason: "local changes".into() };
    let broken = RunOutcome::Broken { reason: "local changes".into() };
    assert_eq!(engine.step(now, integrated(1, postponed)), [Effect::Finish(broken)]);
}

#[test]
fn a_run_says_what_it_is_blocked_by() {
    let mut engine = engine(1, &[with(Status::Parked, node(1, &[])), node(2, &[1]), node(3, &[2])]);
    let blocked = RunOutcome::Blocked { waiting: 2, parked: 1, needs_human: 0 };
    assert_eq!(engine.step(T0, Event::Begin), [Effect::Finish(blocked)]);
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
    let end = SessionEnd::Reported { outcome: SessionOutcome::Completed, red: None };
    let ended = Event::SessionEnded { session: SessionId(1), submitted: vec![AttemptId(2)], end };
    assert_eq!(engine.step(T0, ended), [integrate(2), start(3)]);
}

#[test]
fn the_end_of_a_session_costs_only_what_it_was_at() {
    let mut engine = batch();
    let end = SessionEnd::Reported { outcome: SessionOutcome::TimedOut { after_s: 9 }, red: None };
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
