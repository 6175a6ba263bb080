//! What is told of sessions while they live: bounded, once, and nothing after their end.

use cogwork_schemas::{Activity, ChecksSeen, Fact, SessionOutcome, Usage};
use cogwork_store::{ACTIVITY_CHARS, ACTIVITY_EVERY, Store, StoreError, Waiting};

use crate::fixture::*;

fn limit() -> SessionOutcome {
    SessionOutcome::UsageLimit { resets_at: Some(at(60)), window: None }
}

fn doing(tool: &str) -> Activity {
    Activity { tool: Some(tool.to_owned()), ..Activity::default() }
}

fn live(store: &Store) -> cogwork_store::LiveSession {
    store.live_sessions().unwrap().remove(0)
}

#[test]
fn a_session_waits_and_goes_on() {
    both(|store| {
        let session = claim(store, 1, BASE).session;
        let seq = store.last_seq().unwrap();
        store.at(2).session_goes_on(session).unwrap();
        store.at(2).session_waits(session, at(60), &limit()).unwrap();
        store.at(3).session_waits(session, at(60), &limit()).unwrap();
        assert_eq!(live(store).waiting, Some(Waiting { until: at(60), because: limit() }));
        store.at(4).session_waits(session, at(70), &limit()).unwrap();
        store.at(71).session_goes_on(session).unwrap();
        store.at(72).session_goes_on(session).unwrap();
        assert_eq!(live(store).waiting, None);
        let waits = |until| Fact::SessionWaits { until: at(until), because: limit() };
        assert_eq!(facts(store, seq), [waits(60), waits(70), Fact::SessionGoesOn]);
        // They name the session alone: nothing of the feature changed.
        assert_eq!(kinds(store, seq)[0], "session_waits");
    });
}

#[test]
fn usage_and_cost_are_told_at_the_end() {
    both(|store| {
        let session = claim(store, 1, BASE).session;
        let seq = store.last_seq().unwrap();
        let first = Usage { input_tokens: 10, output_tokens: 1, cost_usd: None };
        let last = Usage { input_tokens: 20, output_tokens: 2, cost_usd: Some(0.25) };
        store.record_usage(session, &first).unwrap();
        assert_eq!(live(store).usage, Some(first));
        store.record_usage(session, &last).unwrap();
        assert_eq!(live(store).usage, Some(last));
        assert_eq!(store.last_seq().unwrap(), seq);
        store.at(2).session_waits(session, at(60), &limit()).unwrap();
        store.at(3).end_session(session, &SessionOutcome::Completed, 5).unwrap();
        store.record_usage(session, &first).unwrap();
        let ended = Fact::SessionEnded { result: SessionOutcome::Completed, agent_ms: 5, usage: Some(last) };
        assert_eq!(facts(store, seq + 1), [ended]);
    });
}

#[test]
fn activity_is_bounded_in_rate_and_size() {
    both(|store| {
        let session = claim(store, 1, BASE).session;
        let seq = store.last_seq().unwrap();
        let every = ACTIVITY_EVERY.as_secs();
        assert!(store.at(2).record_activity(session, &doing("Read a.rs")).unwrap());
        assert!(!store.at(2 + every - 1).record_activity(session, &doing("Edit a.rs")).unwrap());
        assert!(!store.at(2 + every).record_activity(session, &doing("Read a.rs")).unwrap(), "no news");
        let long = Activity {
            tool: Some("Bash echo ".to_owned() + &"é\n".repeat(9_999)),
            change: Some("d/".repeat(9_999)),
            checks: Some(ChecksSeen { green: 1, total: 2 }),
        };
        assert!(store.at(2 + every).record_activity(session, &long).unwrap());
        let Fact::SessionActive { activity } = &facts(store, seq)[1] else { panic!() };
        for text in [&activity.tool, &activity.change] {
            assert_eq!(text.as_ref().unwrap().chars().count(), ACTIVITY_CHARS);
            assert!(!text.as_ref().unwrap().contains('\n'));
        }
        assert_eq!(live(store).activity.as_ref(), Some(activity));
        // However often it is offered, a session tells no more than that.
        let told = (0..600).filter(|second| {
            store.at(100 + second).record_activity(session, &doing(&second.to_string())).unwrap()
        });
        assert_eq!(told.count() as i64, 600 / every);
        assert_eq!(kinds(store, seq).len() as i64, 2 + 600 / every);
    });
}

#[test]
fn nothing_is_told_of_a_session_that_is_over_or_never_was() {
    both(|store| {
        let session = claim(store, 1, BASE).session;
        store.at(2).end_session(session, &SessionOutcome::Stopped, 5).unwrap();
        let before = all(store);
        store.at(3).session_waits(session, at(60), &limit()).unwrap();
        store.at(3).session_goes_on(session).unwrap();
        store.record_usage(session, &Usage::default()).unwrap();
        assert!(!store.at(3).record_activity(session, &doing("x")).unwrap());
        assert_eq!(all(store), before);
        for error in [
            store.at(3).session_waits(NOBODY, at(60), &limit()).unwrap_err(),
            store.at(3).session_goes_on(NOBODY).unwrap_err(),
            store.record_usage(NOBODY, &Usage::default()).unwrap_err(),
            store.at(3).record_activity(NOBODY, &doing("x")).unwrap_err(),
        ] {
            assert!(matches!(error, StoreError::UnknownSession { id: NOBODY }), "{error:?}");
        }
    });
}
