//! Evidence, submission, landing: how a feature comes to pass, and how not.

use cogwork_schemas::{
    AttemptOutcome, CheckPhase, CheckReport, CheckVerdict, DependencyRef, Fact, Isolation, Proof, Status,
};
use cogwork_store::{ImportLimits, Merge, Store, StoreError};

use crate::fixture::*;

const BOTH: &[&str] = &["t1", "t2"];

fn mixed() -> Vec<CheckReport> {
    [green(&["t1"]), red(&["t2"])].concat()
}

fn landed(store: &Store, proof: Proof) {
    let feature = store.feature(BASE).unwrap();
    assert_eq!((feature.status, feature.proof, feature.session), (Status::Passing, Some(proof), None));
    assert_eq!(store.live_attempts().unwrap(), []);
}

#[test]
fn red_then_green_is_proof() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        store.at(1).record_before(&claim.token, Some("c0"), &mixed()).unwrap();
        assert!(!store.attempt(&claim.token).unwrap().already_green);
        let proof = store.at(2).submit(&claim.token, Some("c1"), &green(BOTH)).unwrap();
        assert_eq!(proof, Proof::RedGreen);
        assert_eq!(store.feature(BASE).unwrap().status, Status::Claimed);
        let ready = store.at(3).land(&claim.token, &merge("c2", green(BOTH))).unwrap();
        assert_eq!(ready, [MIDDLE]);
        landed(store, Proof::RedGreen);

        let record = store.attempts_of(BASE).unwrap().remove(0);
        assert_eq!(record.outcome, Some(AttemptOutcome::Landed));
        assert_eq!((record.started_at, record.ended_at), (at(1), Some(at(3))));
        let seen: Vec<_> = record
            .evidence
            .iter()
            .map(|e| {
                (
                    e.phase,
                    e.commit.as_deref().unwrap(),
                    e.report.command.as_str(),
                    e.report.verdict.is_green(),
                )
            })
            .collect();
        use CheckPhase::{After, Before, Merged};
        assert_eq!(
            seen,
            [
                (Before, "c0", "t1", true),
                (Before, "c0", "t2", false),
                (After, "c1", "t1", true),
                (After, "c1", "t2", true),
                (Merged, "c2", "t1", true),
                (Merged, "c2", "t2", true),
            ]
        );
        assert_eq!(record.evidence[1].report, red(&["t2"])[0]);
        assert_eq!(record.evidence[1].at, at(1));
    });
}

#[test]
fn green_before_the_work_proves_nothing() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        store.at(1).record_before(&claim.token, Some("c0"), &green(BOTH)).unwrap();
        assert!(store.attempt(&claim.token).unwrap().already_green);
        let proof = store.at(2).submit(&claim.token, Some("c1"), &green(BOTH)).unwrap();
        assert_eq!(proof, Proof::AlreadyGreen);
        store.at(3).land(&claim.token, &merge("c2", green(BOTH))).unwrap();
        landed(store, Proof::AlreadyGreen);
    });
}

#[test]
fn what_was_never_looked_at_before_is_no_proof_either() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        // Red in between says nothing about before, and a look at it afterwards comes too late.
        store.at(1).record_checks(&claim.token, CheckPhase::After, None, &red(BOTH)).unwrap();
        let proof = store.at(2).submit(&claim.token, None, &green(BOTH)).unwrap();
        assert_eq!(proof, Proof::AlreadyGreen);
        let before = all(store);
        store.at(3).record_before(&claim.token, None, &red(BOTH)).unwrap();
        assert_eq!(all(store), before);
    });
}

#[test]
fn without_checks_there_is_only_the_agents_word() {
    both(|store| {
        let claim = claim(store, 1, PROSE);
        let seq = store.last_seq().unwrap();
        store.at(1).record_before(&claim.token, Some("c0"), &[]).unwrap();
        assert_eq!(store.at(2).submit(&claim.token, Some("c1"), &[]).unwrap(), Proof::Unverified);
        store.at(3).land(&claim.token, &merge("c2", vec![])).unwrap();
        assert_eq!(store.feature(PROSE).unwrap().proof, Some(Proof::Unverified));
        assert_eq!(kinds(store, seq), ["#4 said_done", "#4 integrated"]);
    });
}

#[test]
fn the_first_look_before_counts_and_only_that() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        store.at(1).record_before(&claim.token, Some("c0"), &green(BOTH)).unwrap();
        let before = all(store);
        store.at(2).record_before(&claim.token, Some("c9"), &red(BOTH)).unwrap();
        assert_eq!(all(store), before);
        // Another attempt looks anew.
        store.at(3).end_attempt(&claim.token, &AttemptOutcome::Stopped, &LIMITS).unwrap();
        let again = crate::fixture::claim(store, 4, BASE);
        let seq = store.last_seq().unwrap();
        store.at(5).record_before(&again.token, Some("c0"), &red(BOTH)).unwrap();
        assert_eq!(facts(store, seq).last(), Some(&Fact::ChecksRed { red: 2, total: 2 }));
    });
}

