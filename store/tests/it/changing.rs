//! Changing what there is: new features by call, dependencies, order, deletion, questions, reports.

use std::collections::BTreeMap;

use cogwork_schemas::{Answer, AttemptOutcome, FeatureId, Hold, Isolation, Status};
use cogwork_store::graph::Graph;
use cogwork_store::{ImportLimits, NewFeature, Store, StoreError};

use crate::fixture::*;

fn items(features: &str) -> Vec<NewFeature> {
    list(features).features.into_iter().map(NewFeature::from).collect()
}

fn limits() -> ImportLimits {
    ImportLimits::default()
}

fn dependencies(store: &Store, id: FeatureId) -> Vec<FeatureId> {
    store.feature(id).unwrap().dependencies
}

fn hold(store: &Store, id: FeatureId) -> Hold {
    Graph::new(store.nodes().unwrap()).unwrap().hold(id).unwrap()
}

#[test]
fn a_repeated_call_gets_the_first_answer_and_makes_nothing() {
    both(|store| {
        let create = |second, text: &str| {
            store.at(second).create_features(&items(text), &limits(), Some("call-1")).unwrap()
        };
        let first = create(1, r#"{"name": "New"}"#);
        assert_eq!((first.created.as_slice(), first.repeated), ([FeatureId(5)].as_slice(), false));
        let before = all(store);
        let second = create(600, r#"{"name": "New"}"#);
        assert_eq!((second.created, second.items, second.repeated), (first.created, first.items, true));
        assert_eq!(all(store), before);
        assert_eq!(
            create(602, r#"{"name": "New"}"#).created,
            [FeatureId(6)],
            "after ten minutes it is another"
        );
    });
}

#[test]
fn items_may_depend_on_places_of_their_list() {
    both(|store| {
        let mut new = items(r#"{"name": "a"}, {"name": "b"}, {"key": "base", "name": "known"}"#);
        new[0].depends_on_items = vec![1, 2];
        let made = store.at(1).create_features(&new, &limits(), None).unwrap();
        assert_eq!(made.items, [FeatureId(5), FeatureId(6), BASE]);
        assert_eq!(dependencies(store, FeatureId(5)), [BASE, FeatureId(6)]);

        let before = all(store);
        new[0].depends_on_items = vec![0, 9];
        new[1].listed.key = Some("12".to_owned());
        new[1].listed.priority = Some(i64::MAX);
        let StoreError::BadList { problems } =
            store.at(1).create_features(&new, &limits(), None).unwrap_err()
        else {
            panic!("another error");
        };
        let told: Vec<_> =
            problems.iter().map(|problem| (problem.item, problem.field, problem.what.as_str())).collect();
        let (key, priority) = ("the key 12 is a number", "the priority 9223372036854775807 is beyond");
        assert!(told[0].2.starts_with(key) && told[1].2.starts_with(priority), "{told:?}");
        assert_eq!(
            told.iter().map(|(item, field, _)| (item.unwrap(), *field)).collect::<Vec<_>>(),
            [(1, "key"), (1, "priority"), (0, "depends_on_indices"), (0, "depends_on_indices")]
        );
        assert_eq!(told[2].2, "it depends on itself");
        assert_eq!(told[3].2, "it depends on the item 9, but the places of the list are 0 to 2");
        assert_eq!(all(store), before);
    });
}

#[test]
fn what_gets_its_place_from_the_store_shares_it_with_nobody() {
    both(|store| {
        store
            .at(1)
            .create_features(&items(r#"{"name": "a"}, {"name": "b", "priority": 70}"#), &limits(), None)
            .unwrap();
        store.at(2).create_features(&items(r#"{"name": "c"}, {"name": "d"}"#), &limits(), None).unwrap();
        let priorities: Vec<i64> = store.features().unwrap().iter().map(|feature| feature.priority).collect();
        assert_eq!(priorities, [3, 4, 2, 5, 71, 70, 72, 73]);
    });
}

#[test]
fn a_dependency_is_added_once_and_taken_away_once() {
    both(|store| {
        let seq = store.last_seq().unwrap();
        assert!(store.at(1).add_dependency(PROSE, BASE, &limits()).unwrap());
        assert!(!store.at(2).add_dependency(PROSE, BASE, &limits()).unwrap());
        assert!(matches!(hold(store, PROSE), Hold::Blocked { .. }));
        assert!(store.at(3).remove_dependency(PROSE, BASE).unwrap());
        assert!(!store.at(4).remove_dependency(PROSE, BASE).unwrap());
        assert_eq!(hold(store, PROSE), Hold::Ready);
        assert!(store.at(5).set_dependencies(PROSE, &[TOP, BASE, TOP], &limits()).unwrap());
        assert!(!store.at(6).set_dependencies(PROSE, &[BASE, TOP], &limits()).unwrap());
        assert_eq!(dependencies(store, PROSE), [BASE, TOP]);
        assert_eq!(kinds(store, seq), ["#4 dependencies_changed"; 3]);
    });
}

#[test]
fn a_bad_dependency_is_refused_and_nothing_changes() {
    both(|store| {
        let before = all(store);
        let refused = |feature, wanted: &[FeatureId], limits: &ImportLimits| {
            let error = store.at(1).set_dependencies(feature, wanted, limits).unwrap_err();
            if let [one] = wanted {
                let same = store.at(1).add_dependency(feature, *one, limits).unwrap_err();
                assert_eq!(same.to_string(), error.to_string());
            }
            error.to_string()
        };
        let all_of_them = [
            refused(BASE, &[BASE], &limits()),
            refused(BASE, &[TOP], &limits()),
            refused(BASE, &[FeatureId(77)], &limits()),
            refused(FeatureId(78), &[BASE], &limits()),
            refused(PROSE, &[BASE, MIDDLE], &ImportLimits { dependencies: 1, ..limits() }),
            store.at(1).remove_dependency(BASE, FeatureId(77)).unwrap_err().to_string(),
        ];
        insta::assert_snapshot!(all_of_them.join("\n"), @r"
        feature #1 cannot depend on itself: name another feature
        the features #1 → #3 → #1 depend on each other in a circle: remove one of these dependencies
        there is no feature #77: the highest is #4; `cogwork list` shows them all
        there is no feature #78: the highest is #4; `cogwork list` shows them all
        feature #4 would have 2 dependencies, more than 1: split it, or raise the limit
        there is no feature #77: the highest is #4; `cogwork list` shows them all
        ");
        assert_eq!(all(store), before);
    });
}

#[test]
fn a_new_dependency_holds_back_the_landing_of_running_work() {
    both(|store| {
        let running = claim(store, 1, BASE);
        store.at(2).add_dependency(BASE, PROSE, &limits()).unwrap();
        store.at(3).submit(&running.token, Some("c1"), &green(&["t1", "t2"])).unwrap();
        let land = |second| store.at(second).land(&running.token, &merge("c2", green(&["t1", "t2"])));
        assert!(matches!(land(4), Err(StoreError::DependencyNotPassing { .. })));
        pass(store, 5, PROSE);
        assert_eq!(land(9).unwrap(), [MIDDLE]);
    });
}

#[test]
fn a_skipped_feature_is_the_last_and_stays_it() {
    both(|store| {
        assert_eq!(store.at(1).skip(BASE, None, Some("later")).unwrap(), (3, 6));
        assert_eq!(store.at(2).skip(BASE, None, None).unwrap(), (6, 6));
        assert_eq!(store.at(3).skip(PROSE, None, None).unwrap(), (5, 7));
        assert_eq!(store.at(4).skip(BASE, None, None).unwrap(), (6, 8));

        let owner = claim(store, 5, PROSE);
        let before = all(store);
        assert!(matches!(store.at(6).skip(PROSE, None, None), Err(StoreError::StaleToken { .. })));
        let other = claim(store, 6, BASE);
        assert!(matches!(
            store.at(6).skip(PROSE, Some(&other.token), None),
            Err(StoreError::StaleToken { .. })
        ));
        store.at(6).end_attempt(&other.token, &AttemptOutcome::Stopped, &LIMITS).unwrap();
        assert_ne!(all(store), before);
        assert_eq!(store.at(7).skip(PROSE, Some(&owner.token), None).unwrap(), (7, 9));
        pass(store, 8, BASE);
        assert!(matches!(store.at(20).skip(BASE, None, None), Err(StoreError::WrongStatus { .. })));
    });
}

#[test]
fn a_deleted_feature_leaves_no_reference_but_its_journal() {
    both(|store| {
        pass(store, 1, BASE);
        let busy = claim(store, 5, MIDDLE);
        assert!(matches!(store.at(6).delete_feature(MIDDLE), Err(StoreError::WrongStatus { .. })));
        store.at(7).end_attempt(&busy.token, &not_finished(), &LIMITS).unwrap();
        let seq = store.last_seq().unwrap();
        assert_eq!(store.at(8).delete_feature(BASE).unwrap(), [MIDDLE, TOP]);
        assert_eq!(kinds(store, seq), ["#2 dependencies_changed", "#3 dependencies_changed", "#1 deleted"]);
        assert_eq!(store.at(9).delete_feature(MIDDLE).unwrap(), [TOP]);
        assert_eq!(dependencies(store, TOP), []);
        assert!(matches!(store.feature(BASE), Err(StoreError::UnknownFeature { .. })));
        store.file().check_integrity().unwrap();
        let next = store.at(10).import(&list(r#"{"name": "next"}"#), &limits()).unwrap();
        assert_eq!(next.created, [FeatureId(5)], "no number is given twice");
    });
}

#[test]
fn a_question_holds_a_feature_until_it_is_answered() {
    both(|store| {
        let asker = claim(store, 1, BASE);
        store.at(2).ask_human(&asker.token, &question()).unwrap();
        assert!(matches!(renew(store.at(3), &asker.token), Err(StoreError::StaleToken { .. })));
        let feature = store.feature(BASE).unwrap();
        assert_eq!((feature.status, feature.failed_attempts), (Status::NeedsHuman, 0));
        assert_eq!(feature.human_request, Some(question()));
        assert_eq!(hold(store, BASE), Hold::NeedsHuman { question: "Which colour?".to_owned() });
        assert!(matches!(
            store.at(3).claim(BASE, &session(Isolation::Workspace), &secret(), LEASE),
            Err(StoreError::NotClaimable { .. })
        ));

        let before = all(store);
        let answer = |id: &str, text: &str| BTreeMap::from([(id.to_owned(), Answer::Text(text.to_owned()))]);
        let error = store.at(4).answer_human(BASE, &answer("color", "red")).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"the answer to feature #1 does not fit the question, nothing was changed: there is no field `color`: the fields are colour; the field `colour` (Colour) has no answer");
        assert!(store.at(4).answer_human(PROSE, &answer("colour", "red")).is_err());
        assert_eq!(all(store), before);

        store.at(5).answer_human(BASE, &answer("colour", "red")).unwrap();
        let response = store.feature(BASE).unwrap().human_response.unwrap();
        assert_eq!((response.fields, response.responded_at), (answer("colour", "red"), at(5)));
        assert_eq!(hold(store, BASE), Hold::Ready);
        assert!(store.at(6).answer_human(BASE, &answer("colour", "blue")).is_err());

        let again = claim(store, 7, BASE);
        store.at(8).ask_human(&again.token, &question()).unwrap();
        assert_eq!(store.feature(BASE).unwrap().human_response, None);
    });
}

#[test]
fn a_question_nobody_could_answer_is_refused() {
    both(|store| {
        let asker = claim(store, 1, BASE);
        let before = all(store);
        let bad = serde_json::from_str(r#"{"prompt": "", "fields": []}"#).unwrap();
        let error = store.at(2).ask_human(&asker.token, &bad).unwrap_err().to_string();
        insta::assert_snapshot!(error, @"the question cannot be asked, nothing was changed: prompt is empty: say what you need to know; fields is empty: ask for at least one thing");
        assert_eq!(all(store), before);
    });
}

#[test]
fn a_tested_feature_passes_on_until_it_is_reported() {
    both(|store| {
        pass(store, 1, BASE);
        let tester = store.at(5).inspect(BASE, &session(Isolation::Workspace), &secret(), LEASE).unwrap();
        assert_eq!((hold(store, BASE), hold(store, MIDDLE)), (Hold::Passing, Hold::Ready));
        assert!(matches!(
            store.at(6).inspect(BASE, &session(Isolation::Workspace), &secret(), LEASE),
            Err(StoreError::AlreadyClaimed { .. })
        ));
        assert!(store.at(6).inspect(PROSE, &session(Isolation::Workspace), &secret(), LEASE).is_err());
        store.at(7).end_attempt(&tester.token, &AttemptOutcome::Confirmed, &LIMITS).unwrap();
        assert_eq!(hold(store, BASE), Hold::Passing);

        let tester = store.at(8).inspect(BASE, &session(Isolation::Workspace), &secret(), LEASE).unwrap();
        assert_eq!(store.last_report(BASE).unwrap(), None);
        assert!(store.at(9).report_failing(&tester.token, "the list is empty").unwrap());
        assert!(!store.at(9).report_failing(&tester.token, "still").unwrap());
        assert_eq!(store.last_report(BASE).unwrap().as_deref(), Some("still"));
        assert_eq!(hold(store, BASE), Hold::Running { session: tester.session });
        assert!(matches!(hold(store, MIDDLE), Hold::Blocked { .. }));
        assert!(matches!(
            store.at(9).claim(BASE, &session(Isolation::Workspace), &secret(), LEASE),
            Err(StoreError::AlreadyClaimed { .. })
        ));
        store.at(9).record_before(&tester.token, Some("c2"), &red(&["t1", "t2"])).unwrap();
        store.at(10).submit(&tester.token, Some("c3"), &green(&["t1", "t2"])).unwrap();
        assert_eq!(store.at(11).land(&tester.token, &merge("c4", green(&["t1", "t2"]))).unwrap(), [MIDDLE]);

        let tester = store.at(12).inspect(BASE, &session(Isolation::Workspace), &secret(), LEASE).unwrap();
        assert_eq!(store.at(500).reap(&LIMITS).unwrap(), [BASE]);
        assert_eq!(hold(store, BASE), Hold::Passing, "an expired test proves nothing against it");
        assert!(matches!(
            store.at(501).report_failing(&tester.token, "late"),
            Err(StoreError::StaleToken { .. })
        ));
    });
}
