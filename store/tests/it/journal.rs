//! The journal tells everything that happened, in order, and can be read from anywhere in it.

use cogwork_schemas::{AttemptOutcome, Fact, Isolation, RunOutcome, SessionOutcome};
use cogwork_store::{ImportLimits, Store, StoreError};

use crate::fixture::*;

fn run_started() -> Fact {
    Fact::RunStarted {
        process: process(),
        agent: "scripted".to_owned(),
        slots: 3,
        isolation: Isolation::Workspace,
    }
}

#[test]
fn a_whole_life_is_told() {
    both(|store| {
        store.at(0).append(&run_started()).unwrap();
        let lost = claim(store, 1, BASE);
        store.at(2).end_attempt(&lost.token, &AttemptOutcome::Stopped, &LIMITS).unwrap();
        let claim = pass(store, 3, BASE);
        store.at(8).end_session(claim.session, &SessionOutcome::Completed, 5).unwrap();
        store.at(9).append(&Fact::RunEnded { result: RunOutcome::Complete }).unwrap();
        insta::assert_snapshot!(kinds(store, 0).join("\n"), @r"
        #1 created
        #2 created
        #3 created
        #4 created
        run_started
        #1 session_started
        #1 claimed
        #1 attempt_ended
        #1 session_started
        #1 claimed
        #1 checked
        #1 checked
        #1 checks_red
        #1 checked
        #1 checked
        #1 checks_green
        #1 checked
        #1 checked
        #1 integrated
        #1 session_ended
        run_ended
        ");
        let entries = store.journal_since(0, usize::MAX).unwrap();
        let seqs: Vec<_> = entries.iter().map(|entry| entry.seq).collect();
        assert_eq!(seqs, (1..=21).collect::<Vec<_>>());
        assert!(entries.is_sorted_by_key(|entry| entry.at));
        let claimed = &entries[9];
        assert_eq!(claimed.fact, Fact::Claimed { number: 2 });
        assert_eq!((claimed.session, claimed.attempt), (Some(claim.session), Some(claim.attempt)));
        assert_eq!((entries[4].fact.clone(), entries[4].at), (run_started(), at(0)));
    });
}

#[test]
fn it_is_read_in_pieces() {
    both(|store| {
        assert_eq!(store.last_seq().unwrap(), 4);
        let piece = store.journal_since(1, 2).unwrap();
        assert_eq!(piece.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(store.journal_since(4, 10).unwrap(), []);
    });
    assert_eq!(Store::in_memory(clock()).unwrap().last_seq().unwrap(), 0);
}

#[test]
fn only_runs_are_told_by_hand() {
    both(|store| {
        let error = store.at(1).append(&Fact::Claimed { number: 1 }).unwrap_err();
        assert!(matches!(error, StoreError::Misuse { .. }), "{error:?}");
        assert_eq!(store.at(1).append(&run_started()).unwrap(), 5);
    });
}

#[test]
fn a_refused_change_leaves_no_entry() {
    both(|store| {
        let bad = list(r#"{"name": "good"}, {"name": ""}"#);
        store.at(1).import(&bad, &ImportLimits::default()).unwrap_err();
        store.at(1).claim(TOP, &session(Isolation::Workspace), &secret(), LEASE).unwrap_err();
        assert_eq!(store.last_seq().unwrap(), 4);
        // And no gap after it.
        claim(store, 2, BASE);
        assert_eq!(store.last_seq().unwrap(), 6);
    });
}
