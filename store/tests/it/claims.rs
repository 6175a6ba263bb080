//! Taking features, keeping them, losing them.

use cogwork_schemas::{AttemptOutcome, FeatureId, Hold, Isolation, SessionId, SessionOutcome, Status};
use cogwork_store::{AttemptLimits, Store, StoreError};
use jiff::SignedDuration;

use crate::fixture::*;

fn refusal(store: &Store, feature: FeatureId) -> StoreError {
    store.at(9).claim(feature, &session(Isolation::Workspace), &secret(), LEASE).unwrap_err()
}

fn crashed() -> AttemptOutcome {
    AttemptOutcome::Crashed { reason: "the runner died".to_owned() }
}

#[test]
fn a_claim_makes_session_attempt_and_token() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        assert_eq!(claim.number, 1);
        let (id, secret) = claim.token.reveal().split_once('-').unwrap();
        assert_eq!(id, claim.attempt.0.to_string());
        assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");

        let feature = store.feature(BASE).unwrap();
        assert_eq!((feature.status, feature.session), (Status::Claimed, Some(claim.session)));
        let attempt = store.attempt(&claim.token).unwrap();
        assert_eq!((attempt.id, attempt.feature, attempt.number), (claim.attempt, BASE, 1));
        assert_eq!((attempt.started_at, attempt.lease_until), (at(1), Some(at(61))));
        assert_eq!((attempt.submitted.as_ref(), attempt.already_green), (None, false));
        assert_eq!(store.live_attempts().unwrap(), [attempt]);
        let node = &store.nodes_of(&[BASE]).unwrap()[0];
        assert_eq!(
            (node.session, node.lease_until, node.submitted),
            (Some(claim.session), Some(at(61)), false)
        );
        assert_eq!(kinds(store, 4), ["#1 session_started", "#1 claimed"]);
    });
}

#[test]
fn tokens_differ_and_numbers_only_grow() {
    both(|store| {
        let first = claim(store, 1, BASE);
        store.at(2).end_attempt(&first.token, &AttemptOutcome::Stopped, &LIMITS).unwrap();
        let second = claim(store, 3, BASE);
        assert_eq!(second.number, 2);
        assert!(second.attempt > first.attempt && second.session > first.session);
        let secret = |token: &cogwork_schemas::Token| token.reveal().split_once('-').unwrap().1.to_owned();
        assert_ne!(secret(&first.token), secret(&second.token));
    });
}

#[test]
fn a_claimed_feature_names_its_owner() {
    both(|store| {
        let owner = claim(store, 1, BASE).session;
        let before = all(store);
        let error = refusal(store, BASE);
        assert!(
            matches!(&error, StoreError::AlreadyClaimed { id: BASE, owner: o, since } if *o == owner && *since == at(1)),
            "{error:?}"
        );
        insta::assert_snapshot!(error, @"feature #1 is already claimed by session s1 since 2023-11-14T22:13:21Z: choose another feature");
        assert_eq!(all(store), before);
    });
}

#[test]
fn what_is_not_ready_is_refused_with_the_reason() {
    both(|store| {
        let before = all(store);
        let error = refusal(store, TOP);
        insta::assert_snapshot!(error, @"feature #3 cannot be claimed: it waits for #1, #2 to pass. First of all, #1 has to pass.");
        assert!(matches!(error, StoreError::NotClaimable { hold: Hold::Blocked { .. }, .. }));
        assert_eq!(all(store), before);

        pass(store, 1, BASE);
        insta::assert_snapshot!(refusal(store, BASE), @"feature #1 cannot be claimed: it passes already. Nothing is left to do for it.");
        insta::assert_snapshot!(refusal(store, TOP), @"feature #3 cannot be claimed: it waits for #2 to pass. It can start when #2 passes.");
        insta::assert_snapshot!(refusal(store, FeatureId(70)), @"there is no feature #70: the highest is #4; `cogwork list` shows them all");
        claim(store, 5, MIDDLE);
    });
}

#[test]
fn a_lease_is_renewed_and_only_then_kept() {
    both(|store| {
        let claim = claim(store, 0, BASE);
        renew(store.at(50), &claim.token).unwrap();
        assert_eq!(store.attempt(&claim.token).unwrap().lease_until, Some(at(110)));
        assert_eq!(store.at(109).reap(&LIMITS).unwrap(), []);
        assert_eq!(store.at(110).reap(&LIMITS).unwrap(), [BASE]);
        assert_eq!(store.at(111).reap(&LIMITS).unwrap(), []);
        assert!(matches!(renew(store.at(112), &claim.token), Err(StoreError::StaleToken { .. })));
        let feature = store.feature(BASE).unwrap();
        assert_eq!((feature.status, feature.failed_attempts, feature.session), (Status::Pending, 0, None));
        assert_eq!(store.attempts_of(BASE).unwrap()[0].outcome, Some(AttemptOutcome::Expired));
        assert_eq!(kinds(store, 6), ["#1 attempt_ended"]);
    });
}

