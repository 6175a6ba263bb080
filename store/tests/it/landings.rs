//! Landings as rows: the intent before a branch is moved, what became of it, and what waits.

use cogwork_schemas::{Fact, Hold, Isolation, LandingId, LandingOutcome, LandingWait, Token};
use cogwork_store::{Claim, NewLanding, NewSession, Store, StoreError};

use crate::fixture::*;

fn landing(to: &str) -> NewLanding {
    NewLanding { branch: "main".to_owned(), from: "c0".to_owned(), to: to.to_owned() }
}

/// Claims the base in a run and hands its work in.
fn submitted(store: &Store) -> Claim {
    let run = store.at(1).begin_run(&run()).unwrap();
    let new = NewSession { run: Some(run), ..session(Isolation::Workspace) };
    let claim = store.at(2).claim(BASE, &new, &secret(), LEASE).unwrap();
    store.at(3).submit(&claim.token, Some("c1"), &green(&["t1", "t2"])).unwrap();
    claim
}

#[test]
fn a_landing_that_began_is_seen_until_it_has_ended() {
    both(|store| {
        let claim = submitted(store);
        let run = store.last_run().unwrap().unwrap().id;
        let seq = store.last_seq().unwrap();
        let id = store.at(4).begin_landing(&claim.token, &landing("c2")).unwrap();
        // Once more, because the answer was lost.
        assert_eq!(store.at(5).begin_landing(&claim.token, &landing("c2")).unwrap(), id);
        let open = store.open_landings().unwrap();
        assert_eq!(open.len(), 1);
        assert_eq!((open[0].id, open[0].attempt, open[0].feature), (id, claim.attempt, BASE));
        assert_eq!((open[0].run, open[0].started_at, &open[0].ended), (Some(run), at(4), &None));
        assert_eq!(open[0].branch.as_deref(), Some("main"));
        assert_eq!((open[0].from.as_deref(), open[0].to.as_deref()), (Some("c0"), Some("c2")));
        store.at(6).land(&claim.token, &merge("c2", green(&["t1", "t2"]))).unwrap();
        assert_eq!(store.open_landings().unwrap(), []);
        let landings = store.landings_of(run).unwrap();
        assert_eq!(landings.len(), 1);
        assert_eq!(landings[0].ended, Some((at(6), LandingOutcome::Landed)));
        assert_eq!(store.recent_landings(10).unwrap(), landings);
        assert_eq!(kinds(store, seq), ["#1 landing_begun", "#1 checked", "#1 checked", "#1 integrated"]);
        let begun = store.journal_since(seq, 1).unwrap().remove(0);
        assert_eq!((begun.run, begun.attempt), (Some(run), Some(claim.attempt)));
        // Landing again changes nothing of it.
        store.at(7).land(&claim.token, &merge("c2", green(&["t1", "t2"]))).unwrap();
        assert_eq!(store.landings_of(run).unwrap(), landings);
    });
}

#[test]
fn a_landing_that_was_overtaken_or_undone_is_no_landing() {
    both(|store| {
        let claim = submitted(store);
        let run = store.last_run().unwrap().unwrap().id;
        let first = store.at(4).begin_landing(&claim.token, &landing("c2")).unwrap();
        let error = store.at(4).begin_landing(&claim.token, &landing("c3")).unwrap_err();
        assert!(matches!(error, StoreError::Misuse { .. }), "{error:?}");
        let error = store.at(4).end_landing(first, &LandingOutcome::Landed).unwrap_err();
        assert!(matches!(error, StoreError::Misuse { .. }), "{error:?}");
        store.at(5).end_landing(first, &LandingOutcome::Overtaken).unwrap();
        let second = store.at(6).begin_landing(&claim.token, &landing("c3")).unwrap();
        let seq = store.last_seq().unwrap();
        let undone = LandingOutcome::Undone { reason: "moved\n".to_owned() + &"x".repeat(999) };
        store.at(7).end_landing(second, &undone).unwrap();
        store.at(8).end_landing(second, &LandingOutcome::Overtaken).unwrap();
        let [Fact::LandingEnded { landing, result: LandingOutcome::Undone { reason } }] =
            &facts(store, seq)[..]
        else {
            panic!("{:?}", facts(store, seq))
        };
        assert_eq!((*landing, reason.chars().count()), (second, 500));
        assert!(reason.starts_with("moved xxx") && reason.ends_with("x…"), "{reason}");
        let outcomes: Vec<_> =
            store.landings_of(run).unwrap().into_iter().map(|l| l.ended.unwrap().1).collect();
        let undone = LandingOutcome::Undone { reason: reason.clone() };
        assert_eq!(outcomes, [LandingOutcome::Overtaken, undone]);
        assert_eq!((store.open_landings().unwrap(), store.recent_landings(9).unwrap()), (vec![], vec![]));
        let error = store.at(9).end_landing(LandingId(9), &LandingOutcome::Overtaken).unwrap_err();
        assert!(matches!(error, StoreError::UnknownLanding { id: LandingId(9) }), "{error:?}");
    });
}

