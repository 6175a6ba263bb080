//! What lists mean and what is wrong with them, without a database.

use super::resolve::resolve;
use super::*;

fn list(json: &str) -> Vec<NewFeature> {
    let listed: Vec<ListedFeature> = serde_json::from_str(&format!("[{json}]")).unwrap();
    listed.into_iter().map(NewFeature::from).collect()
}

/// A project with the features 1 (`login`) and 2 (no key).
fn a_project() -> Project {
    Project { ids: [FeatureId(1), FeatureId(2)].into(), keys: [("login".to_owned(), FeatureId(1))].into() }
}

#[track_caller]
fn check(json: &str, expected: &[Meaning]) {
    assert_eq!(resolve(&list(json), &ImportLimits::default(), &a_project()).unwrap(), expected);
}

fn problems(list: &[NewFeature]) -> String {
    told(&resolve(list, &ImportLimits::default(), &a_project()).unwrap_err())
}

fn told(problems: &[ListProblem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn new(dependencies: &[Target]) -> Meaning {
    Meaning::New { dependencies: dependencies.iter().copied().collect() }
}

#[test]
fn numbers_are_ids_of_the_list_when_it_has_any() {
    check(
        r#"{"id": 7, "name": "a"}, {"id": 2, "name": "b", "dependencies": [7, 7]}, {"name": "c", "dependencies": [2]}"#,
        &[new(&[]), new(&[Target::Item(0)]), new(&[Target::Item(1)])],
    );
    check(
        r#"{"name": "a", "dependencies": [2, "login"]}"#,
        &[new(&[Target::Existing(FeatureId(1)), Target::Existing(FeatureId(2))])],
    );
}

#[test]
fn a_known_key_is_the_feature_of_the_project_under_any_name() {
    check(
        r#"{"id": 9, "key": "login", "name": "changed"}, {"id": 10, "name": "b", "dependencies": [9]},
           {"key": "c", "name": "c", "dependencies": ["login", "d"]}, {"key": "d", "name": "d"}"#,
        &[
            Meaning::Known(FeatureId(1)),
            new(&[Target::Existing(FeatureId(1))]),
            new(&[Target::Existing(FeatureId(1)), Target::Item(3)]),
            new(&[]),
        ],
    );
}

#[test]
fn every_problem_is_told_at_once() {
    let list = list(
        r#"{"name": " ", "dependencies": ["nobody"]},
           {"key": "a", "name": "a", "dependencies": ["a", "b"]},
           {"key": "b", "name": "b", "dependencies": ["c"], "estimate_s": -3},
           {"key": "c", "name": "c\nc", "dependencies": ["a"]},
           {"key": "b", "name": "again"},
           {"id": 3, "name": "d", "dependencies": [4]},
           {"id": 4, "name": "e", "category": "", "dependencies": [3, 8]},
           {"id": 4, "key": "", "name": "f"}"#,
    );
    insta::assert_snapshot!(problems(&list), @r#"
    feature 1 of the list (" "): the name is empty
    `b`: the estimate -3 is no number of seconds
    `c`: the name "c\nc" holds a line break or another control character
    #4: the category is empty
    ``: the key is empty
    `b`: the features 3 and 5 of the list have the same key `b`
    ``: the features 7 and 8 of the list have the same id 4
    feature 1 of the list (" "): it depends on `nobody`, which is neither in the list nor in the project
    `a`: it depends on itself
    #4: it depends on 8, which is no id of the list
    these depend on each other in a circle: `a` → `b` → `c` → `a`
    these depend on each other in a circle: #3 → #4 → #3
    "#);
}

#[test]
fn a_number_without_ids_in_the_list_must_exist_in_the_project() {
    insta::assert_snapshot!(
        problems(&list(r#"{"name": "a", "dependencies": [3]}"#)),
        @r#"feature 1 of the list ("a"): it depends on 3, which is no feature of the project (and the list gives no ids)"#
    );
}

#[test]
fn an_empty_list_and_a_much_too_large_one_are_mistakes() {
    insta::assert_snapshot!(problems(&list("")), @"it holds no features: add at least one");
    let limits = ImportLimits { features: 1, ..ImportLimits::default() };
    let error = resolve(&list(r#"{"name": "a"}, {"name": "b"}"#), &limits, &a_project()).unwrap_err();
    assert_eq!(told(&error), "it holds 2 features, more than 1: split it");
}

#[test]
fn limits_are_said_with_what_was_found() {
    let limits = ImportLimits {
        features: 9,
        name_chars: 3,
        category_chars: 3,
        key_chars: 3,
        text_bytes: 4,
        dependencies: 1,
        checks: 1,
    };
    let item = |key: &str| ListedFeature {
        id: None,
        key: Some(key.to_owned()),
        category: "äöü".to_owned(),
        name: "äöü".to_owned(),
        description: "ab".to_owned(),
        steps: vec!["cd".to_owned()],
        checks: vec![Check::new("true")],
        dependencies: Vec::new(),
        priority: None,
        estimate_s: Some(0.0),
    };
    assert!(resolve(&[item("a").into()], &limits, &Project::default()).is_ok());
    let mut item = item("abcd");
    item.category = "abcd".to_owned();
    item.name = "abcd".to_owned();
    item.steps.push("e".to_owned());
    item.dependencies = vec![DependencyRef::Id(1), DependencyRef::Key("login".to_owned())];
    item.checks = vec![Check::new(" "), Check { command: "make".to_owned(), timeout_s: 0 }];
    item.estimate_s = Some(f64::NAN);
    let error = resolve(&[item.into()], &limits, &a_project()).unwrap_err();
    insta::assert_snapshot!(told(&error), @r"
    `abcd`: the key has 4 characters, more than 3
    `abcd`: the name has 4 characters, more than 3
    `abcd`: the category has 4 characters, more than 3
    `abcd`: it has 5 bytes of description and steps, more than 4
    `abcd`: it has 2 dependencies, more than 1
    `abcd`: it has 2 checks, more than 1
    `abcd`: the estimate NaN is no number of seconds
    `abcd`: a check's command is empty
    `abcd`: the check `make` has a time limit of 0 s
    ");
}

#[test]
fn many_circles_are_cut_short() {
    let pairs: Vec<_> = (0..40)
        .map(|n| format!(r#"{{"key": "k{n}", "name": "n", "dependencies": ["k{}"]}}"#, n ^ 1))
        .collect();
    let problems = problems(&list(&pairs.join(", ")));
    assert_eq!(problems.lines().count(), 10);
    assert!(
        problems.starts_with("these depend on each other in a circle: `k0` → `k1` → `k0`\n"),
        "{problems}"
    );
}