#[test]
fn a_lease_longer_than_time_itself_is_no_error() {
    both(|store| {
        store.at(0).claim(BASE, &session(Isolation::Shared), &secret(), SignedDuration::MAX).unwrap();
        assert_eq!(store.at(1_000_000_000).reap(&LIMITS).unwrap(), []);
    });
}

#[test]
fn a_submission_does_not_expire() {
    both(|store| {
        let claim = claim(store, 0, BASE);
        store.at(1).submit(&claim.token, Some("c1"), &green(&["t1", "t2"])).unwrap();
        renew(store.at(2), &claim.token).unwrap();
        assert_eq!(store.at(100_000).reap(&LIMITS).unwrap(), []);
        let attempt = store.attempt(&claim.token).unwrap();
        assert_eq!(attempt.lease_until, None);
        assert_eq!(attempt.submitted.unwrap().commit.as_deref(), Some("c1"));
        assert!(store.nodes_of(&[BASE]).unwrap()[0].submitted);
    });
}

#[test]
fn failures_are_counted_to_the_limit_and_park() {
    both(|store| {
        for (number, expected) in [(1, Status::Pending), (2, Status::Pending), (3, Status::Parked)] {
            let claim = claim(store, number, BASE);
            // What happened to Cogwork or was asked for costs nothing, however often.
            for free in [AttemptOutcome::Stopped, AttemptOutcome::Orphaned, AttemptOutcome::Expired] {
                let other = crate::fixture::claim(store, number, PROSE);
                assert_eq!(
                    store.at(number).end_attempt(&other.token, &free, &LIMITS).unwrap(),
                    Status::Pending
                );
            }
            assert_eq!(
                store.at(number).end_attempt(&claim.token, &not_finished(), &LIMITS).unwrap(),
                expected
            );
            assert_eq!(i64::from(store.feature(BASE).unwrap().failed_attempts), number);
        }
        assert_eq!(store.feature(PROSE).unwrap().failed_attempts, 0);
        assert_eq!(kinds(store, store.last_seq().unwrap() - 2), ["#1 attempt_ended", "#1 parked"]);
        insta::assert_snapshot!(refusal(store, BASE), @"feature #1 cannot be claimed: it was given up after 3 failed attempts, the last one: not finished: `t1` is red. Only a person can give it another chance, with `cogwork retry`.");

        store.at(10).retry(BASE).unwrap();
        assert_eq!(kinds(store, store.last_seq().unwrap() - 1), ["#1 retried"]);
        let node = &store.nodes_of(&[BASE]).unwrap()[0];
        assert_eq!((node.status, node.failed_attempts, node.reason.as_ref()), (Status::Pending, 0, None));
        assert_eq!(claim(store, 11, BASE).number, 4);
    });
}

#[test]
fn only_a_parked_feature_is_retried() {
    both(|store| {
        let before = all(store);
        insta::assert_snapshot!(store.at(1).retry(BASE).unwrap_err(), @"feature #1 is pending, not parked: there is nothing to retry");
        assert!(matches!(store.at(1).retry(FeatureId(9)), Err(StoreError::UnknownFeature { .. })));
        assert_eq!(all(store), before);
    });
}

#[test]
fn crashes_in_a_row_become_a_failure() {
    both(|store| {
        let limits = AttemptLimits { attempts: 2, crashes: 3 };
        let end = |outcome: &AttemptOutcome| {
            let claim = claim(store, 1, BASE);
            let status = store.at(2).end_attempt(&claim.token, outcome, &limits).unwrap();
            let node = store.nodes_of(&[BASE]).unwrap().remove(0);
            (status, node.failed_attempts, node.crashes)
        };
        assert_eq!(end(&crashed()), (Status::Pending, 0, 1));
        assert_eq!(end(&AttemptOutcome::Stopped), (Status::Pending, 0, 1));
        assert_eq!(end(&crashed()), (Status::Pending, 0, 2));
        assert_eq!(end(&crashed()), (Status::Pending, 1, 0));
        assert_eq!(end(&crashed()), (Status::Pending, 1, 1));
        assert_eq!(end(&crashed()), (Status::Pending, 1, 2));
        assert_eq!(end(&crashed()), (Status::Parked, 2, 0));
    });
}

