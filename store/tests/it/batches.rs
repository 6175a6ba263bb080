//! Sessions that take one further feature after another.

use cogwork_schemas::{AttemptOutcome, FeatureId, SessionOutcome, Status, Token};
use cogwork_store::{Claim, ImportLimits, Next, Store, StoreError};

use crate::fixture::*;

/// A second kind of features, all ready: 5 to 8.
const DOCS: &str = r#"
    {"name": "a", "category": "docs"}, {"name": "b", "category": "docs"},
    {"name": "c", "category": "docs"}, {"name": "d", "category": "docs"}"#;

/// Runs a test on the small project with [`DOCS`], and a session on the first of them that may take up to `size`.
fn batch(size: u32, slots: u32, test: impl Fn(&Store, Claim)) {
    both(|store| {
        store.at(0).import(&list(DOCS), &ImportLimits::default()).unwrap();
        let first = claim_batch(store, 1, FeatureId(5), (size, slots));
        test(store, first);
    });
}

fn submit(store: &Store, token: &Token) {
    store.at(2).submit(token, Some("c1"), &[]).unwrap();
}

fn land(store: &Store, token: &Token) {
    store.at(3).land(token, &merge("c2", vec![])).unwrap();
}

fn next(store: &Store, token: &Token) -> Next {
    store.at(4).claim_next(token, LEASE).unwrap()
}

fn claimed(store: &Store, token: &Token) -> (i64, Claim) {
    match next(store, token) {
        Next::Claimed { feature, claim } => (feature.0, claim),
        none @ (Next::Wait | Next::Nothing) => panic!("{none:?}"),
    }
}

#[test]
fn a_session_takes_features_of_its_kind_up_to_its_size() {
    batch(3, 1, |store, first| {
        submit(store, &first.token);
        let seq = store.last_seq().unwrap();
        let (id, second) = claimed(store, &first.token);
        assert_eq!((id, second.session, second.number), (6, first.session, 1));
        assert_eq!(kinds(store, seq), ["#6 claimed"], "no session is started for it");
        let feature = store.feature(FeatureId(6)).unwrap();
        assert_eq!((feature.status, feature.session), (Status::Claimed, Some(first.session)));
        assert_eq!(store.attempt(&second.token).unwrap().lease_until, Some(at(64)));

        submit(store, &second.token);
        land(store, &first.token);
        // Any token of the session shows which one it is, also that of an attempt that has landed.
        let (id, third) = claimed(store, &first.token);
        assert_eq!(id, 7);
        submit(store, &third.token);
        assert_eq!(next(store, &third.token), Next::Nothing, "three is its size");
        let taken = store.attempts_of_session(first.session).unwrap();
        let ids: Vec<_> = taken.iter().map(|taken| taken.attempt.feature.0).collect();
        assert_eq!(ids, [5, 6, 7]);
        assert_eq!(taken[0].outcome, Some(AttemptOutcome::Landed));
    });
}

