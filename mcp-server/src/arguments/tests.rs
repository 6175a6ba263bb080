use serde_json::json;

use super::*;

fn schema() -> JsonObject {
    object(json!({
        "type": "object",
        "properties": {
            "feature_id": {"type": "integer"},
            "limit": {"type": "integer"},
            "done": {"type": "boolean"},
            "query": {"type": "string"},
            "status": {"type": "string", "enum": ["passing", "needs_human"]},
            "ids": {"type": "array", "items": {"type": "integer"}},
            "names": {"type": "array", "items": {"type": "string"}},
            "features": {"type": "array", "items": {
                "type": "object", "properties": {"name": {"type": "string"}, "priority": {"type": "integer"}},
                "required": ["name"],
            }},
            "pairs": {"type": "array", "items": {
                "type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                "required": ["a", "b"],
            }},
        },
        "required": ["feature_id"],
    }))
}

fn object(value: Value) -> JsonObject {
    serde_json::from_value(value).unwrap()
}

/// Repairs one argument beside a valid `feature_id`.
fn check(argument: Value) -> Result<Value, String> {
    let mut arguments = object(argument);
    arguments.entry("feature_id").or_insert(json!(1));
    repaired(&schema(), arguments)
        .map(|mut repaired| {
            repaired.shift_remove("feature_id");
            Value::Object(repaired)
        })
        .map_err(|problems| problems.join("; "))
}

#[test]
fn what_has_one_plain_meaning_is_taken() {
    for (given, meant) in [
        (json!({"limit": "3"}), json!({"limit": 3})),
        (json!({"limit": " #3 "}), json!({"limit": 3})),
        (json!({"limit": 3.0}), json!({"limit": 3})),
        (json!({"limit": "3.0"}), json!({"limit": 3})),
        (json!({"limit": [3]}), json!({"limit": 3})),
        (json!({"limit": null}), json!({})),
        (json!({"limit": "null"}), json!({})),
        (json!({"limit": ["null"]}), json!({})),
        (json!({"limit": ""}), json!({})),
        (json!({"query": "null"}), json!({"query": "null"})),
        (json!({"status": "null"}), json!({})),
        (json!({"query": 7}), json!({"query": "7"})),
        (json!({"query": ["one"]}), json!({"query": "one"})),
        (json!({"done": "True"}), json!({"done": true})),
        (json!({"done": 0}), json!({"done": false})),
        (json!({"status": "Needs Human"}), json!({"status": "needs_human"})),
        (json!({"ids": "[1, \"2\"]"}), json!({"ids": [1, 2]})),
        (json!({"ids": "1, #2,3"}), json!({"ids": [1, 2, 3]})),
        (json!({"ids": 4}), json!({"ids": [4]})),
        (json!({"ids": "4"}), json!({"ids": [4]})),
        (json!({"names": "a, b"}), json!({"names": ["a, b"]})),
        (json!({"features": "{\"name\":\"a\"}"}), json!({"features": [{"name": "a"}]})),
        (
            json!({"features": "[{\"name\":\"a\",\"priority\":\"2\"}]"}),
            json!({"features": [{"name": "a", "priority": 2}]}),
        ),
        (json!({"features": ["a", {"name": "b"}]}), json!({"features": [{"name": "a"}, {"name": "b"}]})),
        (json!({"features": "a"}), json!({"features": [{"name": "a"}]})),
        (json!({"features": "[\"a\"]"}), json!({"features": [{"name": "a"}]})),
        (json!({"wait_for_previous": true}), json!({"wait_for_previous": true})),
    ] {
        assert_eq!(check(given.clone()), Ok(meant), "{given}");
    }
}

#[test]
fn what_has_no_plain_meaning_is_named_with_its_path() {
    for (given, problem) in [
        (json!({"limit": "three"}), r#"`limit` must be an integer, not "three""#),
        (json!({"limit": 2.5}), "`limit` must be an integer, not 2.5"),
        (json!({"limit": true}), "`limit` must be an integer, not true"),
        (json!({"limit": 1e300}), "`limit` must be an integer, not 1e+300"),
        (
            json!({"limit": 18_446_744_073_709_551_615_u64}),
            "`limit` must be an integer, not 18446744073709551615",
        ),
        (json!({"limit": "nan"}), r#"`limit` must be an integer, not "nan""#),
        (json!({"done": "maybe"}), r#"`done` must be true or false, not "maybe""#),
        (json!({"status": "done"}), r#"`status` must be one of passing, needs_human, not "done""#),
        (json!({"ids": [1, "x"]}), r#"`ids[1]` must be an integer, not "x""#),
        (json!({"ids": [null]}), "`ids[0]` must be an integer, not null"),
        (json!({"query": {"a": 1}}), r#"`query` must be a string, not {"a":1}"#),
        (
            json!({"features": [{"name": "a"}, {"title": "b"}]}),
            "`features[1].name` is missing (came: `title`)",
        ),
        (
            json!({"features": ["{\"name\": \"a\""]}),
            r#"`features[0]` must be an object, not "{\"name\": \"a\"""#,
        ),
        (json!({"pairs": ["a"]}), r#"`pairs[0]` must be an object, not "a""#),
        (json!({"features": [7]}), "`features[0]` must be an object, not 7"),
    ] {
        assert_eq!(check(given.clone()), Err(problem.to_owned()), "{given}");
    }
}

#[test]
fn all_problems_come_at_once() {
    let problems = repaired(&schema(), object(json!({"id": 3, "limit": "x"}))).unwrap_err();
    assert_eq!(problems, ["`feature_id` is missing (came: `id`)", r#"`limit` must be an integer, not "x""#]);
}

#[test]
fn a_long_value_is_shown_short() {
    let problem = check(json!({"limit": "x".repeat(1000)})).unwrap_err();
    assert!(problem.len() < 120, "{problem}");
}
