//! `feature_create` and `feature_create_bulk`: what they make, make once, and refuse as a whole.

use cogwork_schemas::{Check, FeatureId};
use serde_json::{Value, json};

use crate::client::{Client, ERAS, Era, succeeded};
use crate::project::{BLOCKED, NO_CHECK, ONE_CHECK, Project};

fn item(name: &str) -> Value {
    json!({"category": "new", "name": name, "description": "d", "steps": []})
}

fn with(name: &str, more: Value) -> Value {
    let (mut item, Value::Object(more)) = (item(name), more) else { panic!("no object") };
    item.as_object_mut().unwrap().extend(more);
    item
}

fn count(project: &Project) -> usize {
    project.store.features().unwrap().len()
}

#[test]
fn a_feature_is_made_with_all_it_was_given() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &["--role", "initializer"]);
        let wanted = with(
            "Whole",
            json!({"checks": ["make test", {"command": "make lint", "timeout_s": "30"}], "key": "whole",
                   "depends_on": [ONE_CHECK, "#3"], "steps": "[\"one\", \"two\"]"}),
        );
        let made = client.get("feature_create", wanted.clone());
        assert_eq!((&made["created"], &made["feature"]["id"]), (&json!(true), &json!(7)));
        let feature = project.feature(7);
        assert_eq!(
            feature.checks,
            [Check::new("make test"), Check { timeout_s: 30, ..Check::new("make lint") }]
        );
        assert_eq!(feature.dependencies, [FeatureId(ONE_CHECK), FeatureId(NO_CHECK)]);
        assert_eq!((feature.steps.len(), feature.priority), (2, 7));
        // A known key makes no second feature, however different the rest is.
        let known = client.get("feature_create", with("Other", json!({"key": "whole"})));
        assert_eq!((&known["created"], &known["feature"]["name"]), (&json!(false), &json!("Whole")));
        assert_eq!(count(&project), 7);
    }
}

#[test]
fn one_bare_text_is_one_check() {
    let project = Project::new();
    let mut client = project.open(Era::Initialize, &[]);
    client.get("feature_create", with("Bare", json!({"checks": "make test", "depends_on": "one"})));
    let feature = project.feature(7);
    assert_eq!(
        (feature.checks, feature.dependencies),
        (vec![Check::new("make test")], vec![FeatureId(ONE_CHECK)])
    );
}

#[test]
fn a_plan_comes_in_several_calls() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &[]);
        let first = json!({"features": [
            with("a", json!({"key": "a"})),
            with("b", json!({"depends_on_indices": ["0", 2], "depends_on": ["one"]})),
            with("c", json!({"depends_on": "a"})),
        ]});
        let made = client.get("feature_create_bulk", first);
        assert_eq!(
            made,
            json!({"created": 3, "ids": [7, 8, 9], "known": [], "with_dependencies": 2, "repeated": false})
        );
        assert_eq!(project.feature(8).dependencies, [FeatureId(1), FeatureId(7), FeatureId(9)]);
        let second = json!({"features": [with("a", json!({"key": "a"})), with("d", json!({"depends_on_indices": [0]}))]});
        let made = client.get("feature_create_bulk", second);
        assert_eq!(
            (&made["created"], &made["ids"], &made["known"]),
            (&json!(1), &json!([7, 10]), &json!([7]))
        );
        assert_eq!(project.feature(10).dependencies, [FeatureId(7)]);
        let none = client.get("feature_create_bulk", json!({"features": []}));
        assert_eq!((&none["created"], &none["ids"]), (&json!(0), &json!([])));
    }
}

#[test]
fn everything_that_is_wrong_is_told_at_once_and_nothing_is_made() {
    for era in ERAS {
        let project = Project::new();
        let mut client = project.open(era, &["--max-dependencies", "2"]);
        let before = project.last_seq();
        let text = client.fail(
            "feature_create_bulk",
            json!({"features": [
                item("fine"),
                with("", json!({"checks": [{"command": " "}, {"command": "x", "timeout_s": -1}]})),
                with("deps", json!({"depends_on": ["nobody", "99"], "depends_on_indices": [2]})),
                with("many", json!({"depends_on": [1, 2, 3], "key": "12"})),
                with("x", json!({"key": "twice"})), with("y", json!({"key": "twice", "priority": i64::MAX})),
                with("z", json!({"depends_on_indices": [-1, 7]})),
            ]}),
        );
        assert!(text.starts_with("Error (invalid_argument): "), "{text}");
        for told in [
            "`features[1].name`: the name is empty",
            "`features[1].checks`: a check's command is empty",
            "`features[1].checks`: the check `x` has a time limit of 0 s",
            "`features[2].depends_on`: it depends on `nobody`, which is neither in the list nor in the project",
            "`features[2].depends_on`: it depends on 99, which is no feature of the project",
            "`features[2].depends_on_indices`: it depends on itself",
            "`features[3].depends_on`: it has 3 dependencies, more than 2",
            "`features[3].key`: the key 12 is a number",
            "`features[5].key`: the features 5 and 6 of the list have the same key `twice`",
            "`features[5].priority`: the priority 9223372036854775807 is beyond",
            "`features[6].depends_on_indices`: it depends on the item 7, but the places of the list are 0 to 6",
            "`features[6].depends_on_indices`: it depends on the item -1, but the places of the list are 0 to 6",
        ] {
            assert!(text.contains(told), "{told}\n{text}");
        }
        assert_eq!(text.matches("`features[6].depends_on_indices`").count(), 2, "{text}");
        assert!(!text.contains("features[0]"), "{text}");

        let text =
            client.fail("feature_create_bulk", json!({"features": [{"name": "a"}, 7, {"title": "b"}]}));
        assert!(
            text.contains("`features[0].category` is missing") && text.contains("`features[1]` must be"),
            "{text}"
        );
        assert!(text.contains("`features[2].name` is missing (came: `title`)"), "{text}");
        let text = client.fail("feature_create", with("", json!({"key": "7", "checks": [""]})));
        assert!(
            text.starts_with("Error (invalid_argument): `key`: the key 7 is a number")
                && text.contains("; `name`: the"),
            "{text}"
        );
        let circle = json!({"features": [
            with("a", json!({"depends_on_indices": [1]})), with("b", json!({"depends_on_indices": [0]}))]});
        let text = client.fail("feature_create_bulk", circle);
        assert!(text.contains("these depend on each other in a circle: "), "{text}");
        assert_eq!(project.last_seq(), before);
    }
}

