//! Changing what a feature waits for.

use cogwork_schemas::FeatureId;
use serde_json::json;

use crate::client::{ERAS, Era};
use crate::project::{BLOCKED, LONG, NO_CHECK, ONE_CHECK, Project, TWO_CHECKS};

#[test]
fn dependencies_are_added_set_and_removed() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &["--role", "orchestrator"]);
        let of = |id| json!({"feature_id": BLOCKED, "dependency_id": id});
        assert_eq!(client.get("feature_add_dependency", of(LONG))["dependencies"], json!([ONE_CHECK, LONG]));
        assert_eq!(client.get("feature_remove_dependency", of(ONE_CHECK))["dependencies"], json!([LONG]));
        let set = client
            .get("feature_set_dependencies", json!({"feature_id": BLOCKED, "dependency_ids": "5, #3, 5"}));
        assert_eq!(set["dependencies"], json!([NO_CHECK, TWO_CHECKS]), "ascending, each once");
        let none =
            client.get("feature_set_dependencies", json!({"feature_id": BLOCKED, "dependency_ids": []}));
        assert_eq!((&none["dependencies"], &none["changed"]), (&json!([]), &json!(true)));
        assert_eq!(client.get("feature_explain", json!({"feature_id": BLOCKED}))["ready"], true);
    }
}

#[test]
fn every_rule_is_kept_and_nothing_changes() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &["--max-dependencies", "1"]);
        let before = project.last_seq();
        let mut refused = |feature: i64, dependency: i64| {
            let one = json!({"feature_id": feature, "dependency_id": dependency});
            let all = json!({"feature_id": feature, "dependency_ids": [dependency]});
            let text = client.fail("feature_add_dependency", one);
            assert_eq!(client.fail("feature_set_dependencies", all), text);
            text
        };
        let own = refused(ONE_CHECK, ONE_CHECK);
        assert!(own.starts_with("Error (invalid_argument): feature #1 cannot depend on itself"), "{own}");
        let circle = refused(ONE_CHECK, BLOCKED);
        assert!(
            circle.starts_with("Error (cycle): the features #1 → #2 → #1 depend on each other"),
            "{circle}"
        );
        let unknown = refused(ONE_CHECK, 99);
        assert!(unknown.starts_with("Error (not_found): there is no feature #99"), "{unknown}");
        let many =
            client.fail("feature_add_dependency", json!({"feature_id": BLOCKED, "dependency_id": LONG}));
        assert!(
            many.starts_with("Error (limit): feature #2 would have 2 dependencies, at most 1 "),
            "{many}"
        );
        let text =
            client.fail("feature_remove_dependency", json!({"feature_id": BLOCKED, "dependency_id": 99}));
        assert!(text.starts_with("Error (not_found)"), "{text}");
        assert_eq!(project.last_seq(), before);
    }
}

#[test]
fn a_session_rewires_its_own_feature_only_and_a_planner_any() {
    for era in ERAS {
        let project = Project::new();
        let mine = project.claim(NO_CHECK);
        let mut session = project.session_as("all", era, &[(NO_CHECK, &mine.token)]);
        let on_long = |id| json!({"feature_id": id, "dependency_id": LONG});
        assert_eq!(session.get("feature_add_dependency", on_long(NO_CHECK))["changed"], true);
        assert!(session.fail("feature_add_dependency", on_long(BLOCKED)).starts_with("Error (not_assigned)"));
        // A session that plans was given no feature, and needs none.
        let mut command = project.server(&["--role", "initializer"]);
        let mut planner = crate::client::Client::open(command.env("COGWORK_SESSION", "9"), era);
        assert_eq!(planner.get("feature_add_dependency", on_long(BLOCKED))["changed"], true);
        // So does one that a person started, also while somebody works on the feature.
        let mut own = project.open(era, &[]);
        assert_eq!(
            own.get("feature_add_dependency", json!({"feature_id": 3, "dependency_id": 5}))["changed"],
            true
        );
        let dependencies = project.feature(NO_CHECK).dependencies;
        assert_eq!(dependencies, [FeatureId(LONG), FeatureId(TWO_CHECKS)]);
    }
}

#[test]
fn a_thousand_dependencies_fit_an_answer() {
    let features: Vec<_> = (0..1_001).map(|n| json!({"name": format!("f{n}")})).collect();
    let project = Project::with(features.into());
    let mut client = project.open(Era::Stateless, &[]);
    let all: Vec<i64> = (2..=1_001).collect();
    let set = client.get("feature_set_dependencies", json!({"feature_id": 1, "dependency_ids": all}));
    assert_eq!(set["dependencies"], json!(all));
}
