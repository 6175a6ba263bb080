//! Taking over from a dead owner, and what is known of a secret by the database: nothing.

use std::fs;
use std::path::Path;

use cogwork_schemas::{AttemptId, ProcessIdentity, SessionOutcome};
use cogwork_store::{ImportLimits, Next, Secret, Store, StoreError, state_dir};

use crate::fixture::*;

fn owned(store: &Store) -> (cogwork_store::Claim, ProcessIdentity) {
    let claim = claim(store, 1, BASE);
    store.at(2).session_up(claim.session, &process()).unwrap();
    (claim, process())
}

#[test]
fn a_successor_has_the_right_and_the_one_before_has_none() {
    both(|store| {
        let (dead, owner) = owned(store);
        let before = store.last_seq().unwrap();
        let token = store.at(3).take_over(dead.attempt, Some(&owner), &secret()).unwrap();
        assert_eq!(store.last_seq().unwrap(), before, "nothing happened to the feature");
        assert!(matches!(store.attempt(&dead.token), Err(StoreError::StaleToken { .. })));
        store.at(4).end_attempt(&token, &not_finished(), &LIMITS).unwrap();
    });
}

#[test]
fn what_another_process_owns_is_not_taken() {
    both(|store| {
        let (claim, owner) = owned(store);
        let others = [
            None,
            Some(ProcessIdentity { pid: owner.pid + 1, ..owner.clone() }),
            Some(ProcessIdentity { started: 1, ..owner.clone() }),
            Some(ProcessIdentity { boot_id: "another boot".to_owned(), ..owner.clone() }),
        ];
        for other in others {
            let error = store.take_over(claim.attempt, other.as_ref(), &secret()).unwrap_err();
            assert!(matches!(error, StoreError::OwnerChanged { .. }), "{error:?}");
        }
        store.attempt(&claim.token).unwrap();
        // Somebody went on with it between the look and the call.
        store.session_up(claim.session, &ProcessIdentity { pid: 78, ..owner.clone() }).unwrap();
        let error = store.take_over(claim.attempt, Some(&owner), &secret()).unwrap_err();
        insta::assert_snapshot!(error, @"attempt a1 of session s1 belongs to process 78: leave it alone");
    });
}

#[test]
fn a_session_that_nobody_named_or_that_is_over_can_be_taken() {
    both(|store| {
        let unnamed = claim(store, 1, BASE);
        let token = store.take_over(unnamed.attempt, None, &secret()).unwrap();
        store.submit(&token, None, &green(&["t1", "t2"])).unwrap();
        store.session_up(unnamed.session, &process()).unwrap();
        store.end_session(unnamed.session, &SessionOutcome::Completed, 0).unwrap();
        let token = store.take_over(unnamed.attempt, None, &secret()).unwrap();
        store.land(&token, &merge("c", green(&["t1", "t2"]))).unwrap();
        let gone = store.take_over(unnamed.attempt, None, &secret()).unwrap_err();
        assert!(matches!(gone, StoreError::StaleToken { ended: Some(_), .. }), "{gone:?}");
        let never = store.take_over(AttemptId(99), None, &secret()).unwrap_err();
        assert!(matches!(never, StoreError::StaleToken { attempt: None, .. }), "{never:?}");
    });
}

/// Also by a token of an attempt that has ended, which would otherwise ask for a further feature.
#[test]
fn all_tokens_of_a_session_change_together() {
    both(|store| {
        let first = claim_batch(store, 1, PROSE, (3, 1));
        store.submit(&first.token, None, &[]).unwrap();
        let Next::Claimed { claim: second, .. } = store.claim_next(&first.token, LEASE).unwrap() else {
            panic!("it may take more");
        };
        assert_eq!(second.token, first.token.for_attempt(second.attempt), "a session has one secret");
        store.land(&first.token, &merge("c", Vec::new())).unwrap();
        let successor = secret();
        let token = store.take_over(second.attempt, None, &successor).unwrap();
        for old in [&first.token, &second.token] {
            assert!(matches!(store.claim_next(old, LEASE), Err(StoreError::StaleToken { .. })));
        }
        assert_eq!(
            store.take_over(second.attempt, None, &successor).unwrap(),
            token,
            "once more is the same"
        );
        store.attempt(&token).unwrap();
    });
}

fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    entries.map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

#[test]
fn no_file_holds_a_secret() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    let secret = Secret::known("5ec2e7".repeat(10));
    let batch = Some(cogwork_store::Batch { size: 2, slots: 1 });
    let new = cogwork_store::NewSession { batch, ..session(cogwork_schemas::Isolation::Workspace) };
    let claim = store.once("call", |store| store.claim(BASE, &new, &secret, LEASE)).unwrap();
    store.submit(&claim.token, None, &green(&["t1", "t2"])).unwrap();
    let next = store.once("next", |store| store.claim_next(&claim.token, LEASE)).unwrap();
    assert!(matches!(next, Next::Claimed { .. }));
    store.import(&list(r#"{"name": "5ec2e9"}"#), &ImportLimits::default()).unwrap();
    let holds = |text: &str| -> usize {
        let has =
            |(_, bytes): &(String, Vec<u8>)| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        files(&state_dir(dir.path())).iter().filter(|file| has(file)).count()
    };
    assert_ne!(holds("5ec2e9"), 0, "this looks into the files");
    assert_eq!(holds("5ec2e75ec2e7"), 0);
}
