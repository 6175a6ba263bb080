//! Landings as rows: the intent before a branch is moved, what became of it, and what waits.

use cogwork_schemas::{Fact, Isolation, LandingId, LandingOutcome, LandingWait, Token};
use cogwork_store::{Claim, NewLanding, NewSession, OpenLanding, Store, StoreError};

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

/// Returns the number of the landing that is open, and where it leads.
fn open(store: &Store) -> Option<(LandingId, String)> {
    let mut open = store.open_landings().unwrap();
    assert!(open.len() < 2, "{open:?}");
    open.pop().map(|open| (open.id, open.intent.to))
}

#[test]
fn a_landing_that_began_is_seen_until_it_has_ended() {
    both(|store| {
        let claim = submitted(store);
        let run = store.last_run().unwrap().unwrap().id;
        let seq = store.last_seq().unwrap();
        store.at(4).begin_landing(&claim.token, &landing("c2")).unwrap();
        // Once more, because the answer was lost.
        store.at(5).begin_landing(&claim.token, &landing("c2")).unwrap();
        let open = OpenLanding {
            id: LandingId(1),
            attempt: claim.attempt,
            feature: BASE,
            run: Some(run),
            started_at: at(4),
            intent: landing("c2"),
        };
        assert_eq!(store.open_landings().unwrap(), [open]);
        for _ in 0..2 {
            store.at(6).land(&claim.token, &merge("c2", green(&["t1", "t2"]))).unwrap();
        }
        assert_eq!(store.open_landings().unwrap(), []);
        assert_eq!(kinds(store, seq), ["#1 landing_begun", "#1 checked", "#1 checked", "#1 integrated"]);
        let begun = store.journal_since(seq, 1).unwrap().remove(0);
        assert_eq!((begun.run, begun.attempt), (Some(run), Some(claim.attempt)));
    });
}

#[test]
fn a_landing_that_was_overtaken_or_undone_is_no_landing() {
    both(|store| {
        let claim = submitted(store);
        let seq = store.last_seq().unwrap();
        let undone = LandingOutcome::Undone { reason: "in use\n".to_owned() + &"x".repeat(999) };
        store.at(4).begin_landing(&claim.token, &landing("c2")).unwrap();
        store.at(5).end_landing(claim.attempt, &undone).unwrap();
        store.at(5).end_landing(claim.attempt, &LandingOutcome::Overtaken).unwrap();
        store.at(6).begin_landing(&claim.token, &landing("c3")).unwrap();
        // Whoever began it was killed, and the branch has moved meanwhile.
        store.at(7).begin_landing(&claim.token, &landing("c4")).unwrap();
        assert_eq!(open(store), Some((LandingId(3), "c4".to_owned())));
        let facts = facts(store, seq);
        let ends: Vec<_> = facts
            .iter()
            .filter_map(|fact| {
                if let Fact::LandingEnded { landing, result } = fact {
                    Some((*landing, result))
                } else {
                    None
                }
            })
            .collect();
        let [(LandingId(1), LandingOutcome::Undone { reason }), (LandingId(2), LandingOutcome::Overtaken)] =
            &ends[..]
        else {
            panic!("{ends:?}")
        };
        assert_eq!(reason.chars().count(), 500);
        assert!(reason.starts_with("in use xxx") && reason.ends_with("x…"), "{reason}");
    });
}

#[test]
fn a_landing_outlives_its_attempt_and_its_feature() {
    both(|store| {
        let claim = submitted(store);
        store.at(4).begin_landing(&claim.token, &landing("c2")).unwrap();
        store.at(5).end_attempt(&claim.token, &not_finished(), &LIMITS).unwrap();
        for feature in [TOP, MIDDLE, BASE] {
            store.at(6).delete_feature(feature).unwrap();
        }
        // The branch may have been moved: that is still to be looked at.
        assert_eq!(open(store), Some((LandingId(1), "c2".to_owned())));
        let seq = store.last_seq().unwrap();
        store.at(7).end_landing(claim.attempt, &LandingOutcome::Landed).unwrap();
        let ended = Fact::LandingEnded { landing: LandingId(1), result: LandingOutcome::Landed };
        assert_eq!((open(store), facts(store, seq)), (None, vec![ended]));
        store.file().check_integrity().unwrap();
    });
}

/// What the rows say, for whoever reads them past this program.
#[test]
fn every_landing_has_a_row_with_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(dir.path());
    let claim = submitted(&store);
    for to in ["c2", "c3"] {
        store.at(4).begin_landing(&claim.token, &landing(to)).unwrap();
    }
    store.at(6).land(&claim.token, &merge("c3", green(&["t1", "t2"]))).unwrap();
    // No branch is moved to the work of a session in the project itself.
    let shared = store.at(7).claim(PROSE, &session(Isolation::Shared), &secret(), LEASE).unwrap();
    store.at(8).finish(&shared.token, None, &[], 5).unwrap();
    let raw = raw(&database(dir.path()));
    let sql =
        "SELECT concat_ws(' ', feature_id, run_id, branch, from_commit, to_commit, outcome ->> 'outcome')
                 FROM landings ORDER BY id";
    let mut statement = raw.prepare(sql).unwrap();
    let rows: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert_eq!(rows, ["1 1 main c0 c2 overtaken", "1 1 main c0 c3 landed", "4 landed"]);
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
fn what_work_waits_for_is_told_once_for_as_long_as_it_is_the_same() {
    both(|store| {
        let claim = submitted(store);
        let in_use = LandingWait::InUse { reason: "`a.txt` has changes".to_owned() };
        let behind = LandingWait::Behind { feature: PROSE };
        let seq = store.last_seq().unwrap();
        for wait in [&in_use, &in_use, &behind, &in_use] {
            store.at(5).landing_waits(&claim.token, wait).unwrap();
        }
        // However often that was tried meanwhile.
        store.at(6).begin_landing(&claim.token, &landing("c2")).unwrap();
        store.at(6).landing_waits(&claim.token, &in_use).unwrap();
        assert_eq!(
            kinds(store, seq),
            ["#1 landing_waits", "#1 landing_waits", "#1 landing_waits", "#1 landing_begun"]
        );
        assert_eq!(
            store.graph().unwrap().hold(BASE).unwrap().in_words().0,
            "is green, and its landing waits for the main branch: `a.txt` has changes"
        );
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

#[test]
fn what_landed_is_told_newest_first() {
    both(|store| {
        assert_eq!(store.landed_commits().unwrap(), []);
        pass(store, 1, BASE);
        pass(store, 10, MIDDLE);
        let claim = claim(store, 20, TOP);
        store.at(21).submit(&claim.token, Some("c9"), &green(&["t4"])).unwrap();
        store.at(22).begin_landing(&claim.token, &landing("c9")).unwrap();
        let landed = store.landed_commits().unwrap();
        let features: Vec<_> = landed.iter().map(|landed| landed.feature).collect();
        assert_eq!(features, [MIDDLE, BASE], "one that has only begun is none");
        assert!(landed[0].at > landed[1].at, "{landed:?}");
    });
}
