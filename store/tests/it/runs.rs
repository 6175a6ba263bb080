//! Runs: begun and ended once, with their slots and what they did not start.

use cogwork_schemas::{Fact, Isolation, RunId, RunOutcome, StartHold};
use cogwork_store::{NewSession, StoreError};

use crate::fixture::*;

fn in_slot(run: RunId, slot: u32) -> NewSession {
    NewSession {
        run: Some(run),
        slot: Some(slot),
        account: Some("work".to_owned()),
        node: Some(node()),
        ..session(Isolation::Workspace)
    }
}

#[test]
fn a_run_is_a_row_from_its_begin_to_its_end() {
    both(|store| {
        assert_eq!(store.last_run().unwrap(), None);
        let id = store.at(1).begin_run(&run()).unwrap();
        let last = store.last_run().unwrap().unwrap();
        assert_eq!((last.id, last.started_at, &last.ended), (id, at(1), &None));
        assert_eq!((&last.process, &last.node), (&process(), &Some(node())));
        assert_eq!((last.settings, last.base_commit), (run().settings, run().base_commit));
        store.at(2).end_run(id, &RunOutcome::Complete).unwrap();
        // The first outcome counts.
        store.at(3).end_run(id, &RunOutcome::Stopped).unwrap();
        let last = store.last_run().unwrap().unwrap();
        assert_eq!(last.ended, Some((at(2), RunOutcome::Complete)));
        assert_eq!(facts(store, 4), [run_started(), Fact::RunEnded { result: RunOutcome::Complete }]);
        assert!(store.journal_since(4, 9).unwrap().iter().all(|entry| entry.run == Some(id)));
        assert_eq!(store.at(4).begin_run(&run()).unwrap(), RunId(id.0 + 1));
    });
}

#[test]
fn a_run_that_never_was_is_refused() {
    both(|store| {
        let unknown = |error: StoreError| {
            assert!(matches!(error, StoreError::UnknownRun { id: RunId(9) }), "{error:?}");
        };
        unknown(store.at(1).end_run(RunId(9), &RunOutcome::Complete).unwrap_err());
        unknown(store.at(1).slot_idle(RunId(9), 1, &StartHold::NothingReady).unwrap_err());
        unknown(store.at(1).start_avoided(RunId(9), BASE, &StartHold::Draining).unwrap_err());
        unknown(store.at(1).claim(BASE, &in_slot(RunId(9), 1), &secret(), LEASE).unwrap_err());
        assert_eq!(store.last_seq().unwrap(), 4);
    });
}

#[test]
fn a_session_says_its_run_slot_account_and_node() {
    both(|store| {
        let run = store.at(1).begin_run(&run()).unwrap();
        let claim = store.at(2).claim(BASE, &in_slot(run, 2), &secret(), LEASE).unwrap();
        let live = store.live_sessions().unwrap().remove(0);
        assert_eq!((live.id, live.run, live.slot), (claim.session, Some(run), Some(2)));
        assert_eq!((live.account.as_deref(), live.node), (Some("work"), Some(node())));
        let entry = store.journal_since(5, 1).unwrap().remove(0);
        assert_eq!((entry.run, entry.session), (Some(run), Some(claim.session)));
        let Fact::SessionStarted { slot, account, .. } = entry.fact else { panic!("{entry:?}") };
        assert_eq!((slot, account.as_deref()), (Some(2), Some("work")));
    });
}

#[test]
fn an_idle_slot_is_told_once_for_each_reason() {
    both(|store| {
        let run = store.at(1).begin_run(&run()).unwrap();
        let kept = StartHold::KeptForLanding { feature: BASE, until: at(9) };
        for hold in [&StartHold::NothingReady, &StartHold::NothingReady, &kept, &kept] {
            store.at(2).slot_idle(run, 2, hold).unwrap();
        }
        let told = |hold: &StartHold| Fact::SlotIdle { slot: 2, hold: hold.clone() };
        assert_eq!(facts(store, 5), [told(&StartHold::NothingReady), told(&kept)]);
        assert_eq!(store.idle_slots(run).unwrap(), [(2, at(2), kept.clone())]);
        // A session takes it, and it is idle again for the same reason: that is news.
        let seq = store.last_seq().unwrap();
        store.at(3).claim(BASE, &in_slot(run, 2), &secret(), LEASE).unwrap();
        assert_eq!(store.idle_slots(run).unwrap(), []);
        store.at(4).slot_idle(run, 2, &kept).unwrap();
        assert_eq!(facts(store, seq + 2), [told(&kept)]);
        // After the end nothing is idle, and nothing is told.
        store.at(5).end_run(run, &RunOutcome::Stopped).unwrap();
        let seq = store.last_seq().unwrap();
        store.at(6).slot_idle(run, 1, &kept).unwrap();
        assert_eq!((store.idle_slots(run).unwrap(), store.last_seq().unwrap()), (vec![], seq));
    });
}

#[test]
fn an_avoided_start_is_told_once_for_each_reason() {
    both(|store| {
        let run_1 = store.at(1).begin_run(&run()).unwrap();
        let gate = |until| StartHold::GateClosed { account: "work".to_owned(), until: Some(at(until)) };
        for (feature, hold) in [(BASE, gate(9)), (PROSE, gate(9)), (BASE, gate(9)), (BASE, gate(10))] {
            store.at(2).start_avoided(run_1, feature, &hold).unwrap();
        }
        assert_eq!(kinds(store, 5), ["#1 start_avoided", "#4 start_avoided", "#1 start_avoided"]);
        let run_2 = store.at(3).begin_run(&run()).unwrap();
        let seq = store.last_seq().unwrap();
        store.at(4).start_avoided(run_2, BASE, &gate(10)).unwrap();
        assert_eq!(kinds(store, seq), ["#1 start_avoided"]);
        let error = store.at(4).start_avoided(run_2, cogwork_schemas::FeatureId(9), &gate(1)).unwrap_err();
        assert!(matches!(error, StoreError::UnknownFeature { .. }), "{error:?}");
    });
}