#[test]
fn not_green_is_refused_and_changes_nothing() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        let before = all(store);
        let submit = |reports: &[CheckReport]| {
            let error = store.at(2).submit(&claim.token, Some("c1"), reports).unwrap_err();
            assert!(matches!(error, StoreError::NotGreen { .. }), "{error:?}");
            error.to_string()
        };
        insta::assert_snapshot!(submit(&mixed()), @"feature #1 is not green: `t2` is red; fix the work and run the checks again");
        insta::assert_snapshot!(submit(&green(&["t1"])), @"feature #1 is not green: `t2` was not run; run all its checks");
        insta::assert_snapshot!(submit(&red(&["t1"])), @"feature #1 is not green: `t1` is red and `t2` was not run; fix the work and run all its checks");
        // A check that is not among the feature's, a green one that was also red, one that could not be started.
        submit(&[green(BOTH), red(&["t9"])].concat());
        submit(&[red(&["t1"]), green(BOTH)].concat());
        let mut not_started = green(BOTH);
        not_started[0].verdict = CheckVerdict::NotStarted { reason: "no sh".to_owned() };
        submit(&not_started);
        let partly = store.at(2).record_before(&claim.token, None, &green(&["t1"])).unwrap_err();
        assert!(matches!(partly, StoreError::NotGreen { .. }), "{partly:?}");
        assert_eq!(all(store), before);
    });
}

#[test]
fn green_on_the_commit_that_was_red_is_not_submitted() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        store.at(1).record_before(&claim.token, Some("c0"), &mixed()).unwrap();
        let before = all(store);
        let refused = store.at(2).submit(&claim.token, Some("c0"), &green(BOTH)).unwrap_err();
        assert!(matches!(refused, StoreError::NothingCommitted { feature: BASE }), "{refused:?}");
        assert_eq!(all(store), before);
        // Where git has nothing to say, nobody can know.
        assert_eq!(store.at(3).submit(&claim.token, None, &green(BOTH)).unwrap(), Proof::RedGreen);
    });
    both(|store| {
        let claim = claim(store, 1, BASE);
        store.at(1).record_before(&claim.token, Some("c0"), &green(BOTH)).unwrap();
        assert_eq!(store.at(2).submit(&claim.token, Some("c0"), &green(BOTH)).unwrap(), Proof::AlreadyGreen);
    });
}

#[test]
fn submitting_again_changes_nothing_but_a_newer_commit_counts() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        store.at(1).record_before(&claim.token, None, &red(BOTH)).unwrap();
        store.at(2).submit(&claim.token, Some("c1"), &green(BOTH)).unwrap();
        let before = all(store);
        for commit in [Some("c1"), None] {
            let proof = store.at(3).submit(&claim.token, commit, &green(BOTH)).unwrap();
            assert_eq!(proof, Proof::RedGreen);
        }
        // The first look comes too late now to change the proof.
        store.at(3).record_before(&claim.token, None, &green(BOTH)).unwrap();
        assert_eq!(all(store), before);

        assert!(store.at(4).submit(&claim.token, Some("c3"), &red(BOTH)).is_err());
        assert_eq!(all(store), before);
        assert_eq!(store.at(5).submit(&claim.token, Some("c3"), &green(BOTH)).unwrap(), Proof::RedGreen);
        let submitted = store.attempt(&claim.token).unwrap().submitted.unwrap();
        assert_eq!(submitted.commit.as_deref(), Some("c3"));
    });
}

#[test]
fn only_submitted_work_lands() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        let before = all(store);
        let error = store.at(2).land(&claim.token, &merge("c2", green(BOTH))).unwrap_err();
        insta::assert_snapshot!(error, @"feature #1 cannot land: its attempt a1 was not submitted; submit its green checks first");
        assert_eq!(all(store), before);
    });
}

#[test]
fn what_is_red_or_unknown_on_the_merge_does_not_land() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        store.at(2).submit(&claim.token, Some("c1"), &green(BOTH)).unwrap();
        let before = all(store);
        for reports in [mixed(), green(&["t1"]), vec![]] {
            let error = store.at(3).land(&claim.token, &merge("c2", reports)).unwrap_err();
            assert!(matches!(error, StoreError::NotGreen { .. }), "{error:?}");
        }
        assert_eq!(all(store), before);
        let red = AttemptOutcome::RedAfterMerge { reason: "`t2` is red".to_owned() };
        assert_eq!(store.at(4).end_attempt(&claim.token, &red, &LIMITS).unwrap(), Status::Pending);
        assert_eq!(store.feature(BASE).unwrap().failed_attempts, 1);
    });
}

