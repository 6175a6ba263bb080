use super::*;

fn request() -> HumanRequest {
    serde_json::from_value(json!({
        "prompt": "How shall it be?",
        "fields": [
            {"id": "name", "label": "Name", "placeholder": "Ada"},
            {"id": "why", "label": "Why", "type": "textarea", "required": false},
            {"id": "db", "label": "Database", "type": "select",
             "options": [{"value": "s", "label": "SQLite"}, {"value": "p", "label": "Postgres"}]},
            {"id": "plain", "label": "Plain", "type": "select", "options": [{"value": "a", "label": "a"}]},
            {"id": "sure", "label": "Sure?", "type": "boolean", "required": false},
        ],
    }))
    .unwrap()
}

fn form(version: &ProtocolVersion) -> Value {
    serde_json::to_value(params(&request(), version).unwrap()).unwrap()
}

#[test]
fn a_form_speaks_the_language_of_its_revision() {
    for version in
        [ProtocolVersion::V_2025_06_18, ProtocolVersion::V_2025_11_25, ProtocolVersion::V_2026_07_28]
    {
        let form = form(&version);
        assert_eq!(form["message"], "How shall it be?");
        let schema = &form["requestedSchema"];
        assert_eq!(
            (&schema["type"], &schema["required"]),
            (&json!("object"), &json!(["name", "db", "plain"]))
        );
        let properties = &schema["properties"];
        assert_eq!(properties["name"], json!({"type": "string", "title": "Name", "description": "Ada"}));
        assert_eq!(properties["why"], json!({"type": "string", "title": "Why"}));
        assert_eq!(properties["plain"], json!({"type": "string", "title": "Plain", "enum": ["a"]}));
        assert_eq!(properties["sure"], json!({"type": "boolean", "title": "Sure?"}));
        let labelled = if version == ProtocolVersion::V_2025_06_18 {
            json!({"type": "string", "title": "Database", "enum": ["s", "p"], "enumNames": ["SQLite", "Postgres"]})
        } else {
            json!({"type": "string", "title": "Database",
                   "oneOf": [{"const": "s", "title": "SQLite"}, {"const": "p", "title": "Postgres"}]})
        };
        assert_eq!(properties["db"], labelled);
    }
}

#[test]
fn what_was_filled_in_is_brought_to_what_was_asked() {
    let check = |content: Value, expected: Value| {
        let answers = answers(&request(), &content);
        assert_eq!(serde_json::to_value(answers).unwrap(), expected, "{content}");
    };
    check(json!({"name": "Ada", "db": "s", "sure": true}), json!({"db": "s", "name": "Ada", "sure": true}));
    check(json!({"name": 7, "db": "Postgres", "sure": "no"}), json!({"db": "p", "name": "7", "sure": false}));
    // What was left empty was not answered, unless it had to be: then the request says so.
    check(json!({"name": "", "why": " ", "sure": ""}), json!({"name": ""}));
    check(json!({"name": null, "why": [], "db": {}, "other": "x"}), json!({}));
    check(json!({"sure": "perhaps", "db": "Oracle"}), json!({"db": "Oracle", "sure": "perhaps"}));
    check(json!(null), json!({}));
}