#[test]
fn a_failure_of_its_own_breaks_the_row_of_crashes() {
    both(|store| {
        for (outcome, crashes) in [(crashed(), 1), (crashed(), 2), (not_finished(), 0), (crashed(), 1)] {
            let claim = claim(store, 1, BASE);
            store.at(2).end_attempt(&claim.token, &outcome, &LIMITS).unwrap();
            assert_eq!(store.nodes_of(&[BASE]).unwrap()[0].crashes, crashes);
        }
    });
}

#[test]
fn an_attempt_cannot_be_ended_as_landed() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        let before = all(store);
        let error = store.at(2).end_attempt(&claim.token, &AttemptOutcome::Landed, &LIMITS).unwrap_err();
        assert!(matches!(error, StoreError::Misuse { .. }), "{error:?}");
        assert_eq!(all(store), before);
    });
}

#[test]
fn a_session_is_up_and_ends_once() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        assert_eq!(store.live_sessions().unwrap()[0].process, None);
        let seq = store.last_seq().unwrap();
        store.at(2).session_up(claim.session, &process()).unwrap();
        store.at(2).session_up(claim.session, &process()).unwrap();
        assert_eq!(kinds(store, seq), ["#1 session_up"], "whoever says it second changes nothing");
        let live = store.live_sessions().unwrap();
        assert_eq!((live.len(), live[0].id), (1, claim.session));
        assert_eq!(live[0].process, Some(process()));
        assert_eq!(live[0].attempts, store.live_attempts().unwrap());
        assert_eq!((live[0].agent.as_str(), live[0].isolation), ("scripted", Isolation::Workspace));

        let seq = store.last_seq().unwrap();
        store.at(3).end_session(claim.session, &SessionOutcome::TimedOut { after_s: 2 }, 1500).unwrap();
        store.at(4).end_session(claim.session, &SessionOutcome::Completed, 9).unwrap();
        let facts = facts(store, seq);
        let ended = cogwork_schemas::Fact::SessionEnded {
            result: SessionOutcome::TimedOut { after_s: 2 },
            agent_ms: 1500,
            usage: None,
        };
        assert_eq!(facts, [ended]);
        assert_eq!(kinds(store, seq), ["#1 session_ended"]);
        assert_eq!(store.live_sessions().unwrap(), []);
        // Its attempt is another matter.
        assert_eq!(store.live_attempts().unwrap().len(), 1);

        let late = store.at(5).session_up(claim.session, &process()).unwrap_err();
        insta::assert_snapshot!(late, @"session s1 is over: start nothing for it and end this process");
    });
}

#[test]
fn a_session_that_never_was_is_refused() {
    both(|store| {
        let up = store.at(1).session_up(NOBODY, &process());
        assert!(matches!(up, Err(StoreError::UnknownSession { id: SessionId(99) })));
        let end = store.at(1).end_session(NOBODY, &SessionOutcome::Completed, 0);
        assert!(matches!(end, Err(StoreError::UnknownSession { id: SessionId(99) })));
    });
}

/// A machine renews all that its sessions hold at once.
#[test]
fn many_claims_are_renewed_in_one_write_and_the_stale_ones_are_named() {
    both(|store| {
        let (base, prose) = (claim(store, 1, BASE), claim(store, 1, PROSE));
        let inspected = {
            store.submit(&prose.token, None, &[]).unwrap();
            store.land(&prose.token, &merge("c", Vec::new())).unwrap();
            store.inspect(PROSE, &session(Isolation::Shared), &secret(), LEASE).unwrap()
        };
        let guessed = base.token.for_attempt(inspected.attempt);
        let never = cogwork_schemas::Token::new("none");
        let tokens = [&base, &prose, &inspected].map(|claim| claim.token.clone());
        let shown = [tokens.as_slice(), &[guessed.clone(), never.clone()]].concat();
        let seq = store.last_seq().unwrap();
        assert_eq!(store.at(50).renew(&shown, LEASE).unwrap(), [prose.token, guessed, never]);
        let leases: Vec<_> = store.live_attempts().unwrap().iter().map(|live| live.lease_until).collect();
        assert_eq!(leases, [Some(at(110)), Some(at(110))]);
        assert_eq!(store.last_seq().unwrap(), seq);
        assert_eq!(store.renew(&[], LEASE).unwrap(), []);
        // One whose work is handed in has no lease, and its token is none the worse.
        store.submit(&base.token, None, &green(&["t1", "t2"])).unwrap();
        assert_eq!(store.at(60).renew(std::slice::from_ref(&base.token), LEASE).unwrap(), []);
        assert_eq!(store.attempt(&base.token).unwrap().lease_until, None);
    });
}
