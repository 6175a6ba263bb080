//! Importing lists and reading features back.

use cogwork_schemas::{Check, FeatureId, Status};
use cogwork_store::graph::Graph;
use cogwork_store::{ImportLimits, Store, StoreError};

use crate::fixture::*;

fn limits() -> ImportLimits {
    ImportLimits::default()
}

#[test]
fn what_was_written_is_read() {
    both(|store| {
        let text = r#"{"key": "k", "category": "ui", "name": "Näme", "description": "d\n\u0000é", "steps": ["s1", ""],
            "checks": ["make", {"command": "sh t.sh", "timeout_s": 5}, "make"], "dependencies": ["top", 1],
            "priority": -3, "estimate_s": 2.5}"#;
        let imported = store.at(1).import(&list(text), &limits()).unwrap();
        assert_eq!(
            (imported.created.as_slice(), imported.known.as_slice()),
            ([FeatureId(5)].as_slice(), [].as_slice())
        );
        let feature = store.feature(FeatureId(5)).unwrap();
        assert_eq!((feature.key.as_deref(), feature.category.as_str()), (Some("k"), "ui"));
        assert_eq!((feature.name.as_str(), feature.description.as_str()), ("Näme", "d\n\0é"));
        assert_eq!(feature.steps, ["s1", ""]);
        let short = Check { command: "sh t.sh".to_owned(), timeout_s: 5 };
        assert_eq!(feature.checks, [Check::new("make"), short, Check::new("make")]);
        assert_eq!(feature.dependencies, [BASE, TOP]);
        assert_eq!((feature.priority, feature.estimate_s), (-3, Some(2.5)));
        assert_eq!((feature.status, feature.proof, feature.session), (Status::Pending, None, None));
        assert_eq!(store.features().unwrap()[4], feature);

        let plain = store.feature(PROSE).unwrap();
        assert_eq!((plain.priority, plain.category.as_str(), plain.estimate_s), (5, "uncategorized", None));
    });
}

#[test]
fn all_readers_agree() {
    both(|store| {
        let features = store.features().unwrap();
        let ids: Vec<_> = features.iter().map(|feature| feature.id).collect();
        assert_eq!(ids, [BASE, MIDDLE, TOP, PROSE]);
        let nodes = store.nodes().unwrap();
        assert_eq!(store.nodes_of(&ids).unwrap(), nodes);
        for (feature, node) in features.iter().zip(&nodes) {
            assert_eq!(store.feature(feature.id).unwrap(), *feature);
            assert_eq!(
                (node.id, node.priority, &node.dependencies),
                (feature.id, feature.priority, &feature.dependencies)
            );
            assert_eq!((node.status, node.estimate_s), (feature.status, feature.estimate_s));
        }
        assert_eq!(Graph::new(nodes).unwrap().ready_in_order(), [BASE, PROSE]);
        assert_eq!(store.nodes_of(&[TOP, FeatureId(50), BASE]).unwrap().len(), 2);
    });
}

#[test]
fn importing_known_keys_again_creates_nothing() {
    both(|store| {
        let before = all(store);
        let again = store.at(9).import(&list(PROJECT), &limits()).unwrap();
        assert_eq!((again.created.as_slice(), again.known.len()), ([].as_slice(), 4));
        assert_eq!(all(store), before);

        let changed =
            r#"{"key": "base", "name": "Other", "dependencies": ["new"]}, {"key": "new", "name": "New"}"#;
        let some = store.at(9).import(&list(changed), &limits()).unwrap();
        assert_eq!((some.created, some.known), (vec![FeatureId(5)], vec![BASE]));
        let base = store.feature(BASE).unwrap();
        assert_eq!((base.name.as_str(), base.dependencies.as_slice()), ("Base", [].as_slice()));
    });
}

