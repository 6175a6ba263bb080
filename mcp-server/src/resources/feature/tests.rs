use cogwork_store::ImportLimits;
use serde_json::{Value, json};

use super::*;

/// Returns the page of the last of these features.
fn page(features: &Value, room: usize) -> String {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::create(dir.path(), crate::clock::source()).unwrap();
    let last = i64::try_from(features.as_array().unwrap().len()).unwrap();
    let list = serde_json::from_value(json!({"features": features})).unwrap();
    store.import(&list, &ImportLimits::default()).unwrap();
    let page = feature(&store, FeatureId(last), room).unwrap();
    assert!(page.chars().count() <= room, "{} characters", page.chars().count());
    page
}

#[test]
fn a_page_has_everything_in_order() {
    let page = page(
        &json!([
            {"name": "Database", "key": "db"},
            {"name": "Login form", "category": "auth", "description": "People log in.\n\nWith a name.",
             "steps": ["Open it.", "Log in."], "dependencies": ["db"],
             "checks": ["curl -f localhost/login", {"command": "test \"`id -u`\" = 0\nexit 1", "timeout_s": 5}]},
        ]),
        10_000,
    );
    assert_eq!(
        page,
        "# #2 Login form\n\n\
         Status: pending. It waits for #1 to pass. It can start when #1 passes.\n\
         Category: auth\n\n\
         People log in.\n\nWith a name.\n\n\
         ## Steps\n\n1. Open it.\n2. Log in.\n\n\
         ## Checks\n\n\
         - `curl -f localhost/login` (at most 600 s)\n\
         - `` test \"`id -u`\" = 0 exit 1 `` (at most 5 s)\n\n\
         ## Dependencies\n\n- #1 Database: pending"
    );
}

#[test]
fn what_is_cut_says_how_to_get_the_rest() {
    let long = page(
        &json!([{"name": "n".repeat(200), "description": "ä".repeat(40_000), "steps": ["step"]}]),
        10_000,
    );
    assert!(long.chars().count() > 8_000, "the room is used: {}", long.chars().count());
    assert!(
        long.contains("of 40000 characters; feature_get_by_id with feature_id 1, field description"),
        "{long}"
    );
    assert!(long.ends_with("## Steps\n\n1. step"), "{long}");

    let steps = vec!["s".repeat(300); 100];
    let checks = vec!["c".repeat(300); 100];
    let all = page(
        &json!([{"name": "n", "description": "d".repeat(30_000), "steps": steps, "checks": checks}]),
        10_000,
    );
    for part in
        ["field description", "of 100; feature_get_by_id with feature_id 1, field steps", "field checks"]
    {
        assert!(all.contains(part), "{part} in {all}");
    }
    // A prompt leaves less room.
    page(
        &json!([{"name": "n", "description": "d".repeat(30_000), "steps": vec!["s".repeat(5_000); 3]}]),
        5_000,
    );
}
