//! Testing sessions of the lone runner, by a scripted agent through a real MCP server.

use std::fs;

use cogwork_schemas::{AttemptOutcome, Fact, FeatureId, Proof, Status};
use serde_json::json;

use crate::place::Place;

/// A feature that was built, and then broken behind everybody's back.
fn broken(script: &str) -> (Place, String) {
    let place = Place::with_features(&json!({"features": [
        {"key": "greet", "name": "Greet", "checks": ["grep -q hello said"]},
        {"key": "leave", "name": "Leave"},
    ]}));
    let file = place.dir.parent().unwrap().join("script.toml");
    fs::write(&file, "greet = [{ move = \"append\", path = \"said\", content = \"hello\\n\" }]\n").unwrap();
    let path = file.to_str().unwrap().to_owned();
    let built = place.cogwork(&["agent", "--features", "1", "--agent", "scripted", "--script", &path]);
    assert_eq!(built.status.code(), Some(0), "{built:?}");
    fs::write(place.dir.join("said"), "hallo\n").unwrap();
    fs::write(&file, script).unwrap();
    (place, path)
}

#[test]
fn a_tester_reports_repairs_and_hands_in_and_the_proof_is_red_and_green() {
    let (place, script) = broken(
        r#"
        [[greet]]
        move = "call"
        tool = "feature_mark_failing"
        arguments = { feature_id = 1, reason = "it says hallo" }
        [[greet]]
        move = "write"
        path = "said"
        content = "hello\n"
        [[greet]]
        move = "mark_passing"
        "#,
    );
    let tested = place.cogwork(&["agent", "--role", "testing", "--agent", "scripted", "--script", &script]);
    assert_eq!(tested.status.code(), Some(0), "{tested:?}");
    let said = String::from_utf8(tested.stdout).unwrap();
    assert!(said.contains("proven: integrated"), "{said}");
    let feature = place.store().feature(FeatureId(1)).unwrap();
    assert_eq!((feature.status, feature.proof), (Status::Passing, Some(Proof::RedGreen)));
    let facts = place.store().journal_since(0, 1000).unwrap();
    assert!(facts.iter().any(|entry| matches!(&entry.fact, Fact::ReportedFailing { reopened: true, .. })));
}

#[test]
fn a_tester_that_cannot_repair_leaves_a_note_and_the_feature_to_others() {
    let (place, script) = broken(
        r#"
        [[greet]]
        move = "call"
        tool = "feature_mark_failing"
        arguments = { feature_id = 1, reason = "it says hallo", note = "Somebody translated it." }
        "#,
    );
    let tested = place.cogwork(&["agent", "--role", "testing", "--agent", "scripted", "--script", &script]);
    assert_eq!(tested.status.code(), Some(4), "{tested:?}");
    let store = place.store();
    assert_eq!(store.feature(FeatureId(1)).unwrap().status, Status::Pending);
    let last = store.attempts_of(FeatureId(1)).unwrap().pop().unwrap();
    assert!(matches!(last.outcome, Some(AttemptOutcome::NotFinished { .. })), "{last:?}");
    let shown = place.cogwork(&["prompt", "show", "--feature", "1", "--isolation", "shared"]);
    let prompt = String::from_utf8(shown.stdout).unwrap();
    assert!(
        prompt.contains("# What is broken\n\nit says hallo\n\n`grep -q hello said`, exit code 1\n"),
        "{prompt}"
    );
    assert!(prompt.contains("The note that was left for you:\n\n    Somebody translated it.\n"), "{prompt}");
}
