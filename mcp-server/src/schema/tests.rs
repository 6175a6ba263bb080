use serde::{Deserialize, Serialize};
use serde_json::json;

use super::*;

/// Documentation for Rust readers.
#[derive(Serialize, Deserialize, JsonSchema)]
struct Everything {
    /// The number
    /// of the feature.
    feature_id: i64,
    limit: Option<u32>,
    #[serde(default)]
    names: Vec<String>,
    plain: Option<Plain>,
    documented: Option<Documented>,
    items: Vec<Inner>,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Plain {
    One,
    Two,
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Documented {
    /// The first.
    One,
    /// The second.
    Two,
}

#[derive(Serialize, Deserialize, JsonSchema)]
struct Inner {
    name: String,
}

#[test]
fn a_rich_type_comes_out_in_six_keywords() {
    assert_eq!(
        Value::Object((*input::<Everything>()).clone()),
        json!({
            "type": "object",
            "properties": {
                "feature_id": {"type": "integer", "description": "The number of the feature."},
                "limit": {"type": "integer"},
                "names": {"type": "array", "items": {"type": "string"}},
                "plain": {"type": "string", "enum": ["one", "two"]},
                "documented": {"type": "string", "enum": ["one", "two"]},
                "items": {"type": "array", "items": {
                    "type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]
                }},
            },
            "required": ["feature_id", "items"],
        })
    );
}

#[test]
fn no_arguments_still_have_properties() {
    #[derive(JsonSchema)]
    struct Nothing {}
    assert_eq!(Value::Object((*input::<Nothing>()).clone()), json!({"type": "object", "properties": {}}));
}

#[test]
fn an_answer_requires_what_is_always_written() {
    #[derive(Serialize, JsonSchema)]
    struct Answer {
        /// Said in Rust only.
        always: Vec<i64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sometimes: Option<i64>,
    }
    let schema = output::<Answer>();
    assert_eq!(schema["required"], json!(["always"]));
    assert_eq!(schema["properties"]["always"], json!({"type": "array", "items": {"type": "integer"}}));
}