#[test]
fn what_a_free_slot_would_start_is_not_taken() {
    // Five are ready: #1, #4 and three docs.
    for (slots, takes) in [(1, true), (5, true), (6, false)] {
        batch(3, slots, |store, first| {
            submit(store, &first.token);
            land(store, &first.token);
            let got = next(store, &first.token);
            assert_eq!(matches!(got, Next::Claimed { .. }), takes, "{slots} slots: {got:?}");
        });
    }
    // A session that lives fills a slot, a person's does not.
    batch(3, 6, |store, first| {
        submit(store, &first.token);
        let other = claim(store, 2, BASE);
        // Four are ready, five slots are free for all that is known; its own work is about to land.
        assert_eq!(next(store, &first.token), Next::Wait);
        // Given back, it is ready again, and the next session fills a slot.
        store.end_attempt(&other.token, &AttemptOutcome::Stopped, &LIMITS).unwrap();
        store.end_session(other.session, &SessionOutcome::Stopped, 1).unwrap();
        claim_batch(store, 2, BASE, (3, 6));
        assert_eq!(next(store, &first.token), Next::Wait, "four slots and four features");
        store.at(3).import(&list(r#"{"name": "e"}"#), &ImportLimits::default()).unwrap();
        assert_eq!(claimed(store, &first.token).0, 6);
    });
}

#[test]
fn the_chain_is_followed_once_its_work_has_landed() {
    both(|store| {
        let first = claim_batch(store, 1, BASE, (2, 1));
        store.at(1).record_before(&first.token, None, &red(&["t1", "t2"])).unwrap();
        store.at(2).submit(&first.token, Some("c1"), &green(&["t1", "t2"])).unwrap();
        pass(store, 2, PROSE);
        assert_eq!(next(store, &first.token), Next::Wait, "nothing is ready before it lands");
        store.at(3).land(&first.token, &merge("c2", green(&["t1", "t2"]))).unwrap();
        assert_eq!(claimed(store, &first.token).0, MIDDLE.0);
    });
}

#[test]
fn no_further_feature_for_a_session_that_has_one_or_that_may_not() {
    batch(3, 1, |store, first| {
        let before = all(store);
        let error = store.at(4).claim_next(&first.token, LEASE).unwrap_err();
        assert!(matches!(error, StoreError::Misuse { .. }), "{error:?}");
        assert_eq!(all(store), before);
        submit(store, &first.token);
        store.close_batches().unwrap();
        assert_eq!(next(store, &first.token), Next::Nothing, "the run is about to end");
        // The next run's sessions are not meant.
        store.at(5).end_session(first.session, &SessionOutcome::Completed, 1).unwrap();
        let later = claim_batch(store, 6, FeatureId(6), (2, 1));
        submit(store, &later.token);
        assert_eq!(claimed(store, &later.token).0, 7);
    });
    both(|store| {
        let only = claim(store, 1, PROSE);
        submit(store, &only.token);
        assert_eq!(next(store, &only.token), Next::Nothing, "a batch is begun by whoever starts the session");
    });
}

#[test]
fn a_session_that_is_over_or_was_robbed_takes_nothing() {
    let refused = |store: &Store, token: &Token| {
        let before = all(store);
        for result in [
            store.at(9).claim_next(token, LEASE).map(drop),
            store.at(9).renew_session(token, LEASE).map(drop),
        ] {
            assert!(matches!(result, Err(StoreError::StaleToken { .. })), "{result:?}");
        }
        assert_eq!(all(store), before);
    };
    batch(3, 1, |store, first| {
        submit(store, &first.token);
        store.at(3).end_session(first.session, &SessionOutcome::Completed, 1).unwrap();
        refused(store, &first.token);
    });
    for outcome in [AttemptOutcome::Expired, AttemptOutcome::Stopped, AttemptOutcome::Orphaned] {
        batch(3, 1, |store, first| {
            submit(store, &first.token);
            let (_, second) = claimed(store, &first.token);
            store.at(5).end_attempt(&second.token, &outcome, &LIMITS).unwrap();
            refused(store, &first.token);
        });
    }
    both(|store| refused(store, &Token::new("7-guess")));
}

#[test]
fn work_that_was_handed_in_may_fail_without_harm_to_its_session() {
    for outcome in
        [AttemptOutcome::Conflict { reason: "a".into() }, AttemptOutcome::Crashed { reason: "b".into() }]
    {
        batch(3, 1, |store, first| {
            submit(store, &first.token);
            let (_, second) = claimed(store, &first.token);
            store.at(5).end_attempt(&first.token, &outcome, &LIMITS).unwrap();
            let live = store.at(6).renew_session(&first.token, LEASE).unwrap();
            assert_eq!(live.iter().map(|attempt| attempt.id).collect::<Vec<_>>(), [second.attempt]);
            submit(store, &second.token);
            let id = claimed(store, &second.token).0;
            assert_eq!(id, 7, "#5 is ready again, and not for the one who failed at it");
        });
    }
}

#[test]
fn all_claims_of_a_session_are_kept_together() {
    batch(3, 1, |store, first| {
        submit(store, &first.token);
        let (_, second) = claimed(store, &first.token);
        let live = store.at(50).renew_session(&first.token, LEASE).unwrap();
        assert_eq!(live.len(), 2);
        let leases = || -> Vec<_> {
            store.live_attempts().unwrap().into_iter().map(|attempt| attempt.lease_until).collect()
        };
        assert_eq!(leases(), [None, Some(at(110))]);
        assert_eq!(store.at(70).reap(&LIMITS).unwrap(), []);
        assert_eq!(store.at(120).reap(&LIMITS).unwrap(), [FeatureId(6)], "what was handed in cannot expire");
        drop(second);
    });
    both(|store| {
        let only = claim(store, 1, PROSE);
        assert_eq!(store.at(2).renew_session(&only.token, LEASE).unwrap().len(), 1);
        let given_up = AttemptOutcome::GivenUp { reason: "hard".into() };
        store.at(3).end_attempt(&only.token, &given_up, &LIMITS).unwrap();
        let error = store.at(4).renew_session(&only.token, LEASE).unwrap_err();
        assert!(matches!(error, StoreError::StaleToken { .. }), "its only claim is over");
    });
}