#[test]
fn a_bad_list_is_refused_whole() {
    both(|store| {
        let before = all(store);
        let bad = r#"{"key": "x", "name": "good"}, {"key": "y", "name": "", "dependencies": ["z", "y"]}"#;
        let error = store.at(1).import(&list(bad), &limits()).unwrap_err();
        insta::assert_snapshot!(error, @r"
        the feature list cannot be imported, nothing was changed:
          - `y`: the name is empty
          - `y`: it depends on `z`, which is neither in the list nor in the project
          - `y`: it depends on itself
        ");
        assert!(matches!(error, StoreError::BadList { problems } if problems.len() == 3));
        assert_eq!(all(store), before);
    });
}

#[test]
fn an_unknown_id_says_what_there_is() {
    let empty = Store::in_memory(clock()).unwrap();
    insta::assert_snapshot!(empty.feature(FeatureId(3)).unwrap_err(), @"there is no feature #3: the project has no features yet; `cogwork import FILE.json` adds some");
    assert_eq!(empty.features().unwrap(), []);
    both(|store| {
        for error in [store.feature(FeatureId(0)).unwrap_err(), store.attempts_of(FeatureId(-1)).unwrap_err()]
        {
            assert!(matches!(error, StoreError::UnknownFeature { highest: Some(PROSE), .. }), "{error:?}");
        }
    });
}

#[test]
fn a_large_graph_goes_in_and_comes_out() {
    let size = 3_000_i64;
    let features: Vec<_> = (1..=size)
        .map(|id| {
            let dependencies: Vec<_> = [id / 2, id / 3].into_iter().filter(|id| *id > 0).collect();
            format!(r#"{{"id": {id}, "name": "n", "checks": ["t"], "dependencies": {dependencies:?}}}"#)
        })
        .rev()
        .collect();
    let store = Store::in_memory(clock()).unwrap();
    let imported = store.at(0).import(&list(&features.join(",")), &limits()).unwrap();
    assert_eq!(imported.created.len(), 3_000);
    let features = store.features().unwrap();
    let depends: usize = features.iter().map(|feature| feature.dependencies.len()).sum();
    // 2 and 3 depend on 1 alone; from 4 on there are two, except that a half and a third never meet above 1.
    assert_eq!(depends, 2 * 3_000 - 2 - 2);
    let graph = Graph::new(store.nodes().unwrap()).unwrap();
    // The list was written backwards, and its features keep their numbers.
    assert_eq!(graph.ready_in_order(), [FeatureId(1)]);
    assert_eq!(graph.critical_path_s(), 12.0);
}

#[test]
fn checks_are_replaced_while_nobody_has_worked_on_the_feature_and_never_after() {
    both(|store| {
        let limits = ImportLimits::default();
        let checks = [Check::new("t9"), Check { command: "t8".to_owned(), timeout_s: 3 }];
        let seq = store.last_seq().unwrap();
        assert!(store.at(1).set_checks(PROSE, &checks, &limits).unwrap());
        assert!(!store.at(1).set_checks(PROSE, &checks, &limits).unwrap());
        assert_eq!(store.feature(PROSE).unwrap().checks, checks);
        assert_eq!(kinds(store, seq), ["#4 checks_changed"]);
        let before = all(store);
        let refused =
            |id, checks: &[Check]| store.at(2).set_checks(id, checks, &limits).unwrap_err().to_string();
        let bad = [Check::new(" "), Check { command: "make".to_owned(), timeout_s: 0 }];
        let told = refused(PROSE, &bad);
        assert!(
            told.contains("a check's command is empty") && told.contains("`make` has a time limit of 0 s"),
            "{told}"
        );
        assert!(refused(FeatureId(99), &checks).contains("99"));
        assert_eq!(all(store), before);
        let claim = claim(store, 3, PROSE);
        assert_eq!(refused(PROSE, &[]), "feature #4 cannot be given other checks: it is claimed");
        store.at(4).end_attempt(&claim.token, &not_finished(), &LIMITS).unwrap();
        assert_eq!(refused(PROSE, &[]), "the checks of feature #4 cannot be changed: work on it has begun");
        assert_eq!(store.feature(PROSE).unwrap().checks, checks);
    });
}