/// Sends a call as a client does that names it.
fn named(client: &mut Client, id: &Value, items: &[&str]) -> Value {
    let features: Vec<Value> = items.iter().map(|name| item(name)).collect();
    let params = json!({"name": "feature_create_bulk", "arguments": {"features": features}, "_meta": id});
    succeeded(&client.ask("tools/call", params))
}

#[test]
fn the_same_call_makes_nothing_twice_also_in_a_fresh_process() {
    for era in ERAS {
        let project = Project::new();
        for (id, expected) in [
            (json!({}), [7, 8]),
            (json!({"claudecode/toolUseId": "toolu_1"}), [9, 10]),
            (json!({"claudecode/toolUseId": "toolu_2"}), [11, 12]),
            (json!({"callId": "call_1"}), [13, 14]),
        ] {
            for repeated in [false, true] {
                let made = named(&mut project.open(era, &[]), &id, &["a", "b"]);
                assert_eq!((&made["ids"], &made["repeated"]), (&json!(expected), &json!(repeated)), "{id}");
            }
        }
        // A client that counts its calls anew names another one the same.
        let made = named(&mut project.open(era, &[]), &json!({"callId": "call_1"}), &["c"]);
        assert_eq!((&made["ids"], &made["repeated"]), (&json!([15]), &json!(false)));
        // Another role is another session.
        let made = named(&mut project.open(era, &["--role", "chat"]), &json!({}), &["a", "b"]);
        assert_eq!(made["ids"], json!([16, 17]));
    }
}

#[test]
fn a_refused_call_may_be_corrected_and_sent_again() {
    let project = Project::new();
    let mut client = project.open(Era::Stateless, &[]);
    let wanted = with("Late", json!({"depends_on": ["later"]}));
    assert!(client.fail("feature_create", wanted.clone()).contains("it depends on `later`"));
    client.get("feature_create", with("Later", json!({"key": "later"})));
    assert_eq!(client.get("feature_create", wanted)["repeated"], false);
}

#[test]
fn a_long_list_is_made_whole_and_told_short() {
    let project = Project::new();
    let mut client = project.open(Era::Stateless, &[]);
    let features: Vec<Value> = (0..5_000)
        .map(|n| match n {
            0 => with("f0", json!({"key": "one"})),
            n => with(&format!("f{n}"), json!({"depends_on_indices": [n - 1], "checks": ["true"]})),
        })
        .collect();
    let made = client.get("feature_create_bulk", json!({"features": features}));
    assert_eq!((&made["created"], made["ids"].as_array().unwrap().len()), (&json!(4_999), 200));
    assert_eq!((&made["ids"][0], &made["ids"][1]), (&json!(ONE_CHECK), &json!(7)));
    assert_eq!((&made["ids_from"], &made["ids_to"]), (&json!(7), &json!(5_005)));
    assert_eq!((&made["known"], &made["with_dependencies"]), (&json!([ONE_CHECK]), &json!(4_999)));
    assert_eq!(project.feature(5_005).dependencies, [FeatureId(5_004)]);
    assert_eq!(project.feature(7).dependencies, [FeatureId(ONE_CHECK)]);
    assert_eq!(project.feature(BLOCKED).dependencies, [FeatureId(ONE_CHECK)]);

    let bad: Vec<Value> = (0..5_000).map(|_| with("", json!({"key": "k".repeat(500)}))).collect();
    let text = client.fail("feature_create_bulk", json!({"features": bad}));
    assert!(text.contains("; and ") && text.contains(" more. Correct"), "{text}");
}

#[test]
fn a_session_may_plan_while_one_of_its_claims_lives() {
    use cogwork_schemas::AttemptOutcome::Stopped;
    for era in ERAS {
        let project = Project::new();
        let claims = [project.claim(ONE_CHECK), project.claim(NO_CHECK)];
        let tokens = [(ONE_CHECK, &claims[0].token), (NO_CHECK, &claims[1].token)];
        let mut client = project.session_as("all", era, &tokens);
        let limits = cogwork_store::AttemptLimits::default();
        for (n, claim) in claims.iter().enumerate() {
            assert_eq!(client.get("feature_create", item(&format!("f{n}")))["created"], true);
            project.store.end_attempt(&claim.token, &Stopped, &limits).unwrap();
        }
        assert!(client.fail("feature_create", item("last")).starts_with("Error (stale_token)"));
    }
}