#[test]
fn in_a_shared_tree_there_is_no_merge_to_check() {
    both(|store| {
        let claim = store.at(1).claim(BASE, &session(Isolation::Shared), &secret(), LEASE).unwrap();
        store.at(1).record_before(&claim.token, None, &red(BOTH)).unwrap();
        store.at(2).submit(&claim.token, None, &green(BOTH)).unwrap();
        let nothing = Merge { commit: None, reports: vec![], merge_ms: 0, check_ms: 0 };
        let red = Merge { reports: red(&["t1"]), ..nothing.clone() };
        assert!(matches!(store.at(3).land(&claim.token, &red), Err(StoreError::NotGreen { .. })));
        store.at(3).land(&claim.token, &nothing).unwrap();
        landed(store, Proof::RedGreen);
    });
}

#[test]
fn landing_twice_is_landing_once() {
    both(|store| {
        let claim = pass(store, 1, BASE);
        let before = all(store);
        let again = store.at(9).land(&claim.token, &merge("c2", green(BOTH))).unwrap();
        assert_eq!(again, [MIDDLE]);
        assert_eq!(all(store), before);
    });
}

#[test]
fn landing_frees_only_what_waits_for_nothing_else() {
    both(|store| {
        let (base, prose) = (claim(store, 1, BASE), claim(store, 1, PROSE));
        store.at(2).submit(&base.token, Some("c1"), &green(BOTH)).unwrap();
        store.at(2).submit(&prose.token, Some("c1"), &[]).unwrap();
        assert_eq!(store.at(3).land(&prose.token, &merge("c2", vec![])).unwrap(), []);
        assert_eq!(store.at(3).land(&base.token, &merge("c3", green(BOTH))).unwrap(), [MIDDLE]);
        let middle = claim(store, 4, MIDDLE);
        store.at(5).submit(&middle.token, Some("c4"), &green(&["t3"])).unwrap();
        assert_eq!(store.at(6).land(&middle.token, &merge("c5", green(&["t3"]))).unwrap(), [TOP]);
    });
}

#[test]
fn a_key_may_name_what_was_imported_before() {
    both(|store| {
        let mut more = list(r#"{"key": "more", "name": "More"}"#);
        more.features[0].dependencies = vec![DependencyRef::Key("base".to_owned()), DependencyRef::Id(4)];
        store.at(1).import(&more, &ImportLimits::default()).unwrap();
        pass(store, 2, BASE);
        assert_eq!(store.feature(cogwork_schemas::FeatureId(5)).unwrap().dependencies, [BASE, PROSE]);
    });
}

#[test]
fn a_dependency_that_came_up_meanwhile_is_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    let claim = claim(&store, 1, BASE);
    store.at(2).submit(&claim.token, Some("c1"), &green(BOTH)).unwrap();
    // No operation adds dependencies yet; the fence has to stand before one does.
    raw(&database(dir.path())).execute("INSERT INTO dependencies VALUES (1, 4)", []).unwrap();
    let before = all(&store);
    let error = store.at(3).land(&claim.token, &merge("c2", green(BOTH))).unwrap_err();
    insta::assert_snapshot!(error, @"feature #1 cannot land yet: #4 does not pass; land it after that");
    assert_eq!(all(&store), before);
    pass(&store, 4, PROSE);
    store.at(7).land(&claim.token, &merge("c2", green(BOTH))).unwrap();
}

#[test]
fn work_is_submitted_and_landed_together_or_not_at_all() {
    both(|store| {
        let running = store.at(1).claim(BASE, &session(Isolation::Shared), &secret(), LEASE).unwrap();
        store.at(2).add_dependency(BASE, PROSE, &ImportLimits::default()).unwrap();
        let finish = |second, reports: &[_]| store.at(second).finish(&running.token, Some("c1"), reports, 7);
        let before = all(store);
        assert!(matches!(finish(3, &green(&["t1"])), Err(StoreError::NotGreen { .. })));
        assert!(matches!(finish(3, &green(&["t1", "t2"])), Err(StoreError::DependencyNotPassing { .. })));
        assert_eq!(all(store), before);
        pass(store, 5, PROSE);
        assert_eq!(finish(9, &green(&["t1", "t2"])).unwrap(), (Proof::AlreadyGreen, vec![MIDDLE]));
        assert_eq!(store.feature(BASE).unwrap().status, Status::Passing);
        assert!(matches!(finish(10, &green(&["t1", "t2"])), Err(StoreError::StaleToken { .. })));
    });
}
