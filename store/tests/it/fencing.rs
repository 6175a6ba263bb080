//! Promise 1: a stale or missing token is refused, never skipped, and changes nothing.

use cogwork_schemas::{AttemptOutcome, Token};
use cogwork_store::{Claim, Store, StoreError};

use crate::fixture::*;

/// Tries every write with a token and expects every one to be refused without a trace.
#[track_caller]
fn check_refused(store: &Store, token: &Token, except: &[&str]) {
    let before = all(store);
    for (name, write) in writes() {
        if except.contains(&name) {
            continue;
        }
        let result = write(store, token);
        assert!(matches!(result, Err(StoreError::StaleToken { .. })), "{name}: {result:?}");
        assert_eq!(all(store), before, "{name} changed something");
    }
    assert!(matches!(store.attempt(token), Err(StoreError::StaleToken { .. })));
}

fn ended(store: &Store) -> Claim {
    let claim = claim(store, 1, BASE);
    store.at(2).end_attempt(&claim.token, &not_finished(), &LIMITS).unwrap();
    claim
}

#[test]
fn every_write_works_with_a_live_token() {
    // Without this the refusals below would prove nothing.
    for (name, write) in writes() {
        both(|store| {
            let claim = claim(store, 1, BASE);
            if name == "land" {
                store.at(2).submit(&claim.token, Some("c1"), &green(&["t1", "t2"])).unwrap();
            }
            let before = all(store);
            write(store, &claim.token).unwrap();
            assert_ne!(all(store), before, "{name} does nothing");
        });
    }
}

#[test]
fn an_ended_attempt_may_write_nothing() {
    both(|store| {
        let claim = ended(store);
        check_refused(store, &claim.token, &[]);
        let error = renew(store.at(3), &claim.token).unwrap_err();
        insta::assert_snapshot!(error, @"this session no longer owns feature #1: its attempt a1 has ended (not finished); nothing was changed, stop working on it");
    });
}

#[test]
fn an_earlier_owner_may_write_nothing_while_another_works() {
    both(|store| {
        let earlier = claim(store, 1, BASE);
        store.at(100).reap(&LIMITS).unwrap();
        let owner = claim(store, 101, BASE);
        check_refused(store, &earlier.token, &[]);
        store.at(102).submit(&owner.token, Some("c1"), &green(&["t1", "t2"])).unwrap();
        check_refused(store, &earlier.token, &[]);
        store.at(103).land(&owner.token, &merge("c2", green(&["t1", "t2"]))).unwrap();
        check_refused(store, &earlier.token, &[]);
    });
}

#[test]
fn a_landed_attempt_may_only_hear_again_that_it_landed() {
    both(|store| {
        let claim = pass(store, 1, BASE);
        check_refused(store, &claim.token, &["land"]);
    });
}

#[test]
fn a_parked_feature_takes_no_late_success() {
    both(|store| {
        let tokens: Vec<_> = (1..=3).map(|_| ended(store).token).collect();
        for token in &tokens {
            check_refused(store, token, &[]);
        }
    });
}

#[test]
fn a_missing_guessed_or_mangled_token_is_refused() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        let other = crate::fixture::claim(store, 1, PROSE);
        let own = claim.token.reveal();
        let (id, secret) = own.split_once('-').unwrap();
        let (_, others) = other.token.reveal().split_once('-').unwrap();
        for wrong in [
            String::new(),
            "-".to_owned(),
            id.to_owned(),
            format!("{id}-"),
            format!("{id}-{}", "0".repeat(32)),
            format!("{id}-{others}"),
            format!("{id}-{}", secret.to_uppercase() + "x"),
            format!(" {own}"),
            format!("{own}\n"),
            format!("99-{secret}"),
            format!("{id}-' OR 1=1 --"),
            format!("99999999999999999999-{secret}"),
        ] {
            check_refused(store, &Token::new(wrong), &[]);
        }
        insta::assert_snapshot!(
            store.attempt(&Token::new("")).unwrap_err(),
            @"the claim token is missing or unknown, nothing was changed: claim the feature first"
        );
        store.attempt(&claim.token).unwrap();
    });
}

#[test]
fn no_error_tells_the_secret() {
    both(|store| {
        let claim = ended(store);
        let error = store.attempt(&claim.token).unwrap_err();
        let secret = claim.token.reveal().split_once('-').unwrap().1;
        assert!(!format!("{error} {error:?}").contains(secret));
        assert!(!format!("{claim:?}").contains(secret));
        let journal = serde_json::to_string(&store.journal_since(0, 100).unwrap()).unwrap();
        assert!(!journal.contains(secret));
    });
}

#[test]
fn ending_twice_is_refused_the_second_time() {
    both(|store| {
        let claim = ended(store);
        let again = store.at(3).end_attempt(&claim.token, &AttemptOutcome::Stopped, &LIMITS);
        assert!(
            matches!(again, Err(StoreError::StaleToken { ended: Some(word), .. }) if word == "not_finished")
        );
    });
}
