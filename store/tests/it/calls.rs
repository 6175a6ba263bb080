//! Calls whose answer was lost, made again: the same answer, and nothing happens twice.

use cogwork_schemas::{CheckPhase, Isolation};
use cogwork_store::{Next, Secret, Store, StoreError};

use crate::fixture::*;

fn claim_as(store: &Store, call: &str) -> Result<cogwork_store::Claim, StoreError> {
    let (new, secret) = (session(Isolation::Workspace), Secret::known("secret"));
    store.once(call, |store| store.claim(BASE, &new, &secret, LEASE))
}

#[test]
fn a_claim_made_again_is_the_same_claim() {
    both(|store| {
        let first = claim_as(store.at(1), "call 1").unwrap();
        let before = all(store);
        assert_eq!(claim_as(store.at(2), "call 1").unwrap(), first);
        assert_eq!(all(store), before);
        store.attempt(&first.token).unwrap();
        assert!(matches!(claim_as(store, "call 2"), Err(StoreError::AlreadyClaimed { .. })), "it is another");
        let outside = store.claim(BASE, &session(Isolation::Workspace), &secret(), LEASE);
        assert!(matches!(outside, Err(StoreError::AlreadyClaimed { .. })), "a call ends");
    });
}

#[test]
fn an_answer_outlasts_its_process_and_is_kept_for_a_day() {
    let dir = tempfile::tempdir().unwrap();
    let first = claim_as(on_disk(dir.path()).at(1), "call").unwrap();
    let store = Store::open(dir.path(), clock()).unwrap();
    assert_eq!(claim_as(store.at(24 * 3600), "call").unwrap(), first);
    let error = claim_as(store.at(24 * 3600 + 2), "call").unwrap_err();
    assert!(matches!(error, StoreError::AlreadyClaimed { .. }), "{error:?}");
}

/// Those that are not the same twice by what they mean.
#[test]
fn every_operation_can_be_made_again() {
    type Operation = fn(&Store, &cogwork_schemas::Token) -> Result<String, StoreError>;
    let operations: [(&str, Operation); 7] = [
        ("end_attempt", |store, token| {
            store.end_attempt(token, &not_finished(), &LIMITS).map(|it| format!("{it:?}"))
        }),
        ("report_failing", |store, token| store.report_failing(token, "broken").map(|it| it.to_string())),
        ("ask_human", |store, token| store.ask_human(token, &question()).map(|()| String::new())),
        ("leave_note", |store, token| store.leave_note(token, "odd").map(|()| String::new())),
        ("record_checks", |store, token| {
            store.record_checks(token, CheckPhase::After, None, &green(&["t1"])).map(|()| String::new())
        }),
        ("begin_run", |store, _| store.begin_run(&run()).map(|it| it.to_string())),
        ("skip", |store, token| store.skip(BASE, Some(token), None).map(|it| format!("{it:?}"))),
    ];
    for (name, operation) in operations {
        both(|store| {
            let claim = claim(store, 1, BASE);
            let first = store.at(2).once("call", |store| operation(store, &claim.token)).unwrap();
            let before = all(store);
            let again = store.at(3).once("call", |store| operation(store, &claim.token)).unwrap();
            assert_eq!((again, all(store)), (first, before), "{name}");
        });
    }
}

#[test]
fn a_further_claim_made_again_is_the_same_and_nothing_yet_is_not_for_ever() {
    both(|store| {
        let first = claim_batch(store, 1, PROSE, (3, 1));
        let next =
            |second: i64, call: &str| store.at(second).once(call, |s| s.claim_next(&first.token, LEASE));
        assert!(matches!(next(2, "call"), Err(StoreError::Misuse { .. })), "it has work to do");
        store.submit(&first.token, None, &[]).unwrap();
        let won = next(3, "call").unwrap();
        assert!(
            matches!(&won, Next::Claimed { claim, .. } if claim.token == first.token.for_attempt(claim.attempt))
        );
        assert_eq!(next(4, "call").unwrap(), won);
    });
    both(|store| {
        let new = session(Isolation::Workspace);
        let first =
            |store: &Store| store.claim_first(&[MIDDLE], &new, &process(), &Secret::known("s"), LEASE);
        assert_eq!(store.at(1).once("call", first).unwrap(), None);
        pass(store, 2, BASE);
        let won = store.at(5).once("call", first).unwrap();
        assert!(won.is_some(), "nothing was nothing yet");
        assert_eq!(store.at(6).once("call", first).unwrap(), won);
    });
}

#[test]
fn several_operations_of_one_call_are_answered_each() {
    both(|store| {
        let work = |store: &Store| {
            let base = store.claim(BASE, &session(Isolation::Workspace), &Secret::known("a"), LEASE)?;
            let prose = store.claim(PROSE, &session(Isolation::Workspace), &Secret::known("b"), LEASE)?;
            Ok::<_, StoreError>((base, prose))
        };
        let first = store.at(1).once("call", work).unwrap();
        assert_eq!(store.at(2).once("call", work).unwrap(), first);
        assert_eq!(store.live_attempts().unwrap().len(), 2);
    });
}