#[test]
fn a_landing_outlives_its_attempt_and_its_feature() {
    both(|store| {
        let claim = submitted(store);
        let id = store.at(4).begin_landing(&claim.token, &landing("c2")).unwrap();
        store.at(5).end_attempt(&claim.token, &not_finished(), &LIMITS).unwrap();
        // The branch may have been moved: that is still to be looked at.
        assert_eq!(store.open_landings().unwrap()[0].id, id);
        store.at(6).end_landing(id, &LandingOutcome::Undone { reason: "killed".to_owned() }).unwrap();
        for feature in [TOP, MIDDLE, BASE] {
            store.at(7).delete_feature(feature).unwrap();
        }
        let run = store.last_run().unwrap().unwrap().id;
        assert_eq!(store.landings_of(run).unwrap()[0].feature, BASE);
        store.file().check_integrity().unwrap();
    });
}

#[test]
fn a_landing_begins_only_for_work_that_may_land() {
    both(|store| {
        let claim = claim(store, 1, BASE);
        let error = store.at(2).begin_landing(&claim.token, &landing("c2")).unwrap_err();
        assert!(matches!(error, StoreError::NotSubmitted { feature: BASE, .. }), "{error:?}");
        store.at(3).submit(&claim.token, Some("c1"), &green(&["t1", "t2"])).unwrap();
        store.at(4).add_dependency(BASE, PROSE, &cogwork_store::ImportLimits::default()).unwrap();
        let seq = store.last_seq().unwrap();
        let error = store.at(5).begin_landing(&claim.token, &landing("c2")).unwrap_err();
        assert!(matches!(error, StoreError::DependencyNotPassing { feature: BASE, .. }), "{error:?}");
        assert_eq!((store.open_landings().unwrap(), store.last_seq().unwrap()), (vec![], seq));
    });
}

#[test]
fn work_that_moved_no_branch_has_its_row_too() {
    both(|store| {
        let claim = store.at(1).claim(PROSE, &session(Isolation::Shared), &secret(), LEASE).unwrap();
        store.at(2).finish(&claim.token, None, &[], 5).unwrap();
        assert_eq!((store.open_landings().unwrap(), store.recent_landings(9).unwrap()), (vec![], vec![]));
        let queued = store.landing_queue().unwrap();
        assert_eq!(queued, []);
    });
}

#[test]
fn the_queue_says_what_each_waits_for() {
    both(|store| {
        let claim = submitted(store);
        let prose = self::claim(store, 2, PROSE);
        store.at(4).submit(&prose.token, Some("p1"), &[]).unwrap();
        let in_use = LandingWait::InUse { reason: "`a.txt` has changes".to_owned() };
        let behind = LandingWait::Behind { feature: PROSE };
        let seq = store.last_seq().unwrap();
        for wait in [&in_use, &in_use, &behind, &in_use] {
            store.at(5).landing_waits(&claim.token, wait).unwrap();
        }
        assert_eq!(kinds(store, seq), ["#1 landing_waits"; 3]);
        let queue = store.landing_queue().unwrap();
        let told: Vec<_> =
            queue.iter().map(|queued| (queued.feature, queued.since, queued.wait.clone())).collect();
        assert_eq!(told, [(BASE, at(3), Some(in_use)), (PROSE, at(4), None)]);
        let hold = || store.graph().unwrap().hold(BASE).unwrap();
        assert_eq!(
            hold().in_words().0,
            "is green, and its landing waits for the main branch: `a.txt` has changes"
        );
        // It waits no longer once its landing begins.
        store.at(6).begin_landing(&claim.token, &landing("c2")).unwrap();
        assert_eq!(store.landing_queue().unwrap()[0].wait, None);
        assert_eq!(hold(), Hold::Landing { waits_for: None });
        let open = self::claim_of_middle(store, &claim.token);
        let error = store.at(6).landing_waits(&open, &behind).unwrap_err();
        assert!(matches!(error, StoreError::NotSubmitted { feature: MIDDLE, .. }), "{error:?}");
    });
}

/// Lands what is queued and returns the token of a feature that is being worked on.
fn claim_of_middle(store: &Store, queued: &Token) -> Token {
    store.at(6).land(queued, &merge("c2", green(&["t1", "t2"]))).unwrap();
    claim(store, 7, MIDDLE).token
}
